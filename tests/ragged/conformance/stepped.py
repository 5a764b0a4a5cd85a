"""Evaluate a program that JAX traced, one operation after the other, in NumPy.

Whether a program is right is decided while it is traced; compiling it takes ten times longer than that. A check that
fails does not end the evaluation: everything that depends on its value becomes `Failed`, as an exception in the
compiled program would be raised by everything that needs the value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core

from hepgrad.ragged.checks.check import check_p

from .in_numpy import OPERATIONS, Unlike

# operations that only hold a program, with where they keep it
HOLDING = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr",
           "custom_vjp_call": "call_jaxpr", "checkpoint": "jaxpr"}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Failed:
    """What there is instead of a value: the error of a check that it depends on."""

    error: Exception


@dataclasses.dataclass(frozen=True)
class Program:
    """A traced function.

    Attributes
    ----------
    closed
        The function of the leaves of its arguments.
    shapes
        What it returns, with shapes in the place of arrays.
    """

    closed: core.ClosedJaxpr
    shapes: Any

    def traced(self, *args: Any) -> Any:
        """Evaluate as JAX does, for what is to be traced in turn."""
        return self._result(core.jaxpr_as_fun(self.closed)(*jax.tree.leaves(args)))

    def __call__(self, *args: Any) -> Any:
        """Evaluate in NumPy; leaves of the result are arrays or `Failed`."""
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(args)]
        with np.errstate(all="ignore"):
            return self._result(_evaluate(self.closed, (), leaves))

    def _result(self, leaves: Sequence[Any]) -> Any:
        return jax.tree.unflatten(jax.tree.structure(self.shapes), leaves)


def trace(function: Callable[..., Any], *args: Any) -> Program:
    """Return what ``jax.jit(function)`` would compile for these arguments."""
    return Program(*jax.make_jaxpr(function, return_shape=True)(*args))


def stepped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what ``jax.jit(function)`` returns, without compiling anything; raises where a check fails."""

    def call(*args: Any) -> Any:
        result = trace(function, *args)(*args)
        for leaf in jax.tree.leaves(result):
            if isinstance(leaf, Failed):
                raise leaf.error
        return result

    return call


def _evaluate(program: Any, constants: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    if isinstance(program, core.ClosedJaxpr):
        program, constants = program.jaxpr, program.consts
    values = dict(zip(program.constvars, map(np.asarray, constants), strict=True))
    values.update(zip(program.invars, arguments, strict=True))

    def read(variable: Any) -> Any:
        return np.asarray(variable.val) if isinstance(variable, core.Literal) else values[variable]

    for equation in program.eqns:
        operands = [read(variable) for variable in equation.invars]
        values.update(zip(equation.outvars, _applied(equation, operands), strict=True))
    return [read(variable) for variable in program.outvars]


def _applied(equation: Any, operands: list[Any]) -> list[Any]:
    name, parameters = equation.primitive.name, equation.params
    if name in HOLDING:
        return _evaluate(parameters[HOLDING[name]], (), operands)
    failed = next((each for each in operands if isinstance(each, Failed)), None)
    if failed is not None:
        return [failed] * len(equation.outvars)
    if equation.primitive is check_p:
        return [_checked(parameters, *operands)]
    if name == "cond":
        branches = parameters["branches"]
        return _evaluate(branches[int(np.clip(operands[0], 0, len(branches) - 1))], (), operands[1:])
    if name == "while":
        return _repeated(parameters, operands)
    if name in OPERATIONS:
        try:
            found = OPERATIONS[name](parameters, *operands)
        except Unlike:
            pass
        else:
            found = found if equation.primitive.multiple_results else [found]
            return [np.asarray(x, out.aval.dtype) for x, out in zip(found, equation.outvars, strict=True)]
    found = equation.primitive.bind(*operands, **equation.primitive.get_bind_params(parameters))
    return [np.asarray(x) for x in (found if equation.primitive.multiple_results else [found])]


def _checked(parameters: Any, value: Any, failed: Any, *facts: Any) -> Any:
    if failed:
        try:
            parameters["fail"](*(int(fact) for fact in parameters["summary"](*facts)))
        except Exception as error:
            return Failed(error)
    return value


def _repeated(parameters: Any, operands: list[Any]) -> list[Any]:
    n, m = parameters["cond_nconsts"], parameters["body_nconsts"]
    for_condition, for_body, state = operands[:n], operands[n : n + m], operands[n + m :]
    while _evaluate(parameters["cond_jaxpr"], (), [*for_condition, *state])[0]:
        state = _evaluate(parameters["body_jaxpr"], (), [*for_body, *state])
        failed = next((each for each in state if isinstance(each, Failed)), None)
        if failed is not None:
            return [failed] * len(state)
    return state
