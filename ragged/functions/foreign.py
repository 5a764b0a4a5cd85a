"""Other libraries at the door: Awkward's arrays are refused, JAX's functions get plain arrays, its errors our words.

Converting Awkward arrays silently would copy them in every call, and make them constants of every program that `jit`
compiles.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import awkward as ak
import jax
from jax.interpreters import xla

from ..errors import TracedError
from ..flat import FlatArray

TRACED = (
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerBoolConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.ConcretizationTypeError,
)


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


@contextlib.contextmanager
def known(operation: str) -> Iterator[None]:
    """Say in our words that an operation needs a number that is traced.

    Raises `TracedError` in place of JAX's errors.
    """
    try:
        yield
    except TRACED as error:
        raise TracedError(
            f"{operation}: a number that shapes the result, or decides in Python what is done (an axis, a size, a "
            "count, the items of a list), is known only when the program runs. Inside jit it has to be a Python "
            "number; numbers of the data go into arrays, with masks and fill values in place of sizes. JAX says: "
            f"{str(error).splitlines()[0]}"
        ) from None


def guard(names: dict[str, Any], *, takes_awkward: Sequence[str]) -> None:
    """Make all public functions of a namespace, which is changed, refuse Awkward arrays and traced sizes."""
    for name, function in list(names.items()):
        ours = callable(function) and getattr(function, "__module__", "").startswith(f"{names['__name__']}.")
        if ours and not isinstance(function, type) and not name.startswith("_"):
            names[name] = _guarded(function, name, name in takes_awkward)


def _guarded(function: Callable[..., Any], name: str, takes_awkward: bool) -> Callable[..., Any]:
    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not takes_awkward:
            for x in (*args, *kwargs.values()):
                refuse_awkward(x, name)
        if args and callable(args[0]):
            # what a user's function asks for is between it and JAX
            return function(*args, **kwargs)
        with known(f"rg.{name}"):
            return function(*args, **kwargs)

    return guarded
