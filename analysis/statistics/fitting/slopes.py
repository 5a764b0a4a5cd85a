"""First and second derivatives of the expected events, in a few products whatever the number of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..histfactory.evaluation import Expectation, by_channel, in_bins
from ..histfactory.layout import ModelLayout
from ..histfactory.structure import pairs, slots
from .incidence import arrangement


class Slopes(NamedTuple):
    """Expected events and their derivatives at one point.

    `jacobian` holds the derivatives of the expected events, then, for each slot (those of `Slots`), of `by_slot`.

    Attributes
    ----------
    expected
        Shape (bins,).
    by_slot
        Derivative with respect to the parameter of a bin that a slot holds, shape (slots, bins).
    jacobian
        Derivatives with respect to the scalar parameters, shape (1 + slots, scalars, bins).
    """

    expected: jax.Array
    by_slot: jax.Array
    jacobian: jax.Array


class _Parts(NamedTuple):
    """The factors of the expected events (see `evaluation`), and their derivatives."""

    shape: jax.Array  # A, (samples, bins)
    shifts: jax.Array  # dA of each pair of histosys and sample, (pairs, bins)
    curvature: jax.Array  # weights of the second derivative of A, (2 or more, pairs)
    scale: jax.Array  # F, (samples, channels)
    relative: jax.Array  # d ln F of each pair of normsys and sample, (pairs, channels)
    relative_curvature: jax.Array  # F'' / F, (pairs, channels)
    norm: jax.Array  # product of the normsys, (samples, channels)
    factors: jax.Array  # dF of each layer of factors, (layers, samples, channels)
    factor_pairs: jax.Array  # second derivative of F, (layers, layers, samples, channels)
    scalars: jax.Array  # dF, (scalars, samples, channels)
    bins: jax.Array  # G, (samples, bins)
    by_slot: jax.Array  # dG, (slots, samples, bins)
    slot_pairs: jax.Array  # second derivative of G, (slots, slots, samples, bins)


def slopes(expectation: Expectation, parameters: jax.Array) -> tuple[Slopes, _Parts]:
    """Return the expected events and their first derivatives, and what `bend` needs for the second."""
    parts = _parts(expectation, parameters)
    scaled = parts.shape * in_bins(expectation.layout, parts.scale)
    by_slot = jnp.sum(scaled * parts.by_slot, axis=1)
    weights = jnp.concatenate([parts.bins[None], parts.by_slot])
    return Slopes(jnp.sum(scaled * parts.bins, axis=0), by_slot, _jacobian(expectation.layout, parts, weights)), parts


def bend(expectation: Expectation, parts: _Parts, weights: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the second derivatives of a weighted sum of the expected events.

    ``parts`` are from `slopes`, weights have shape (bins,). The results are of two scalar parameters, shape (scalars,
    scalars), and of two slots of a bin, shape (slots, slots, bins).
    """
    layout = expectation.layout
    number = len(arrangement(layout).scalars)
    weighted = weights * parts.bins
    half = jnp.zeros((number, number), weights.dtype)  # the result, less its transpose
    diagonal = jnp.zeros(number, weights.dtype)

    acting = pairs(layout, "histosys")
    if acting.size:
        tilted = by_channel(layout, parts.shifts * weighted[acting.sample])
        half = half.at[_rows(layout, "histosys")].add(_product(_spread(layout, "histosys", tilted), parts.scalars))
        bent = jnp.sum(expectation.shifts * (weighted * in_bins(layout, parts.scale))[acting.sample], axis=2)
        diagonal += _one_hot(layout, "histosys", bent) @ jnp.sum(parts.curvature * bent, axis=0)

    total = by_channel(layout, weighted * parts.shape)
    acting = pairs(layout, "normsys")
    if acting.size:
        here = (total * parts.scale)[acting.sample]
        relative, rows = _spread(layout, "normsys", parts.relative), _rows(layout, "normsys")
        # of two normsys, and, twice, of a normsys and a factor: the scalars' slopes without those of the normsys
        others = parts.scalars.at[rows].add(-0.5 * relative * parts.scale)
        half = half.at[rows].add(_product(relative, others * total))
        own = parts.relative_curvature - parts.relative**2
        diagonal += _one_hot(layout, "normsys", own) @ jnp.sum(own * here, axis=1)
    result = half + half.T
    if len(layout.factor_index) > 1:
        holds = _holds(layout, weights)
        result += jnp.tensordot(
            holds, jnp.einsum("ijsc,ljsc->lisc", parts.factor_pairs * total, holds), [(1, 2, 3)] * 2
        )

    scaled = weights * parts.shape * in_bins(layout, parts.scale)
    return result + jnp.diag(diagonal), jnp.sum(scaled * parts.slot_pairs, axis=2)


def _parts(expectation: Expectation, parameters: jax.Array) -> _Parts:
    layout = expectation.layout

    acting = pairs(layout, "histosys")
    _, slope, curvature = _twice(expectation.shape_weights, parameters[acting.parameter])
    shifts = expectation.shifted(slope)

    acting = pairs(layout, "normsys")
    # kept, because XLA would compute them again wherever they are used
    values = jax.lax.optimization_barrier(_twice(expectation.normalisation_factors, expectation.alphas(parameters)))
    zero = values[0] == 0
    relative, relative_curvature = (jnp.where(zero, 0, v / jnp.where(zero, 1, values[0])) for v in values[1:])
    relative, relative_curvature = (jnp.where(acting.acts, r, 0) for r in (relative, relative_curvature))

    norm = expectation.normalisation(values[0])
    product, first, second = _leave_out(expectation.sample_factors(parameters))
    scale, factors, factor_pairs = norm * product, norm * first, norm * second
    scalars = jnp.sum(_holds(layout, scale) * factors, axis=1)
    if acting.size:
        own = _spread(layout, "normsys", relative * scale[acting.sample])
        scalars = scalars.at[_rows(layout, "normsys")].add(own)

    bins, first, second = _leave_out(expectation.bin_factors(parameters))
    member = slots(layout).member
    by_slot = jnp.sum(jnp.where(member, first, 0), axis=1)
    slot_pairs = jnp.zeros((len(by_slot), *by_slot.shape), by_slot.dtype)
    if len(first) > 1:
        other = jnp.sum(jnp.where(member[:, None], second, 0), axis=2)
        slot_pairs = jnp.sum(jnp.where(member[:, None], other, 0), axis=2)
    return _Parts(
        expectation.shape(parameters),
        shifts,
        curvature,
        scale,
        relative,
        relative_curvature,
        norm,
        factors,
        factor_pairs,
        scalars,
        bins,
        by_slot,
        slot_pairs,
    )


def _jacobian(layout: ModelLayout, parts: _Parts, weights: jax.Array) -> jax.Array:
    """Differentiate the expected events with other factors of the bins; (sets of factors, scalars, bins)."""
    channels = len(layout.channels)
    widest = max(channel.bins for channel in layout.channels)
    # bins of a channel on an axis of their own, filled up with zeros: a product of matrices for each channel
    start = np.array([part.start for part in layout.channel_slices.values()], np.int32)
    inside = layout.channel_of_bin * widest + np.arange(layout.bins, dtype=np.int32) - start[layout.channel_of_bin]
    padded = parts.shape * weights
    if channels * widest > layout.bins:
        padded = jnp.zeros((*padded.shape[:2], channels * widest), padded.dtype).at[..., inside].set(padded)
    padded = padded.reshape(*padded.shape[:2], channels, widest)
    acting = pairs(layout, "histosys")
    factors = weights * in_bins(layout, parts.scale)

    def one(padded: jax.Array, factors: jax.Array) -> jax.Array:
        result = jnp.einsum("ksc,scb->kcb", parts.scalars, padded, precision=jax.lax.Precision.HIGHEST)
        result = result.reshape(len(result), channels * widest)
        if channels * widest > layout.bins:
            result = result[:, inside]
        if acting.size:
            result = result.at[_scalar_of(layout, acting.parameter)].add(parts.shifts * factors[acting.sample])
        return result

    # a set after the other, because XLA moves axes of one array of all sets slowly
    result: jax.Array = jax.lax.map(lambda each: one(*each), (padded, factors))
    return result


def _twice(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return value, first and second derivative of a function that acts element by element."""

    def first(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.jvp(function, (x,), (jnp.ones_like(x),))

    (value, slope), (_, curvature) = jax.jvp(first, (x,), (jnp.ones_like(x),))
    return value, slope, curvature


def _leave_out(factors: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the product along the first axis, and those without one and without two of the factors."""
    left = np.eye(len(factors), dtype=bool).reshape(len(factors), len(factors), *[1] * (factors.ndim - 1))
    first = jnp.where(left, 1, factors)
    second = jnp.where(left[:, None], 1, first)
    return jnp.prod(factors, axis=0), jnp.prod(first, axis=1), jnp.where(left, 0, jnp.prod(second, axis=2))


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.tensordot(a, b, [(1, 2), (1, 2)], precision=jax.lax.Precision.HIGHEST)


def _scalar_of(layout: ModelLayout, parameters: np.ndarray) -> np.ndarray:
    """Return the places of parameters among the scalar ones; their number stands for none."""
    scalars = arrangement(layout).scalars
    place = np.full(layout.size + 1, scalars.size, np.int32)
    place[scalars] = np.arange(scalars.size)
    return place[parameters]


def _holds(layout: ModelLayout, like: jax.Array) -> jax.Array:
    """Return 1 where a layer of factors holds a scalar parameter, shape (scalars, layers, samples, channels)."""
    index = _scalar_of(layout, layout.factor_index)
    return (jnp.arange(arrangement(layout).scalars.size)[:, None, None, None] == index).astype(like.dtype)


def _one_hot(layout: ModelLayout, modifier_type: str, like: jax.Array) -> jax.Array:
    """Return 1 where a pair belongs to a scalar parameter, shape (scalars, pairs)."""
    place = _scalar_of(layout, pairs(layout, modifier_type).parameter)
    return (jnp.arange(arrangement(layout).scalars.size)[:, None] == place).astype(like.dtype)


def _rows(layout: ModelLayout, modifier_type: str) -> np.ndarray:
    """Return which of the scalar parameters belong to modifiers of a type, in rising order."""
    return np.unique(_scalar_of(layout, pairs(layout, modifier_type).parameter))


def _spread(layout: ModelLayout, modifier_type: str, of_pairs: jax.Array) -> jax.Array:
    """Put the numbers of pairs, shape (pairs, channels), in their places; shape (rows, samples, channels)."""
    acting, rows = pairs(layout, modifier_type), _rows(layout, modifier_type)
    # taken from where they are, because XLA compiles that faster than putting them where they belong
    source = np.full((rows.size, len(layout.sample_names)), acting.size, np.int32)
    source[np.searchsorted(rows, _scalar_of(layout, acting.parameter)), acting.sample] = np.arange(acting.size)
    return jnp.pad(of_pairs, ((0, 1), (0, 0)))[source]
