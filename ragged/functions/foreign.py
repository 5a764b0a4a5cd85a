"""Other libraries: Awkward arrays are converted once, at the door, and JAX's functions get plain arrays or an error.

Converting Awkward arrays silently would copy them in every call, and make them constants of every program that `jit`
compiles.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import awkward as ak
from jax.interpreters import xla

from ..flat import FlatArray


def refuse_awkward(x: Any, operation: str) -> None:
    """Raise when ``x`` is an Awkward array, or a list or dict that holds one."""
    if isinstance(x, ak.Array | ak.Record):
        raise TypeError(
            f"{operation}: got an Awkward array; convert it once, outside jit, with rg.from_awkward(array) "
            "(and results back with rg.to_awkward)"
        )
    if isinstance(x, list | tuple):
        for part in x:
            refuse_awkward(part, operation)
    elif isinstance(x, dict):
        for part in x.values():
            refuse_awkward(part, operation)


def refuse_in_awkward(array_type: type) -> None:
    """Make Awkward's operators refuse our arrays too: ``awkward + ragged`` would become Awkward's, item by item."""

    def refuse(array: Any) -> None:
        raise TypeError(
            "arithmetic of an Awkward array and one of hepgrad.ragged: convert the former once, outside jit, with "
            "rg.from_awkward(array), or the latter with rg.to_awkward(array)"
        )

    ak.behavior["__cast__", array_type] = refuse


def convert_for_jax(*array_types: type) -> None:
    """Make JAX's primitives (``jax.lax.exp``, ``jax.nn.sigmoid``) convert flat arrays, and refuse others in our words.

    Those of `jax.numpy` convert by ``__jax_array__``.
    """

    def convert(x: Any) -> Any:
        if not isinstance(x, FlatArray):
            # JAX would hide a TypeError behind its own words
            raise ValueError(
                "this function of JAX takes plain arrays, not ragged or record arrays: write np.exp(x), a function of "
                "hepgrad.ragged, or rg.apply(jax.nn.sigmoid, x) for a function of single items"
            )
        try:
            return x.buffer("this function of JAX")
        except TypeError as refused:
            raise ValueError(str(refused)) from None

    # other versions of JAX may not have it: they refuse the arrays, with the words of `FlatArray.__jax_array__`
    handlers: Any = getattr(xla, "canonicalize_dtype_handlers", {})
    for array_type in array_types:
        handlers[array_type] = convert


def refuse_awkward_arrays(names: dict[str, Any], *, except_for: Sequence[str]) -> None:
    """Make all public functions of a namespace, which is changed, refuse Awkward arrays."""
    for name, function in list(names.items()):
        ours = callable(function) and getattr(function, "__module__", "").startswith(f"{names['__name__']}.")
        if ours and not isinstance(function, type) and not name.startswith("_") and name not in except_for:
            names[name] = _refusing(function, name)


def _refusing(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def refusing(*args: Any, **kwargs: Any) -> Any:
        for x in args:
            refuse_awkward(x, name)
        for x in kwargs.values():
            refuse_awkward(x, name)
        return function(*args, **kwargs)

    return refusing
