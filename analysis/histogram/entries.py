"""What is filled into a histogram, and its accurate sum, block by block."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from .axis import Axis
from .binning import AnyEdges

# Small enough that what a block needs stays in the cache of a CPU core.
CPU_BLOCK = 8192


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Entries:
    """Flat arrays of equal length.

    Attributes
    ----------
    values : tuple of jax.Array
        The observable of each axis, shape ``(n,)``.
    weight, probability : jax.Array
        Shape ``(n,)``.
    group : jax.Array or None
        Which histogram an entry goes to, int32, shape ``(n,)``, in range.
    """

    values: tuple[jax.Array, ...]
    weight: jax.Array
    probability: jax.Array
    group: jax.Array | None

    @classmethod
    def of(
        cls,
        values: Sequence[jax.Array],
        weight: jax.Array | float,
        probability: jax.Array | float | None,
        groups: jax.Array | None,
        num_groups: int | None,
        dtype: np.dtype,
    ) -> Entries:
        """Bring what users give into shape.

        There is one array of values for each axis, all of the same shape; the rest is as in `fill_soft`. Raises
        `ValueError` if shapes or group arguments do not fit together.
        """
        shape = jnp.shape(values[0])
        # NaN counts as +inf, and the infinities as the largest numbers: they are out of reach of every edge, and
        # differences of them are not NaN.
        finite = [jnp.nan_to_num(_flat(v, shape, "values").astype(dtype), nan=jnp.inf) for v in values]
        weight = _flat(weight, shape, "weight").astype(dtype)
        probability = _flat(1.0 if probability is None else probability, shape, "probability").astype(dtype)
        if groups is None and num_groups is None:
            return cls(tuple(finite), weight, probability, None)
        if groups is None or num_groups is None:
            raise ValueError(
                "groups and num_groups go together: groups has the process index of each entry, num_groups is the "
                f"number of processes; got groups={'None' if groups is None else 'an array'}, num_groups={num_groups}"
            )
        if not jnp.issubdtype(jnp.result_type(groups), jnp.integer):
            raise ValueError(f"groups must be integers, got {jnp.result_type(groups)}")
        if num_groups < 1:
            raise ValueError(f"num_groups must be at least 1, got {num_groups}")
        group = _flat(groups, shape, "groups")
        in_range = (group >= 0) & (group < num_groups)
        group = jnp.where(in_range, group, 0).astype(jnp.int32)
        return cls(tuple(finite), jnp.where(in_range, weight, 0), probability, group)

    @property
    def columns(self) -> tuple[jax.Array, jax.Array]:
        """What is added to the sum of weights and to its variance, each of shape ``(n,)``.

        The variance of an entry that passes with probability p is w^2 p: what it is when p is 0 or 1.
        """
        column = self.weight * self.probability
        return column, self.weight * column


class Weighted(Protocol):
    """Entries, or what has entries."""

    @property
    def weight(self) -> jax.Array:
        """Shape ``(n,)``."""


E = TypeVar("E", bound=Weighted)


def working_dtype(axes: Sequence[AnyEdges], *others: jax.Array | float | None) -> np.dtype:
    """Return the float dtype to compute in: float32, or wider if an input is.

    The edges of an `Axis` do not widen the dtype, those of an array do; Python numbers do not.
    """
    arrays: list[Any] = [other for other in (*axes, *others) if not (other is None or isinstance(other, Axis))]
    return np.dtype(jnp.promote_types(jnp.result_type(*arrays), jnp.float32))


def sum_blocks(block_sums: Callable[[E], jax.Array], entries: E, *, block_size: int) -> jax.Array:
    """Sum over blocks of entries, with whatever else there is of each.

    What a block needs fits into a CPU core's cache, and the derivative computes it again block by block, so memory
    stays O(entries). Blocks are summed pairwise: a running float32 sum over a million entries would be off by 1e-4.
    Raises `ValueError` if `block_size` is not positive.
    """
    if block_size < 1:
        raise ValueError(f"block_size must be at least 1, got {block_size}")
    size = entries.weight.size
    if size <= block_size:
        return block_sums(entries)
    blocks = -(-size // block_size)

    def in_blocks(x: jax.Array) -> jax.Array:
        padded = jnp.pad(x, [(0, blocks * block_size - size), *[(0, 0)] * (x.ndim - 1)])
        return padded.reshape(blocks, block_size, *x.shape[1:])

    padded = jax.tree.map(in_blocks, entries)
    return _pairwise_sum(jax.lax.map(jax.checkpoint(block_sums, prevent_cse=False), padded))


def _pairwise_sum(blocks: jax.Array) -> jax.Array:
    while blocks.shape[0] > 1:
        if blocks.shape[0] % 2:
            blocks = jnp.concatenate([blocks, jnp.zeros_like(blocks[:1])])
        blocks = blocks[0::2] + blocks[1::2]
    return blocks[0]


def _flat(array: jax.Array | float, shape: tuple[int, ...], what: str) -> jax.Array:
    array = jnp.asarray(array)
    try:
        return jnp.broadcast_to(array, shape).ravel()
    except ValueError:
        raise ValueError(
            f"{what} must be a scalar or have the shape of the values, {shape}; got shape {array.shape}"
        ) from None
