"""Rules of interval arithmetic for JAX's primitives: for each, the least and the most that it can return.

A rule may return a wider interval than necessary, never a narrower one. A primitive without a rule can return anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .interval import Interval, Value, as_interval, high, low, widened

# the same quantity computed in two ways may differ by rounding; a comparison that is this close is undecided
TOLERANCE = 1e-5

# where larger arguments never give smaller results
INCREASING = {
    *("add", "max", "min", "clamp", "exp", "exp2", "expm1", "log", "log1p", "sqrt", "cbrt", "tanh", "logistic", "erf"),
    *("asin", "atan", "sinh", "asinh", "floor", "ceil", "round", "sign", "reduce_precision", "copy", "copy_p"),
    *("reduce_sum", "reduce_max", "reduce_min", "reduce_or", "reduce_and", "cumsum", "cummax", "cummin", "add_any"),
    *("broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose", "rev", "slice", "concatenate", "pad"),
    *("optimization_barrier", "stop_gradient", "stack"),
}
# the same, where all arguments but these are places that have to be known
PLACED = {
    "gather": (0,),
    "dynamic_slice": (0,),
    "dynamic_update_slice": (0, 1),
    "scatter": (0, 2),
    "scatter-add": (0, 2),
    "scatter-min": (0, 2),
    "scatter-max": (0, 2),
}
# the same, as long as none of the arguments is negative
PRODUCTS = {"reduce_prod": (0,), "cumprod": (0,), "scatter-mul": (0, 2)}

# integers may wrap around here more than once, unless they are small
MULTIPLYING = {"reduce_sum", "cumsum", "scatter-add", "mul", "integer_pow", *PRODUCTS}
SMALL = 2**14

Rule = Callable[..., "Interval | None"]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule.

    Names are those of the primitives. A rule takes a function that evaluates the primitive, and its arguments, and
    returns None where it cannot tell.
    """

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def bounds(name: str, bind: Callable[..., Any], args: Sequence[Value]) -> Interval | None:
    """Return what a primitive with one result can return, or None when there is no telling.

    ``bind`` evaluates it for known arguments; at least one of ``args`` is an interval.
    """
    found = _bounds(name, bind, args)
    if found is None or name not in MULTIPLYING or not jnp.issubdtype(found.low.dtype, jnp.integer):
        return found
    large = [jnp.any((low(arg) < -SMALL) | (high(arg) > SMALL)) for arg in args if isinstance(arg, Interval)]
    return widened(found, jnp.any(jnp.stack(large)))


def _bounds(name: str, bind: Callable[..., Any], args: Sequence[Value]) -> Interval | None:
    if name in INCREASING:
        return _increasing(bind, args)
    if name in PLACED or name in PRODUCTS:
        numbers = (PLACED | PRODUCTS)[name]
        if any(isinstance(arg, Interval) for i, arg in enumerate(args) if i not in numbers):
            return None
        found = _increasing(bind, args)
        if name in PLACED:
            return found
        return widened(found, jnp.any(jnp.stack([jnp.any(low(args[i]) < 0) for i in numbers])))
    return RULES[name](bind, *args) if name in RULES else None


def _increasing(bind: Callable[..., Any], args: Sequence[Value]) -> Interval:
    return Interval(bind(*map(low, args)), bind(*map(high, args)))


def _hull(candidates: Sequence[jax.Array]) -> Interval:
    """Return the interval of several results; NaN among them makes both bounds NaN, which later becomes unbounded."""
    stacked = jnp.stack(candidates)
    return Interval(jnp.min(stacked, axis=0), jnp.max(stacked, axis=0))


@rule("neg")
def _neg(bind: Any, x: Interval) -> Interval:
    return Interval(bind(x.high), bind(x.low))


@rule("sub")
def _sub(bind: Any, x: Value, y: Value) -> Interval:
    return Interval(bind(low(x), high(y)), bind(high(x), low(y)))


@rule("mul")
def _mul(bind: Any, x: Value, y: Value) -> Interval:
    return _hull([bind(a, b) for a in (low(x), high(x)) for b in (low(y), high(y))])


@rule("div")
def _div(bind: Any, x: Value, y: Value) -> Interval:
    found = _hull([bind(a, b) for a in (low(x), high(x)) for b in (low(y), high(y))])
    return widened(found, (low(y) <= 0) & (high(y) >= 0))


def _even_bounds(bind: Any, x: Interval) -> Interval:
    ends = _hull([bind(x.low), bind(x.high)])
    around = (x.low < 0) & (x.high > 0)
    return Interval(jnp.where(around, jnp.zeros_like(ends.low), ends.low), ends.high)


@rule("abs", "square")
def _even(bind: Any, x: Interval) -> Interval:
    return _even_bounds(bind, x)


@rule("integer_pow")
def _integer_pow(bind: Any, x: Interval) -> Interval:
    # an even power is never below that of the ends, or 0 between ends of opposite sign; an odd one increases
    found = _even_bounds(bind, x)
    pole = jnp.isinf(bind(jnp.zeros_like(x.low)))
    return widened(Interval(jnp.minimum(found.low, bind(x.low)), found.high), pole & (x.low <= 0) & (x.high >= 0))


@rule("gt", "ge")
def _greater(bind: Any, x: Value, y: Value) -> Interval:
    slack = _slack(x, y)
    return Interval(bind(low(x) - slack, high(y)), bind(high(x) + slack, low(y)))


@rule("lt", "le")
def _less(bind: Any, x: Value, y: Value) -> Interval:
    slack = _slack(x, y)
    return Interval(bind(high(x) + slack, low(y)), bind(low(x) - slack, high(y)))


@rule("eq")
def _equal(bind: Any, x: Value, y: Value) -> Interval:
    possible = (low(x) <= high(y)) & (low(y) <= high(x))
    return Interval(_single(x, y) & possible, possible)


@rule("ne")
def _unequal(bind: Any, x: Value, y: Value) -> Interval:
    overlap = (low(x) <= high(y)) & (low(y) <= high(x))
    return Interval(~overlap, ~(_single(x, y) & overlap))


@rule("and", "or")
def _logic(bind: Any, x: Value, y: Value) -> Interval | None:
    return _increasing(bind, (x, y)) if low(x).dtype == jnp.bool_ else None


@rule("not")
def _not(bind: Any, x: Interval) -> Interval | None:
    return Interval(~x.high, ~x.low) if x.low.dtype == jnp.bool_ else None


@rule("select_n")
def _select(bind: Any, which: Value, *cases: Value) -> Interval | None:
    lows, highs = [low(case) for case in cases], [high(case) for case in cases]
    if not isinstance(which, Interval):
        return Interval(bind(which, *lows), bind(which, *highs))
    if which.low.dtype != jnp.bool_:
        return None
    either = _hull(lows).low, _hull(highs).high
    decided = which.low == which.high
    return Interval(
        jnp.where(decided, bind(which.low, *lows), either[0]), jnp.where(decided, bind(which.low, *highs), either[1])
    )


@rule("convert_element_type")
def _convert(bind: Any, x: Interval) -> Interval | None:
    found = Interval(bind(x.low), bind(x.high))
    # any number but 0 is true
    return None if found.low.dtype == jnp.bool_ and x.low.dtype != jnp.bool_ else found


@rule("cos", "sin")
def _wave(bind: Any, x: Interval) -> Interval:
    return Interval(jnp.full_like(x.low, -1), jnp.full_like(x.low, 1))


@rule("is_finite")
def _is_finite(bind: Any, x: Interval) -> Interval:
    known = as_interval(x)
    return Interval(jnp.zeros_like(bind(known.low)), jnp.ones_like(bind(known.high)))


def _single(x: Value, y: Value) -> jax.Array:
    """Return where both are known."""
    return (low(x) == high(x)) & (low(y) == high(y))


def _slack(x: Value, y: Value) -> Any:
    if not jnp.issubdtype(low(x).dtype, jnp.floating):
        return 0
    ends = (jnp.abs(end) for value in (x, y) for end in (low(value), high(value)))
    finite = [jnp.where(jnp.isfinite(end), end, 0) for end in ends]
    return jnp.asarray(TOLERANCE, low(x).dtype) * jnp.max(jnp.stack(jnp.broadcast_arrays(*finite)), axis=0)
