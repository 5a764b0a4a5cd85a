"""The Analysis Grand Challenge on simulated events: its fixed cuts, written a second time with Awkward and vector."""

from __future__ import annotations

import dataclasses
import json

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import vector

from hepgrad import ragged as rg
from hepgrad.analysis import Hard, Regular, Soft, from_workspace, optimize
from hepgrad.analysis.systematics import normal_by_event
from hepgrad.workflows import Fileset, load, read_events, run
from hepgrad.workflows.analyses.correcting_network import correcting_weights
from hepgrad.workflows.analyses.ttbar_agc import TTBAR_AGC, TTBAR_AGC_OPEN_DATA
from hepgrad.workflows.analyses.ttbar_agc.network import MEAN, SPREAD
from hepgrad.workflows.analyses.ttbar_agc.systematics import SEED
from hepgrad.workflows.results.bootstrap import Improvement

pytestmark = pytest.mark.thorough

vector.register_awkward()

START = TTBAR_AGC.parameters.to_dict()
LOOSE = {**START, "electron_pt": 25.0, "muon_pt": 25.0, "lepton_eta": 2.4, "lepton_sip3d": 8.0}
LOOSE |= {"muon_iso": 0.4, "jet_pt": 25.0, "btag": 0.2}
# and a network that corrects a lot
LOOSE["network"] = {
    **correcting_weights(7, 8, (2,), seed=1),
    "output": np.random.default_rng(2).normal(0, 0.3, (8, 2)).astype(np.float32),
    "output_bias": np.float32([0.2, -0.1]),
}
# the histograms of the challenge, of which the fit takes 11 bins of double width
NOTEBOOK = Regular(25, 50, 550)
LUMINOSITY = 3378.0


def load_split(folder):
    fileset, skim = Fileset.load(folder), TTBAR_AGC.skim
    return load(fileset, TTBAR_AGC.processes, TTBAR_AGC.analysis.reads, luminosity=LUMINOSITY, skim=skim)


def in_double_precision(tree):
    return jax.tree.map(lambda x: x.astype(np.float64) if x.dtype == np.float32 else x, tree)


def with_bins(axis, analysis=TTBAR_AGC.analysis):
    """Return the analysis with the same fixed bins in both channels."""
    channels = [dataclasses.replace(c, axis=axis, edges=None) for c in analysis.channels]
    return dataclasses.replace(analysis, channels=channels)


def read_samples(folder):
    """Return events and weights by process, from whole files: no skim, and the challenge's normalisation."""
    fileset = json.loads((folder / "fileset.json").read_text())
    samples = {}
    for process in TTBAR_AGC.processes:
        (dataset,) = process.datasets
        name, _, variation = dataset.partition(":")
        sample = fileset[name][variation or "nominal"]
        branches = [*TTBAR_AGC.analysis.reads, "genWeight"]
        events = ak.concatenate([read_events(folder / file["path"], branches) for file in sample["files"]])
        # the alternative samples have the cross-section of the nominal one
        scale = fileset[name]["nominal"]["xsec_pb"] * LUMINOSITY / sample["sumw_total"]
        samples[process.name] = events, ak.to_numpy(events.genWeight).astype(float) * scale
    return with_random_numbers(in_float64(samples))


def in_float64(samples):
    def converted(events):
        for collection in ("Electron", "Muon", "Jet", "MET"):
            events = ak.with_field(events, ak.values_astype(events[collection], np.float64), collection)
        return events

    return {name: (converted(events), weight) for name, (events, weight) in samples.items()}


def with_random_numbers(samples):
    """Add the random numbers of the resolution, fixed by event number and the place of the jet in its event."""
    merged = ak.concatenate([events[["event", "Jet"]] for events, _ in samples.values()])
    random = normal_by_event(jnp.asarray(ak.to_numpy(merged.event)), rg.from_awkward(merged.Jet.pt), seed=SEED)
    random, first = ak.values_astype(rg.to_awkward(random), np.float64), 0
    for events, _ in samples.values():
        events["Jet", "random"] = random[first : first + len(events)]
        first += len(events)
    return samples


def by_awkward(events, weight, edges, cut):
    """Histograms by variation and channel, as the challenge's notebook makes them."""
    filled = {}
    for variation in ("nominal", "pt_scale", "pt_res"):
        factor = {"nominal": 1, "pt_scale": 1.03, "pt_res": 1 + 0.05 * events.Jet.random}[variation]
        electrons, muons, jets = events.Electron, events.Muon, ak.with_field(events.Jet, events.Jet.pt * factor, "pt")
        electrons = electrons[
            (electrons.pt > cut["electron_pt"])
            & (abs(electrons.eta) < cut["lepton_eta"])
            & (electrons.cutBased == 4)
            & (electrons.sip3d < cut["lepton_sip3d"])
        ]
        muons = muons[
            (muons.pt > cut["muon_pt"])
            & (abs(muons.eta) < cut["lepton_eta"])
            & (muons.tightId > 0)
            & (muons.sip3d < cut["lepton_sip3d"])
            & (muons.pfRelIso04_all < cut["muon_iso"])
        ]
        jets = jets[(jets.pt > cut["jet_pt"]) & (abs(jets.eta) < 2.4) & (jets.jetId == 6)]
        tags = ak.sum(jets.btagCSVV2 > cut["btag"], axis=1)
        passed = (ak.num(electrons) + ak.num(muons) == 1) & (ak.num(jets) >= 4)
        for channel, inside in (("4j1b", passed & (tags == 1)), ("4j2b", passed & (tags >= 2))):
            here, w = jets[inside], weight[inside]
            observables = [ak.sum(here.pt, axis=1), trijet_mass(here, cut["btag"])]
            which = ("4j1b", "4j2b").index(channel)
            seen = [*(here.pt[:, i] for i in range(4)), *observables, events.MET.pt[inside]]
            observable = observables[which] * factors(seen, cut["network"])[:, which]

            def fill(w, observable=observable):
                return np.histogram(ak.to_numpy(observable), [-np.inf, *edges, np.inf], weights=w)[0]

            filled[variation, 1, channel] = fill(w)
            if variation == "nominal":
                for place in range(4):
                    relative = 0.075 * ak.to_numpy(here.pt[:, place]) / 50
                    for sign in (1, -1):
                        filled[f"btag_var_{place}", sign, channel] = fill(w * (1 + sign * relative))
    return filled


def factors(seen, network):
    """What the network multiplies the observables by, shape (events, 2)."""
    network = {name: np.asarray(array, np.float64) for name, array in network.items()}
    columns = [np.asarray(ak.to_numpy(x)) for x in seen]
    scaled = np.stack([(np.log1p(x) - m) / s for x, m, s in zip(columns, MEAN, SPREAD, strict=True)], axis=1)
    nodes = np.tanh(scaled @ network["hidden"] + network["hidden_bias"])
    return np.exp(np.tanh(nodes @ network["output"] + network["output_bias"]))


def trijet_mass(jets, threshold):
    """The mass of the three jets with the largest pT of their sum, of which the best b tag is above a threshold."""
    four_vectors = ak.zip({k: jets[k] for k in ("pt", "eta", "phi", "mass", "btagCSVV2")}, with_name="Momentum4D")
    one, two, three = ak.unzip(ak.combinations(four_vectors, 3))
    best_tag = np.maximum(one.btagCSVV2, np.maximum(two.btagCSVV2, three.btagCSVV2))
    total = (one + two + three)[best_tag > threshold]
    return ak.firsts(total[ak.argmax(total.pt, axis=1, keepdims=True)]).mass


def assert_equal_bin_by_bin(analysis, split, samples, values, axis):
    """All in float64: an event that is close to an edge is on the same side of it in both."""
    cuts = TTBAR_AGC.parameters.replace(**values)
    for parity, half in enumerate(in_double_precision((split.train, split.held_out))):
        templates = analysis.histograms(half, cuts, Hard())
        expected_sources = {"pt_scale", "pt_res", *(f"btag_var_{i}" for i in range(4))}
        assert set(templates.up) == expected_sources
        assert set(templates.down) == {name for name in expected_sources if name.startswith("btag")}
        for row, name in enumerate(half.processes):
            events, weight = (part[parity::2] for part in samples[name])
            weight = weight * (len(samples[name][1]) / len(weight))
            for (variation, sign, channel), expected in by_awkward(events, weight, axis.edges, values).items():
                side = templates.up if sign > 0 else templates.down
                found = templates if variation == "nominal" else side[variation]
                where = f"{name} {variation} {channel}"
                np.testing.assert_allclose(found[channel].sumw[row], expected, rtol=1e-6, atol=1e-6, err_msg=where)


@pytest.fixture(scope="module")
def whole_files(shared_data):
    with jax.enable_x64(True):
        return load_split(shared_data / "pythia13tev"), read_samples(shared_data / "pythia13tev")


@pytest.mark.parametrize("values", [START, LOOSE], ids=["fixed cuts", "loosest cuts that the skim allows"])
def test_equals_awkward_bin_by_bin(whole_files, values, x64):
    assert_equal_bin_by_bin(with_bins(NOTEBOOK), *whole_files, values, NOTEBOOK)


@pytest.mark.slow
@pytest.mark.parametrize("values", [START, LOOSE], ids=["start", "loose"])
def test_embedded_events_and_movable_edges_equal_awkward_bin_by_bin(values, x64):
    axis = TTBAR_AGC.analysis.channels[0].axis
    folder = TTBAR_AGC.data
    assert_equal_bin_by_bin(TTBAR_AGC.analysis, load_split(folder), read_samples(folder), values, axis)


def test_statement_of_the_challenge():
    """The numbers of the challenge that the workflow must start from."""
    fixed = {"electron_pt": 30, "muon_pt": 30, "lepton_eta": 2.1, "lepton_sip3d": 4, "muon_iso": 0.15}
    fixed |= {"jet_pt": 30, "btag": 0.5}
    assert {name: START[name] for name in fixed} == fixed
    for name in ("ht_bins", "m_top_bins"):
        np.testing.assert_allclose(START[name], np.arange(110, 551, 40), rtol=1e-6)
    assert TTBAR_AGC.luminosity == LUMINOSITY
    assert TTBAR_AGC.analysis.model.parameter_of_interest == "ttbar_norm"
    # the signal is most of what is expected, and its simulation is finite in the challenge's workspace too
    assert TTBAR_AGC.analysis.model.signal_statistics == ("ttbar",)
    # the alternative samples are no backgrounds
    assert [p.name for p in TTBAR_AGC.predicted] == ["ttbar", "wjets", "single_top_t_chan", "single_top_s_chan"]


def test_challenges_own_list_of_files_is_understood(shared_data):
    source = shared_data / "agc" / "nanoaod_inputs.json"
    workflow = TTBAR_AGC_OPEN_DATA
    fileset = Fileset.load(source).with_cross_sections(workflow.cross_sections)
    described = json.loads(source.read_text())
    samples = {name: s for process in workflow.processes for name, s in process.samples(fileset).items()}
    assert len(samples) == 9
    for name, sample in samples.items():
        process, _, variation = name.partition(":")
        entry = described[process][variation or "nominal"]
        assert len(sample.files) == len(entry["files"])
        # the challenge's own normalisation
        cross_section = {"ttbar": 729.84, "single_top_s_chan": 3.2944, "single_top_t_chan": 234.79365}
        cross_section |= {"single_top_tW": 75.842, "wjets": 15487.164}
        expected = cross_section[process] * LUMINOSITY / entry["nevts_total"]
        assert sample.events_per_weight(LUMINOSITY) == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_challenges_own_simulation_equals_awkward_bin_by_bin(shared_data, tmp_path, x64):
    """Two hundred events of the real input stand for every sample; few of them pass even the loosest cuts."""
    workflow = TTBAR_AGC_OPEN_DATA
    file = shared_data / "skhep" / "nanoAOD_2015_CMS_Open_Data_ttbar.root"
    sample = {"nevts_total": 200, "files": [{"path": str(file), "nevts": 200}]}
    names = [process.datasets[0].partition(":") for process in workflow.processes]
    filesets = {name: {v or "nominal": sample for n, _, v in names if n == name} for name, _, _ in names}
    (tmp_path / "nanoaod_inputs.json").write_text(json.dumps(filesets))
    fileset = Fileset.load(tmp_path / "nanoaod_inputs.json").with_cross_sections(workflow.cross_sections)
    reads = workflow.analysis.reads

    def some_jets(events):
        return events[ak.num(events.Jet) >= 3]

    split = load(fileset, workflow.processes, reads, luminosity=LUMINOSITY, skim=some_jets)
    events = read_events(file, reads)
    scales = {name: fileset[name].events_per_weight(LUMINOSITY) for name, _, variation in names if not variation}
    samples = {p.name: (events, np.full(200, scales[p.datasets[0].partition(":")[0]])) for p in workflow.processes}
    analysis = with_bins(NOTEBOOK, workflow.analysis)
    assert_equal_bin_by_bin(analysis, split, with_random_numbers(in_float64(samples)), LOOSE, NOTEBOOK)
    halves = [
        analysis.histograms(half, workflow.parameters.replace(**LOOSE), Hard())
        for half in (split.train, split.held_out)
    ]
    assert sum(float(counts.sumw.sum()) for half in halves for counts in half.values()) > 0


@pytest.mark.slow
def test_gradient_of_the_whole_chain_agrees_with_central_differences(x64):
    data = in_double_precision(load_split(TTBAR_AGC.data).train)
    f = jax.jit(lambda scaled: TTBAR_AGC.analysis.evaluate(data, TTBAR_AGC.parameters.from_scaled(scaled), Soft(1.0)))
    point = TTBAR_AGC.parameters.scaled()
    gradient = jax.jit(jax.grad(f))(point)
    rng = np.random.default_rng(3)
    direction = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=np.shape(x))), point)

    def along(t):
        return f(jax.tree.map(lambda x, d: x + t * d, point, direction))

    h = 1e-3
    difference = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    projected = sum(jax.tree.leaves(jax.tree.map(lambda g, d: jnp.sum(g * d), gradient, direction)))
    np.testing.assert_allclose(projected, difference, rtol=1e-5)


@pytest.mark.slow
def test_run_with_defaults_leaves_the_likelihood_and_its_tables(tmp_path):
    """In single precision, where the likelihood is written in double precision nevertheless."""
    run(TTBAR_AGC, steps=2, output=tmp_path / "run", quiet=True)
    files = set(json.loads((tmp_path / "run" / "run.json").read_text())["files"])
    assert {"workspace.json", "systematics.csv", "impacts.csv", "uncertainty.json", "report.html"} <= files
    model, _ = from_workspace(json.loads((tmp_path / "run" / "workspace.json").read_text()))
    assert model.parameter_of_interest == "ttbar_norm"
    told = json.loads((tmp_path / "run" / "result.json").read_text())["improvement"]
    assert told["figure"] == "Expected uncertainty of ttbar_norm"
    parts = json.loads((tmp_path / "run" / "uncertainty.json").read_text())
    assert parts["total"] == pytest.approx(told["optimum"], rel=1e-3)
    assert str(told["replicas"]) in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.slow
def test_optimised_cuts_measure_better_by_more_than_the_bootstrap_uncertainty(shared_data, x64):
    split = load_split(shared_data / "pythia13tev")
    result = optimize(
        TTBAR_AGC.analysis,
        split,
        parameters=TTBAR_AGC.parameters,
        optimizer=TTBAR_AGC.optimizer,
        steps=TTBAR_AGC.steps,
        anneal=TTBAR_AGC.anneal,
    )
    improvement = Improvement.of(result, TTBAR_AGC.analysis, split.held_out, replicas=100, seed=1)
    assert improvement.optimum < improvement.start
    assert improvement.gain > improvement.gain_uncertainty > 0
    assert "better by" in str(improvement)
