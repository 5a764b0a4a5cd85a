"""Formulas of corrections: the syntax of ROOT's TFormula as correctionlib reads it, and their evaluation with JAX.

A formula is nested tuples: ``("number", 2.0)``, ``("parameter", 0)``, ``("variable", 0)``, or the name of an operation
and its operands. `canonical` takes the numbers out of it, so that formulas that differ in nothing else become one.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

Formula: TypeAlias = tuple[Any, ...]

# the order of precedence, weakest first; operators of one line bind alike
_PRECEDENCE = (("||",), ("&&",), ("==", "!="), (">", "<", ">=", "<="), ("-", "+"), ("/", "*"), ("^",))
_BINARY_FUNCTIONS = ("atan2", "pow", "max", "min")
_VARIABLES = "xyzt"
_TOKEN = re.compile(
    r"[ \t]*(?:(\d+(?:\.\d*)?(?:e-?\d+)?)|\[[ \t]*(\d+)[ \t]*\]|x\[(\d+)\]|([a-z]+\d*)"
    r"|(\|\||&&|==|!=|>=|<=|[-+*/^<>(),]))"
)

_UNARY: dict[str, Callable[[jax.Array], jax.Array]] = {
    "log": jnp.log,
    "log10": jnp.log10,
    "exp": jnp.exp,
    "erf": jax.scipy.special.erf,
    "sqrt": jnp.sqrt,
    "abs": jnp.abs,
    "cos": jnp.cos,
    "sin": jnp.sin,
    "tan": jnp.tan,
    "acos": jnp.arccos,
    "asin": jnp.arcsin,
    "atan": jnp.arctan,
    "cosh": jnp.cosh,
    "sinh": jnp.sinh,
    "tanh": jnp.tanh,
    "acosh": jnp.arccosh,
    "asinh": jnp.arcsinh,
    "atanh": jnp.arctanh,
}
# what is 1 or 0; anything but zero is true, also what is no number
_CONDITIONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "&&": jnp.logical_and,
    "||": jnp.logical_or,
}


def parse(expression: str) -> Formula:
    """Return the formula that a text means.

    It has numbers, parameters ``[0]``, variables x, y, z and t, or ``x[0]``, ``x[1]`` and so on, the operators
    ``|| && == != < > <= >= + - * / ^``, and correctionlib's functions: for instance ``"[0] + [1]*log(max(x, 20))"``. A
    minus in front of a name or a parenthesis binds more tightly than ``^``. Raises `ValueError` when it cannot be
    understood; the message shows where.

    Examples
    --------
    >>> from hepgrad.analysis.corrections.formula import parse
    >>> parse("1 - 2*x")
    ('-', ('number', 1.0), ('*', ('number', 2.0), ('variable', 0)))
    """
    formula, position = _expression(expression, 0, 0)
    if expression[position:].strip(" \t"):
        raise _unclear(expression, position)
    return formula


def _unclear(text: str, position: int) -> ValueError:
    return ValueError(f"the formula {text!r} cannot be understood at character {position}: {text[position:][:20]!r}")


def _next(text: str, position: int) -> tuple[str, str, int]:
    """Return the kind of the next token, its text, and where it ends; an empty kind at the end."""
    found = _TOKEN.match(text, position)
    if found is None:
        return "", "", position
    kinds = ("number", "parameter", "variable", "name", "symbol")
    kind, token = next((k, t) for k, t in zip(kinds, found.groups(), strict=True) if t is not None)
    return kind, token, found.end()


def _expression(text: str, position: int, level: int) -> tuple[Formula, int]:
    """Read operands that are joined by the operators of a level of precedence, from the left; ``^`` from the right."""
    if level == len(_PRECEDENCE):
        return _atom(text, position)
    left, position = _expression(text, position, level + 1)
    while True:
        kind, token, after = _next(text, position)
        if kind != "symbol" or token not in _PRECEDENCE[level]:
            return left, position
        right, position = _expression(text, after, level if token == "^" else level + 1)
        left = ("pow" if token == "^" else token, left, right)


def _atom(text: str, position: int) -> tuple[Formula, int]:
    kind, token, after = _next(text, position)
    if (kind, token) == ("symbol", "-"):
        kind, token, ends = _next(text, after)
        if kind == "number" and text[after].isdigit():  # a number keeps its sign without a blank
            return ("number", -float(token)), ends
        if kind == "number":
            raise _unclear(text, position)
        inner, position = _atom_without_sign(text, after)
        return ("negative", inner), position
    return _atom_without_sign(text, position)


def _atom_without_sign(text: str, position: int) -> tuple[Formula, int]:
    kind, token, after = _next(text, position)
    if kind == "number":
        return ("number", float(token)), after
    if kind == "parameter":
        return ("parameter", int(token)), after
    if kind == "variable":
        return ("variable", int(token)), after
    if kind == "name" and token in _VARIABLES:
        return ("variable", _VARIABLES.index(token)), after
    if kind == "name" and (token in _UNARY or token in _BINARY_FUNCTIONS):
        after = _expect(text, after, "(")
        operands = []
        for i in range(1 if token in _UNARY else 2):
            after = _expect(text, after, ",") if i else after
            operand, after = _expression(text, after, 0)
            operands.append(operand)
        return (token, *operands), _expect(text, after, ")")
    if (kind, token) == ("symbol", "("):
        inner, after = _expression(text, after, 0)
        return inner, _expect(text, after, ")")
    raise _unclear(text, position)


def _expect(text: str, position: int, symbol: str) -> int:
    kind, token, after = _next(text, position)
    if (kind, token) != ("symbol", symbol):
        raise _unclear(text, position)
    return after


def canonical(formula: Formula, parameters: Sequence[float]) -> tuple[Formula, tuple[float, ...]]:
    """Return a formula with every number as a parameter, and their values.

    Subtracting a multiple is adding the negative one, which is the same in floating point, so that ``1 - 2*x`` and
    ``1 + 2*x`` have one form. Raises `ValueError` when a parameter has no value.

    Examples
    --------
    >>> from hepgrad.analysis.corrections.formula import canonical, parse
    >>> canonical(parse("1 - 2*x"), [])
    (('+', ('parameter', 0), ('*', ('parameter', 1), ('variable', 0))), (1.0, -2.0))
    """
    values: list[float] = []

    def take(part: Formula) -> Formula:
        kind = part[0]
        if kind == "variable":
            return part
        if kind in ("number", "parameter"):
            if kind == "parameter" and part[1] >= len(parameters):
                raise ValueError(
                    f"the formula has a parameter [{part[1]}], but only {len(parameters)} values are given"
                )
            values.append(float(part[1] if kind == "number" else parameters[part[1]]))
            return ("parameter", len(values) - 1)
        return (kind, *(take(operand) for operand in part[1:]))

    return take(_without_minus(formula, parameters)), tuple(values)


def _without_minus(formula: Formula, parameters: Sequence[float]) -> Formula:
    """Move signs into numbers wherever that changes no result."""
    if formula[0] in ("number", "variable", "parameter"):
        return formula
    kind, *operands = formula[0], *(_without_minus(operand, parameters) for operand in formula[1:])
    if kind == "negative" and (flipped := _flipped(operands[0], parameters)) is not None:
        return flipped
    if kind == "-" and (flipped := _flipped(operands[1], parameters)) is not None:
        return ("+", operands[0], flipped)
    return (kind, *operands)


def _flipped(formula: Formula, parameters: Sequence[float]) -> Formula | None:
    """Return the negative of a number, or of a product or ratio that begins with one; None for anything else."""
    if formula[0] == "number":
        return ("number", -formula[1])
    if formula[0] == "parameter" and formula[1] < len(parameters):
        return ("number", -float(parameters[formula[1]]))
    if formula[0] in ("*", "/") and (first := _flipped(formula[1], parameters)) is not None:
        return (formula[0], first, formula[2])
    return None


def evaluate(formula: Formula, variables: Sequence[Any], parameters: Sequence[Any]) -> Any:
    """Return the value of a formula.

    Variables are arrays of one shape, in the order x, y, z, t; parameters are numbers, or arrays of that shape.
    """
    kind = formula[0]
    if kind == "number":
        return formula[1]
    if kind == "variable":
        return variables[formula[1]]
    if kind == "parameter":
        return parameters[formula[1]]
    return _operation(kind, *(evaluate(operand, variables, parameters) for operand in formula[1:]))


def _operation(kind: str, *operands: Any) -> Any:
    if kind in _UNARY:
        return _UNARY[kind](operands[0])
    if kind == "negative":
        return -operands[0]
    left, right = operands
    if kind in _CONDITIONS:
        return jnp.where(_CONDITIONS[kind](left, right), 1.0, 0.0).astype(jnp.result_type(left, right, float))
    if kind == "pow":
        return _power(left, right)
    # as std::max and std::min, which return the first of two that are equal, or not comparable
    if kind == "max":
        return jnp.where(left < right, right, left)
    if kind == "min":
        return jnp.where(right < left, right, left)
    if kind == "atan2":
        return jnp.arctan2(left, right)
    arithmetic = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
    return arithmetic[kind](left, right)


def _power(base: Any, exponent: Any) -> Any:
    # a known whole exponent has a derivative at zero, and is quicker
    if isinstance(exponent, float) and exponent.is_integer() and abs(exponent) <= 4 and isinstance(base, jax.Array):
        return jax.lax.integer_pow(base, int(exponent))
    return jnp.power(base, exponent)


@functools.lru_cache(maxsize=4096)
def parsed(expression: str) -> Formula:
    """Return `parse` of a text, which a file repeats for many bins."""
    return parse(expression)
