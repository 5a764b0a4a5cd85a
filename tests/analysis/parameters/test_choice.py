"""Working points and whole numbers as parameters: a mixture when soft, one option when hard, the best at the end."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hepgrad.ragged as rg
from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Dataset,
    Hard,
    Objects,
    Parameter,
    Parameters,
    Regular,
    Soft,
    Split,
    StraightThrough,
    WholeNumber,
    WorkingPoint,
    optimize,
    stage,
    window,
)
from hepgrad.analysis.comparisons import distances
from hepgrad.analysis.parameters.parameters import Parameters as Same
from hepgrad.workflows.skim import Loosest

pytestmark = pytest.mark.usefixtures("quick_compilation")

POINTS = {"T": 0.710, "L": 0.049, "M": 0.278}
CUTS = Parameters(btag=WorkingPoint(POINTS), jets=WholeNumber(2, bounds=(1, 4)), pt=Parameter(20.0, bounds=(10, 50)))


def test_a_choice_is_a_mixture_that_becomes_one_option():
    x = jnp.array([0.01, 0.1, 0.5, 0.9, jnp.nan])
    scores = jnp.array([0.5, 1.0, -0.25])
    at = CUTS.replace(btag=np.array(scores))
    hard = np.stack([x > np.float32(point) for point in sorted(POINTS.values())])
    for factor in (1.0, 0.3):
        passed = (x > at.cuts(Soft(factor)).btag).probability
        weights = np.exp(np.array(scores) / factor) / np.exp(np.array(scores) / factor).sum()
        width = 0.661 / 20 * factor
        soft = [1 / (1 + np.exp(-(np.array(x) - point) / width)) for point in sorted(POINTS.values())]
        np.testing.assert_allclose(passed[:-1], (weights @ np.stack(soft))[:-1], rtol=1e-4)
        assert passed[-1] == 0
    np.testing.assert_array_equal((x > at.cuts(Hard()).btag).probability, hard[1])
    np.testing.assert_array_equal((x < at.cuts(Hard()).btag).probability[:-1], ~hard[1][:-1])
    straight = (x > at.cuts(StraightThrough()).btag).probability
    np.testing.assert_array_equal(straight, hard[1])
    inside = window(x, at.cuts(Hard()).btag, 0.6).probability
    np.testing.assert_array_equal(inside, [0, 0, 1, 0, 0])
    shifted = (x > at.cuts(Hard()).btag + 0.3).probability
    np.testing.assert_array_equal(shifted, [0, 0, 0, 1, 0])


def test_numbers_of_objects():
    jets = Objects.of(rg.from_lists([[{"pt": 50.0}, {"pt": 30.0}, {"pt": 15.0}], [{"pt": 60.0}], []]))
    for reading in (Hard(), Soft()):
        cut = CUTS.cuts(reading)
        selected = jets.select(jets.pt > cut.pt)
        weights = np.asarray(cut.jets.weights)
        for method in ("at_least", "at_most", "exactly"):
            each = np.stack([getattr(selected, method)(n).probability.content for n in (1, 2, 3, 4)])
            ours = getattr(selected, method)(cut.jets).probability.content
            np.testing.assert_allclose(ours, weights @ each, rtol=1e-5)
    hard = jets.select(jets.pt > CUTS.cuts(Hard()).pt).at_least(CUTS.cuts(Hard()).jets)
    assert hard.probability.content.tolist() == [1, 0, 0]
    with pytest.raises(TypeError, match="at_least: needs a choice among whole numbers"):
        jets.at_least(CUTS.cuts(Hard()).btag)
    with pytest.raises(TypeError, match=r"make it a choice, WholeNumber\(3, bounds=\(2, 5\)\)"):
        jets.at_least(CUTS.cuts(Hard()).pt)


@pytest.mark.thorough
def test_derivatives_are_those_of_finite_differences(x64):
    x = rg.from_lists([[0.01, 0.3, 0.75], [0.06], [0.5, 0.9]])

    def value(scores, number):
        at = CUTS.with_free({**{k: CUTS[k] for k in CUTS.free}, "btag": scores, "jets": number})
        cut = at.cuts(Soft(0.7))
        selected = Objects.of(rg.zip({"x": x})).select(x > cut.btag)
        return jnp.sum(selected.at_least(cut.jets).probability.content * jnp.array([1.0, 2.0, 3.0]))

    start = jnp.array([0.3, 0.9, -0.2]), jnp.array([0.1, 0.5, 0.4, 0.0])
    jax.test_util.check_grads(value, start, order=1, modes=("fwd", "rev"), eps=1e-6)


def test_values_by_word_and_by_number():
    assert CUTS.to_dict() == {"btag": "M", "jets": 2, "pt": 20.0}
    assert CUTS.numbers() == {"btag": 0.278, "jets": 2.0, "pt": 20.0}
    assert CUTS.ranges()["btag"] == (0.049, 0.710)
    changed = CUTS.replace(btag="T", jets=4)
    assert CUTS.replace(btag=0.71, jets=4.0).to_dict() == changed.to_dict() == {"btag": "T", "jets": 4, "pt": 20.0}
    again = Same.from_json(changed.to_json())
    assert again.to_dict() == changed.to_dict()
    assert again.specs == CUTS.specs
    assert hash(CUTS.specs["btag"]) == hash(again.specs["btag"])
    assert "L, M, T" in str(CUTS)
    for wrong, message in (
        ({"btag": "X"}, r"parameter 'btag': there is no option 'X'; there are L \(0.049\), M"),
        ({"jets": 7}, "parameter 'jets': there is no option 7"),
        ({"btag": [0.0, 1.0]}, "needs 3 scores"),
    ):
        with pytest.raises(ValueError, match=message):
            CUTS.replace(**wrong)
    for make, message in (
        (lambda: WorkingPoint({"L": 0.1}), "at least two options"),
        (lambda: WorkingPoint({"L": 0.1, "M": 0.1}), "two working points have the same value"),
        (lambda: WorkingPoint(POINTS, "X"), "there is no option 'X'"),
        (lambda: WholeNumber(2.5, bounds=(1, 3)), "needs whole numbers"),
        (lambda: WholeNumber(2, bounds=(3, 1)), "needs whole numbers"),
        (lambda: WholeNumber(9, bounds=(1, 3)), "there is no option '9'"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


@stage(reads=("Jet_tag",))
def select(events, cut):
    jets = events.Jet.select(events.Jet.tag > cut.btag)
    return events.select(jets.at_least(cut.jets)).with_field(one=jets.count() * 0 + 0.5)


def drawn(seed: int) -> Dataset:
    """Tight tags and two of them are best: a signal has two jets with high tags, the background many with low ones."""
    rng = np.random.default_rng(seed)
    n = 1500
    tags = {"signal": rng.beta(8, 1, (n, 2)), "background": rng.beta(1, 2, (n, 4))}
    samples = {name: ak.zip({"Jet": ak.zip({"tag": values})}, depth_limit=1) for name, values in tags.items()}
    return Dataset.from_awkward(samples, {"signal": np.full(n, 0.03), "background": np.full(n, 1.0)})


ANALYSIS = Analysis([select], [Channel("all", "one", Regular(1, 0, 1))], CountingModel(["signal"], 0.1))


@pytest.mark.thorough
@pytest.mark.parametrize("steps", [25, 1])
def test_the_best_of_all_options_is_found(steps):
    """By gradients, and even after one step, since the neighbours are evaluated exactly at the end."""
    data = Split(drawn(1), drawn(2))
    start = Parameters(btag=WorkingPoint(POINTS, "L"), jets=WholeNumber(1, bounds=(1, 4)))
    every = {
        (word, n): float(ANALYSIS.evaluate(data.train, start.replace(btag=word, jets=n), Hard()))
        for word in POINTS
        for n in range(1, 5)
    }
    best = max(every, key=every.get)
    assert best == ("T", 2)
    result = optimize(ANALYSIS, data, parameters=start, optimizer=optax.adam(0.2), steps=steps, check_every=5)
    assert tuple(result.optimum.parameters.to_dict().values()) == best
    assert result.optimum.hard_train.objective == pytest.approx(every[best], rel=1e-5)
    assert "T (0.71)" in str(result)
    moved = [record.values["jets"] for record in result.history]
    assert set(moved) <= {1.0, 2.0, 3.0, 4.0}
    if steps > 1:  # the gradient got there, too
        assert moved[-1] == 2.0


def test_a_skim_keeps_what_any_option_accepts():
    events = ak.Array([{"Jet": [{"tag": t} for t in tags]} for tags in ([0.04], [0.06], [0.9, 0.9], [])])
    specs = {"btag": WorkingPoint(POINTS, "T"), "jets": WholeNumber(2, bounds=(1, 2))}
    kept = Loosest(ANALYSIS, Parameters(**specs), margin=0.0)(events)
    assert [len(jets) for jets in kept.Jet] == [1, 2]
    two = Loosest(ANALYSIS, Parameters(**{**specs, "jets": WholeNumber(2, bounds=(2, 3))}), margin=0.0)(events)
    assert [len(jets) for jets in two.Jet] == [2]


def test_thresholds_are_watched_beside_choices():
    """What a parameter is compared with is told of thresholds; a choice among numbers stays one."""

    @stage(reads=("Jet_tag",))
    def both(events, cut):
        jets = events.Jet.select(events.Jet.tag > cut.least).select(events.Jet.tag > cut.btag)
        return events.select(jets.at_least(cut.jets)).with_field(one=jets.count() * 0 + 0.5)

    specs = {"btag": WorkingPoint(POINTS), "jets": WholeNumber(1, bounds=(1, 4))}
    cuts = Parameters(least=Parameter(0.1, bounds=(0, 0.5)), **specs)
    analysis = Analysis([both], ANALYSIS.channels, ANALYSIS.model)
    assert list(distances(analysis, drawn(3), cuts)) == ["least"]
