"""Formulas mean what correctionlib takes them to mean, and what it refuses is refused."""

from __future__ import annotations

import correctionlib.schemav2 as schema
import jax
import numpy as np
import pytest

from hepgrad.analysis.corrections.formula import canonical, evaluate, parse

X = np.array([0.1, 0.75, 1.0, 2.5, 30.0])
Y = np.array([3.0, 0.5, 1.0, 2.0, 0.25])
EXPRESSIONS = [
    "1 - 2*x - 3*y",
    "x - y - 1",
    "2^3^2",
    "-2^2",
    "-x^2",
    "(-x)^2",
    "x/y*2",
    "x*2e-3 + 1.5e2",
    "1 < x == y > 0.3",
    "x >= 1 != y <= 1",
    "x-3",
    "x - -3",
    "-(x+y)*-2",
    "[0]*max(min(x, [3]), [2]) + [1]",
    "-[0]*x + [1]/y",
    "max(x, y) - min(x, y)",
    "pow(x, 0.5)*atan2(y, x)",
    "log(x)+log10(x)+exp(-x)+sqrt(x)+abs(y-x)+erf(y)",
    "cos(x)+sin(x)+tan(x)+acos(y/4)+asin(y/4)+atan(x)",
    "cosh(y)+sinh(y)+tanh(x)+acosh(1+x)+asinh(x)+atanh(y/4)",
    "(x<1)*0.5 + (x>=1)*(0.7+0.01*(x-1))",
    "x < 1 && y > 0.4 || x > 2 && 2*y",
    "0 || x - 1 && -y == -1",
    "x[0] - 2*x[1]^2",
]
PARAMETERS = [1.5, 0.25, 0.5, 20.0]


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_values_are_those_of_correctionlib(expression):
    variable = [schema.Variable(name=name, type="real") for name in "xy"]
    formula = schema.Formula(
        nodetype="formula", expression=expression, parser="TFormula", variables=["x", "y"], parameters=PARAMETERS
    )
    output = schema.Variable(name="w", type="real")
    correction = schema.Correction(name="c", version=1, inputs=variable, output=output, data=formula)
    expected = correction.to_evaluator().evaluate(X, Y)
    for form, numbers in ((parse(expression), PARAMETERS), canonical(parse(expression), PARAMETERS)):
        found = evaluate(form, [jax.numpy.asarray(X), jax.numpy.asarray(Y)], numbers)
        np.testing.assert_allclose(np.broadcast_to(found, X.shape), expected, rtol=1e-13)


@pytest.mark.parametrize(
    "expression",
    ["", "x +", "2 3", "x**2", "foo(x)", "max(x)", "(x", "x)", "1e+5", "- 3", "x & y", "w", "x [1]", "y[1]"],
)
def test_what_cannot_be_understood_is_refused(expression):
    with pytest.raises(ValueError, match="cannot be understood at character"):
        parse(expression)


def test_formulas_that_differ_in_numbers_have_one_form():
    texts = ["1 - 2*x", "1 + 2*x", "-0.5 - 3*x", "0.25 + -1*x"]
    forms = [canonical(parse(text), [])[0] for text in texts]
    assert len(set(forms)) == 1


def test_a_parameter_without_a_value_is_refused():
    with pytest.raises(ValueError, match=r"parameter \[2\], but only 2 values"):
        canonical(parse("[0] + [2]"), [1.0, 2.0])


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("expression", ["max(x, 2)*x", "pow(x, 3) - x^2", "(x<1)*0.5 + (x>=1)*log(x)", "atan2(x, 2)"])
def test_derivatives(expression):
    def value(x):
        return evaluate(parse(expression), [x], []) * 1.0

    for x in (0.3, 2.7):
        numeric = (value(jax.numpy.asarray(x + 1e-6)) - value(jax.numpy.asarray(x - 1e-6))) / 2e-6
        np.testing.assert_allclose(jax.grad(value)(x), numeric, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(jax.jvp(value, (x,), (1.0,))[1], numeric, rtol=1e-7, atol=1e-9)


def test_a_whole_power_has_a_derivative_at_zero():
    assert jax.grad(lambda x: evaluate(parse("x^2"), [x], []))(0.0) == 0
