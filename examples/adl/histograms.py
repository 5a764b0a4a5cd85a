"""Histograms of a query over all blocks of a data set, as one compiled function with derivatives."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

import hepgrad.ragged as rg
from hepgrad.analysis import Events, Hard
from hepgrad.analysis.histogram import fill_hard, fill_soft

from .queries import AXES, QUERIES


def fill(values, passed, weight, axis, reading):
    """Return the histogram of numbers per event, or per object: every object counts as its event does."""
    probability = passed.probability
    if isinstance(values, rg.RaggedArray):
        values, probability, weight = map(rg.flatten, rg.broadcast_arrays(values, probability, weight))
        weight = weight * (rg.local_index(values, axis=0) < rg.num(values, axis=0))
    else:
        values, probability, weight = rg.broadcast_arrays(values, probability, weight)
    numbers = values.content, weight.content, axis
    if isinstance(reading, Hard):
        return fill_hard(*numbers, probability=probability.content)
    bandwidth = reading.width * (axis.edges[1] - axis.edges[0]) / 2
    return fill_soft(*numbers, probability=probability.content, bandwidth=bandwidth)


@functools.partial(rg.checked, static_argnames="name")
def histograms(name, data, cuts, reading):
    """Return the sums of weights of a query's histograms, by axis, under- and overflow included."""

    def of_block(cuts, columns, weight):
        events = Events.of(columns, weight)
        values, passed = QUERIES[name](events, cuts.cuts(reading))
        return {axis: fill(x, passed, events.weight, AXES[axis], reading).sumw for axis, x in values.items()}

    def add(total, block):
        # the way back computes a block again instead of remembering it
        return jax.tree.map(jnp.add, total, jax.checkpoint(of_block)(cuts, *block)), None

    blocks = (data.columns, data.weight)
    shapes = jax.eval_shape(of_block, cuts, *jax.tree.map(lambda leaf: leaf[0], blocks))
    return jax.lax.scan(add, jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes), blocks)[0]
