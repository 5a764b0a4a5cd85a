"""Programs that return their checks: `with_checks`, and `checked`, which raises the errors outside.

A traced function is evaluated again, equation by equation; the checks that it meets become results. Of control flow and
of calls only those that hold a check are rebuilt, so that a program without any stays what it is.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal
from jax.sharding import PartitionSpec

from ..tracing import is_known
from .check import Summary, as_they_are, check_p, first_failure

F = TypeVar("F", bound=Callable[..., Any])


class Found(NamedTuple):
    """A check that was met: whether it failed, and the facts for its message (traced)."""

    failed: jax.Array
    facts: tuple[jax.Array, ...]


# what raises the errors, in the order of the checks
Raisers = list[Callable[..., None]]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Checks:
    """What a program has to say about its own checks.

    Attributes
    ----------
    found
        For each check whether it failed (bool scalar), and the facts for its message.
    raisers
        For each check what raises its error (static).
    """

    found: tuple[Found, ...]
    raisers: tuple[Callable[..., None], ...] = dataclasses.field(metadata={"static": True})

    def throw(self) -> None:
        """Raise the error of the first check that failed, if any; not inside ``jit``.

        Raises
        ------
        CapacityError, StructureError, IndexError
            As the operation would outside ``jit``.
        """
        for (failed, facts), fail in zip(self.found, self.raisers, strict=True):
            if np.any(failed):
                fail(*map(int, facts))


def with_checks(function: Callable[..., Any]) -> Callable[..., tuple[Any, Checks]]:
    """Return a function that returns the result of another one and its checks, none of which raises by itself.

    For programs that are compiled ahead of time, exported or cached: they hold no host callback. Call `Checks.throw`
    on what they return.

    Parameters
    ----------
    function
        Of arrays and pytrees of them, differentiated already if it is to be (derivative rules of functions that hold
        a check are not kept).

    Examples
    --------
    >>> import jax
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0], [], [3.0]])
    >>> program = jax.jit(rg.with_checks(lambda x: rg.with_capacity(x, 2)))
    >>> result, checks = program(x)
    >>> checks.throw()
    Traceback (most recent call last):
    hepgrad.ragged.errors.CapacityError: with_capacity: the result needs room for 3 items but its capacity is 2; ...
    """

    @functools.wraps(function)
    def collected(*args: Any, **kwargs: Any) -> tuple[Any, Checks]:
        leaves, structure = jax.tree.flatten((args, kwargs))
        places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array | np.ndarray | np.generic)]

        def of_arrays(*arrays: Any) -> Any:
            # what is no array is as static as it is to the function
            complete = list(leaves)
            for i, array in zip(places, arrays, strict=True):
                complete[i] = array
            args, kwargs = jax.tree.unflatten(structure, complete)
            return function(*args, **kwargs)

        arrays = [leaves[i] for i in places]
        closed, shape = jax.make_jaxpr(of_arrays, return_shape=True)(*arrays)
        raisers: Raisers = []
        results, found = _evaluate(closed.jaxpr, closed.consts, arrays, raisers)
        return jax.tree.unflatten(jax.tree.structure(shape), results), Checks(tuple(found), tuple(raisers))

    return collected


def checked(function: F, **options: Any) -> F:
    """Return a compiled function that raises `CapacityError`, `StructureError` and `IndexError` as eager code does.

    Inside a plain ``jax.jit`` such an error comes from the running program, by a host callback: it arrives as a runtime
    error of JAX that carries the message, the program is not kept in JAX's cache on disk, and cannot be exported. With
    ``rg.checked(f)`` instead of ``jax.jit(f)`` the program returns its checks as numbers, and the error is raised here.

    Parameters
    ----------
    function
        As for ``jax.jit``; may be compiled already, and may contain any of JAX's transformations.
    **options
        As for ``jax.jit``, such as ``static_argnames``.

    Raises
    ------
    CapacityError, StructureError, IndexError
        When the function is called and a check fails.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x, y = rg.from_lists([[1.0, 2.0], [3.0]]), rg.from_lists([[1.0], [2.0, 3.0]])
    >>> rg.checked(lambda x, y: x + y)(x, y)
    Traceback (most recent call last):
    hepgrad.ragged.errors.StructureError: add: the arrays have the same number of rows but rows of other lengths; ...
    """
    program, inner = jax.jit(with_checks(function), **options), jax.jit(function, **options)

    @functools.wraps(function)
    def raising(*args: Any, **kwargs: Any) -> Any:
        if not is_known((args, kwargs)):
            # whoever is tracing collects the checks
            return inner(*args, **kwargs)
        result, checks = program(*args, **kwargs)
        checks.throw()
        return result

    return raising  # type: ignore[return-value]


def _inner(params: Any) -> Iterator[Jaxpr]:
    for value in params.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            if isinstance(part, ClosedJaxpr):
                yield part.jaxpr
            elif isinstance(part, Jaxpr):
                yield part


def _holds_check(jaxpr: Jaxpr) -> bool:
    return any(
        equation.primitive is check_p or any(map(_holds_check, _inner(equation.params))) for equation in jaxpr.eqns
    )


def _evaluate(
    jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Any], raisers: Raisers
) -> tuple[list[Any], list[Found]]:
    """Return the results of a traced function and the checks that it met; what raises these goes to ``raisers``."""
    values: dict[Any, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, Literal) else values[variable]

    found: list[Found] = []
    for equation in jaxpr.eqns:
        results, more = _apply(equation, [read(variable) for variable in equation.invars], raisers)
        values.update(zip(equation.outvars, results, strict=True))
        found += more
    return [read(variable) for variable in jaxpr.outvars], found


def _apply(equation: Any, args: list[Any], raisers: Raisers) -> tuple[Sequence[Any], list[Found]]:
    primitive, params = equation.primitive, equation.params
    if primitive is check_p:
        value, failed, *facts = args
        raisers.append(params["fail"])
        return [value], [Found(failed, _numbers(failed, facts, params["summary"]))]
    rule = _RULES.get(primitive.name)
    if rule is not None and any(map(_holds_check, _inner(params))):
        return rule(params, args, raisers)
    results = primitive.bind(*args, **primitive.get_bind_params(params))
    return results if primitive.multiple_results else [results], []


def _numbers(failed: jax.Array, facts: Sequence[Any], summary: Summary) -> tuple[jax.Array, ...]:
    """Return the numbers for the message, which are worth computing only when there is one."""
    if summary is as_they_are:
        return tuple(facts)

    def zeros(*facts: Any) -> tuple[Any, ...]:
        # of the same types, which inside shard_map say what varies between the devices
        return tuple(0 * fact for fact in summary(*facts))

    return jax.lax.cond(failed, summary, zeros, *facts)


def _closed(jaxpr: Any) -> tuple[Jaxpr, Sequence[Any]]:
    return (jaxpr.jaxpr, jaxpr.consts) if isinstance(jaxpr, ClosedJaxpr) else (jaxpr, ())


def _function(jaxpr: Any, raisers: Raisers) -> Callable[..., tuple[list[Any], list[Found]]]:
    """Return a traced function as one that returns its checks; traced several times it tells of them once."""
    known: Raisers | None = None

    def function(*args: Any) -> tuple[list[Any], list[Found]]:
        nonlocal known
        met: Raisers = []
        results = _evaluate(*_closed(jaxpr), args, met)
        if known is None:
            known = met
            raisers.extend(met)
        return results

    return function


def _call(params: Any, args: list[Any], raisers: Raisers) -> tuple[list[Any], list[Found]]:
    inner = next(params[name] for name in ("jaxpr", "call_jaxpr", "fun_jaxpr") if name in params)
    return _function(inner, raisers)(*args)


def _jit(params: Any, args: list[Any], raisers: Raisers) -> tuple[list[Any], list[Found]]:
    function = _function(params["jaxpr"], raisers)
    return jax.jit(function, inline=params.get("inline", False))(*args)


def _checkpoint(params: Any, args: list[Any], raisers: Raisers) -> tuple[list[Any], list[Found]]:
    function = jax.checkpoint(
        _function(params["jaxpr"], raisers), policy=params["policy"], prevent_cse=params["prevent_cse"]
    )
    return function(*args)


def _scan(params: Any, args: list[Any], raisers: Raisers) -> tuple[list[Any], list[Found]]:
    n, m = params["num_consts"], params["num_carry"]
    consts, start, rows = args[:n], args[n : n + m], args[n + m :]
    function = _function(params["jaxpr"], raisers)

    def step(carry: list[Any], row: list[Any]) -> tuple[list[Any], tuple[list[Any], list[Found]]]:
        results, found = function(*consts, *carry, *row)
        return results[:m], (results[m:], found)

    options = {name: params[name] for name in ("length", "reverse", "unroll")}
    carry, (collected, found) = jax.lax.scan(step, start, rows, **options)
    return [*carry, *collected], [Found(*first_failure(*each)) for each in found]


def _while(params: Any, args: list[Any], raisers: Raisers) -> tuple[list[Any], list[Found]]:
    n, m = params["cond_nconsts"], params["body_nconsts"]
    for_condition, for_body, start = args[:n], args[n : n + m], args[n + m :]
    # a check in the condition has no turn to belong to
    condition, body = _function(params["cond_jaxpr"], []), _function(params["body_jaxpr"], raisers)

    def turn(state: tuple[list[Any], list[Found]]) -> tuple[list[Any], list[Found]]:
        carry, before = state
        carry, now = body(*for_body, *carry)
        return carry, jax.tree.map(_earlier, before, now, is_leaf=_is_found)

    _, shapes = jax.eval_shape(lambda *carry: body(*for_body, *carry), *start)
    nothing = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    return jax.lax.while_loop(lambda state: condition(*for_condition, *state[0])[0][0], turn, (start, nothing))


def _is_found(x: Any) -> bool:
    return isinstance(x, Found)


def _earlier(before: Found, now: Found) -> Found:
    facts = (jnp.where(before.failed, old, new) for old, new in zip(before.facts, now.facts, strict=True))
    return Found(before.failed | now.failed, tuple(facts))


def _cond(params: Any, args: list[Any], raisers: Raisers) -> tuple[list[Any], list[Found]]:
    index, *operands = args
    functions = [_function(branch, raisers) for branch in params["branches"]]
    shapes = [jax.eval_shape(lambda *a, f=f: f(*a)[1], *operands) for f in functions]

    def branch(place: int) -> Callable[..., tuple[list[Any], list[Found]]]:
        def run(*operands: Any) -> tuple[list[Any], list[Found]]:
            results, found = functions[place](*operands)
            zeros = [jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), each) for each in shapes]
            return results, [one for k, each in enumerate(zeros) for one in (found if k == place else each)]

        return run

    return jax.lax.switch(index, [branch(k) for k in range(len(functions))], *operands)


def _shard_map(params: Any, args: list[Any], raisers: Raisers) -> tuple[list[Any], list[Found]]:
    # as JAX 0.10.2 calls what was "manual_axes"
    axes = tuple(sorted(params["newly_manual_axes"] if "newly_manual_axes" in params else params["manual_axes"]))
    function = _function(params["jaxpr"], raisers)

    def local(*args: Any) -> tuple[list[Any], list[Found]]:
        results, found = function(*args)
        return results, jax.tree.map(lambda x: x[None], found)

    specs = (list(params["out_specs"]), PartitionSpec(axes))
    options = {"mesh": params["mesh"], "axis_names": set(axes), "check_vma": params["check_vma"]}
    sharded = jax.shard_map(local, in_specs=tuple(params["in_specs"]), out_specs=specs, **options)
    results, found = sharded(*args)
    return results, [Found(*first_failure(*each)) for each in found]


_RULES: dict[str, Callable[[Any, list[Any], Raisers], tuple[list[Any], list[Found]]]] = {
    "jit": _jit,
    "pjit": _jit,
    "closed_call": _call,
    "core_call": _call,
    "custom_jvp_call": _call,
    "custom_vjp_call": _call,
    "checkpoint": _checkpoint,
    "remat2": _checkpoint,
    "scan": _scan,
    "while": _while,
    "cond": _cond,
    "shard_map": _shard_map,
}
