"""NumPy functions of ragged arrays: what ``np.sum(x, axis=1)`` does, by NumPy's ``__array_function__`` protocol."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..array import RaggedArray, RecordArray, with_length
from ..flat import FlatArray
from ..operators import owner
from .applying import apply
from .foreign import known


class _Twin(NamedTuple):
    """Which function of ours stands for a NumPy function, and which of its arguments it understands."""

    name: str
    arrays: tuple[str, ...]
    keywords: Mapping[str, str]


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_REDUCER = _same("axis", "keepdims")

_TWINS: dict[Callable[..., Any], _Twin] = {
    np.sum: _Twin("sum", ("a",), _REDUCER),
    np.prod: _Twin("prod", ("a",), _REDUCER),
    np.min: _Twin("min", ("a",), _REDUCER | _same("initial")),
    np.max: _Twin("max", ("a",), _REDUCER | _same("initial")),
    np.amin: _Twin("min", ("a",), _REDUCER | _same("initial")),
    np.amax: _Twin("max", ("a",), _REDUCER | _same("initial")),
    np.any: _Twin("any", ("a",), _REDUCER),
    np.all: _Twin("all", ("a",), _REDUCER),
    np.argmin: _Twin("argmin", ("a",), _REDUCER),
    np.argmax: _Twin("argmax", ("a",), _REDUCER),
    np.count_nonzero: _Twin("count_nonzero", ("a",), _REDUCER),
    np.mean: _Twin("mean", ("a",), _REDUCER),
    np.average: _Twin("mean", ("a",), _REDUCER | {"weights": "weight"}),
    np.var: _Twin("var", ("a",), _REDUCER | _same("ddof")),
    np.std: _Twin("std", ("a",), _REDUCER | _same("ddof")),
    np.ptp: _Twin("ptp", ("a",), _REDUCER),
    np.nansum: _Twin("nansum", ("a",), _REDUCER),
    np.nanprod: _Twin("nanprod", ("a",), _REDUCER),
    np.nanmin: _Twin("nanmin", ("a",), _REDUCER | _same("initial")),
    np.nanmax: _Twin("nanmax", ("a",), _REDUCER | _same("initial")),
    np.nanargmin: _Twin("nanargmin", ("a",), _REDUCER),
    np.nanargmax: _Twin("nanargmax", ("a",), _REDUCER),
    np.nanmean: _Twin("nanmean", ("a",), _REDUCER),
    np.nanvar: _Twin("nanvar", ("a",), _REDUCER | _same("ddof")),
    np.nanstd: _Twin("nanstd", ("a",), _REDUCER | _same("ddof")),
    np.cumsum: _Twin("cumsum", ("a",), _same("axis")),
    np.cumprod: _Twin("cumprod", ("a",), _same("axis")),
    np.sort: _Twin("sort", ("a",), _same("axis")),
    np.argsort: _Twin("argsort", ("a",), _same("axis")),
    np.concatenate: _Twin("concatenate", ("arrays",), _same("axis")),
    np.where: _Twin("where", ("condition", "x", "y"), {}),
    np.broadcast_arrays: _Twin("broadcast_arrays", ("args",), {}),
    np.ravel: _Twin("ravel", ("a",), {}),
    np.nan_to_num: _Twin("nan_to_num", ("x",), _same("nan", "posinf", "neginf")),
    np.zeros_like: _Twin("zeros_like", ("a",), _same("dtype")),
    np.ones_like: _Twin("ones_like", ("a",), _same("dtype")),
    np.full_like: _Twin("full_like", ("a", "fill_value"), _same("dtype")),
    np.array_equal: _Twin("array_equal", ("a1", "a2"), _same("equal_nan")),
    np.isclose: _Twin("isclose", ("a", "b"), _same("rtol", "atol", "equal_nan")),
}

# item by item, with the arguments after the first broadcast as well
_ELEMENTWISE: dict[Any, Callable[..., Any]] = {
    np.round: jnp.round,
    np.around: jnp.round,
    np.clip: jnp.clip,
    np.real: jnp.real,
    np.imag: jnp.imag,
    np.angle: jnp.angle,
    np.sinc: jnp.sinc,
    np.i0: jnp.i0,
    np.fix: jnp.trunc,
}

# item by item in the first argument; the others are tables that are used as a whole
_WITH_TABLE: dict[Any, Callable[..., Any]] = {np.interp: jnp.interp, np.digitize: jnp.digitize}

# what an array says of itself
_ATTRIBUTES: dict[Any, str] = {np.ndim: "ndim", np.shape: "shape", np.size: "size"}

# parameters of np.where and np.concatenate, which do not tell their signature
_POSITIONAL = {np.where: ("condition", "x", "y"), np.concatenate: ("arrays", "axis")}


@owner
def dispatch(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Run the ragged twin of a NumPy function.

    Raises `TypeError` when there is no such twin, or it does not understand one of the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import hepgrad.ragged as rg
    >>> np.sum(rg.from_lists([[1.0, 2.0], [], [3.0]]), axis=1)
    Array([3., 0., 3.], dtype=float32)
    """
    name = f"np.{getattr(function, '__name__', function)}"
    if function in _ATTRIBUTES:
        return getattr(args[0], _ATTRIBUTES[function])
    if function in _ELEMENTWISE:
        if function in (np.round, np.around):
            return _rounded(name, *args, **kwargs)
        _refuse(name, kwargs)
        return apply(_ELEMENTWISE[function], *args, operation=name)
    if function in _WITH_TABLE:
        first, *tables = (args[0], *(jnp.asarray(table) for table in args[1:]))
        twin = _WITH_TABLE[function]
        return apply(lambda x: twin(x, *tables, **kwargs), first, operation=name)
    if function not in _TWINS:
        theirs: Any = getattr(jnp, getattr(function, "__name__", ""), None)
        flat = [leaf for leaf in jax.tree.leaves((args, kwargs), is_leaf=_is_array) if _is_array(leaf)]
        if theirs is not None and all(isinstance(x, FlatArray) for x in flat):
            # on arrays with a known number of rows JAX's own function does what NumPy's would
            args, kwargs = jax.tree.map(_converted(name), (tuple(args), dict(kwargs)), is_leaf=_is_array)
            with known(name):
                return jax.tree.map(lambda x: with_length(x, None), theirs(*args, **kwargs))
        raise TypeError(
            f"{name} has no counterpart for ragged arrays; look for one in hepgrad.ragged, or convert with "
            "rg.to_padded(x, fill_value, length) or rg.flatten(x) first"
        )
    return _call(function, _TWINS[function], name, args, kwargs)


def _is_array(x: Any) -> bool:
    return isinstance(x, FlatArray | RaggedArray | RecordArray)


def _converted(name: str) -> Callable[[Any], Any]:
    return lambda x: x.buffer(name) if isinstance(x, FlatArray) else x


def _rounded(name: str, a: Any, decimals: int = 0, **kwargs: Any) -> Any:
    _refuse(name, kwargs)
    return apply(lambda x: jnp.round(x, decimals), a, operation=name)


def _refuse(name: str, kwargs: Mapping[str, Any]) -> None:
    if kwargs:
        raise TypeError(f"{name}: the argument {next(iter(kwargs))!r} is not supported for ragged arrays")


def _call(function: Callable[..., Any], twin: _Twin, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    import hepgrad.ragged as rg

    given = _arguments(function, args, kwargs)
    arrays = [given.pop(parameter) for parameter in twin.arrays if parameter in given]
    if len(arrays) < len(twin.arrays):
        raise TypeError(f"{name}: ragged arrays need the arguments {', '.join(twin.arrays)}")
    if twin.arrays == ("args",):
        arrays = list(arrays[0])
    keywords = {}
    for parameter, value in given.items():
        if parameter not in twin.keywords:
            raise TypeError(f"{name}: the argument {parameter!r} is not supported for ragged arrays")
        keywords[twin.keywords[parameter]] = value
    return getattr(rg, twin.name)(*arrays, **keywords)


def _arguments(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the function was called with by parameter name."""
    if function in _POSITIONAL:
        return {**dict(zip(_POSITIONAL[function], args, strict=False)), **kwargs}
    return dict(inspect.signature(function).bind(*args, **kwargs).arguments)
