"""Compare derivatives of ragged functions with finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.test_util

from .transformations import as_function_of_items, chosen_arguments, items_without_end


def check_grads(
    function: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = ("fwd", "rev"),
    *,
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Check derivatives against central differences along random directions; as `jax.test_util.check_grads`.

    Parameters
    ----------
    function
        Takes ``*args``; returns arrays, ragged arrays, or pytrees of them.
    args
        The point. Integers and booleans are held fixed. The check is sharp in double precision (`jax.enable_x64`).
    order
        Up to which derivative.
    modes
        ``"fwd"`` checks `jvp`, ``"rev"`` checks `vjp`.
    atol, rtol
        Tolerances; by default those of JAX for the dtype.
    eps
        The step of the differences; by default that of JAX for the dtype.

    Raises
    ------
    AssertionError
        When a derivative differs from the finite difference.
    TypeError
        When no argument holds floating-point numbers.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[3.0, 1.0], [], [2.0]])
    >>> rg.check_grads(lambda x: rg.prod(x, axis=1), (x,))
    """
    differentiable = [i for i, x in enumerate(args) if jax.tree.leaves(items_without_end(x))]
    which = chosen_arguments(tuple(args), differentiable or tuple(range(len(args))), "check_grads")
    inner, items = as_function_of_items(function, tuple(args), {}, which)
    jax.test_util.check_grads(
        lambda *items: items_without_end(inner(*items)), items, order, list(modes), atol=atol, rtol=rtol, eps=eps
    )
