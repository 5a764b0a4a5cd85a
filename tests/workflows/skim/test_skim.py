"""The derived skim: it drops no event that any cut values inside the bounds accept, and most of the others."""

from __future__ import annotations

import dataclasses

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Events,
    Hard,
    Parameter,
    Parameters,
    Regular,
    Weights,
    stage,
    window,
)
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.systematics import EnergyScale, KinematicVariation
from hepgrad.workflows import Fileset, load
from hepgrad.workflows.execution import load_events
from hepgrad.workflows.skim import Loosest
from hepgrad.workflows.skim.interpret import evaluate
from hepgrad.workflows.skim.interval import Interval, high, low

PARAMETERS = Parameters(
    jet_pt=Parameter(30.0, bounds=(20, 60), width=5.0),
    eta=Parameter(2.0, bounds=(1.5, 2.5), width=0.1),
    met=Parameter(50.0, bounds=(30, 100), width=5.0),
    ht=Parameter(100.0, bounds=(80, 200), width=10.0),
    mass=Parameter([70.0, 100.0], bounds=([60.0, 90.0], [80.0, 120.0]), width=2.0),
)


def draw(events=1500, seed=0):
    rng = np.random.default_rng(seed)

    def objects(mean, pt):
        count = rng.poisson(mean, events)
        n = int(count.sum())
        fields = {
            "pt": 15 + rng.exponential(pt, n),
            "eta": rng.normal(0, 1.5, n),
            "phi": rng.uniform(-np.pi, np.pi, n),
            "tag": rng.random(n),
        }
        array = ak.unflatten(ak.zip({k: v.astype(np.float32) for k, v in fields.items()}), count)
        return array[ak.argsort(array.pt, ascending=False)]

    return ak.zip(
        {
            "Jet": objects(2.5, 25),
            "Muon": objects(0.8, 20),
            "MET": ak.zip({name: rng.exponential(40, events).astype(np.float32) for name in ("pt", "phi")}),
            "mass": rng.normal(85, 25, events).astype(np.float32),
        },
        depth_limit=1,
    )


def jets_of(events, cut):
    return events.Jet.select((events.Jet.pt > cut.jet_pt) & (abs(events.Jet.eta) < cut.eta))


def passes_of(events, cut):
    """Each kind of cut on its own."""
    jets = jets_of(events, cut)
    muons = events.Muon.select(events.Muon.pt > cut.jet_pt)
    return {
        "above": lambda: events.MET.pt > cut.met,
        "below": lambda: events.MET.pt < cut.met - 5,
        "not above": lambda: ~(events.MET.pt > 2 * cut.met),
        "window": lambda: window(events.mass, cut.mass[0], cut.mass[1]),
        "at least": lambda: jets.at_least(3),
        "at most": lambda: jets.at_most(1),
        "exactly": lambda: jets.exactly(2),
        "veto": lambda: muons.none(),
        "every": lambda: jets.all(jets.tag > 0.3),
        "either": lambda: jets.at_least(4) | muons.at_least(2),
        "sum": lambda: jets.sum("pt") > cut.ht,
        "sum against a number": lambda: jets.sum("pt") > 120.0,
        "leading": lambda: jets.leading("pt", fill_value=0.0) > cut.ht / 2,
        "with missing momentum": lambda: muons.leading("pt", fill_value=0.0) + events.MET.pt > cut.ht,
        "cleaned": lambda: jets.without_overlap(muons, 0.8).at_least(2),
        "sorted": lambda: jets.ordered_by("tag").leading("pt", fill_value=0.0) > cut.ht / 2,
        "pairs": lambda: jets.combinations(2).count() > 2.5,
        "ratio": lambda: events.MET.pt / jnp.sqrt(jets.sum("pt") + 1.0) > cut.met.value / 10,
        "two together": lambda: (events.MET.pt > cut.met) & jets.at_least(2) & ~muons.at_least(1),
    }


# kept over possible where the arithmetic is not exact, because a parameter or an object appears more than once
TIGHTNESS = {"leading": 1.3, "with missing momentum": 1.2, "sorted": 1.4, "two together": 1.4}
KINDS = list(passes_of(*(lambda e: (e, PARAMETERS.cuts(Hard())))(Events.of(rg.from_awkward(draw(3)), jnp.ones(3)))))


def analysis_of(kind, systematics=()):
    @stage(
        reads=[
            *("Jet_pt", "Jet_eta", "Jet_phi", "Jet_tag", "Muon_pt", "Muon_eta", "Muon_phi", "MET_pt", "MET_phi", "mass")
        ]
    )
    def selection(events, cut):
        return events.select(passes_of(events, cut)[kind]())

    model = TemplateModel(["s"], [*systematics]) if systematics else CountingModel(["s"], 0.1)
    return Analysis([selection], [Channel("sr", "mass", Regular(5, 0, 200))], model)


def points(n=40, seed=1):
    """Draw parameters inside the bounds, every second time from their corners."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        share = rng.random(6) if i % 2 else rng.integers(0, 2, 6)
        ends = {name: spec.box() for name, spec in PARAMETERS.specs.items()}
        values, at = {}, 0
        for name, (lower, upper) in ends.items():
            size = np.size(lower)
            values[name] = lower + (upper - lower) * share[at : at + size].reshape(np.shape(lower))
            at += size
        yield PARAMETERS.with_free({k: jnp.asarray(v, jnp.float32) for k, v in values.items()})


def kept_by(skim, events):
    """Return which events a skim keeps."""
    numbers = np.arange(len(events))
    return np.isin(numbers, ak.to_numpy(skim(ak.with_field(events, numbers, "number")).number))


def accepted(analysis, events, shift=lambda events: events):
    """Return which events some of many cut values accept, in the hard reading of the analysis itself."""
    block = Events.of(rg.from_awkward(events), jnp.ones(len(events), jnp.float32))
    select = jax.jit(lambda parameters: analysis.select(shift(block), parameters, Hard()).probability > 0)
    return np.any([select(parameters) for parameters in points()], axis=0)


# a second or two each
SLOW = {"sorted", "cleaned", "ratio", "sum against a number", "either", "at most", "not above", "with missing momentum"}


@pytest.mark.parametrize("kind", [pytest.param(k, marks=pytest.mark.slow) if k in SLOW else k for k in KINDS])
def test_no_event_that_could_pass_is_dropped(kind):
    events = draw()
    analysis = analysis_of(kind)
    kept = kept_by(Loosest(analysis, PARAMETERS, margin=0), events)
    possible = accepted(analysis, events)
    assert not np.any(possible & ~kept)
    assert 0 < possible.sum() < len(events)
    # and not many more than those are kept
    assert kept.sum() <= TIGHTNESS.get(kind, 1.05) * possible.sum()


def test_monotone_cuts_are_kept_exactly():
    """The corner at which every cut is loosest accepts all that can be accepted, and nothing else is kept."""
    events = draw()
    analysis = analysis_of("at least")
    kept = Loosest(analysis, PARAMETERS, margin=0)(events)
    loosest = (events.Jet.pt > 20) & (abs(events.Jet.eta) < 2.5)
    assert len(kept) == ak.sum(ak.sum(loosest, axis=1) >= 3)


def test_every_variation_counts():
    """Jets that a variation lifts over the loosest threshold."""
    source = KinematicVariation("jes", EnergyScale("Jet", 0.1))
    events = draw()
    analysis = analysis_of("at least", [source])
    kept = kept_by(Loosest(analysis, PARAMETERS, margin=0), events)
    nominal, up = (accepted(analysis, events, lambda e, a=a: source.shift(e, a)) for a in (0.0, 1.0))
    assert not np.any((nominal | up) & ~kept)
    assert np.any(up & ~nominal)
    assert kept.sum() < 0.6 * len(events)


def test_a_margin_keeps_what_soft_cuts_feel():
    events = draw()
    analysis = analysis_of("above")
    for margin, threshold in ((0, 30.0), (2, 20.0)):
        kept = Loosest(analysis, PARAMETERS, margin=margin)(events)
        assert kept.MET.pt.tolist() == [x for x in events.MET.pt if x > threshold]


def test_yields_are_those_without_a_skim(tiny, tmp_path):
    """Through `load`: hard histograms at any cut values are the same, from fewer events."""
    folder = tiny.write_events(tmp_path / "events")
    analysis, parameters = tiny.TINY.analysis, tiny.TINY.parameters
    results = []
    for skim in (None, Loosest(analysis, parameters, margin=0)):
        split = load(
            Fileset.load(folder), tiny.TINY.processes, analysis.reads, luminosity=1e3, block_size=512, skim=skim
        )
        found = [
            analysis.histograms(split.held_out, parameters.replace(**values), Hard())["ht"].sumw
            for values in ({}, {"met": 10.0, "ht": 50.0, "jet_pt": 20.0}, {"met": 60.0, "jet_pt": 45.0})
        ]
        results.append((np.array(found), split.held_out.weight.size))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-5)
    assert results[1][1] < 0.8 * results[0][1]


def test_a_workflow_asks_for_it_by_name(tiny, tiny_events):
    """With the margin for soft cuts, and from the bounds that the parameters have now."""
    tighter = {**tiny.TINY.parameters.specs, "met": Parameter(70.0, bounds=(60, 100), width=1.0)}
    workflow = dataclasses.replace(
        tiny.TINY, data=tiny_events, skim="loosest", parameters=Parameters(**tighter), block_size=4096
    )
    train = load_events(workflow, Fileset.load(tiny_events)).train
    kept = np.asarray(train.columns.MET.pt)[np.asarray(train.process) == 0]
    met = tiny.draw("signal")["MET_pt"][::2]
    # jet_pt may go down to 20 - 5 x 5 GeV and ht to 50 - 5 x 15 GeV, which is no cut at all
    assert kept.tolist() == [x for x in met if x > 60 - 5]


def test_its_key_follows_bounds_and_not_the_start():
    analysis = analysis_of("above")

    def key(**changes):
        met = Parameter(**{"value": 50.0, "bounds": (30, 100), "width": 5.0, **changes})
        return Loosest(analysis, Parameters(**{**PARAMETERS.specs, "met": met})).key

    assert key() == key(value=60.0)
    assert key() != key(bounds=(20, 100))
    assert key() != key(width=6.0)
    assert key() != key(frozen=True)
    assert key(frozen=True) != key(frozen=True, value=60.0)
    assert key() != Loosest(analysis_of("below"), PARAMETERS).key


def test_weights_that_are_trained_decide_nothing():
    """What a network with unknown weights accepts is unknown; other cuts still count."""
    parameters = Parameters(**PARAMETERS.specs, network=Weights({"slope": np.ones(2, np.float32)}))

    @stage(reads=["MET_pt", "mass"])
    def selection(events, cut):
        score = rg.apply(jax.nn.sigmoid, events.mass * cut.network["slope"][0] + cut.network["slope"][1])
        return events.select((score > 0.9) & (events.MET.pt > cut.met))

    analysis = Analysis([selection], [Channel("sr", "mass", Regular(5, 0, 200))], CountingModel(["s"], 0.1))
    events = draw(200)
    assert Loosest(analysis, parameters, margin=0)(events).MET.pt.tolist() == [x for x in events.MET.pt if x > 30]


def test_columns_that_no_stage_reads_stay(tiny):
    events = ak.with_field(draw(50), np.arange(50) + 2**40, "event")
    kept = Loosest(analysis_of("above"), PARAMETERS)(events)
    assert kept.event.tolist() == [n for n, met in zip(events.event, events.MET.pt, strict=True) if met > 5]


FUNCTIONS = {
    "polynomial": lambda x, y: x**2 - 3 * x * y + y**3,
    "quotient": lambda x, y: x / (2.5 + y),
    "pole": lambda x, y: jnp.where(abs(x / y) > 1, 1.0, 0.0),
    "inverse": lambda x, y: jnp.maximum(jnp.minimum(x**-1 + (y - 2) ** -2, 50.0), -50.0),
    "odd power": lambda x, y: x**3 - abs(y) ** 5,
    "wrapped": lambda x, y: jnp.where(jnp.argmax(jnp.stack([x, y])) + jnp.int32(2**31 - 1) > 0, 1.0, 2.0),
    "missing": lambda x, y: jnp.where(jnp.isnan(jnp.sqrt(x)), 1.0, y),
    "choice": lambda x, y: jnp.where(x > y, jnp.exp(x), -abs(y)),
    "loop": lambda x, y: jax.lax.fori_loop(0, 4, lambda i, z: 0.5 * z + jnp.maximum(x, y), y),
    "scan": lambda x, y: jax.lax.scan(lambda c, r: (c + r * x, c), y, jnp.arange(5.0))[0],
    "condition": lambda x, y: jax.lax.cond(x > 0.3, lambda z: z + 1, lambda z: -z, y),
    "product": lambda x, y: jnp.prod(jnp.stack([x, y, x - 0.5])),
    "counting": lambda x, y: jnp.where((x > 0) & ~(y >= 0.5) | (x < y), 2.0, 0.0) + jnp.floor(3 * x),
    "waves": lambda x, y: jnp.sin(3 * x) * jnp.tanh(y),
    "sort": lambda x, y: jnp.sort(jnp.stack([x, y, x * y]))[1],
    "place": lambda x, y: jnp.stack([x, y])[(x > y).astype(int)],
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", FUNCTIONS)
def test_intervals_hold_every_value(name):
    """Values at points inside lie between the bounds, and where both arguments are known the bounds are the value."""
    function = FUNCTIONS[name]
    traced = jax.make_jaxpr(function)(jnp.float32(0), jnp.float32(0))
    many, bounds = jax.jit(jax.vmap(function)), jax.jit(lambda *args: evaluate(traced, args)[0])
    rng = np.random.default_rng(5)
    for _ in range(20):
        ends = np.sort(rng.uniform(-1, 1, (2, 2)).astype(np.float32), axis=0)
        found = bounds(*(Interval(*map(jnp.asarray, ends[:, i])) for i in (0, 1)))
        inside = rng.uniform(ends[0], ends[1], (300, 2)).astype(np.float32)
        values = many(*inside.T)
        assert float(low(found)) <= values.min() + 1e-5
        assert float(high(found)) >= values.max() - 1e-5
    known = bounds(*map(jnp.asarray, inside[0]))
    assert not isinstance(known, Interval)
    assert float(known) == pytest.approx(float(values[0]), rel=1e-5)
