"""Which inputs of a function have any influence on its outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Var

# their inner inputs and outputs are not those of the equation, one by one
LOOPS = {"scan", "while", "cond"}


def inputs_that_matter(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return for each array among the arguments whether any output is computed from it.

    The function is traced, not run, and its operations are followed back from the outputs. A loop or a branch counts as
    using everything that it is given. The result is the arguments with a bool in place of each array.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from hepgrad.analysis.doctor.reach import inputs_that_matter
    >>> inputs_that_matter(jax.jit(lambda x: x["a"] + 0 * x["b"]), {name: jnp.ones(2) for name in "abc"})
    ({'a': True, 'b': True, 'c': False},)
    """
    traced = jax.make_jaxpr(function)(*arguments).jaxpr
    matter = _matter(traced, [True] * len(traced.outvars))
    return jax.tree.unflatten(jax.tree.structure(arguments), matter)


def _matter(jaxpr: Jaxpr, outputs: Sequence[bool]) -> list[bool]:
    needed = {v for v, wanted in zip(jaxpr.outvars, outputs, strict=True) if wanted and isinstance(v, Var)}
    for equation in reversed(jaxpr.eqns):
        wanted = [v in needed for v in equation.outvars]
        if any(wanted):
            used = _inner(equation, wanted)
            needed |= {v for v, u in zip(equation.invars, used, strict=True) if u and isinstance(v, Var)}
    return [v in needed for v in jaxpr.invars]


def _inner(equation: Any, wanted: Sequence[bool]) -> list[bool]:
    """Return which inputs of an operation its wanted outputs need: all, unless it can be followed inside."""
    inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
    jaxpr = inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner
    fits = (
        isinstance(jaxpr, Jaxpr)
        and equation.primitive.name not in LOOPS
        and len(jaxpr.invars) == len(equation.invars)
        and len(jaxpr.outvars) == len(equation.outvars)
    )
    return _matter(jaxpr, wanted) if fits else [True] * len(equation.invars)
