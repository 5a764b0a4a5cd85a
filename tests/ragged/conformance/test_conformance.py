"""Each expression of the table gives what Awkward gives, everywhere, and has the right derivative."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hepgrad import ragged as rg

from .case import Case
from .cases import CASES
from .compare import assert_same, leaves, to_awkward
from .convert import cotangent_for, moved, to_ragged
from .inputs import GRID, SPECIAL, STRUCTURES, make_inputs
from .libraries import Awkward, Ragged

AWKWARD, RAGGED = Awkward(), Ragged()
POOL = 64
INTEGERS = {"i", "m", "k", "dm", "n", "b"}
DEFAULT = settings(
    max_examples=3,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.generate,),  # the arrays are small: shrinking them takes longer than reading them
    suppress_health_check=list(HealthCheck),
)
# compiling is what these tests take their time for, and the programs run once
compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
by_expression = pytest.mark.parametrize("case", CASES, ids=lambda case: case.expression)


def pools(values: tuple[float, ...]) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float64, POOL, elements=st.sampled_from(values), fill=st.nothing())


def structure_for(case: Case) -> list[int]:
    return STRUCTURES["full" if case.full else "mixed"]


def random_pool(seed: int) -> np.ndarray:
    """Values that are all different, so that nothing sits on an edge."""
    return np.random.default_rng(seed).normal(0, 2, 97)


def check_value(case: Case, counts: list[int], pool: np.ndarray, *, jit: bool = False) -> None:
    inputs = make_inputs(counts, pool)

    expected = case.evaluate(AWKWARD, inputs)

    def evaluate(arrays: dict) -> object:
        result = case.evaluate(RAGGED, arrays)
        return case.shortened(result, expected) if jit else result

    actual = (compiled(evaluate) if jit else evaluate)(to_ragged(inputs, case.uses))
    assert_same(to_awkward(actual), expected, rtol=1e-5, atol=1e-5)


def test_the_table_is_long_and_names_nothing_twice():
    assert len(CASES) >= 250
    assert len({case.expression for case in CASES}) == len(CASES)


@by_expression
def test_eager(case):
    @DEFAULT
    @given(pool=pools(SPECIAL if case.special else GRID))
    def check(pool):
        check_value(case, structure_for(case), pool)

    check()


@by_expression
@pytest.mark.parametrize("structure", ["all rows empty", "no rows", "one row", "large rows"])
def test_structures(case, structure):
    if not case.fits(STRUCTURES[structure]):
        pytest.skip("this expression needs other rows")
    pool = np.random.default_rng(5).choice(GRID, POOL)
    check_value(case, STRUCTURES[structure], pool)


# the next test but one jits each expression as well
@pytest.mark.slow
@by_expression
def test_jitted(case):
    if not case.jittable:
        pytest.skip("the size of the result depends on the data")
    check_value(case, structure_for(case), random_pool(1), jit=True)


@pytest.mark.slow
@by_expression
def test_many_examples(case):
    fitting = [name for name, counts in STRUCTURES.items() if case.fits(counts)]

    @settings(DEFAULT, max_examples=60)
    @given(pool=pools(SPECIAL if case.special else GRID), structure=st.sampled_from(fitting), jit=st.booleans())
    def check(pool, structure, jit):
        check_value(case, STRUCTURES[structure], pool, jit=jit and case.jittable)

    check()


@by_expression
def test_jitted_with_slack_and_derivatives(case, x64):
    if not case.jittable:
        pytest.skip("the size of the result depends on the data")
    counts = structure_for(case)
    inputs = {name: make_inputs(counts, random_pool(2), np.float64)[name] for name in case.uses}
    direction = {name: make_inputs(counts, random_pool(3), np.float64)[name] for name in case.uses}
    arguments, tangents = (to_ragged(arrays, case.uses, slack=3) for arrays in (inputs, direction))
    expected = case.evaluate(AWKWARD, inputs)

    def evaluate(arrays: dict) -> object:
        return case.shortened(case.evaluate(RAGGED, arrays), expected)

    floats = [leaf.dtype.kind == "f" for leaf in leaves(expected)]
    if not (case.differentiable and any(floats) and set(case.uses) - INTEGERS):
        assert_same(to_awkward(compiled(evaluate)(arguments)), expected, rtol=1e-12, atol=1e-12)
        return

    @compiled
    def differentiated(arrays: dict, tangents: dict) -> tuple:
        value, derivative = rg.jvp(evaluate, (arrays,), (tangents,))
        _, pull_back = rg.vjp(evaluate, arrays)
        return value, derivative, pull_back(cotangent_for(value))[0]

    value, derivative, gradient = differentiated(arguments, tangents)
    assert_same(to_awkward(value), expected, rtol=1e-10, atol=1e-10)

    step = 1e-5
    after, before = (leaves(case.evaluate(AWKWARD, moved(inputs, direction, h))) for h in (step, -step))
    pulled, pushed = 0.0, 0.0
    for actual, a, b, is_float in zip(leaves(to_awkward(derivative)), after, before, floats, strict=True):
        if is_float:
            with np.errstate(invalid="ignore"):
                slope = ((a - b) / (2 * step)).ravel()
            finite = np.isfinite(slope)
            np.testing.assert_allclose(actual.ravel()[finite], slope[finite], rtol=1e-6, atol=1e-6, err_msg="forward")
            pushed += np.sum((slope * np.cos(1 + 1.3 * np.arange(slope.size)))[finite])
    for name in case.uses:
        for one, other in zip(leaves(to_awkward(gradient[name])), leaves(direction[name]), strict=True):
            assert np.all(np.isfinite(one)), f"gradient with respect to {name}: {one}"
            if one.dtype.kind == "f":
                pulled += np.sum(one * other)
    np.testing.assert_allclose(pulled, pushed, rtol=1e-6, atol=1e-6, err_msg="reverse")
