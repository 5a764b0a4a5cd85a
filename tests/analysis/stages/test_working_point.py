"""Method 1a at a cut that moves: event by event beside plain Awkward and correctionlib, and its derivative."""

from __future__ import annotations

import dataclasses

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis import Dataset, Hard, Parameter, Parameters, Soft, WorkingPoint
from hepgrad.analysis.stages import ObjectSelection, TagEfficiency, WordVariation, WorkingPointWeight

from .official import both, events_of, per_event, sample

pytestmark = pytest.mark.usefixtures("quick_compilation")

POINTS = {"L": 0.049, "M": 0.2783, "T": 0.71}
CUTS = Parameters(btag=Parameter(0.2783, bounds=(0.05, 0.9), width=0.05))
EVENTS = sample()
SIMULATION = sample(300)
PT, ABSETA = [20.0, 60, 120, 1000], [0.0, 1.2, 2.5]
FINE = sorted({*np.linspace(0, 1, 101).round(2).tolist(), *POINTS.values()})
SELECT = ObjectSelection("Jet", ["pt > 20", "abs(eta) < 2.5"])


@pytest.fixture(scope="module")
def efficiency():
    samples = {"ttbar": SIMULATION, "other": EVENTS}
    weights = {"ttbar": np.linspace(0.5, 1.5, len(SIMULATION)), "other": np.ones(len(EVENTS))}
    data = Dataset.from_awkward(samples, weights, block_size=128)
    return TagEfficiency.measured(data, pt=PT, abseta=ABSETA, discriminant=FINE, processes=["ttbar"])


def counted(cut):
    """Return the efficiencies of simulation by counting, shape (flavours, pt bins, abseta bins)."""
    jets = SIMULATION.Jet
    weight = ak.flatten(ak.broadcast_arrays(np.linspace(0.5, 1.5, len(SIMULATION)), jets.pt)[0])
    flat = ak.flatten(jets)

    def filled(passed):
        passing = [each[passed] for each in (flat.hadronFlavour, flat.pt, abs(flat.eta))]
        return np.histogramdd(
            [np.asarray(x, float) for x in passing], ([0, 4, 5, 6], PT, ABSETA), weights=np.asarray(weight[passed])
        )[0]

    return filled(flat.btagDeepFlavB > cut) / filled(flat.pt > 0)


def test_efficiencies_are_those_of_counting(efficiency):
    for cut in (0.2783, 0.5):
        np.testing.assert_allclose(efficiency.table(cut), counted(cut), rtol=1e-5)


@pytest.mark.thorough
def test_weights_at_a_working_point(shared_data, run, efficiency):
    words = ("central", "up", "down")
    ours, theirs = both(shared_data, "btagging", "deepJet_wp", words)
    stage = WorkingPointWeight(ours, efficiency, "btag", POINTS, name="btag")
    assert stage.parameters == ("btag",)
    events = run([SELECT, stage], events_of(EVENTS), CUTS, Hard())
    jets = EVENTS.Jet[(EVENTS.Jet.pt > 20) & (abs(EVENTS.Jet.eta) < 2.5)]
    table = counted(0.2783)

    def weight(of_light, of_heavy):
        total = np.ones(len(EVENTS))
        for light, word, method in ((True, of_light, "incl"), (False, of_heavy, "comb")):
            mine = jets[(jets.hadronFlavour == 0) == light]
            scale = per_event(theirs, [word, method, "M", mine.hadronFlavour, abs(mine.eta), mine.pt])
            flat = ak.flatten(mine)
            place = (
                np.searchsorted([0, 4, 5], flat.hadronFlavour),
                np.searchsorted(PT[1:-1], flat.pt, side="right"),
                np.searchsorted(ABSETA[1:-1], abs(flat.eta), side="right"),
            )
            eff = ak.unflatten(table[place], ak.num(mine))
            factor = ak.where(mine.btagDeepFlavB > 0.2783, scale, (1 - scale * eff) / (1 - eff))
            total = total * ak.to_numpy(ak.prod(factor, axis=1))
        return total

    np.testing.assert_allclose(events.weight, weight("central", "central"), rtol=2e-5)
    bc, light = stage.sources()
    assert (bc.name, light.name) == ("btag_bc", "btag_light")
    np.testing.assert_allclose(events.weight * bc.up(events), weight("central", "up"), rtol=2e-5)
    np.testing.assert_allclose(events.weight * light.down(events), weight("down", "central"), rtol=2e-5)


@pytest.mark.thorough
def test_a_chosen_working_point_has_its_own_scale_factor(shared_data, run, efficiency):
    """Hard, it is that of a cut at its value; soft, every jet has the expectation over the choice."""
    ours, _ = both(shared_data, "btagging", "deepJet_wp", ("central",))
    stage = WorkingPointWeight(ours, efficiency, "btag", POINTS, variations=(), name="btag")
    parameters = Parameters(btag=WorkingPoint(POINTS))
    weights = {}
    for word, value in POINTS.items():
        wide = Parameters(btag=Parameter(value, bounds=(0.01, 0.9)))
        expected = run([SELECT, stage], events_of(EVENTS), wide, Hard()).weight
        weights[word] = run([SELECT, stage], events_of(EVENTS), parameters.replace(btag=word), Hard()).weight
        np.testing.assert_allclose(weights[word], expected, rtol=1e-6)
    assert not np.allclose(weights["L"], weights["T"])
    # nearly hard: a mixture of two points, in events with one jet
    alike = parameters.replace(btag=np.array([0.0, 1.0, 1.0]))
    cut = alike.cuts(Soft(1e-3))
    np.testing.assert_allclose(cut.btag.weights, [0, 0.5, 0.5], atol=1e-6)
    mixed = run([SELECT, stage], events_of(EVENTS), alike, Soft(1e-3)).weight
    jets = EVENTS.Jet[(EVENTS.Jet.pt > 20) & (abs(EVENTS.Jet.eta) < 2.5)]
    low, high = np.minimum(weights["M"], weights["T"]), np.maximum(weights["M"], weights["T"])
    one = ak.to_numpy(ak.num(jets)) == 1
    far = ak.to_numpy(ak.all(abs(jets.btagDeepFlavB - 0.2783) > 0.02, axis=1))
    assert np.count_nonzero(one & far) > 3
    assert np.all((mixed >= 0.98 * low)[one & far]) and np.all((mixed <= 1.02 * high)[one & far])
    with pytest.raises(ValueError, match="there is no scale factor of the working point 'XT', only"):
        run([SELECT, stage], events_of(EVENTS), Parameters(btag=WorkingPoint({**POINTS, "XT": 0.8})), Hard())


@pytest.mark.usefixtures("x64")
def test_weights_follow_the_cut(shared_data, efficiency):
    ours, _ = both(shared_data, "btagging", "deepJet_wp", ("central",))
    stage = WorkingPointWeight(ours, efficiency, "btag", POINTS, variations=())
    sample = ak.values_astype(EVENTS, np.float64)
    sample = ak.with_field(sample, ak.with_field(sample.Jet, EVENTS.Jet.hadronFlavour, "hadronFlavour"), "Jet")
    events = events_of(sample)

    @jax.jit
    def total(value):
        cut = CUTS.with_free({"btag": value}).cuts(Soft())
        return jnp.sum(stage(SELECT(events, cut), cut).weight)

    value = jnp.asarray(0.4)
    numeric = (total(value + 1e-5) - total(value - 1e-5)) / 2e-5
    assert abs(numeric) > 1e-3
    np.testing.assert_allclose(jax.grad(total)(value), numeric, rtol=1e-5)


def test_what_is_none_is_refused(shared_data, efficiency):
    ours, _ = both(shared_data, "btagging", "deepJet_wp", ("central",))
    with pytest.raises(ValueError, match="at least one working point"):
        WorkingPointWeight(ours, efficiency, "btag", {})
    with pytest.raises(ValueError, match="must be of 'heavy' or 'light' jets"):
        WorkingPointWeight(ours, efficiency, "btag", POINTS, variations=[WordVariation("c", "up", "down", "c")])
    with pytest.raises(dataclasses.FrozenInstanceError):
        efficiency.pt = [0.0]
