"""Filling a differentiable histogram: value and gradient with respect to the values and the probabilities.

A million float32 entries ("full"), the bandwidth half of a bin. Rivals, all jitted, with the same kernel:

- ``all bins``: the formula of neos and relaxed, every entry times every bin, in one piece.
- ``loop over bins``: one bin after the other, computed again in the backward pass; memory O(entries).
- ``20 bins``: our own filling of 20 bins; the ratio says what more bins cost.
- ``hist``: ordinary filling with boost-histogram, for hard filling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import hist
import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.analysis.histogram import Biweight, Gaussian, Kernel, Regular, fill_hard, fill_soft

from .runner import Comparison, Size

ENTRIES = {"quick": 100_000, "full": 1_000_000}
# every entry times every bin does not fit into memory with more
MOST_BINS_AT_ONCE = 20


def columns(entries: int) -> tuple[jax.Array, ...]:
    """Return values, weights and probabilities."""
    rng = np.random.default_rng(2)
    arrays = (rng.normal(50, 25, entries), rng.uniform(0.5, 1.5, entries), rng.uniform(0, 1, entries))
    return tuple(jnp.asarray(array, jnp.float32) for array in arrays)


def below(kernel: Kernel, distance: jax.Array) -> jax.Array:
    """Return the distribution function in terms of standard deviations."""
    if isinstance(kernel, Gaussian):
        return jax.scipy.stats.norm.cdf(distance)
    u = jnp.clip(distance / jnp.sqrt(7.0), -1, 1)
    return 0.5 + u * (15 / 16 + u * u * (-10 / 16 + u * u * (3 / 16)))


def all_bins(kernel: Kernel, axis: Regular, bandwidth: float) -> Callable[..., jax.Array]:
    edges = jnp.asarray(axis.edges, jnp.float32)

    def fill(values: jax.Array, weight: jax.Array, probability: jax.Array) -> jax.Array:
        fractions = jnp.diff(below(kernel, (edges[:, None] - values) / bandwidth), axis=0)
        return fractions @ jnp.stack([weight * probability, weight**2 * probability], axis=1)

    return fill


def loop_over_bins(kernel: Kernel, axis: Regular, bandwidth: float) -> Callable[..., jax.Array]:
    edges = jnp.asarray(axis.edges, jnp.float32)

    def fill(values: jax.Array, weight: jax.Array, probability: jax.Array) -> jax.Array:
        columns = jnp.stack([weight * probability, weight**2 * probability], axis=1)

        @jax.checkpoint
        def content(bin_edges: tuple[jax.Array, jax.Array]) -> jax.Array:
            lower, upper = (below(kernel, (edge - values) / bandwidth) for edge in bin_edges)
            return (upper - lower) @ columns

        return jax.lax.map(content, (edges[:-1], edges[1:]))

    return fill


def ours(kernel: Kernel, axis: Regular, bandwidth: float) -> Callable[..., jax.Array]:
    def fill(values: jax.Array, weight: jax.Array, probability: jax.Array) -> jax.Array:
        counts = fill_soft(values, weight, axis, bandwidth=bandwidth, kernel=kernel, probability=probability)
        return jnp.stack([axis.inner(counts.sumw), axis.inner(counts.sumw2)], axis=1)

    return fill


def value_and_vjp(fill: Callable[..., jax.Array], *arrays: jax.Array) -> Callable[[], Any]:
    """Return a call that fills, and pulls the histogram back to values and probabilities."""
    values, weight, probability = arrays

    @jax.jit
    def step(values: jax.Array, weight: jax.Array, probability: jax.Array) -> Any:
        histogram, pull = jax.vjp(lambda x, p: fill(x, weight, p), values, probability)
        return histogram, pull(histogram)

    return lambda: jax.block_until_ready(step(values, weight, probability))


def comparisons(size: Size) -> Iterator[Comparison]:
    """Yield value and vjp of soft filling, and hard filling, for few and many bins."""
    arrays = columns(ENTRIES[size])
    for kernel in (Biweight(), Gaussian()):
        few = (kernel, Regular(20, 0, 100), 2.5)
        for bins in (20, 2000):
            problem = (kernel, Regular(bins, 0, 100), 50 / bins)
            rivals = {}
            if bins <= MOST_BINS_AT_ONCE:
                rivals["all bins"] = value_and_vjp(all_bins(*problem), *arrays)
                rivals["loop over bins"] = value_and_vjp(loop_over_bins(*problem), *arrays)
            else:
                rivals["20 bins"] = value_and_vjp(ours(*few), *arrays)
            name = f"{type(kernel).__name__}, {bins} bins, value + vjp"
            yield Comparison(name, {"jit": value_and_vjp(ours(*problem), *arrays)}, rivals)

    values, weight, _ = arrays
    plain = tuple(map(np.asarray, (values, weight)))
    for bins in (20, 2000):
        axis = Regular(bins, 0, 100)
        fill = jax.jit(lambda values, weight, axis=axis: fill_hard(values, weight, axis))
        yield Comparison(
            f"hard, {bins} bins",
            {"jit": lambda fill=fill: jax.block_until_ready(fill(values, weight))},
            {"hist": lambda bins=bins: hist.new.Reg(bins, 0, 100).Weight().fill(plain[0], weight=plain[1])},
        )
