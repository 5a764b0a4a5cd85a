"""Awkward arrays are converted once, at the door, and refused everywhere else.

Converting them silently would copy them in every call, and make them constants of every program that `jit` compiles.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import awkward as ak


def refuse_awkward(x: Any, operation: str) -> None:
    """Raise when ``x`` is an Awkward array, or a list or dict that holds one.

    Parameters
    ----------
    x
        An argument.
    operation
        Name for the message.

    Raises
    ------
    TypeError
        For Awkward arrays and records.
    """
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
    """Make Awkward's operators refuse our arrays too: ``awkward + ragged`` would become Awkward's, item by item.

    Parameters
    ----------
    array_type
        A class of arrays.
    """

    def refuse(array: Any) -> None:
        raise TypeError(
            "arithmetic of an Awkward array and one of hepgrad.ragged: convert the former once, outside jit, with "
            "rg.from_awkward(array), or the latter with rg.to_awkward(array)"
        )

    ak.behavior["__cast__", array_type] = refuse


def refuse_awkward_arrays(names: dict[str, Any], *, except_for: Sequence[str]) -> None:
    """Make all public functions of a namespace refuse Awkward arrays.

    Parameters
    ----------
    names
        The namespace, which is changed.
    except_for
        Functions to leave alone.
    """
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
