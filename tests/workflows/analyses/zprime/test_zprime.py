"""The Z' search on the embedded events: against plain Awkward, against finite differences, and what it promises."""

from __future__ import annotations

import dataclasses
import json

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Hard, Soft, Split, optimize
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.systematics import KinematicVariation, normal_by_event
from hepgrad.workflows import Fileset, load, read_events
from hepgrad.workflows.analyses.zprime import ZPRIME
from hepgrad.workflows.settings.config import configured

pytestmark = [
    pytest.mark.skipif(not (ZPRIME.data / "fileset.json").exists(), reason="the embedded events are missing"),
    pytest.mark.usefixtures("quick_compilation"),
]

START = ZPRIME.parameters.to_dict()
CUTS = {name: value for name, value in START.items() if name != "network"}
TIGHT = {"muon_iso": 0.06, "jet_pt": 60.0, "btag": 0.8, "met": 90.0, "lepton_ht": 260.0, "fatjet_pt": 620.0}
LOOSE = {"muon_pt": 32.0, "muon_iso": 0.38, "btag": 0.12, "met": 25.0, "fatjet_pt": 405.0, "toptag": 0.15}
REGIONS = ("signal_region", "top_control", "w_control")
# without the sources for which the selection runs again
QUICK = dataclasses.replace(
    ZPRIME.analysis,
    model=TemplateModel(
        ["zprime"], [s for s in ZPRIME.analysis.model.systematics if not isinstance(s, KinematicVariation)]
    ),
)


def some_weights(seed):
    """Weights of a network that changes the score of every event."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.5, np.shape(values)).astype(np.float32) for name, values in START["network"].items()}


@pytest.fixture(scope="module", autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def load_split(folder=ZPRIME.data, workflow=ZPRIME):
    return load(Fileset.load(folder), workflow.processes, workflow.analysis.reads, luminosity=workflow.luminosity)


def in_double_precision(tree):
    return jax.tree.map(lambda x: x.astype(np.float64) if x.dtype == np.float32 else x, tree)


@pytest.fixture(scope="module")
def split():
    return load_split()


@pytest.fixture(scope="module")
def precise(split):
    """All in float64: an event that is close to an edge is on the same side of it in both."""
    return Split(in_double_precision(split.train), in_double_precision(split.held_out))


@pytest.fixture(scope="module")
def samples():
    """The same files as plain Awkward arrays: events and weights by process."""
    fileset = json.loads((ZPRIME.data / "fileset.json").read_text())
    result = {}
    for process in ZPRIME.processes:
        (name,) = process.datasets
        sample = fileset[name]["nominal"]
        files = [ZPRIME.data / file["path"] for file in sample["files"]]
        events = ak.concatenate([read_events(f, [*ZPRIME.analysis.reads, "genWeight"]) for f in files])
        for collection in ("Muon", "Jet", "FatJet", "MET"):
            events = ak.with_field(events, ak.values_astype(events[collection], np.float64), collection)
        scale = sample["xsec_pb"] * ZPRIME.luminosity / sample["sumw_total"]
        result[process.name] = events, ak.to_numpy(events.genWeight).astype(float) * scale
    return result


def first(array):
    return ak.to_numpy(ak.fill_none(ak.firsts(array), 0.0))


def cartesian(p):
    pt, eta, phi, mass = (first(p[k]) for k in ("pt", "eta", "phi", "mass"))
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    return np.array([px, py, pz, np.sqrt(px**2 + py**2 + pz**2 + mass**2)])


def by_awkward(events, cut, network):
    """Selection, region (0, 1, 2), m(tt) and score, written a second time, with Awkward and NumPy only."""
    muons = events.Muon
    muons = muons[(muons.pt > cut["muon_pt"]) & (abs(muons.eta) < cut["muon_eta"])]
    muons = muons[muons.pfRelIso04_all < cut["muon_iso"]]
    jets = events.Jet[(events.Jet.pt > cut["jet_pt"]) & (abs(events.Jet.eta) < cut["jet_eta"])]
    fat = events.FatJet[events.FatJet.pt > cut["fatjet_pt"]]
    met, met_phi = ak.to_numpy(events.MET.pt), ak.to_numpy(events.MET.phi)
    passed = ak.to_numpy((ak.num(muons) == 1) & (ak.num(fat) > 0))
    passed &= (met > cut["met"]) & (first(muons.pt) + met > cut["lepton_ht"])
    score = network_by_numpy(muons, jets, fat, met, met_phi, network)
    tagged = ak.to_numpy(ak.any(jets.btagCSVV2 > cut["btag"], axis=1))
    region = np.where(tagged & (score > cut["toptag"]), 0, np.where(tagged, 1, 2))

    dphi = (jets.phi - first(events.Muon.phi) + np.pi) % (2 * np.pi) - np.pi
    near = jets[np.sqrt((jets.eta - first(events.Muon.eta)) ** 2 + dphi**2) < 2.0]
    lepton = cartesian(muons)
    nx, ny = met * np.cos(met_phi), met * np.sin(met_phi)
    mu_w = 80.4**2 / 2 + lepton[0] * nx + lepton[1] * ny
    pt2 = np.maximum(lepton[0] ** 2 + lepton[1] ** 2, 1e-9)
    root = np.sqrt(np.maximum(mu_w**2 - pt2 * (nx**2 + ny**2), 0)) * lepton[3] / pt2
    solutions = mu_w * lepton[2] / pt2 + np.array([root, -root])
    nz = np.where(abs(solutions[0]) < abs(solutions[1]), *solutions)
    neutrino = np.array([nx, ny, nz, np.sqrt(nx**2 + ny**2 + nz**2)])
    total = lepton + neutrino + cartesian(near) + cartesian(fat)
    return passed, region, np.sqrt(np.maximum(total[3] ** 2 - (total[:3] ** 2).sum(axis=0), 0)), score


def network_by_numpy(muons, jets, fat, met, met_phi, network):
    tag = np.clip(first(fat.particleNet_TvsQCD), 1e-4, 0.9999)
    mt = np.sqrt(2 * first(muons.pt) * met * (1 - np.cos(first(muons.phi) - met_phi)))
    best = ak.to_numpy(ak.fill_none(ak.max(jets.btagCSVV2, axis=1), 0.0))
    logs = [np.log(1 + x) for x in (first(fat.mass), first(fat.pt), met, first(muons.pt), mt)]
    central = [abs(first(fat.eta)), abs(first(muons.eta))]
    columns = [
        first(fat.particleNet_TvsQCD),
        *logs[:2],
        central[0],
        *logs[2:],
        ak.to_numpy(ak.num(jets)),
        central[1],
        best,
    ]
    means = [0.7, 4.4, 6.4, 0.8, 5.4, 5.3, 3.8, 2.9, 0.8, 0.5]
    spreads = [0.3, 0.7, 0.2, 0.5, 0.7, 0.7, 0.9, 1.6, 0.6, 0.3]
    seen = (np.stack(columns, axis=1) - means) / spreads
    correction = np.tanh(seen @ network["hidden"] + network["hidden_bias"]) @ network["output"]
    return 1 / (1 + (1 - tag) / tag * np.exp(-correction - network["output_bias"]))


@pytest.mark.thorough
@pytest.mark.parametrize("values", [{}, TIGHT, LOOSE], ids=["start", "tight", "loose"])
def test_hard_reading_equals_awkward_event_for_event(split, samples, values):
    network, cut = some_weights(seed=len(values)), {**CUTS, **values}
    parameters = ZPRIME.parameters.replace(**cut, network=network)
    select = jax.jit(jax.vmap(lambda events: ZPRIME.analysis.select(events, parameters, Hard())))
    for half, parity in ((split.train, 0), (split.held_out, 1)):
        selected = select(half.events)
        for index, name in enumerate(half.processes):
            mine = np.asarray(half.process) == index
            passed, region, mass, score = by_awkward(samples[name][0][parity::2], cut, network)
            np.testing.assert_array_equal(np.asarray(selected.probability)[mine], passed.astype(np.float32))
            np.testing.assert_allclose(np.asarray(selected.m_tt)[mine][passed], mass[passed], rtol=2e-4)
            np.testing.assert_allclose(np.asarray(selected.top_score)[mine][passed], score[passed], atol=1e-5)
            # the events' single precision decides on which side of the cut a score in this gap is
            decided = passed & (abs(score - cut["toptag"]) > 1e-5)
            regions = np.stack([np.asarray(selected.regions[name])[mine] for name in REGIONS])
            np.testing.assert_array_equal(regions.sum(axis=0), 1)
            np.testing.assert_array_equal(regions.argmax(axis=0)[decided], region[decided])


def scaled(events, factor, fat_factor):
    """The events with other momenta of jets and fat jets, and the missing momentum that balances the jets."""
    jets, met = events.Jet, events.MET
    px = met.pt * np.cos(met.phi) + ak.sum(jets.pt * (1 - factor) * np.cos(jets.phi), axis=1)
    py = met.pt * np.sin(met.phi) + ak.sum(jets.pt * (1 - factor) * np.sin(jets.phi), axis=1)
    events = ak.with_field(events, ak.zip({"pt": np.sqrt(px**2 + py**2), "phi": np.arctan2(py, px)}), "MET")
    for name, by in (("Jet", factor), ("FatJet", fat_factor)):
        for field in ("pt", "mass"):
            events[name, field] = events[name][field] * by
    return events


def smeared(events):
    """The events with 10 % worse resolutions, which add sqrt(1.1**2 - 1) of them in quadrature."""

    def random(objects, seed):
        numbers = normal_by_event(jnp.asarray(ak.to_numpy(events.event)), rg.from_awkward(objects.pt), seed=seed)
        return ak.values_astype(rg.to_awkward(numbers), np.float64)

    worse = np.sqrt(1.1**2 - 1)
    factor = 1 + random(events.Jet, 0) * worse * (0.05 + 5 / events.Jet.pt)
    fat_factor = 1 + random(events.FatJet, 1) * worse * 0.06
    return scaled(events, factor, fat_factor)


def histograms_by_awkward(events, weight, network):
    """The channels' histograms with the starting cuts: by region, under- and overflow included."""
    passed, region, mass, _ = by_awkward(events, CUTS, network)
    result = {}
    for index, channel in enumerate(ZPRIME.analysis.channels):
        inside = passed & (region == index)
        edges = [-np.inf, *channel.axis.edges, np.inf]
        result[channel.name] = np.histogram(mass[inside], edges, weights=weight[inside])[0]
    return result


@pytest.mark.slow
def test_templates_of_every_source_equal_awkward_bin_by_bin(precise, samples):
    network = some_weights(seed=3)
    parameters = ZPRIME.parameters.replace(network=network)
    templates = ZPRIME.analysis.histograms(precise.held_out, parameters, Hard())
    assert set(templates.up) == {"jes", "jer", "b_tag", "b_mistag", "top_tag", "top_mistag"}
    assert not templates.down
    for row, name in enumerate(precise.held_out.processes):
        events, weight = (part[1::2] for part in samples[name])
        weight = weight * len(samples[name][1]) / len(weight)
        shifted = {"jes": scaled(events, 1.02, 1.02), "jer": smeared(events)}
        nominal = histograms_by_awkward(events, weight, network)
        for source, up in templates.up.items():
            expected = histograms_by_awkward(shifted[source], weight, network) if source in shifted else dict(nominal)
            factors = {"b_tag": (1.03, 1.03, 1), "b_mistag": (1.15, 1.15, 1)}
            factors |= {"top_tag": (1.05, 1, 1), "top_mistag": (1.15, 1, 1)}
            for region, factor in zip(REGIONS, factors.get(source, (1, 1, 1)), strict=True):
                found, wanted = up[region].sumw[row], factor * expected[region]
                np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9, err_msg=f"{name} {source} {region}")
                assert source not in shifted or not np.allclose(found, nominal[region]) or nominal[region].sum() < 50


def test_starting_cuts_leave_enough_simulated_events(samples):
    """Effective entries of what each region is for, in all events."""
    effective = {}
    for name, (events, weight) in samples.items():
        passed, region, _, _ = by_awkward(events, CUTS, START["network"])
        for index, where in enumerate(REGIONS):
            w = weight[passed & (region == index)]
            effective[name, where] = w.sum() ** 2 / (w**2).sum()
    assert effective["zprime", "signal_region"] >= 300
    assert effective["ttbar", "signal_region"] >= 300
    assert effective["wjets", "signal_region"] >= 20
    assert effective["ttbar", "top_control"] >= 300
    assert effective["wjets", "w_control"] >= 300


@pytest.mark.thorough
def test_no_bin_is_empty_of_background_and_the_start_is_between_2_and_4(split):
    for half in (split.train, split.held_out):
        templates = QUICK.histograms(half, ZPRIME.parameters, Hard())
        for channel in ZPRIME.analysis.channels:
            background = channel.axis.select(templates[channel.name].sumw)[1:].sum(axis=0)
            assert np.all(np.asarray(background) > 0)
        assert 2 < float(QUICK.figure_of_merit(templates, half)) < 4


@pytest.mark.thorough
def test_network_starts_as_the_top_tag_itself(split):
    select = jax.jit(jax.vmap(lambda events: ZPRIME.analysis.select(events, ZPRIME.parameters, Hard())))
    selected = select(split.train.events)
    tag = jax.vmap(lambda events: events.FatJet.leading("particleNet_TvsQCD"))(selected)
    np.testing.assert_allclose(selected.top_score, np.clip(tag, 1e-4, 0.9999), atol=1e-5)
    assert np.sum(np.asarray(tag) > 0.5) > 1000


@pytest.mark.slow
def test_gradient_of_the_whole_chain_agrees_with_central_differences(precise):
    """Every cut, and a direction in the space of the network's weights, in float64: relative 1e-5."""
    f = jax.jit(
        lambda scaled: ZPRIME.analysis.evaluate(precise.train, ZPRIME.parameters.from_scaled(scaled), Soft(1.0))
    )
    # away from the bounds, where the start of the muon's eta lies
    weights = {name: array.astype(np.float64) for name, array in some_weights(seed=5).items()}
    point = ZPRIME.parameters.replace(muon_eta=2.2, jet_eta=2.2).scaled() | {"network": weights}
    gradient = jax.jit(jax.grad(f))(point)
    directions = {name: {**jax.tree.map(jnp.zeros_like, point), name: jnp.ones(())} for name in CUTS}
    directions["network"] = {**jax.tree.map(jnp.zeros_like, point), "network": some_weights(seed=6)}
    for name, direction in directions.items():

        def along(t, direction=direction):
            return f(jax.tree.map(lambda x, d: x + t * d, point, direction))

        # fourth order, so that the step may be large enough against rounding
        h = 1e-4
        difference = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
        slopes = jax.tree.map(lambda g, d: jnp.sum(g * d), gradient, direction)
        np.testing.assert_allclose(sum(jax.tree.leaves(slopes)), difference, rtol=1e-5, err_msg=name)


def optimised(analysis, split, *, steps):
    return optimize(
        analysis,
        split,
        parameters=ZPRIME.parameters,
        optimizer=ZPRIME.optimizer,
        steps=steps,
        anneal=ZPRIME.anneal,
    )


def best_of_random_points(analysis, split, *, number):
    """Random search in the hard reading on the same training half; the network keeps its start."""
    rng = np.random.default_rng(20261122)
    bounds = {name: ZPRIME.parameters.specs[name].bounds for name in CUTS}
    points = [ZPRIME.parameters.replace(**{k: rng.uniform(*b) for k, b in bounds.items()}) for _ in range(number)]
    return max(float(analysis.evaluate(split.train, p, Hard())) for p in points)


def assert_better(result, best):
    assert result.gain >= 1.15
    assert result.optimum.hard_train.objective >= best
    # the random search may overtrain, the optimum on events it never saw is better even than that
    assert result.optimum.hard_held_out.objective >= best


@pytest.mark.thorough
def test_optimised_selection_measures_better_on_events_never_seen(split):
    assert_better(optimised(QUICK, split, steps=25), best_of_random_points(QUICK, split, number=25))


@pytest.mark.slow
def test_whole_workflow_keeps_its_promise(split):
    result = optimised(ZPRIME.analysis, split, steps=ZPRIME.steps)
    assert_better(result, best_of_random_points(ZPRIME.analysis, split, number=300))
    # the network has learned something: with the same cuts it loses without it
    untrained = result.optimum.parameters.replace(network=START["network"])
    held_out = float(ZPRIME.analysis.evaluate(split.held_out, untrained, Hard()))
    assert result.optimum.hard_held_out.objective > held_out


@pytest.mark.slow
def test_larger_events_run_through_the_same_analysis(shared_data):
    datasets = {name: {"datasets": [f"{name}_boosted"]} for name in ("ttbar", "wjets")}
    workflow = configured(ZPRIME, {"processes": datasets}, origin="test")
    result = optimised(ZPRIME.analysis, load_split(shared_data / "pythia13tev", workflow), steps=30)
    assert result.optimum.hard_held_out.objective > result.start.hard_held_out.objective
