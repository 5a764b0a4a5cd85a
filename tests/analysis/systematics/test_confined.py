"""A weight variation of some processes never sees the events of others."""

from __future__ import annotations

import awkward as ak
import jax
import numpy as np
import pytest

import hepgrad.ragged as rg
from hepgrad.analysis import Analysis, Channel, Dataset, Hard, Parameter, Parameters, Regular, Soft, stage
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.systematics import WeightVariation

pytestmark = pytest.mark.thorough


@stage(reads=["x", "pdf"])
def keep(events, cut):
    return events.select(events.x > cut.c)


def events(seed, members):
    x = np.random.default_rng(seed).normal(50, 10, 60).astype(np.float32)
    return ak.Array(
        {"x": x, "pdf": np.linspace(0.9, 1.1, 60 * members).astype(np.float32).reshape(60, members).tolist()}
    )


@pytest.mark.parametrize("down", [None, lambda e: 1 - rg.std(e.pdf, axis=1)])
def test_events_of_other_processes_change_nothing(down):
    """Their lists of weights are empty, so that the variation would be NaN."""
    pdf = WeightVariation("pdf", lambda e: 1 + rg.std(e.pdf, axis=1), down, processes=["b"])
    analysis = Analysis([keep], [Channel("c", "x", Regular(4, 0, 100))], TemplateModel(["s"], [pdf]), "discovery")
    samples = {"s": events(0, 0), "b": events(1, 3)}
    data = Dataset.from_awkward(samples, {"s": np.full(60, 0.1), "b": np.ones(60)})
    parameters = Parameters(c=Parameter(40.0, bounds=(10, 90)))
    filled = analysis.histograms(data, parameters, Hard())
    for side in (filled.up, *([filled.down] if down else [])):
        signal, background = side["pdf"]["c"].sumw
        np.testing.assert_array_equal(signal, filled["c"].sumw[0])
        assert not np.array_equal(background, filled["c"].sumw[1])

    def total(value):
        shifted = analysis.histograms(data, parameters.with_free({"c": value}), Soft())
        return shifted.up["pdf"]["c"].sumw.sum()

    slope = jax.grad(total)(parameters["c"])
    assert np.isfinite(slope) and slope < 0
