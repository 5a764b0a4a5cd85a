"""`FlatArray`: one value per row, with the number of rows; the third container beside ragged and record arrays."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .errors import TracedError
from .operators import Operators
from .tracing import concrete, is_traced


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FlatArray(Operators):
    """One value per row, or a block of values of regular shape.

    It is to a `jax.Array` what `RaggedArray` is to a list of them: it knows how many of the rows in its buffer are
    real. Operators, NumPy's functions, slices and the functions of `hepgrad.ragged` respect that number, eagerly and
    inside ``jit``. Where the number is known the array converts by itself (``jnp.stack([x, y])``, ``np.asarray(x)``);
    JAX's functions then return plain arrays; ``rg.apply(jax.nn.sigmoid, x)`` returns a flat one, whatever is known.

    Attributes
    ----------
    content
        The buffer, shape (rows, ...); what it holds behind ``length`` never influences a result or a gradient.
    length
        int32 scalar: how many of the rows are real, when data decided that inside ``jit``; None when all are.

    Examples
    --------
    >>> import numpy as np
    >>> import hepgrad.ragged as rg
    >>> ht = rg.sum(rg.from_lists([[1.0, 2.0], [], [6.0]]), axis=1)
    >>> np.sqrt(ht[ht > 0] + 1)
    Array([2.       , 2.6457512], dtype=float32)
    """

    content: jax.Array
    length: jax.Array | None = None

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], None]:
        """Return the children and the static part, as JAX asks for."""
        return [(jax.tree_util.GetAttrKey(n), getattr(self, n)) for n in ("content", "length")], None

    @classmethod
    def tree_unflatten(cls, static: None, leaves: Any) -> FlatArray:
        """Return what `tree_flatten_with_keys` took apart; checks nothing, since JAX also puts in other leaves."""
        return cls(*leaves)

    @property
    def rows(self) -> int:
        """The number of rows in the buffer (static)."""
        return int(self.content.shape[0])

    @property
    def dtype(self) -> Any:
        """The type of the values."""
        return self.content.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return int(self.content.ndim)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of rows, and the shape of a row's value; a TypeError where the number of rows is traced."""
        if self.length is None:
            return tuple(self.content.shape)
        return (len(self), *self.content.shape[1:])

    @property
    def size(self) -> int:
        """The number of values; a TypeError where the number of rows is traced."""
        return int(np.prod(self.shape, dtype=np.int64))

    def astype(self, dtype: Any) -> FlatArray:
        """Return the values as another type.

        Parameters
        ----------
        dtype
            Such as ``float`` or ``np.int32``.
        """
        return FlatArray(self.content.astype(dtype), self.length)

    def buffer(self, operation: str) -> jax.Array:
        """Return exactly the values, as a `jax.Array`.

        Parameters
        ----------
        operation
            Who asks, for the message.

        Raises
        ------
        TypeError
            Where the number of rows is traced.
        """
        if self.length is None:
            return self.content
        known = concrete(self.length)
        if known is None:
            raise TypeError(
                f"{operation}: how many of these {self.rows} rows are real is decided by the data inside jit, so that "
                "there is no plain array of them. Use operators, np.sqrt(x) and the like, np.where, or the functions "
                "of hepgrad.ragged (rg.sum, rg.where, rg.concatenate, rg.apply(f, x) for a function of your own), "
                "which know the rows; or x.content with weights rg.local_index(x, axis=0) < rg.num(x, axis=0)"
            )
        return self.content[: int(known)]

    @property
    def __jax_array__(self) -> Callable[[], Any]:
        caller = sys._getframe(1).f_code.co_name
        if caller in _LOOKING:
            # not a TypeError, which JAX would hide behind its own words
            raise ValueError(
                "this function of JAX takes plain arrays, and this is a flat array, which knows its rows: write "
                "rg.apply(jax.nn.sigmoid, x) for a function of single items, rg.getitem(a, x) for a[x] of a plain "
                "array, or jnp.asarray(x) where the number of rows is known; jax.grad needs a function that returns a "
                "number, such as rg.sum(x)"
            )
        if "operator" in caller or "binary" in caller:
            # JAX's operators, such as ``array * flat``, convert before they ask whether the other side wants the
            # operation; they then leave the work to ours, which keep the rows
            return lambda: self
        return lambda: self.buffer("conversion to a jax.Array")

    def __reduce__(self) -> tuple[Any, ...]:
        # without what a mask remembers of its selections
        return FlatArray, (self.content, self.length)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self.buffer("conversion to NumPy")
        if concrete(values) is None:
            raise TracedError(
                "NumPy asks for the numbers of this array, which are not known inside jit: write "
                "rg.from_numpy(a)[mask] for a[mask], a function of hepgrad.ragged for one of NumPy (rg.sqrt, rg.where, "
                "...), or rg.apply(f, x) for a function of single items"
            )
        return np.asarray(values, dtype)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(jax.Array, name):
            raise AttributeError(f"a flat array has no attribute {name!r}")
        if name in _REDUCERS:
            from hepgrad import ragged as rg

            return functools.partial(getattr(rg, name), self)
        found = getattr(self.buffer(f"x.{name}"), name)
        if not callable(found):
            return _kept(found)
        return functools.wraps(found)(lambda *args, **kwargs: _kept(found(*args, **kwargs)))

    def __len__(self) -> int:
        if self.content.ndim == 0:
            raise TypeError("a number has no length")
        if self.length is None:
            return self.rows
        known = concrete(self.length)
        if known is None:
            raise TypeError("the number of selected rows is not known inside jit; use rg.num(x, axis=0)")
        return int(known)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.buffer("iteration"))

    def __str__(self) -> str:
        known = isinstance(self.content, jax.Array) and (self.length is None or concrete(self.length) is not None)
        return str(self.buffer("str(x)")) if known else repr(self)

    def __float__(self) -> float:
        return float(self.buffer("float(x)"))

    def __int__(self) -> int:
        return int(self.buffer("int(x)"))

    def __complex__(self) -> complex:
        return complex(self.buffer("complex(x)"))

    def __index__(self) -> int:
        return int(self.buffer("x as an index").__index__())

    def __bool__(self) -> bool:
        if self.content.ndim == 0 or self.content.size == 1:
            return bool(self.buffer("bool(x)"))
        return super().__bool__()


# reductions that a jax.Array has as methods; what else it has a flat array has where the number of rows is known
_REDUCERS = ("sum", "prod", "min", "max", "mean", "var", "std", "any", "all", "argmin", "argmax", "ptp")


# where JAX finds out whether something is an array, without converting it; by other names it gives its own error
_LOOKING = ("typeof", "shaped_abstractify")


def flat(values: Any, length: Any = None) -> Any:
    """Return values with rows as a `FlatArray`; a number stays what it is.

    A known ``length`` cuts the values; None means that all rows are real.
    """
    if values.ndim == 0:
        return values
    known = None if length is None else concrete(length)
    return FlatArray(values, length) if known is None else FlatArray(head_of(values, int(known)))


def _kept(result: Any) -> Any:
    """Return what a method of `jax.Array` returned as what an array of the family returns."""
    return flat(result) if isinstance(result, jax.Array) else result


def head_of(values: jax.Array, count: int) -> jax.Array:
    """Return the first values (known ones stay known while ``jit`` is tracing)."""
    if values.shape[0] == count:
        return values
    if is_traced(values):
        return values[:count]
    with jax.ensure_compile_time_eval():
        return jnp.asarray(values)[:count]


def plain(x: Any) -> Any:
    """Return a flat array with a known number of rows as a `jax.Array`; anything else unchanged."""
    if not isinstance(x, FlatArray) or (x.length is not None and concrete(x.length) is None):
        return x
    return x.buffer("conversion")
