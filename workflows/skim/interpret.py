"""Evaluation of a traced function in interval arithmetic."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from .interval import Interval, Value, anything, as_interval, sound
from .rules import bounds

# primitives that only call another function, and where they keep it
CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def evaluate(closed: ClosedJaxpr, args: Sequence[Value]) -> list[Value]:
    """Return the results of a function of which some arguments are intervals.

    Every result that the function can have for known arguments in the intervals lies in the interval that is returned.
    What depends on no interval is computed as usual. Can be compiled. Arguments are flat, as the function takes them.
    """
    return _evaluate(closed.jaxpr, closed.consts, args)


def _evaluate(jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Value]) -> list[Value]:
    values: dict[Any, Value] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

    def read(variable: Any) -> Value:
        return variable.val if isinstance(variable, Literal) else values[variable]

    for equation in jaxpr.eqns:
        results = _apply(equation, [read(variable) for variable in equation.invars])
        values.update(zip(equation.outvars, results, strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def _apply(equation: Any, args: list[Value]) -> Sequence[Value]:
    primitive, params = equation.primitive, equation.params
    known = not any(isinstance(arg, Interval) for arg in args)
    if primitive.name == "cond" and not known:
        return _cond(params["branches"], args)
    if primitive.name == "while" and not known:
        return _while(params, args) or _anything(equation)
    if primitive.name == "scan" and not known:
        return _scan(params, args)
    called = next((params[name] for name in CALLS if name in params and primitive.name != "scan"), None)
    if called is not None:
        inner, consts = (called.jaxpr, called.consts) if isinstance(called, ClosedJaxpr) else (called, ())
        return _evaluate(inner, consts, args)
    bind = functools.partial(primitive.bind, **params)
    if known:
        results = bind(*args)
        return results if primitive.multiple_results else [results]
    if primitive.multiple_results:
        return _anything(equation)
    found = bounds(primitive.name, bind, args)
    return _anything(equation) if found is None else [sound(found)]


def _anything(equation: Any) -> list[Value]:
    return [anything(variable.aval) for variable in equation.outvars]


def _cond(branches: Sequence[ClosedJaxpr], args: list[Value]) -> Sequence[Value]:
    index, *operands = args

    def branch(closed: ClosedJaxpr) -> Callable[..., Any]:
        return lambda *operands: [as_interval(value) for value in evaluate(closed, operands)]

    if not isinstance(index, Interval):
        return jax.lax.switch(index, [branch(closed) for closed in branches], *operands)
    results = [branch(closed)(*operands) for closed in branches]
    return [
        Interval(
            jax.numpy.stack([each.low for each in same]).min(axis=0),
            jax.numpy.stack([each.high for each in same]).max(axis=0),
        )
        for same in zip(*results, strict=True)
    ]


def _while(params: Any, args: list[Value]) -> Sequence[Value] | None:
    n, m = params["cond_nconsts"], params["body_nconsts"]
    for_condition, for_body, start = args[:n], args[n : n + m], args[n + m :]
    carry = _settled(lambda carry: evaluate(params["body_jaxpr"], [*for_body, *carry]), start)

    def goes_on(carry: Sequence[Value]) -> Value:
        return evaluate(params["cond_jaxpr"], [*for_condition, *carry])[0]

    kinds: list[bool] = []
    jax.eval_shape(lambda carry: kinds.append(isinstance(goes_on(carry), Interval)), carry)
    if kinds[0]:
        return None

    def body(carry: Sequence[Value]) -> list[Value]:
        return _like(evaluate(params["body_jaxpr"], [*for_body, *carry]), carry)

    return jax.lax.while_loop(goes_on, body, carry)


def _scan(params: Any, args: list[Value]) -> list[Value]:
    n, m = params["num_consts"], params["num_carry"]
    consts, start, rows = args[:n], args[n : n + m], args[n + m :]
    first = jax.tree.map(lambda leaf: leaf[0], rows) if params["length"] else rows
    carry = _settled(lambda carry: evaluate(params["jaxpr"], [*consts, *carry, *first])[:m], start)

    def step(carry: list[Value], row: list[Value]) -> tuple[list[Value], list[Value]]:
        results = evaluate(params["jaxpr"], [*consts, *carry, *row])
        return _like(results[:m], carry), results[m:]

    carry, collected = jax.lax.scan(step, carry, rows, length=params["length"], reverse=params["reverse"])
    return [*carry, *collected]


def _settled(step: Callable[[list[Value]], Sequence[Value]], start: Sequence[Value]) -> list[Value]:
    """Return the start of a loop, as intervals where its turns make intervals of what is known at first."""
    carry = list(start)
    while True:
        after: list[bool] = []

        def kinds(carry: list[Value], after: list[bool] = after) -> None:
            after.extend(isinstance(value, Interval) for value in step(carry))

        jax.eval_shape(kinds, carry)
        changed = [new and not isinstance(old, Interval) for old, new in zip(carry, after, strict=True)]
        if not any(changed):
            return carry
        carry = [as_interval(old) if change else old for old, change in zip(carry, changed, strict=True)]


def _like(values: Sequence[Value], carry: Sequence[Value]) -> list[Value]:
    return [
        as_interval(value) if isinstance(before, Interval) else value
        for value, before in zip(values, carry, strict=True)
    ]
