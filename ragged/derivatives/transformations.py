"""Derivatives with respect to ragged arrays: `grad`, `jvp`, `vjp`, `jacrev` and their kin.

JAX refuses to differentiate with respect to a pytree that holds integers, and the structure of a ragged array consists
of integers. The functions here (as those of `jax.experimental.sparse`) differentiate with respect to the floating-point
items and rebuild ragged arrays around the derivatives. For anything but ragged arguments use JAX's own functions:
they work through ragged computations.

- A gradient has the structure of its argument. Integer and boolean items have the gradient 0, in their own dtype.
- The unused end of a buffer gets a gradient of exactly 0, and nothing that stands there reaches a derivative.
- Tangents and cotangents are ragged arrays with the rows of what they belong to; other rows are an error.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ..array import RaggedArray, RecordArray, content_of
from ..errors import StructureError, check_same_offsets
from ..flat import FlatArray
from ..resize import fit
from ..rows import rows_of
from ..unused import guard

Argnums = int | Sequence[int]


def _is_array(x: Any) -> bool:
    return isinstance(x, FlatArray | RaggedArray | RecordArray)


def _is_inexact(x: Any) -> bool:
    dtype = getattr(x, "dtype", None)
    return isinstance(x, float | complex) if dtype is None else jnp.issubdtype(dtype, jnp.inexact)


def items_of(tree: Any) -> Any:
    """Return the floating-point items of a pytree: flat arrays in the place of ragged ones, dicts for records."""
    return jax.tree.map(_items_of_array, tree, is_leaf=_is_array)


def _items_of_array(x: Any) -> Any:
    if isinstance(x, FlatArray | RaggedArray):
        return _items_of_array(x.content)
    if isinstance(x, RecordArray):
        columns = {name: _items_of_array(column) for name, column in x.columns.items()}
        return {name: column for name, column in columns.items() if column is not None} or None
    return x if _is_inexact(x) else None


def _map_items(function: Callable[[Any, Any, jax.Array | None], Any], tree: Any, items: Any) -> Any:
    """Rebuild a pytree with other items, ``function(old, new, valid)``; ``new`` is None for integers and booleans."""
    walk = functools.partial(_map_array, function, valid=None)
    return jax.tree.map(lambda x, new: walk(x, new), tree, items, is_leaf=_is_array)


def _map_array(function: Callable[..., Any], x: Any, new: Any, valid: jax.Array | None) -> Any:
    if isinstance(x, RaggedArray):
        return x.with_content(_map_array(function, x.content, new, x.valid))
    if isinstance(x, FlatArray):
        return FlatArray(_map_array(function, x.content, new, _valid(x)), x.length)
    if isinstance(x, RecordArray):
        new, valid = new or {}, valid if x.length is None else _valid(x)
        columns = {name: _map_array(function, column, new.get(name), valid) for name, column in x.columns.items()}
        return RecordArray(columns, x.length)
    return function(x, new, valid)


def _valid(x: FlatArray | RecordArray) -> jax.Array | None:
    return None if x.length is None else rows_of(x).valid


def with_items(tree: Any, items: Any) -> Any:
    """Return the same structure with other floating-point items, through whose unused end no derivative flows."""
    return _map_items(lambda old, new, valid: old if new is None else guard(new, valid), tree, items)


def _as_derivative(tree: Any, items: Any) -> Any:
    """Return a derivative with the structure of ``tree``: 0 for integers and booleans."""
    return _map_items(lambda old, new, valid: jnp.zeros_like(old) if new is None else new, tree, items)


def _blank(x: Any, valid: jax.Array | None) -> Any:
    if valid is None or x is None:
        return x
    return jnp.where(valid.reshape(valid.shape + (1,) * (x.ndim - 1)), x, jnp.zeros((), x.dtype))


def items_without_end(tree: Any) -> Any:
    """Return the floating-point items of a result, 0 in the unused ends."""
    return items_of(_map_items(lambda old, new, valid: _blank(old, valid), tree, items_of(tree)))


def chosen_arguments(args: tuple[Any, ...], argnums: Argnums, operation: str) -> tuple[int, ...]:
    """Return ``argnums`` as a tuple.

    Raises `ValueError` when there is no such argument, `TypeError` when an argument holds only integers or booleans.
    """
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for i in numbers:
        if not -len(args) <= i < len(args):
            raise ValueError(f"{operation}: argnums={argnums}, but there are {len(args)} positional arguments")
        if jax.tree.leaves(args[i]) and not jax.tree.leaves(items_of(args[i])):
            raise TypeError(
                f"{operation}: argument {i} holds {_dtypes(args[i])} only, and integers have no derivative; "
                "multiply it by 1.0 first"
            )
    return numbers


def _dtypes(tree: Any) -> str:
    names: set[str] = set()

    def note(x: Any, new: Any, valid: Any) -> Any:
        names.add(str(jnp.result_type(x)))
        return x

    _map_items(note, tree, items_of(tree))
    return " and ".join(sorted(names))


def as_function_of_items(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], which: tuple[int, ...]
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return ``function`` as a function of the chosen arguments' items, and these items."""

    def function_of_items(*items: Any) -> Any:
        complete = list(args)
        for i, new in zip(which, items, strict=True):
            complete[i] = with_items(args[i], new)
        return function(*complete, **kwargs)

    return function_of_items, tuple(items_of(args[i]) for i in which)


def value_and_grad(
    function: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the value and the gradient of ``function``; as `jax.value_and_grad`.

    Parameters
    ----------
    function
        Returns a scalar (or a scalar and anything else, see ``has_aux``).
    argnums
        Which positional arguments to differentiate with respect to. They may be ragged, records, plain arrays, or
        pytrees of those.
    has_aux
        Whether ``function`` returns a pair whose second member is passed through.
    holomorphic
        As in `jax.grad`.

    Returns
    -------
    Callable
        Takes the arguments of ``function``; returns ``(value, gradient)``, or ``((value, aux), gradient)``. The
        gradient has the structure of the argument (a tuple of gradients where ``argnums`` is one); integer and boolean
        items get 0, the unused end of a buffer too.

    Raises
    ------
    TypeError
        When an argument holds only integers or booleans.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0, 3.0], [], [4.0, 5.0]])
    >>> value, gradient = rg.value_and_grad(lambda x: rg.sum(x**2))(x)
    >>> value
    Array(55., dtype=float32)
    >>> gradient
    <RaggedArray [[2.0, 4.0, 6.0], [], [8.0, 10.0]] type='3 * var * float32'>
    """

    @functools.wraps(function)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        which = chosen_arguments(args, argnums, "grad")
        inner, items = as_function_of_items(function, args, kwargs, which)
        differentiated = jax.value_and_grad(inner, tuple(range(len(which))), has_aux=has_aux, holomorphic=holomorphic)
        value, parts = differentiated(*items)
        gradients = tuple(_as_derivative(args[i], part) for i, part in zip(which, parts, strict=True))
        return value, gradients[0] if isinstance(argnums, int) else gradients

    return value_and_gradient


def grad(
    function: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the gradient of ``function``; as `jax.grad`.

    Parameters
    ----------
    function, argnums, has_aux, holomorphic
        As for `value_and_grad`.

    Returns
    -------
    Callable
        Takes the arguments of ``function``; returns the gradient, or ``(gradient, aux)``.

    Raises
    ------
    TypeError
        When an argument holds only integers or booleans.

    Examples
    --------
    Only the floating-point field of these records has a gradient:

    >>> import hepgrad.ragged as rg
    >>> muons = rg.from_lists([[{"pt": 3.0, "charge": 1}], [], [{"pt": 5.0, "charge": -1}]])
    >>> rg.to_list(rg.grad(lambda muons: rg.sum(muons.charge * muons.pt**2))(muons))
    [[{'pt': 6.0, 'charge': 0}], [], [{'pt': -10.0, 'charge': 0}]]
    """
    both = value_and_grad(function, argnums, has_aux=has_aux, holomorphic=holomorphic)

    @functools.wraps(function)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, gradients = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


def jvp(
    function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False
) -> tuple[Any, ...]:
    """Compute a value and its derivative along a direction; as `jax.jvp`.

    Parameters
    ----------
    function
        Takes ``*primals``; returns arrays, ragged arrays, or pytrees of them.
    primals
        The arguments.
    tangents
        One direction for each argument, with its structure. Other dtypes are converted; the tangents of integers are
        ignored (and may be None where an argument holds nothing else).
    has_aux
        Whether ``function`` returns a pair whose second member is passed through.

    Returns
    -------
    tuple
        ``(value, derivative)``, or ``(value, derivative, aux)``. The derivative has the structure of the value.

    Raises
    ------
    StructureError
        When a tangent has other rows than its argument.
    TypeError
        When no argument holds floating-point numbers.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0, 3.0], [], [4.0, 5.0]])
    >>> direction = rg.from_lists([[0, 0, 0], [], [0, 1]])
    >>> rg.jvp(lambda x: rg.sum(x[::-1], axis=0), (x,), (direction,))
    (Array([5., 7., 3.], dtype=float32), Array([0., 1., 0.], dtype=float32))
    """
    if len(primals) != len(tangents):
        raise ValueError(f"jvp: {len(primals)} arguments need as many tangents, got {len(tangents)}")
    inner, items = _of_all_items(function, tuple(primals), has_aux, "jvp")
    directions = tuple(
        conform(given, like, f"jvp: tangent of argument {i}")
        for i, (like, given) in enumerate(zip(primals, tangents, strict=True))
    )
    _, derivative, (value, aux) = jax.jvp(inner, items, directions, has_aux=True)
    result = (value, _as_derivative(value, derivative))
    return (*result, aux) if has_aux else result


def vjp(function: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Compute a value and the function that pulls cotangents back to the arguments; as `jax.vjp`.

    Parameters
    ----------
    function
        Takes ``*primals``; returns arrays, ragged arrays, or pytrees of them.
    *primals
        The arguments.
    has_aux
        Whether ``function`` returns a pair whose second member is passed through.

    Returns
    -------
    tuple
        ``(value, pull_back)``, or ``(value, pull_back, aux)``. ``pull_back`` takes one cotangent with the structure of
        the value (other dtypes are converted) and returns a tuple with one gradient for each argument.

    Raises
    ------
    StructureError
        When a cotangent has other rows than the value.
    TypeError
        When no argument holds floating-point numbers.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 2.0, 3.0], [], [4.0, 5.0]])
    >>> value, pull_back = rg.vjp(lambda x: rg.sum(x[::-1], axis=0), x)
    >>> pull_back(value)
    (<RaggedArray [[5.0, 7.0, 3.0], [], [5.0, 7.0]] type='3 * var * float32'>,)
    """
    inner, items = _of_all_items(function, primals, has_aux, "vjp")
    _, pull_back_items, (value, aux) = jax.vjp(inner, *items, has_aux=True)

    def pull_back(cotangent: Any) -> tuple[Any, ...]:
        gradients = pull_back_items(conform(cotangent, value, "vjp: cotangent"))
        return tuple(_as_derivative(x, part) for x, part in zip(primals, gradients, strict=True))

    return (value, pull_back, aux) if has_aux else (value, pull_back)


def _of_all_items(
    function: Callable[..., Any], primals: tuple[Any, ...], has_aux: bool, operation: str
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return a function from the arguments' items to the result's items and ``(result, aux)``, and the former items."""
    inner, items = as_function_of_items(function, primals, {}, tuple(range(len(primals))))
    if primals and not jax.tree.leaves(items):
        raise TypeError(f"{operation}: the arguments hold {_dtypes(primals)} only, and integers have no derivative")

    def to_items(*items: Any) -> Any:
        result = inner(*items)
        value, aux = result if has_aux else (result, None)
        return items_of(with_items(value, items_of(value))), (value, aux)

    return to_items, items


def conform(given: Any, like: Any, name: str) -> Any:
    """Return the items of a tangent, in the dtypes of ``like``; its rows must be those of ``like``."""
    if given is None and not jax.tree.leaves(items_of(like)):
        return items_of(like)
    checks: list[jax.Array] = []
    items = jax.tree.map(lambda x, t: _conform_array(t, x, name, checks), like, given, is_leaf=_is_array)
    for offsets in checks:
        # always true; makes the tangents depend on the check, which inside jit would otherwise be optimised away
        checked = offsets[-1] >= 0
        items = jax.tree.map(lambda t, checked=checked: jnp.where(checked, t, jnp.zeros((), t.dtype)), items)
    return items


def _conform_array(given: Any, like: Any, name: str, checks: list[jax.Array]) -> Any:
    if isinstance(like, RaggedArray):
        if not isinstance(given, RaggedArray):
            raise StructureError(f"{name}: expected a ragged array with {like.rows} rows, got {type(given).__name__}")
        if given.rows != like.rows:
            raise StructureError(f"{name}: expected {like.rows} rows, got {given.rows}")
        offsets = check_same_offsets(like.offsets, given.offsets, operation=name)
        if offsets is not like.offsets:
            checks.append(offsets)
        return _conform_array(fit(given.content, like.capacity), like.content, name, checks)
    if isinstance(like, FlatArray):
        return _conform_array(content_of(given), like.content, name, checks)
    if isinstance(like, RecordArray):
        columns = {}
        for field, column in like.columns.items():
            if jax.tree.leaves(_items_of_array(column)):
                if not isinstance(given, RecordArray) or field not in given.fields:
                    raise StructureError(f"{name}: field {field!r} is missing")
                columns[field] = _conform_array(given.columns[field], column, f"{name}, field {field!r}", checks)
        return columns or None
    if _is_array(given):
        raise StructureError(f"{name}: expected an array of shape {jnp.shape(like)}, got a {type(given).__name__}")
    if not _is_inexact(like):
        return None
    if jnp.shape(given) != jnp.shape(like):
        raise StructureError(f"{name}: expected shape {jnp.shape(like)}, got {jnp.shape(given)}")
    return jnp.asarray(given, jnp.result_type(like))
