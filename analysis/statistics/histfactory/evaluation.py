r"""The expected events of a model: what does not depend on the parameters once, the rest in a few products.

The events of sample s in bin b of channel c are a shape, times the scale of the sample, times the factors of the bin,

.. math:: \nu_{sb} = A_{sb} \, F_{sc} \, G_{sb}, \quad A = I^0 + \sum_m u_m (I_m^+ - I^0) + d_m (I^0 - I_m^-), \quad
          F = \prod_m \varphi_m \prod_l \theta_l, \quad G = \prod_l \gamma_l.

Where templates are there at further points (see `eventwise`), A has a term for each of them, too.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator

import jax
import jax.numpy as jnp
import numpy as np

from .eventwise import spline_weights
from .interpolation import ADDITIVE, MULTIPLICATIVE
from .layout import ModelLayout
from .structure import Pairs, pairs
from .templates import ModelTemplates

_HIGHEST = jax.lax.Precision.HIGHEST


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Expectation:
    """The templates as the evaluation needs them.

    Attributes
    ----------
    layout
        Structure of the model (static).
    nominal
        Shape (samples, bins).
    shifts
        What the histograms gain upward, then lose downward, of each pair of ``histosys`` and sample, then what they
        gain at further points, if any has these; shape (2 or more, pairs, bins); 0 where a modifier does not act.
    hi, lo
        Factors of each pair of ``normsys`` and sample, shape (pairs, channels).
    """

    layout: ModelLayout = dataclasses.field(metadata={"static": True})
    nominal: jax.Array
    shifts: jax.Array
    hi: jax.Array
    lo: jax.Array

    def shape(self, parameters: jax.Array) -> jax.Array:
        """Return A, shape (samples, bins)."""
        acting = pairs(self.layout, "histosys")
        if not acting.size:
            return self.nominal
        weights = self.shape_weights(parameters[acting.parameter])
        shifted = self.shifted(weights)
        # a product with ones and zeros adds up the pairs of each sample
        return self.nominal + jnp.matmul(_one_hot(acting, self.nominal), shifted, precision=_HIGHEST)

    def shifted(self, weights: jax.Array) -> jax.Array:
        """Return the sum of the shifts with some weights, shape (pairs, bins)."""
        # written out, because XLA adds up along a short first axis forty times slower
        terms = (weight[:, None] * shift for weight, shift in zip(weights, self.shifts, strict=True))
        return functools.reduce(operator.add, terms)

    def shape_weights(self, alphas: jax.Array) -> jax.Array:
        """Return u and d, and those of further points, shape (2 or more, pairs)."""
        weights = jnp.stack(ADDITIVE[self.layout.histosys_code](alphas))
        if not self.layout.eventwise:
            return weights
        up, down, *further = spline_weights(alphas)
        usual = jnp.pad(weights, ((0, len(further)), (0, 0)))
        return jnp.where(_is_eventwise(self.layout), jnp.stack([up, -down, *further]), usual)

    def scale(self, parameters: jax.Array) -> jax.Array:
        """Return F, shape (samples, channels)."""
        factors = self.sample_factors(parameters)
        return math.prod(factors, start=self.normalisation(self.normalisation_factors(self.alphas(parameters))))

    def sample_factors(self, parameters: jax.Array) -> jax.Array:
        """Return the parameters that multiply whole samples, shape (layers, samples, channels)."""
        return jnp.append(parameters, 1)[self.layout.factor_index]

    def alphas(self, parameters: jax.Array) -> jax.Array:
        """Return the parameter of each pair of ``normsys`` and sample, shape (pairs, channels)."""
        acting = pairs(self.layout, "normsys")
        # where a modifier does not act its parameter is 0 for every factor, which makes 1
        return jnp.where(acting.acts, parameters[acting.parameter][:, None], 0)

    def normalisation_factors(self, alphas: jax.Array) -> jax.Array:
        """Return the factor of each pair of ``normsys`` and sample, shape (pairs, channels)."""
        return MULTIPLICATIVE[self.layout.normsys_code](alphas, self.hi, self.lo)

    def normalisation(self, factors: jax.Array) -> jax.Array:
        """Multiply the factors of each sample, shape (samples, channels): by logarithms, whose derivatives are sums."""
        acting = pairs(self.layout, "normsys")
        if not acting.size:
            return jnp.ones((len(self.nominal), len(self.layout.channels)), self.nominal.dtype)
        by_sample = _one_hot(acting, self.nominal)
        zero = factors == 0
        logarithms = by_sample @ jnp.log(jnp.abs(jnp.where(zero, 1, factors)))
        zeros, odd = by_sample @ zero, (by_sample @ (factors < 0)) % 2
        return jnp.where(zeros > 0, 0, (1 - 2 * odd) * jnp.exp(logarithms))

    def bin_factors(self, parameters: jax.Array) -> jax.Array:
        """Return the parameters that multiply single bins, shape (layers, samples, bins)."""
        return jnp.append(parameters, 1)[self.layout.bin_factor_index]

    def samples(self, parameters: jax.Array) -> jax.Array:
        """Return the expected events of each sample, shape (samples, bins)."""
        scaled = self.shape(parameters) * in_bins(self.layout, self.scale(parameters))
        return math.prod(self.bin_factors(parameters), start=scaled)

    def total(self, parameters: jax.Array) -> jax.Array:
        """Return the expected events, shape (bins,)."""
        return jnp.sum(self.samples(parameters), axis=0)


def expectation(layout: ModelLayout, templates: ModelTemplates) -> Expectation:
    """Return what the evaluation of a model needs.

    Samples that no modifier varies may be missing at the end of the axes of varied templates.
    """
    nominal = templates.nominal
    acting = pairs(layout, "histosys")
    at_nominal = nominal[acting.sample]
    shifts = jnp.stack(
        [
            templates.histosys_hi[acting.modifier, acting.sample] - at_nominal,
            at_nominal - templates.histosys_lo[acting.modifier, acting.sample],
        ]
    )
    if not acting.acts.all():
        shifts = jnp.where(in_bins(layout, jnp.asarray(acting.acts, nominal.dtype)) > 0, shifts, 0)
    if templates.further is not None:
        named = [layout.eventwise.index(name) if name in layout.eventwise else 0 for name in _names(layout)]
        place = np.array(named, np.int32)
        gained = templates.further[:, place[acting.modifier], acting.sample] - at_nominal
        gained = jnp.where(_is_eventwise(layout)[:, None], gained, 0)
        if not acting.acts.all():
            gained = jnp.where(in_bins(layout, jnp.asarray(acting.acts, nominal.dtype)) > 0, gained, 0)
        shifts = jnp.concatenate([shifts, gained])
    acting = pairs(layout, "normsys")
    hi, lo = (end[acting.modifier, acting.sample] for end in (templates.normsys_hi, templates.normsys_lo))
    return Expectation(layout, nominal, shifts, hi, lo)


def in_bins(layout: ModelLayout, by_channel: jax.Array) -> jax.Array:
    """Repeat the numbers of channels (last axis) for each of their bins."""
    # a product with ones and zeros, because XLA would compute indexed factors again for each bin
    member = np.arange(len(layout.channels))[:, None] == layout.channel_of_bin
    return jnp.matmul(by_channel, member.astype(by_channel.dtype), precision=_HIGHEST)


def by_channel(layout: ModelLayout, bins: jax.Array) -> jax.Array:
    """Add up the bins (last axis) of each channel."""
    channels = len(layout.channels)
    if len({channel.bins for channel in layout.channels}) == 1:
        return jnp.sum(bins.reshape(*bins.shape[:-1], channels, -1), axis=-1)
    member = layout.channel_of_bin[:, None] == np.arange(channels)
    return jnp.matmul(bins, member.astype(bins.dtype), precision=_HIGHEST)


def _names(layout: ModelLayout) -> list[str]:
    """Return the names of the ``histosys`` in their order."""
    return list(layout.cells_of["histosys"])


def _is_eventwise(layout: ModelLayout) -> np.ndarray:
    """Return which pairs of ``histosys`` and sample have templates at further points, shape (pairs,)."""
    named = np.array([name in layout.eventwise for name in _names(layout)])
    return named[pairs(layout, "histosys").modifier]


def _one_hot(acting: Pairs, like: jax.Array) -> jax.Array:
    """Return 1 where a pair belongs to a sample, shape (samples, pairs)."""
    return (jnp.arange(len(like))[:, None] == acting.sample).astype(like.dtype)
