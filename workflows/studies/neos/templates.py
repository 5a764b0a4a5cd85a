"""Histograms of a network's score, and the statistical model that is built from them."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from hepgrad.analysis.histogram import Counts, Gaussian, fill_hard, fill_soft
from hepgrad.analysis.statistics import FitChannel, FitSample, HistoSys, Model, NormFactor

from .problem import YIELDS

_FLOOR = 1e-3  # events that are added to every bin of every sample, as in the paper


def soft_shapes(scores: jax.Array, edges: jax.Array, bandwidth: float) -> jax.Array:
    """Return the shares of each sample's events in the bins, with every event smeared by a normal density.

    What leaves the outermost bins is counted in them. Scores, shape (samples, n), are in [0, 1], edges go from 0 to 1,
    and the bandwidth is the standard deviation of the smearing. The result has shape (samples, bins); float64 when x64
    is enabled.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.workflows.studies.neos.templates import soft_shapes
    >>> print(soft_shapes(jnp.array([[0.5]]), jnp.array([0.0, 0.5, 1.0]), 0.1))
    [[0.5 0.5]]
    """
    samples, number = _samples(scores), len(scores)
    return _shapes(
        fill_soft(scores, 1.0, edges, bandwidth=bandwidth, kernel=Gaussian(), groups=samples, num_groups=number)
    )


def hard_shapes(scores: jax.Array, edges: jax.Array) -> jax.Array:
    """Return the shares of each sample's events in the bins.

    Arguments are as for `soft_shapes`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.workflows.studies.neos.templates import hard_shapes
    >>> print(hard_shapes(jnp.array([[0.2, 0.5, 0.6, 1.0]]), jnp.array([0.0, 0.5, 1.0])))
    [[0.25 0.75]]
    """
    return _shapes(fill_hard(scores, 1.0, edges, groups=_samples(scores), num_groups=len(scores)))


def statistical_model(shapes: jax.Array) -> Model:
    """Return the model of the counts: a signal of free strength, and a background of uncertain shape.

    Shapes are (samples, bins).

    Examples
    --------
    >>> from hepgrad.workflows.studies.neos.problem import classifier_shapes
    >>> from hepgrad.workflows.studies.neos.templates import statistical_model
    >>> model = statistical_model(classifier_shapes())
    >>> print(model.parameter_names, f"{model.expected_actualdata(model.initial).sum():.1f}")
    ('position', 'mu') 120.0
    """
    signal, background, up, down = shapes * jnp.array(YIELDS)[:, None] + _FLOOR
    samples = [
        FitSample("signal", signal, [NormFactor("mu")]),
        FitSample("background", background, [HistoSys("position", hi=up, lo=down)]),
    ]
    return Model([FitChannel("score", samples)], parameter_of_interest="mu")


def _samples(scores: jax.Array) -> jax.Array:
    return jnp.broadcast_to(jnp.arange(len(scores))[:, None], scores.shape)


def _shapes(counts: Counts) -> jax.Array:
    sumw = jnp.asarray(counts.sumw, float)
    inside = sumw[:, 1:-1].at[:, 0].add(sumw[:, 0]).at[:, -1].add(sumw[:, -1])
    return inside / jnp.sum(inside, axis=1, keepdims=True)
