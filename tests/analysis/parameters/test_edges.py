"""Bin edges that are optimised together with the cuts."""

from __future__ import annotations

import awkward as ak
import jax
import numpy as np
import optax
import pytest

from hepgrad.analysis import (
    Analysis,
    Anneal,
    Channel,
    CountingModel,
    Dataset,
    Edges,
    Hard,
    Parameter,
    Parameters,
    Regular,
    Soft,
    Split,
    Variable,
    optimize,
    stage,
)

AXIS = Regular(2, 0.0, 10.0, name="x", label="$x$", unit="GeV")
START = Parameters(bins=Edges(AXIS, narrowest=1.0, unit="GeV", label="bins of x"))


@stage(reads=("x",))
def everything(events, cut):
    return events


ANALYSIS = Analysis(
    [everything],
    [Channel("x", "x", AXIS, bandwidth=0.3, edges="bins")],
    CountingModel(["signal"], background_uncertainty=0.0),
)


def sample(seed: int) -> Dataset:
    """A flat background, and a signal that begins at 7: one edge there is best."""
    rng = np.random.default_rng(seed)
    values = {"signal": rng.uniform(7, 10, 4000), "background": rng.uniform(0, 10, 20_000)}
    events = {name: ak.zip({"x": x.astype(np.float32)}, depth_limit=1) for name, x in values.items()}
    return Dataset.from_awkward(events, {"signal": np.full(4000, 0.01), "background": np.full(20_000, 0.02)})


@pytest.fixture(scope="module")
def data():
    return sample(1)


@pytest.mark.thorough
def test_the_best_edge_is_found(data):
    result = optimize(
        ANALYSIS,
        Split(data, sample(2)),
        parameters=START,
        optimizer=optax.adam(0.1),
        steps=80,
        anneal=Anneal(1.0, 0.3),
    )
    found = result.optimum.parameters
    assert found.numbers()["bins[1]"] == pytest.approx(7.0, abs=0.15)
    # two bins, of which one holds all of the signal
    s, b = 4000 * 0.01, 20_000 * 0.02
    best = np.sqrt(2 * ((s + 0.3 * b) * np.log1p(s / (0.3 * b)) - s))
    assert result.optimum.hard_held_out.objective == pytest.approx(best, rel=0.03)
    axis = ANALYSIS.channels[0].axis_at(found)
    assert (axis.label, axis.unit, axis.bins) == ("$x$", "GeV", 2)
    np.testing.assert_allclose(axis.edges, [0, found.numbers()["bins[1]"], 10], rtol=1e-6)


def test_the_start_has_the_axis_bins(data):
    fixed = Analysis([everything], [Channel("x", "x", AXIS, bandwidth=0.3)], ANALYSIS.model)
    for reading in (Hard(), Soft()):
        moving, still = (a.histograms(data, START, reading)["x"] for a in (ANALYSIS, fixed))
        np.testing.assert_allclose(moving.sumw, still.sumw, rtol=1e-5, atol=1e-5)


@pytest.mark.thorough
def test_derivative_is_that_of_central_differences(data):
    with jax.enable_x64(True):

        def objective(value):
            return ANALYSIS.evaluate(data, START.with_free({"bins": value}), Soft())

        value = np.array([0.3, -0.3])
        slope = jax.jit(jax.grad(objective))(value)
        step = np.array([1e-5, 0.0])
        difference = (objective(value + step) - objective(value - step)) / 2e-5
        assert slope[0] == pytest.approx(float(difference), rel=1e-4)
        assert slope[0] == pytest.approx(-float(slope[1]), rel=1e-6)  # a constant added to all changes nothing


def test_edges_in_tables_and_files():
    moved = START.replace(bins=[0, 4, 10])
    assert repr(moved) == "Parameters(bins=[0, 4, 10] GeV)"
    assert moved.to_dict()["bins"] == pytest.approx([0, 4, 10])
    again = Parameters.from_json(moved.to_json())
    assert again.specs == START.specs
    np.testing.assert_allclose(again["bins"], moved["bins"], rtol=1e-6)
    assert moved.ranges() == {"bins[1]": (1.0, 9.0)}
    np.testing.assert_allclose(START.replace(bins=moved.to_dict()["bins"])["bins"], moved["bins"], rtol=1e-6)


def test_mistakes_are_named(data):
    with pytest.raises(ValueError, match="at least two bins"):
        Edges([0, 1])
    with pytest.raises(ValueError, match=r"more than 2\.0 apart"):
        Edges([0, 1, 5], narrowest=2.0)
    with pytest.raises(ValueError, match="'bins': needs 3 edges from 0 to 10"):
        START.replace(bins=[0, 5, 11])
    with pytest.raises(TypeError, match="channel 'x': the parameter 'bins' must be Edges, got Parameter"):
        ANALYSIS.channels[0].axis_at(Parameters(bins=Parameter(1.0, bounds=(0, 2))))
    with pytest.raises(ValueError, match="'bins' has 3 bins, the axis has 2"):
        ANALYSIS.channels[0].axis_at(Parameters(bins=Edges(Variable([0, 1, 2, 10]))))
    with pytest.raises(KeyError, match="no parameter 'bins'"):
        ANALYSIS.histograms(data, Parameters(other=Parameter(1.0, bounds=(0, 2))), Hard())
