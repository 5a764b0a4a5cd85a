"""Bins with less than nothing are told, and only where a likelihood changes them."""

from __future__ import annotations

import types

import jax.numpy as jnp

from hepgrad.analysis import Analysis, Channel, CountingModel, Counts, Regular, stage
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.workflows.results.negative import negative_bins


@stage(reads=["met"])
def nothing(events, cut):
    return events


def test_lines():
    analysis = Analysis([nothing], [Channel("sr", "met", Regular(3, 0, 3))], TemplateModel(["signal"]))
    sumw = jnp.array([[-9.0, 1, 1, 1, 0], [-9, -1, 2, -0.5, 0]])  # the underflow is not a bin of this axis
    evaluation = types.SimpleNamespace(histograms={"sr": Counts(sumw, sumw**2)}, yields={"signal": 1.0, "jets": 2.0})
    point = types.SimpleNamespace(hard_held_out=evaluation)
    expected = "jets: 2 of 3 bins of sr hold less than nothing, -1.50 events in all, and count as 0"
    assert negative_bins(analysis, point) == [expected]
    counting = Analysis([nothing], analysis.channels, CountingModel(["signal"], 0.1))
    assert negative_bins(counting, point) == []
