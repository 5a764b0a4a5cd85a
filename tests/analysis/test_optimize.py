"""Optimisation of one cut with a known optimum, and of toy analyses for everything that surrounds it."""

from __future__ import annotations

import logging

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.stats import norm

from hepgrad.analysis import (
    Analysis,
    Anneal,
    Channel,
    CountingModel,
    Dataset,
    Hard,
    Parameter,
    Parameters,
    Regular,
    Soft,
    Split,
    StraightThrough,
    optimize,
    stage,
)


@stage(reads=("x",))
def keep(events, cut):
    """The one cut of the closed-form example: keep x > c."""
    return events.select(events.x > cut.c, "x").with_field(y=jnp.full_like(events.x, 0.5))


def one_cut(**kwargs) -> Analysis:
    return Analysis(
        stages=[keep],
        channels=[Channel("one bin", "y", Regular(1, 0.0, 1.0), bandwidth=1e-3)],
        model=CountingModel(signal=["signal"], background_uncertainty=0.0),
        **kwargs,
    )


def quantiles(mean: float, sigma: float, n: int = 40_000) -> np.ndarray:
    return norm.ppf((np.arange(n) + 0.5) / n, mean, sigma).astype(np.float32)


def gaussians(n: int = 40_000) -> Dataset:
    """Background 8000 x N(40, 10) and signal 300 x N(50, 5), at their quantiles instead of random points."""
    samples = {
        "signal": ak.zip({"x": quantiles(50, 5, n)}, depth_limit=1),
        "background": ak.zip({"x": quantiles(40, 10, n)}, depth_limit=1),
    }
    # tiny weights with tiny variance: simulated statistics play no role in the closed form
    return Dataset.from_awkward(
        samples, {"signal": np.full(n, 300 / n), "background": np.full(n, 8000 / n)}, block_size=16384
    )


START = Parameters(c=Parameter(35.0, bounds=(20, 70), width=4.0, scale=5.0))


def closed_form(c):
    s, b = 300 * norm.sf(c, 50, 5), 8000 * norm.sf(c, 40, 10)
    return np.sqrt(2 * ((s + b) * np.log1p(s / b) - s))


def without_statistics(analysis):
    """The closed form knows no simulated statistics: leave their variance out."""

    class Exact(CountingModel):
        def discovery(self, histograms, axes, processes, typical_weight):
            exact = {k: type(h)(h.sumw, jnp.zeros_like(h.sumw2)) for k, h in histograms.items()}
            return super().discovery(exact, axes, processes, jnp.zeros_like(typical_weight))

    return Analysis(analysis.stages, analysis.channels, Exact(signal=["signal"], background_uncertainty=0.0))


def test_hard_significance_is_the_closed_form():
    analysis, data = without_statistics(one_cut()), gaussians()
    for c in (35.0, 44.875, 50.0):
        z = analysis.evaluate(data, START.replace(c=c), Hard())
        np.testing.assert_allclose(z, closed_form(c), rtol=2e-3)


def test_optimum_is_found_and_annealing_removes_the_bias():
    analysis, data = without_statistics(one_cut()), gaussians()
    split = Split(data, data)
    annealed = optimize(analysis, split, parameters=START, optimizer=optax.adam(0.05), steps=150, anneal=Anneal(1, 0.1))
    z = closed_form(float(annealed.optimum.parameters["c"]))
    assert z > 4.9970  # the optimum is 4.997715 at 44.87485
    wide = optimize(
        analysis, split, parameters=START, optimizer=optax.adam(0.05), steps=150, anneal=Anneal(1, 1), check_every=150
    )
    np.testing.assert_allclose(float(wide.optimum.parameters["c"]), 42.402, atol=0.2)


def test_one_compilation_for_the_whole_run(caplog):
    with jax.log_compiles(True), caplog.at_level(logging.WARNING):
        optimize(one_cut(), Split(gaussians(500), gaussians(500)), parameters=START, steps=25)
    compilations = [r for r in caplog.records if "Finished XLA compilation of jit(step)" in r.getMessage()]
    assert len(compilations) == 1


def test_parameters_stay_inside_their_bounds_and_best_hard_point_is_kept():
    data = gaussians(2000)
    result = optimize(one_cut(), Split(data, data), parameters=START, optimizer=optax.sgd(1e3), steps=20, check_every=1)
    assert all(20 <= record.values["c"] <= 70 for record in result.history)
    hard = [r.hard for r in result.history]
    assert result.optimum.hard_train.objective == pytest.approx(max([*hard, result.start.hard_train.objective]))


def test_same_result_to_the_bit():
    runs = [optimize(one_cut(), Split(gaussians(500), gaussians(500)), parameters=START, steps=10) for _ in range(2)]
    assert [r.values for r in runs[0].history] == [r.values for r in runs[1].history]
    assert [r.objective for r in runs[0].history] == [r.objective for r in runs[1].history]


def test_blocks_do_not_change_the_result():
    analysis = one_cut()
    n = 3000
    samples = {k: ak.zip({"x": quantiles(m, 8, n)}, depth_limit=1) for k, m in (("signal", 50), ("background", 40))}
    weights = {"signal": np.full(n, 0.1), "background": np.full(n, 2.0)}
    whole, pieces = (Dataset.from_awkward(samples, weights, block_size=b) for b in (100_000, 701))
    assert (whole.blocks, pieces.blocks) == (1, 9)
    for reading in (Soft(0.7), Hard(), StraightThrough(0.7)):
        values = [
            jax.value_and_grad(lambda p, d=d, r=reading: analysis.evaluate(d, p, r))(START) for d in (whole, pieces)
        ]
        np.testing.assert_allclose(values[0][0], values[1][0], rtol=1e-5)
        np.testing.assert_allclose(values[0][1]["c"], values[1][1]["c"], rtol=2e-4, atol=1e-7)
    flow = analysis.cutflow(pieces, START)
    assert flow.steps == ("all events", "x")
    assert flow.raw[0].tolist() == [n, n]
    np.testing.assert_allclose(flow.raw[1], [(quantiles(m, 8, n) > 35).sum() for m in (50, 40)])


def test_result_prints_the_truth():
    data = gaussians(500)
    result = optimize(one_cut(), Split(data, data), parameters=START, steps=5)
    text = str(result)
    for phrase in ("hard", "held-out", "signal", "background", "20 to 70", "35"):
        assert phrase in text
    assert result.gain == result.optimum.hard_held_out.objective / result.start.hard_held_out.objective


def test_frozen_everything_and_bad_steps_are_refused():
    frozen = Parameters(c=Parameter(35.0, bounds=(20, 70), frozen=True))
    data = gaussians(500)
    with pytest.raises(ValueError, match="every parameter is frozen"):
        optimize(one_cut(), Split(data, data), parameters=frozen)
    with pytest.raises(ValueError, match="must be positive"):
        optimize(one_cut(), Split(data, data), parameters=START, steps=0)


def test_a_derivative_that_is_not_finite_is_an_error():
    @stage()
    def poison(events, cut):
        # the square root's derivative is infinite at 0
        return events.select(events.x > cut.c).with_field(y=jnp.sqrt(cut.c.value - 35.0) * events.x)

    analysis = one_cut().replace_stage("keep", poison)
    data = gaussians(500)
    with pytest.raises(FloatingPointError, match=r"step 0: .* with respect to \['c'\]"):
        optimize(analysis, Split(data, data), parameters=START, steps=3)


def test_an_empty_bin_is_worth_one_simulated_event():
    """A background of 5 simulated events of weight 2 leaves the signal's bin empty: no infinite significance."""
    samples = {
        "signal": ak.zip({"x": np.full(100, 50, np.float32)}, depth_limit=1),
        "background": ak.zip({"x": np.full(5, 20, np.float32)}, depth_limit=1),
    }
    data = Dataset.from_awkward(samples, {"signal": np.full(100, 0.1), "background": np.full(5, 2.0)})
    np.testing.assert_allclose(data.typical_weight, [0.1, 2.0])
    z = one_cut().evaluate(data, START, Hard())
    # ten signal events on a background of 0 +- 2: far from the 8 sigma of 10 events on nothing
    assert 1 < float(z) < 4.5


def test_analysis_names_its_parts():
    analysis = one_cut()
    assert analysis.reads == ("x",)
    with pytest.raises(KeyError, match=r"no stage 'cut'; the stages are \['keep'\]"):
        analysis.replace_stage("cut", None)
    with pytest.raises(ValueError, match="no objective 'limit'; it has"):
        one_cut(objective="limit")
    with pytest.raises(ValueError, match="at least one stage"):
        analysis.replace_stage("keep", None)
    with pytest.raises(ValueError, match="needs the signal"):
        CountingModel(signal=["zprime"], background_uncertainty=0.1).discovery({}, {}, ["ttbar"], jnp.ones(1))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_must_be_finite(bad):
    sample = ak.zip({"x": np.ones(3, np.float32)}, depth_limit=1)
    with pytest.raises(ValueError, match="process 'b': 1 of 3 event weights are NaN or infinite"):
        Dataset.from_awkward({"b": sample}, {"b": np.array([1.0, bad, 1.0])})


def test_samples_must_fit_together():
    sample = ak.zip({"x": np.ones(3, np.float32)}, depth_limit=1)
    other = ak.zip({"y": np.ones(3, np.float32)}, depth_limit=1)
    with pytest.raises(ValueError, match="process 'b' has no events"):
        Dataset.from_awkward({"a": sample, "b": sample[:0]}, {"a": np.ones(3), "b": np.ones(0)})
    with pytest.raises(ValueError, match="3 events but 2 weights"):
        Dataset.from_awkward({"a": sample}, {"a": np.ones(2)})
    with pytest.raises(ValueError, match=r"process 'b' has the columns \['y'\]"):
        Dataset.from_awkward({"a": sample, "b": other}, {"a": np.ones(3), "b": np.ones(3)})
