"""The content of a histogram, and the accurate sum over entries that fills it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .axis import Axis


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Counts:
    """Sums of weights per bin, with under- and overflow.

    Attributes
    ----------
    sumw : jax.Array
        Sum of weights, shape ``(..., bins + 2)``, underflow first and overflow last.
    sumw2 : jax.Array
        Variance of `sumw` due to the finite number of simulated events, same shape.

    Examples
    --------
    Histograms of parts of a data set add up; groups are selected by index:

    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.histogram import Counts
    >>> part = Counts(jnp.array([[0.0, 2.0, 1.0, 0.0]]), jnp.array([[0.0, 4.0, 1.0, 0.0]]))
    >>> (part + part)[0].sumw
    Array([0., 4., 2., 0.], dtype=float32)
    """

    sumw: jax.Array
    sumw2: jax.Array

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.sumw + other.sumw, self.sumw2 + other.sumw2)

    def __getitem__(self, group: int | slice) -> Counts:
        if self.sumw.ndim < 2:
            raise IndexError("this histogram has no groups to select from; index its sumw and sumw2 for bins")
        return Counts(self.sumw[group], self.sumw2[group])


# Sums over one block: (values (n,), columns (m, n), edges (k,), ...) -> sums (m, k + 1).
BinSums = Callable[..., jax.Array]


def accumulate(
    bin_sums: BinSums,
    binning: tuple[jax.Array, ...],
    values: jax.Array,
    weight: jax.Array | float,
    *,
    probability: jax.Array | float | None,
    groups: jax.Array | None,
    num_groups: int | None,
    block_size: int,
) -> Counts:
    """Sum entries into bins, block by block.

    A block and all its temporaries (``block_size * (bins + 2)`` numbers) fit into a CPU core's cache, and the
    derivative recomputes them block by block, so memory stays O(entries). Blocks are summed pairwise: a running
    float32 sum over a million entries would be off by 1e-4.

    Parameters
    ----------
    bin_sums : callable
        Function of the values ``(n,)`` of a block, of columns of weights ``(m, n)`` and of `binning`, which returns
        sums ``(m, bins + 2)``. Defined at module level: it is what compiled programs are looked up by.
    binning : tuple of jax.Array
        The edges, shape ``(bins + 1,)``, whose dtype is the one that sums are made in; then what else `bin_sums`
        needs.
    values, weight, probability, groups, num_groups, block_size
        As in `fill_soft`.

    Returns
    -------
    Counts
        Shape ``(bins + 2,)``, or ``(num_groups, bins + 2)`` with groups.

    Raises
    ------
    ValueError
        If shapes or group arguments do not fit together.
    """
    values = jnp.asarray(values)
    dtype = binning[0].dtype
    number = _num_groups(groups, num_groups)
    if block_size < 1:
        raise ValueError(f"block_size must be at least 1, got {block_size}")
    entries = [
        _like_values(values, values, "values").astype(dtype),
        _like_values(values, weight, "weight").astype(dtype),
        _like_values(values, 1.0 if probability is None else probability, "probability").astype(dtype),
    ]
    if groups is not None:
        entries.append(_like_values(values, groups, "groups"))
    sums = _sum_blocks(bin_sums, binning, entries, number=number, block_size=block_size)
    if groups is None:
        sums = sums[:, 0]
    return Counts(sums[0], sums[1])


# Compiled on its own, so that filling outside `jit` compiles once and not at every call.
@functools.partial(jax.jit, static_argnames=("bin_sums", "number", "block_size"))
def _sum_blocks(
    bin_sums: BinSums, binning: tuple[jax.Array, ...], entries: list[jax.Array], *, number: int, block_size: int
) -> jax.Array:
    size = entries[0].size
    block = min(block_size, max(size, 1))
    num_blocks = max(-(-size // block), 1)
    blocks = [jnp.pad(entry, (0, num_blocks * block - size)).reshape(num_blocks, block) for entry in entries]

    def one_block(block_entries: list[jax.Array]) -> jax.Array:
        values, weight, probability, *groups = block_entries
        # The variance of an entry that passes with probability p is w^2 p: what it is when p is 0 or 1.
        column = weight * probability
        columns = jnp.stack([column, weight * column])
        for group in groups:
            member = group == jnp.arange(number)[:, None]
            columns = jnp.where(member, columns[:, None, :], 0).reshape(2 * number, block)
        return bin_sums(values, columns, *binning)

    if num_blocks == 1:
        sums = one_block([entry[0] for entry in blocks])
    else:
        sums = _pairwise_sum(jax.lax.map(jax.checkpoint(one_block), blocks))
    return sums.reshape(2, number, -1)


def bin_contents(below: jax.Array) -> jax.Array:
    """Fraction of each entry in each bin, from its fraction below each edge.

    A product with a constant matrix of -1, 0 and 1 is exact, and XLA keeps it apart from the functions around it:
    fused with a slice ``below[1:] - below[:-1]`` they are computed twice and not vectorised (7x slower on a CPU).

    Parameters
    ----------
    below : jax.Array
        Shape ``(bins + 1, n)``.

    Returns
    -------
    jax.Array
        Shape ``(bins + 2, n)``, under- and overflow included; sums to one over the bins.
    """
    edges = below.shape[0]
    difference = np.eye(edges + 1, edges) - np.eye(edges + 1, edges, -1)
    above_all = np.zeros((edges + 1, 1))
    above_all[-1] = 1
    return exact_dot(jnp.asarray(difference, below.dtype), below) + jnp.asarray(above_all, below.dtype)


def exact_dot(left: jax.Array, right: jax.Array) -> jax.Array:
    """Matrix product in the full precision of the inputs (accelerators round float32 inputs by default)."""
    return jnp.dot(left, right, precision=jax.lax.Precision.HIGHEST)


def working_edges(
    axis: Axis | jax.Array | np.ndarray, *others: jax.Array | float | None
) -> tuple[jax.Array | np.ndarray, np.dtype]:
    """Return the edges as given, and the float dtype to compute in: float32, or wider if an input is.

    Parameters
    ----------
    axis : Axis or array
        The axis, whose edges do not widen the dtype, or edges of shape ``(bins + 1,)``, which do.
    *others : array, float or None
        Inputs that may widen the dtype; Python numbers do not.

    Returns
    -------
    tuple
        Edges and dtype.

    Raises
    ------
    ValueError
        If edges given as an array are not one-dimensional or fewer than two.
    """
    arrays: list[Any] = [other for other in others if other is not None]
    edges: jax.Array | np.ndarray
    if isinstance(axis, Axis):
        edges = axis.edges
    else:
        edges = axis if isinstance(axis, jax.Array) else np.asarray(axis)
        if edges.ndim != 1 or edges.shape[0] < 2:
            raise ValueError(f"expected an axis or at least two edges in one dimension, got shape {edges.shape}")
        arrays.append(edges)
    return edges, np.dtype(jnp.promote_types(jnp.result_type(*arrays), jnp.float32))


def _num_groups(groups: jax.Array | None, num_groups: int | None) -> int:
    if groups is None and num_groups is None:
        return 1
    if groups is None or num_groups is None:
        raise ValueError(
            "groups and num_groups go together: groups has the process index of each entry, num_groups is the "
            f"number of processes; got groups={'None' if groups is None else 'an array'}, num_groups={num_groups}"
        )
    if not jnp.issubdtype(jnp.result_type(groups), jnp.integer):
        raise ValueError(f"groups must be integers, got {jnp.result_type(groups)}")
    if num_groups < 1:
        raise ValueError(f"num_groups must be at least 1, got {num_groups}")
    return num_groups


def _like_values(values: jax.Array, array: jax.Array | float, what: str) -> jax.Array:
    array = jnp.asarray(array)
    try:
        return jnp.broadcast_to(array, values.shape).ravel()
    except ValueError:
        raise ValueError(
            f"{what} must be a scalar or have the shape of the values, {values.shape}; got shape {array.shape}"
        ) from None


def _pairwise_sum(blocks: jax.Array) -> jax.Array:
    while blocks.shape[0] > 1:
        if blocks.shape[0] % 2:
            blocks = jnp.concatenate([blocks, jnp.zeros_like(blocks[:1])])
        blocks = blocks[0::2] + blocks[1::2]
    return blocks[0]
