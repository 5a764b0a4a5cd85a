"""Optimisation of one cut with a known optimum, and of toy analyses for everything that surrounds it."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
from pathlib import Path

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from hepgrad.analysis import (
    Analysis,
    Anneal,
    Attempt,
    Channel,
    CountingModel,
    Counts,
    Dataset,
    Hard,
    MaximumChange,
    MinimumYield,
    Parameter,
    Parameters,
    Projection,
    Regular,
    Smooth,
    Soft,
    Split,
    StepRecord,
    StraightThrough,
    Weights,
    draw_starts,
    optimize,
    stage,
)
from hepgrad.analysis.optimisation.plan import Plan
from hepgrad.analysis.statistics import asimov_z

SCRIPT = Path(__file__).resolve().parents[3] / "examples" / "one_cut.py"


@pytest.fixture(scope="module")
def toy():
    """The module of the example with one cut."""
    specification = importlib.util.spec_from_file_location("one_cut", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data(toy):
    return toy.events(40_000)


@pytest.fixture(scope="module")
def few(toy):
    return toy.events(2000)


@dataclasses.dataclass(frozen=True)
class Total(Channel):
    """One bin without a kernel, which compiles in half the time."""

    def fill(self, events, parameters, reading, groups, num_groups):
        w = events.weight * events.probability
        mine = groups == jnp.arange(num_groups)[:, None]
        sums = [jnp.where(mine, x, 0).sum(axis=1, keepdims=True) for x in (w, w * events.weight)]
        return Counts(*(jnp.pad(x, ((0, 0), (1, 1))) for x in sums))


@pytest.fixture(scope="module")
def quick(toy):
    """The toy analysis, with that channel."""
    return dataclasses.replace(toy.ANALYSIS, channels=[Total("all", "bin", Regular(1, 0.0, 1.0))])


def counting(analysis: Analysis) -> Analysis:
    """The toy with the statistical model that knows simulated statistics."""
    return dataclasses.replace(analysis, model=CountingModel(signal=["signal"], background_uncertainty=0.0))


def test_hard_significance_is_the_closed_form(toy, data):
    for c in (35.0, 44.875, 50.0):
        z = toy.ANALYSIS.evaluate(data, toy.START.replace(c=c), Hard())
        np.testing.assert_allclose(z, toy.closed_form(c), rtol=2e-4)


@pytest.mark.thorough
def test_annealed_cut_ends_at_the_best_hard_cut(toy, data):
    result = toy.optimum(data, Anneal(1.0, 0.05))
    assert abs(float(result.optimum.parameters["c"]) - 44.87485) < 0.05
    assert abs(result.optimum.hard_held_out.objective - 4.997715) < 1e-3
    assert result.gain == result.optimum.hard_held_out.objective / result.start.hard_held_out.objective


@pytest.mark.parametrize(
    ("width", "cut", "significance"),
    [
        pytest.param(1, 44.670, 4.9966, marks=pytest.mark.slow),
        pytest.param(2, 44.149, 4.98423, marks=pytest.mark.slow),
        (4, 42.402, 4.86229),
    ],
)
def test_a_constant_width_has_the_documented_bias(toy, data, width, cut, significance):
    result = toy.optimum(data, Anneal(width / 4, width / 4), steps=250, check_every=250, steps_per_call=250)
    assert abs(float(result.optimum.parameters["c"]) - cut) < 0.02
    assert abs(result.optimum.hard_held_out.objective - significance) < 2e-3


def test_one_compilation_for_the_whole_run(toy, quick, few, caplog):
    starts = draw_starts(toy.START, 1, key=jax.random.key(0))
    with jax.log_compiles(True), caplog.at_level(logging.WARNING):
        optimize(quick, Split(few, few), parameters=toy.START, starts=starts, steps=25, steps_per_call=7)
    compilations = [r for r in caplog.records if "Finished XLA compilation of jit(step)" in r.getMessage()]
    assert len(compilations) == 1


def test_several_steps_per_call_are_the_same_steps(toy, quick, few):
    """To the bit, and watchers see every one of them."""
    results, seen = [], []
    for together in (1, 4):
        seen.append([])
        results.append(
            optimize(
                quick,
                Split(few, few),
                parameters=toy.START,
                steps=23,
                check_every=6,
                steps_per_call=together,
                watchers=[lambda record, steps: seen[-1].append((record.step, steps))],
            )
        )
    one, other = ([(r.values, r.objective) for r in result.history] for result in results)
    assert one == other
    np.testing.assert_equal(*([r.hard for r in result.history] for result in results))
    assert seen[0] == seen[1] == [(step, 23) for step in range(23)]


def test_parameters_stay_inside_their_bounds_and_best_hard_point_is_kept(toy, quick, few):
    options = {"parameters": toy.START, "optimizer": optax.sgd(1e3), "steps": 20, "check_every": 1}
    result = optimize(quick, Split(few, few), **options)
    assert all(20 <= record.values["c"] <= 70 for record in result.history)
    hard = [r.hard for r in result.history]
    assert result.optimum.hard_train.objective == pytest.approx(max([*hard, result.start.hard_train.objective]))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("optimizer", "bounds"),
    [
        (optax.inject_hyperparams(optax.adamw)(optax.linear_schedule(0.3, 0.01, 80), weight_decay=0.0), Projection()),
        (optax.noisy_sgd(0.3, eta=1e-4, key=1), Smooth()),
        (optax.lbfgs(), Projection()),
    ],
    ids=["schedule", "noise", "line search"],
)
def test_any_optimiser(toy, quick, data, optimizer, bounds):
    """Schedules, states of all kinds, random keys, and line searches that evaluate the objective themselves."""
    options = {"steps": 80, "check_every": 80, "steps_per_call": 80, "anneal": Anneal(0.5, 0.5)}
    split = Split(data, data)
    result = optimize(quick, split, parameters=toy.START, optimizer=optimizer, bounds=bounds, **options)
    assert abs(float(result.optimum.parameters["c"]) - 44.149) < 0.1


def halves(toy, number: int = 3000) -> tuple[Dataset, list[Dataset]]:
    """Events in one data set, and the same in two shards of which one holds more of each process."""
    x = {"signal": np.linspace(30, 70, number), "background": np.linspace(10, 60, number)}
    samples = {name: ak.zip({"x": values.astype(np.float32)}, depth_limit=1) for name, values in x.items()}
    weights = {"signal": np.linspace(0.01, 0.19, number), "background": np.full(number, 2.0)}

    def part(rows):
        return Dataset.from_awkward({k: s[rows] for k, s in samples.items()}, {k: w[rows] for k, w in weights.items()})

    return part(slice(None)), [part(slice(0, 1000)), part(slice(1000, None))]


def test_a_descent_may_begin_elsewhere(toy, quick):
    """It goes on from there, and the result is compared with the parameters' own point all the same."""
    data, there = halves(toy)[0], toy.START.replace(c=40.0)
    result = optimize(quick, Split(data, data), parameters=toy.START, begin=there, steps=2)
    assert result.start.parameters["c"] == toy.START["c"] != 40
    assert result.history[0].values["c"] == 40
    assert result.best.start["c"] == 40


@pytest.mark.thorough
def test_shards_give_the_gradient_of_the_whole(toy, quick):
    whole, shards = halves(toy)
    kwargs = {"parameters": toy.START, "steps": 12, "check_every": 4, "optimizer": optax.adam(0.1)}
    one, two = (optimize(quick, Split(part, part), **kwargs) for part in (whole, shards))
    np.testing.assert_allclose([r.values["c"] for r in two.history], [r.values["c"] for r in one.history], rtol=1e-5)
    np.testing.assert_allclose([r.hard for r in two.history], [r.hard for r in one.history], rtol=1e-5)
    assert two.optimum.cutflow.raw.tolist() == one.optimum.cutflow.raw.tolist()
    # the mean of the shards' own gradients is another one
    slope = jax.jit(jax.grad(lambda parameters, data: quick.evaluate(data, parameters, Soft())))
    slopes = [float(slope(toy.START, d)["c"]) for d in (whole, *shards)]
    assert abs(np.mean(slopes[1:]) / slopes[0] - 1) > 0.1
    searching = optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(max_backtracking_steps=3))
    with pytest.raises(TypeError, match="give it one data set instead of shards"):
        optimize(quick, Split(shards, whole), parameters=toy.START, steps=1, optimizer=searching)
    with pytest.raises(ValueError, match="several steps per call need all training events in one data set"):
        optimize(quick, Split(shards, whole), parameters=toy.START, steps_per_call=2)
    with pytest.raises(ValueError, match="at least one shard"):
        optimize(quick, Split([], whole), parameters=toy.START)


def test_validation_events_choose_and_held_out_events_do_not(toy, quick, few):
    """A validation sample whose signal lies lower prefers another point than the training events."""
    shifted = dataclasses.replace(few, columns=jax.tree.map(lambda x: x - 12, few.columns))
    kwargs = {"parameters": toy.START.replace(c=21.0), "steps": 80, "check_every": 5, "anneal": Anneal(0.2, 0.1)}
    result = optimize(quick, Split(few, few, validation=shifted), patience=4, **kwargs)
    checked = [r for r in result.history if not np.isnan(r.hard)]
    best = max(checked, key=lambda r: r.validation)
    assert best.validation > max(checked, key=lambda r: r.hard).validation
    assert result.best.best_value == best.validation
    assert result.best.best_step == best.step + 1
    assert len(result.history) == result.best.best_step + 20 < 80
    z = quick.evaluate(shifted, result.optimum.parameters, Hard())
    assert float(z) == pytest.approx(best.validation)


def test_the_best_of_several_starts_wins(toy, quick, few):
    """At c = 69.9 no signal is left, and the gradient vanishes: only another start finds the optimum."""
    lost = toy.START.replace(c=69.9)
    starts = draw_starts(lost, 2, key=jax.random.key(3))
    assert all(20 <= float(start["c"]) <= 70 for start in starts)
    assert starts[0]["c"] == draw_starts(lost, 2, key=jax.random.key(3))[0]["c"] != starts[1]["c"]
    kwargs = {"steps": 60, "check_every": 20, "anneal": Anneal(0.1, 0.1), "optimizer": optax.sgd(0.5)}
    result = optimize(quick, Split(few, few), parameters=lost, starts=starts, **kwargs)
    assert len(result.attempts) == 3
    assert result.best is not result.attempts[0]
    assert result.optimum.hard_train.objective > 4.9 > result.attempts[0].best_value
    assert result.start.parameters is lost
    text = str(result)
    for phrase in ("hard", "held-out", "signal", "background", "20 to 70", "69.9", "Descents"):
        assert phrase in text
    alone = optimize(quick, Split(few, few), parameters=result.best.start, **kwargs)
    assert [r.values for r in alone.history] == [r.values for r in result.history]


def test_a_run_goes_on_from_any_checkpoint(toy, quick, few):
    """In any of several descents, to the same bits; the seventh checkpoint lies in the second one."""
    kwargs = {
        "steps": 12,
        "check_every": 4,
        "save_every": 3,
        "starts": draw_starts(toy.START, 1, key=jax.random.key(1)),
    }
    saved, seen = [], []
    split = Split(few, few)
    whole = optimize(quick, split, parameters=toy.START, save=saved.append, **kwargs)
    assert [(len(c.finished), len(c.attempt.history)) for c in saved] == [(i, n) for i in (0, 1) for n in (3, 6, 9, 12)]
    watcher = [lambda record, steps: seen.append(record.step)]
    resumed = optimize(quick, split, parameters=toy.START, resume=saved[5], watchers=watcher, **kwargs)
    assert seen == [6, 7, 8, 9, 10, 11]
    for one, other in zip(whole.attempts, resumed.attempts, strict=True):
        assert (one.best_value, one.best_step) == (other.best_value, other.best_step)
        np.testing.assert_equal(*([dataclasses.asdict(r) for r in attempt.history] for attempt in (one, other)))


def test_starts_keep_weights_and_frozen_parameters():
    cuts = Parameters(
        pt=Parameter([30.0, 40.0], bounds=(20, 60)),
        eta=Parameter(2.4, bounds=(1, 3), frozen=True),
        net=Weights({"w": jnp.ones(3)}),
    )
    (start,) = draw_starts(cuts, 1, key=jax.random.key(0))
    assert start["eta"] == cuts["eta"]
    assert start["net"]["w"].tolist() == [1, 1, 1]
    assert np.all((start["pt"] > 20) & (start["pt"] < 60))
    assert start["pt"][0] != start["pt"][1]


def test_a_minimum_yield_is_respected_in_both_readings(toy, quick, few):
    """Without the penalty 2,561 background events are left; the penalty acts where it is violated and nowhere else."""
    histograms = quick.histograms(few, toy.START.replace(c=44.87), Hard())
    background = float(histograms["all"].sumw[1].sum())
    arguments = (quick, ("signal", "background"), histograms, toy.START)
    penalty = MinimumYield(2 * background, processes=["background"], strength=8.0)
    assert float(penalty(*arguments)) == pytest.approx(8 * 0.25)
    assert float(MinimumYield(0.9 * background)(*arguments)) == 0
    with pytest.raises(ValueError, match=r"no process 'ttbar'; the processes are \['signal', 'background'\]"):
        MinimumYield(1.0, processes=["ttbar"])(*arguments)
    penalty = MinimumYield(4000.0, processes=["background"], strength=1e4)
    kwargs = {"parameters": toy.START, "steps": 150, "optimizer": optax.adam(0.1), "anneal": Anneal(0.2, 0.2)}
    result = optimize(quick, Split(few, few), penalties=[penalty], steps_per_call=10, **kwargs)
    assert result.optimum.hard_train.yields["background"] == pytest.approx(4000, rel=0.02)
    # the table tells the objective itself, the history what was made large
    assert result.best.best_value <= result.optimum.hard_train.objective


def test_a_maximum_change_holds_parameters_back(toy, quick, few):
    penalty = MaximumChange({"c": 35.0}, share=0.1, strength=1e3)
    kwargs = {"parameters": toy.START, "steps": 100, "optimizer": optax.adam(0.1)}
    result = optimize(quick, Split(few, few), penalties=[penalty], steps_per_call=10, **kwargs)
    assert float(result.optimum.parameters["c"]) == pytest.approx(38.5, rel=0.01)
    array = Parameters(pt=Parameter([30.0, 40.0], bounds=(20, 60)))
    assert float(MaximumChange({"pt": [20.0, 40.0]}, share=0.25, strength=1.0)(None, (), {}, array)) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"got 0 for \['c'\]"):
        MaximumChange({"c": 0.0})
    with pytest.raises(ValueError, match="strength must be positive"):
        MinimumYield(1.0, strength=0.0)


@pytest.mark.parametrize("penalty", [MinimumYield(5000.0), MaximumChange({"c": 30.0})])
def test_penalties_agree_with_central_differences(toy, quick, few, x64, penalty):
    """In float64 and on the violated side, forward and reverse."""
    exact = jax.tree.map(lambda x: x.astype(float) if x.dtype == np.float32 else x, few)

    def cost(c):
        parameters = toy.START.with_free({"c": c})
        histograms = quick.histograms(exact, parameters, Soft())
        return penalty(quick, exact.processes, histograms, parameters)

    point = jnp.asarray(44.0)
    assert float(cost(point)) > 0
    jax.test_util.check_grads(jax.jit(cost), (point,), order=1, modes=["fwd", "rev"], rtol=1e-6)


def test_bandwidth_has_a_schedule_of_its_own(toy, few):
    """A channel that the cut's variable fills: other bandwidths, other objective; the same factor, the same."""
    channel = Channel("all", "x", Regular(5, 20.0, 70.0), bandwidth=4.0)

    class Binned(CountingModel):
        def discovery(self, histograms, axes, processes, typical_weight):
            return jnp.sqrt(jnp.sum(asimov_z(*histograms["all"].sumw[:, 1:-1]) ** 2))

    analysis = dataclasses.replace(toy.ANALYSIS, channels=[channel], model=Binned(["signal"], 0.0))
    result = optimize(
        analysis,
        Split(few, few),
        parameters=toy.START,
        steps=2,
        anneal=Anneal(1.0, 0.5),
        anneal_bandwidth=lambda step, steps: 0.25,
    )
    assert [(r.width, r.bandwidth) for r in result.history] == [(1.0, 0.25), (0.5, 0.25)]
    z = {reading: float(analysis.evaluate(few, toy.START, reading)) for reading in (Soft(1.0, 0.25), Soft(1.0))}
    assert result.history[0].objective == pytest.approx(z[Soft(1.0, 0.25)], rel=1e-5)
    assert abs(z[Soft(1.0)] - z[Soft(1.0, 0.25)]) > 1e-3


def test_plan_pauses_where_something_happens():
    plan = Plan(25, Anneal(), Anneal(), check_every=10, save_every=4, steps_per_call=5, patience=None)
    pauses = [0]
    while pauses[-1] < plan.steps:
        pauses.append(plan.pause(pauses[-1]))
    assert pauses == [0, 4, 8, 10, 12, 16, 20, 24, 25]
    assert [p for p in pauses[1:] if plan.checks(p)] == [10, 20, 25]
    assert [p for p in pauses[1:] if plan.saves(p)] == [4, 8, 12, 16, 20, 24, 25]
    with pytest.raises(ValueError, match="patience must be positive, got 0"):
        dataclasses.replace(plan, patience=0)


def test_an_attempt_keeps_the_first_of_equal_points():
    start, *others = (Parameters(c=Parameter(c, bounds=(0, 9))) for c in (1.0, 2.0, 3.0))
    attempt = Attempt(start, start, 1.0)
    attempt = attempt.onwards([StepRecord(step, 0.0, 1.0, np.nan, {}) for step in range(4)])
    for value in (1.0, 0.5, np.nan):
        assert attempt.with_check(others[0], value, np.nan).best is start
    better = attempt.with_check(others[0], 2.0, np.nan)
    assert (better.best, better.best_value, better.best_step) == (others[0], 2.0, 4)
    assert (better.history[-1].step, better.history[-1].hard) == (3, 2.0)
    assert better.with_check(others[1], 2.0, np.nan).best is others[0]
    assert better.with_check(others[1], 1.0, 3.0).best is others[1]


def test_history_holds_the_derivatives(toy, data):
    result = optimize(toy.ANALYSIS, Split(data, data), parameters=toy.START, steps=2)
    first = result.history[0]
    scale = toy.START.specs["c"].scale
    reading = Soft(first.width, first.bandwidth)
    up, down = (
        toy.ANALYSIS.evaluate(data, toy.START.replace(c=first.values["c"] + h * scale), reading) for h in (0.01, -0.01)
    )
    assert first.slopes == {"c": pytest.approx(float(up - down) / 0.02, rel=1e-2)}


@pytest.mark.thorough
def test_blocks_do_not_change_the_result(toy, quick):
    analysis, n = quick, 3000
    x = {name: np.linspace(low, low + 40, n, dtype=np.float32) for name, low in (("signal", 30), ("background", 20))}
    samples = {name: ak.zip({"x": values}, depth_limit=1) for name, values in x.items()}
    weights = {"signal": np.full(n, 0.1), "background": np.full(n, 2.0)}
    whole, pieces = (Dataset.from_awkward(samples, weights, block_size=b) for b in (100_000, 701))
    assert (whole.blocks, pieces.blocks) == (1, 9)
    for reading in (Soft(0.7), StraightThrough(0.7)):
        f = jax.jit(jax.value_and_grad(lambda p, d, r=reading: analysis.evaluate(d, p, r)))
        values = [f(toy.START, d) for d in (whole, pieces)]
        np.testing.assert_allclose(values[0][0], values[1][0], rtol=1e-5)
        np.testing.assert_allclose(values[0][1]["c"], values[1][1]["c"], rtol=2e-4, atol=1e-7)
    flow = analysis.cutflow(pieces, toy.START)
    assert flow.steps == ("all events", "x > c")
    assert flow.raw[0].tolist() == [n, n]
    np.testing.assert_allclose(flow.raw[1], [(values > 35).sum() for values in x.values()])


def test_frozen_everything_and_bad_steps_are_refused(toy, few):
    frozen = Parameters(c=Parameter(35.0, bounds=(20, 70), frozen=True))
    with pytest.raises(ValueError, match="every parameter is frozen"):
        optimize(toy.ANALYSIS, Split(few, few), parameters=frozen)
    with pytest.raises(ValueError, match="must be positive"):
        optimize(toy.ANALYSIS, Split(few, few), parameters=toy.START, steps=0)


@stage()
def root(events, cut):
    # the square root's derivative is infinite at 0
    return events.with_field(bin=jnp.sqrt(cut.c.value - 35.0) * events.x)


@stage()
def division(events, cut):
    return events.with_field(ratio=events.x / (events.x - events.x), bin=events.bin)


@stage()
def spoil(events, cut):
    return dataclasses.replace(events, weight=events.weight * (1 + events.ratio - events.ratio))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([root], r"step 0: .* stage 'root' has a derivative with respect to 'c' that is NaN or infinite"),
        ([division, spoil], r"stage 'division' makes 4000 values of 'ratio' NaN or infinite \(in block 0\)"),
    ],
    ids=["derivative", "value"],
)
def test_the_stage_that_makes_a_number_infinite_is_named(toy, few, stages, message):
    analysis = toy.ANALYSIS
    for each in stages:
        analysis = analysis.insert(each)
    with pytest.raises(FloatingPointError, match=message):
        optimize(analysis, Split(few, few), parameters=toy.START, steps=3)


def test_the_step_of_a_bad_number_is_named(toy, quick, few):
    """The objective breaks when the cut passes 36.2, in the middle of a call of several steps."""

    def breaks(analysis, processes, histograms, parameters):
        return jnp.where(parameters["c"] > 36.2, jnp.nan, 0.0)

    kwargs = {"parameters": toy.START, "optimizer": optax.adam(0.1), "steps": 30, "steps_per_call": 30}
    with pytest.raises(FloatingPointError, match=r"step 3: .* or a penalty is not finite.*c=36\."):
        optimize(quick, Split(few, few), penalties=[breaks], check_every=30, **kwargs)


def test_an_empty_bin_is_worth_one_simulated_event(toy):
    """A background of 5 simulated events of weight 2 leaves the signal's bin empty: no infinite significance."""
    samples = {
        "signal": ak.zip({"x": np.full(100, 50, np.float32)}, depth_limit=1),
        "background": ak.zip({"x": np.full(5, 20, np.float32)}, depth_limit=1),
    }
    data = Dataset.from_awkward(samples, {"signal": np.full(100, 0.1), "background": np.full(5, 2.0)})
    np.testing.assert_allclose(data.typical_weight, [0.1, 2.0])
    z = counting(toy.ANALYSIS).evaluate(data, toy.START, Hard())
    # ten signal events on a background of 0 +- 2: far from the 8 sigma of 10 events on nothing
    assert 1 < float(z) < 4.5


def test_analysis_names_its_parts(toy):
    analysis = toy.ANALYSIS
    assert analysis.reads == ("x",)
    with pytest.raises(KeyError, match=r"no stage 'cut'; the stages are \['keep'\]"):
        analysis.remove("cut")
    with pytest.raises(ValueError, match="has no objective 'limit', only 'discovery'"):
        dataclasses.replace(analysis, objective="limit")
    with pytest.raises(ValueError, match="at least one stage"):
        analysis.remove("keep")
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
