"""No number rests on a fit that failed: steps, line searches, checks with hard cuts, starts and results."""

from __future__ import annotations

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from hepgrad.analysis import Analysis, CountingModel, FitError, Hard, Soft, Split, optimize
from hepgrad.analysis.data.split import Split as Parts
from hepgrad.analysis.optimisation import FitTally

# b falls from 160 at the start, x > 2, to 100 at the best cut, x > 5
HOW = {"optimizer": optax.adam(0.3), "steps": 20, "check_every": 5}


@pytest.fixture(scope="module")
def data(flagged):
    return Split(flagged.events(1), flagged.events(2))


@pytest.mark.thorough
def test_a_step_on_a_failed_fit_ends_the_run_with_step_and_parameters(flagged, data):
    failing = flagged.analysis(lambda b, is_hard: (b > 130) | is_hard)
    for steps_per_call in (1, 20):
        with pytest.raises(FitError, match=r"step (\d+): there is no figure of merit, because a fit.*x=3\.") as raised:
            optimize(failing, data, steps_per_call=steps_per_call, parameters=flagged.START, **HOW)
    step = int(str(raised.value).removeprefix("step ").partition(":")[0])
    assert 2 < step < 15
    # as far as the fits are good, steps are made as if there were no flag
    kwargs = {"parameters": flagged.START, **HOW, "steps": step + 1}
    free = optimize(flagged.analysis(lambda b, is_hard: True), data, **kwargs)
    assert 3 < free.history[-1].values["x"] < 4


def test_shards_carry_the_flag(flagged, data):
    failing, shards = flagged.analysis(lambda b, is_hard: (b > 260) | is_hard), [flagged.events(1), flagged.events(2)]
    with pytest.raises(FitError, match=r"step \d+: .* a fit"):
        optimize(failing, Split(shards, flagged.events(2)), parameters=flagged.START, **HOW)


def test_a_line_search_stops_at_no_point_whose_fit_failed(flagged, data):
    """Without the wall it steps from x = 2 to 2.75 at once; behind the wall, about x = 2.6, fits fail."""
    search = optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(max_backtracking_steps=20))
    kwargs = {"parameters": flagged.START, **HOW, "optimizer": search, "steps": 1, "anneal": lambda i, n: 1.0}
    free = optimize(flagged.analysis(lambda b, is_hard: True), data, **kwargs).optimum.parameters["x"]
    assert free > 2.7
    walled = optimize(flagged.analysis(lambda b, is_hard: (b > 150) | is_hard), data, **kwargs)
    assert 2.1 < walled.optimum.parameters["x"] < 2.7
    assert walled.optimum.soft_train.converged


def test_a_check_on_a_failed_fit_is_not_eligible_and_counted(flagged, data):
    """With hard cuts the fit fails beyond x = 4, where soft ones lead; one of the points before wins."""
    result = optimize(flagged.analysis(lambda b, is_hard: (b > 122) | ~is_hard), data, parameters=flagged.START, **HOW)
    checked = [record for record in result.history if record.checks]
    failed = [record for record in checked if record.failed]
    assert len(checked) == 4
    assert 0 < len(failed) < 4
    assert all(math.isnan(record.hard) for record in failed)
    assert result.best.best_value == max(record.hard for record in checked if not record.failed)
    # the optimum passes on both halves; nothing else was evaluated with hard cuts
    assert result.fits == FitTally(len(failed), 1 + 20 + 4 + 8)
    assert f"{len(failed)} of 33 fits failed" in str(result)
    assert "nan" not in str(result)


def test_a_start_whose_fit_fails_is_no_number(flagged, data):
    """Hard cuts at the start fail; soft steps lead away."""
    result = optimize(flagged.analysis(lambda b, is_hard: (b < 150) | ~is_hard), data, parameters=flagged.START, **HOW)
    assert not result.start.hard_held_out.converged
    assert math.isnan(result.start.hard_held_out.objective)
    assert result.optimum.hard_held_out.converged
    assert math.isnan(result.gain)
    assert result.attempts[0].failed == 1
    assert "no fit" in str(result)
    assert "nan" not in str(result)


@pytest.mark.parametrize(
    ("holds", "message"),
    [
        (lambda b, is_hard: ~is_hard, "every point that was checked with hard cuts: .* a fit"),
        # the held-out events are others by weight
        (lambda b, is_hard: (b < 1000) | ~is_hard, "the optimum, with hard cuts on held-out events: .* a fit"),
    ],
    ids=["everywhere", "held-out"],
)
def test_no_result_without_a_fit(flagged, data, holds, message):
    heavy = flagged.events(2, number=8000)
    with pytest.raises(FitError, match=message):
        optimize(flagged.analysis(holds), Split(data.train, heavy), parameters=flagged.START, **{**HOW, "steps": 5})


def test_validation_that_fails_is_not_replaced_by_the_training_events(flagged, data):
    parts = Parts(data.train, data.held_out, validation=flagged.events(3, number=4000))
    with pytest.raises(FitError, match="every point that was checked"):
        optimize(flagged.analysis(lambda b, is_hard: (b < 300) | ~is_hard), parts, parameters=flagged.START, **HOW)


def test_outside_a_loop_a_failed_fit_is_no_number(flagged, data):
    failing = flagged.analysis(lambda b, is_hard: b > 1000)
    assert math.isnan(failing.evaluate(data.train, flagged.START, Soft(1.0)))
    evaluation = failing.evaluation(failing.histograms(data.train, flagged.START, Soft(1.0)), data.train)
    assert not evaluation.converged
    assert np.isfinite(evaluation.value)
    assert failing.merit.title == "Z of the test"


@pytest.mark.thorough
@pytest.mark.parametrize("model", [CountingModel(["signal"], 0.1)], ids=["counting"])
def test_background_that_adds_up_to_less_than_nothing_is_named(flagged, data, model):
    """Nothing tells what one of its events counts for, so that the significance is NaN: today's cause of that kind."""
    negative = dataclasses.replace(data.train, weight=jnp.where(data.train.process == 1, -0.5, data.train.weight))
    negative = dataclasses.replace(negative, typical_weight=jnp.array([0.5, jnp.inf], jnp.float32))
    counting = Analysis(flagged.analysis(None).stages, flagged.analysis(None).channels, model)
    with pytest.raises(FloatingPointError, match=r"the start: .* weights of all background \('background'\).*signs"):
        optimize(counting, Split(negative, negative), parameters=flagged.START, **HOW)
    assert math.isnan(counting.evaluate(negative, flagged.START, Hard()))


def test_a_model_of_ones_own_needs_no_base_class(flagged, data):
    assert flagged.analysis(None).model == flagged.Flagged(None)
