"""Evaluate a program that `jax.jit` traced, one operation after the other.

Whether a program is right is decided while it is traced; compiling it takes ten times longer than that. The operations
are those of the program, and each is compiled once for all programs that have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.extend import core

# operations that only hold a program, with where they keep it
HOLDING = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr",
           "custom_vjp_call": "call_jaxpr", "checkpoint": "jaxpr"}  # fmt: skip


def stepped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what ``jax.jit(function)`` returns, without compiling it as a whole."""

    def call(*args: Any) -> Any:
        program, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
        results = _evaluate(program.jaxpr, program.consts, jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(shapes), results)

    return call


def _evaluate(program: Any, constants: Any, arguments: Any) -> list[Any]:
    values = dict(zip([*program.constvars, *program.invars], [*constants, *arguments], strict=True))

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, core.Literal) else values[variable]

    for equation in program.eqns:
        inputs = [read(variable) for variable in equation.invars]
        name = equation.primitive.name
        if name in HOLDING:
            inner = equation.params[HOLDING[name]]
            body, held = (inner.jaxpr, inner.consts) if isinstance(inner, core.ClosedJaxpr) else (inner, [])
            outputs = _evaluate(body, held, inputs)
        else:
            parameters = equation.primitive.get_bind_params(equation.params)
            result = equation.primitive.bind(*inputs, **parameters)
            outputs = result if equation.primitive.multiple_results else [result]
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(variable) for variable in program.outvars]
