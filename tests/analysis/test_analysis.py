"""Analyses: stages by name, frozen stages, regions, and what the gradient of many events costs in memory."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.gradient_step import ANALYSIS, CUTS, columns, dataset, value_and_gradient
from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Dataset,
    Hard,
    Parameter,
    Parameters,
    Regular,
    Soft,
    stage,
)


@stage(reads=("x",))
def first(events, cut):
    return events.select(events.x > cut.a)


@stage(reads=("y",))
def second(events, cut):
    return events.select(events.y > cut.b)


@stage(reads=("y", "z"))
def other(events, cut):
    return events.select(events.y + events.z > cut.b)


CHANNEL = Channel("sr", "z", Regular(4, 0, 1))
TWO = Analysis([first, second], [CHANNEL], CountingModel(["signal"], 0.1))
START = Parameters(a=Parameter(0.3, bounds=(0, 1)), b=Parameter(0.2, bounds=(0, 1)))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    samples = {name: ak.zip({k: rng.random(200).astype(np.float32) for k in "xyz"}) for name in ("signal", "rest")}
    return Dataset.from_awkward(samples, {"signal": np.full(200, 0.1), "rest": np.ones(200)}, block_size=64)


def names(analysis):
    return [stage.name for stage in analysis.stages]


def test_stages_by_name():
    third = stage(reads=("z",), name="third")(lambda events, cut: events)
    assert names(TWO.insert(third)) == ["first", "second", "third"]
    assert names(TWO.insert(third, before="first")) == ["third", "first", "second"]
    assert names(TWO.insert(third, after="first")) == ["first", "third", "second"]
    assert TWO.insert(third).reads == ("x", "y", "z")
    assert names(TWO.remove("first")) == ["second"]
    assert names(TWO.replace("second", other)) == ["first", "other"]
    assert names(TWO) == ["first", "second"], "analyses do not change"


def test_stages_that_do_not_fit():
    for change in (TWO.remove, TWO.freeze, lambda name: TWO.replace(name, other)):
        with pytest.raises(KeyError, match=r"no stage 'third'; the stages are \['first', 'second'\]"):
            change("third")
    with pytest.raises(ValueError, match="before 'first' or after 'second', not both"):
        TWO.insert(other, before="first", after="second")
    with pytest.raises(ValueError, match="each with a name of its own"):
        TWO.insert(first)


@pytest.mark.thorough
def test_a_frozen_stage_gives_its_cuts_no_gradient(data):
    def gradient(analysis):
        value, slope = jax.value_and_grad(lambda p: analysis.evaluate(data, p, Soft()))(START)
        return value, slope.to_dict()

    (value, free), (same, held) = gradient(TWO), gradient(TWO.freeze("first"))
    assert value == same
    assert held["a"] == 0 != free["a"]
    assert held["b"] == free["b"] != 0
    assert TWO.freeze("first").replace("first", other).frozen == frozenset()


def test_a_replaced_stage_is_used(data):
    expected = TWO.replace("second", other).histograms(data, START, Hard())["sr"].sumw.sum(axis=1)
    columns, process = data.events.columns, np.asarray(data.process)
    x, y, z = (np.asarray(columns[k]) for k in "xyz")
    passed = (x > np.float32(0.3)) & (y + z > np.float32(0.2))
    weight = np.asarray(data.weight)
    np.testing.assert_allclose(expected, [weight[passed & (process == i)].sum() for i in (0, 1)], rtol=1e-5)


@pytest.mark.thorough
def test_memory_of_a_gradient_step():
    """Arguments, results and temporaries together stay below three times the events as flat columns."""
    data = columns(100_000)
    memory = value_and_gradient.lower(CUTS, dataset(data)).compile().memory_analysis()
    used = memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes
    assert used < 3 * data.bytes


@pytest.mark.thorough
def test_block_size_changes_nothing():
    data = columns(3_000)
    events, signal = data.awkward(), data.is_signal
    samples = {"signal": events[signal], "background": events[~signal]}
    weights = {"signal": data.weight[signal], "background": data.weight[~signal]}

    def evaluate(block_size):
        blocks = Dataset.from_awkward(samples, weights, block_size=block_size)
        return jax.value_and_grad(lambda p: ANALYSIS.evaluate(blocks, p, Soft()))(CUTS)

    expected_value, expected = evaluate(3_000)
    for block_size in (256, 1_000):
        value, gradient = evaluate(block_size)
        np.testing.assert_allclose(value, expected_value, rtol=1e-5)
        for name, slope in gradient.to_dict().items():
            np.testing.assert_allclose(slope, expected.to_dict()[name], rtol=1e-3, atol=1e-6)


@pytest.mark.thorough
def test_value_and_gradient_equal_those_of_plain_jax():
    """The benchmark's rivals do the same mathematics."""
    from benchmarks import gradient_step_rivals as rivals

    data = columns(5_000)
    value, gradient = value_and_gradient(CUTS, dataset(data))
    for rival in (rivals.handwritten(data), rivals.padded(data)):
        other_value, other_gradient = rival()
        np.testing.assert_allclose(value, other_value, rtol=1e-5)
        for name, slope in other_gradient.items():
            np.testing.assert_allclose(gradient[name], slope, rtol=2e-3, atol=1e-6)
    assert jnp.isfinite(value)
