"""Jacobians and Hessians of functions with ragged arguments and results, as dense matrices over the items.

A ragged array counts as the vector of its items, row after row: the Jacobian of a ragged result with ``m`` items with
respect to a ragged argument with ``n`` items is an array of shape ``(m, n)``. The place of item ``j`` of row ``i`` is
``x.offsets[i] + j``. Where a buffer is longer than the data, ``m`` and ``n`` are its capacities, and the rows and
columns of its unused end are 0.

=================  ==========================  =====================================
result             argument                    Jacobian
=================  ==========================  =====================================
array              array                       ``(*result.shape, *argument.shape)``
array              ragged                      ``(*result.shape, n)``
ragged             array                       ``(m, *argument.shape)``
ragged             ragged                      ``(m, n)``
records, pytrees   any                         a dict by field, a pytree of the above
any                records, pytrees, argnums   a dict by field, ... inside each of these
=================  ==========================  =====================================

Integer and boolean fields are left out. Such matrices are for small arrays and for tests; an analysis uses `grad`,
`jvp` and `vjp`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

from .transformations import Argnums, as_function_of_items, chosen_arguments, items_without_end


def _jacobian(
    transformation: Callable[..., Any], function: Callable[..., Any], argnums: Argnums, has_aux: bool, holomorphic: bool
) -> Callable[..., Any]:
    operation = transformation.__name__

    @functools.wraps(function)
    def jacobian_of_function(*args: Any, **kwargs: Any) -> Any:
        which = chosen_arguments(args, argnums, operation)
        inner, items = as_function_of_items(function, args, kwargs, which)

        def to_items(*items: Any) -> Any:
            result = inner(*items)
            value, aux = result if has_aux else (result, None)
            parts = items_without_end(value)
            if jax.tree.leaves(value) and not jax.tree.leaves(parts):
                raise TypeError(f"{operation}: the function returns integers only, and these have no derivative")
            return parts, aux

        positions = 0 if isinstance(argnums, int) else tuple(range(len(which)))
        matrices, aux = transformation(to_items, positions, has_aux=True, holomorphic=holomorphic)(*items)
        return (matrices, aux) if has_aux else matrices

    return jacobian_of_function


def jacfwd(
    function: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian, one column at a time (few arguments); as `jax.jacfwd`.

    Parameters
    ----------
    function
        Takes and returns arrays, ragged arrays, or pytrees of them.
    argnums
        Which positional arguments to differentiate with respect to.
    has_aux
        Whether ``function`` returns a pair whose second member is passed through.
    holomorphic
        As in `jax.jacfwd`.

    Returns
    -------
    Callable
        Takes the arguments of ``function``; returns matrices over the items, as the head of this module describes.

    Raises
    ------
    TypeError
        When an argument, or the result, holds only integers or booleans.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[3.0, 1.0], [], [2.0]])
    >>> rg.jacfwd(lambda x, w: (x + w) * x**2)(x, 1.0)
    Array([[33.,  0.,  0.],
           [ 0.,  5.,  0.],
           [ 0.,  0., 16.]], dtype=float32)
    >>> rg.jacfwd(lambda x, w: rg.sum((x + w) * x**2, axis=1), argnums=1)(x, 1.0)
    Array([10.,  0.,  4.], dtype=float32)
    """
    return _jacobian(jax.jacfwd, function, argnums, has_aux, holomorphic)


def jacrev(
    function: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian, one row at a time (few results); as `jax.jacrev`.

    Parameters
    ----------
    function, argnums, has_aux, holomorphic
        As for `jacfwd`.

    Returns
    -------
    Callable
        As for `jacfwd`.

    Raises
    ------
    TypeError
        When an argument, or the result, holds only integers or booleans.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[3.0, 1.0], [], [2.0]])
    >>> rg.jacrev(lambda x: rg.sum(x**2, axis=1))(x)
    Array([[6., 2., 0.],
           [0., 0., 0.],
           [0., 0., 4.]], dtype=float32)
    """
    return _jacobian(jax.jacrev, function, argnums, has_aux, holomorphic)


jacobian = jacrev


def hessian(
    function: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the matrix of second derivatives; as `jax.hessian`.

    Parameters
    ----------
    function, argnums, has_aux, holomorphic
        As for `jacfwd`.

    Returns
    -------
    Callable
        Takes the arguments of ``function``; returns ``jacfwd(jacrev(function))``: shape ``(n, n)`` for a scalar of a
        ragged array with ``n`` items.

    Raises
    ------
    TypeError
        When an argument, or the result, holds only integers or booleans.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[3.0, 1.0], [], [2.0]])
    >>> rg.hessian(lambda x: rg.sum(rg.prod(x, axis=1)))(x)
    Array([[0., 1., 0.],
           [1., 0., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    first = jacrev(function, argnums, has_aux=has_aux, holomorphic=holomorphic)
    return jacfwd(first, argnums, has_aux=has_aux, holomorphic=holomorphic)
