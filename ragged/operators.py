"""The Python protocol of flat, ragged and record arrays: operators, indexing, NumPy functions and printing.

Each method only forwards to the function that owns the operation. Those functions need the classes, so that they
announce themselves (`owner`) and nothing here has to know them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])

_OWNERS: dict[str, Callable[..., Any]] = {}


def owner(function: Function) -> Function:
    """Make a function the one that the methods of arrays forward to under its name.

    It takes an array, and what the method is given.
    """
    _OWNERS[function.__name__] = function
    return function


def _binary(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    function = getattr(jnp, name)

    def forward(self: Any, other: Any) -> Any:
        return _OWNERS["apply"](function, self, other) if _OWNERS["is_operand"](other) else NotImplemented

    def reflected(self: Any, other: Any) -> Any:
        return _OWNERS["apply"](function, other, self) if _OWNERS["is_operand"](other) else NotImplemented

    return forward, reflected


def _unary(name: str) -> Callable[[Any], Any]:
    function = getattr(jnp, name)

    def method(self: Any) -> Any:
        return _OWNERS["apply"](function, self)

    return method


class Operators:
    """Arithmetic, comparison, indexing, NumPy's protocols and printing for arrays of every kind."""

    __add__, __radd__ = _binary("add")
    __sub__, __rsub__ = _binary("subtract")
    __mul__, __rmul__ = _binary("multiply")
    __truediv__, __rtruediv__ = _binary("true_divide")
    __floordiv__, __rfloordiv__ = _binary("floor_divide")
    __mod__, __rmod__ = _binary("remainder")
    __divmod__, __rdivmod__ = _binary("divmod")
    __pow__, __rpow__ = _binary("power")
    __matmul__, __rmatmul__ = _binary("matmul")
    __and__, __rand__ = _binary("bitwise_and")
    __or__, __ror__ = _binary("bitwise_or")
    __xor__, __rxor__ = _binary("bitwise_xor")
    __lshift__, __rlshift__ = _binary("left_shift")
    __rshift__, __rrshift__ = _binary("right_shift")
    __lt__, __gt__ = _binary("less")[0], _binary("greater")[0]
    __le__, __ge__ = _binary("less_equal")[0], _binary("greater_equal")[0]
    __eq__, __ne__ = _binary("equal")[0], _binary("not_equal")[0]
    __neg__, __pos__ = _unary("negative"), _unary("positive")
    __abs__, __invert__ = _unary("abs"), _unary("invert")
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous; use rg.any() or rg.all()")

    def __getitem__(self, where: Any) -> Any:
        return _OWNERS["getitem"](self, where)

    def __setitem__(self, where: Any, value: Any) -> None:
        raise TypeError(
            "arrays never change: rg.with_field(x, value, name) returns records with one more column, and "
            "rg.where(mask, value, x) an array with other items"
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _OWNERS["apply_numpy_ufunc"](ufunc, method, *inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _OWNERS["dispatch"](function, args, kwargs)

    @property
    def __jax_array__(self) -> Callable[[], Any]:
        # only the functions of jax.numpy are told: JAX's operators leave the work to ours when there is no such thing
        asking = sys._getframe(1).f_globals.get("__name__", "")
        if not asking.startswith("jax._src.numpy.") or asking.endswith("array_methods"):
            raise AttributeError("__jax_array__")
        raise TypeError(
            f"jax.numpy takes plain arrays, and a {type(self).__name__} is none: write np.exp(x) for jnp.exp(x), a "
            "function of hepgrad.ragged (rg.where, rg.sum, rg.concatenate), rg.apply(f, x) for a function of single "
            "items, or make a plain array of it, with rg.to_padded(x, ...)"
        )

    def __repr__(self) -> str:
        return _OWNERS["describe"](self)

    def _repr_html_(self) -> str:
        return _OWNERS["describe_html"](self)

    def to_list(self) -> Any:
        """Return nested Python lists (and dicts for records); not inside ``jit``."""
        return _OWNERS["to_list"](self)

    tolist = to_list
