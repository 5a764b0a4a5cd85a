"""Programs do not grow with the physics: four times the sources, processes or channels cost next to nothing."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from benchmarks.large_analysis import CUTS, Size
from benchmarks.programs import equations
from hepgrad.analysis import Counts, Soft
from hepgrad.analysis.systematics import Templates

BASE = {"channels": 2, "bins": 4, "processes": 3, "weights": 3, "kinematic": 1, "events": 300}
LARGER = [{"channels": 8}, {"processes": 12}, {"weights": 12}, {"bins": 16}]


def of_likelihood(**numbers):
    """Return the number of equations from templates to the derivative of the expectation."""
    size = Size(**numbers)
    analysis = size.analysis()
    channels = [(channel.name, channel.cells) for channel in analysis.channels]
    names = [
        (source.name, side) for source in analysis.model.systematics if hasattr(source, "shape") for side in (1, -1)
    ]
    cells = sum(number for _, number in channels)
    counts = jnp.ones((1 + len(names), size.processes, cells))
    axes = {channel.name: channel.axis for channel in analysis.channels}

    def total(counts):
        templates = Templates.packed(Counts(counts, counts), channels, names)
        model = analysis.model.build(templates, axes, size.names, jnp.ones(size.processes))
        return jnp.sum(model.expected_data(model.initial))

    return equations(jax.make_jaxpr(jax.grad(total))(counts).jaxpr)


@pytest.mark.parametrize("more", LARGER, ids=lambda more: next(iter(more)))
def test_the_likelihood_has_one_size(more):
    assert of_likelihood(**{**BASE, **more}) == of_likelihood(**BASE)


def of_histograms(**numbers):
    """Return the number of equations from events to the derivative of all histograms."""
    size = Size(**numbers)
    analysis, data = size.analysis(), size.dataset()

    def total(parameters):
        return jnp.sum(analysis.histograms(data, parameters, Soft(1.0)).counts.sumw)

    return equations(jax.make_jaxpr(jax.grad(total))(CUTS).jaxpr)


@pytest.mark.thorough
def test_histograms_grow_with_code_of_their_own_only():
    base = of_histograms(**BASE)
    assert of_histograms(**{**BASE, "processes": 12, "bins": 5}) < 1.02 * base
    # a function for each source, and a condition for each region
    assert of_histograms(**{**BASE, "weights": 12, "kinematic": 4}) < 1.3 * base
    assert of_histograms(**{**BASE, "channels": 8}) < 1.6 * base
