"""The exported script: it runs without hepgrad and JAX, and selects the same events."""

from __future__ import annotations

import dataclasses
import json
import math
import runpy
import subprocess
import sys

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hepgrad.ragged as rg
from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Edges,
    Hard,
    Objects,
    Parameter,
    Parameters,
    Regular,
    Weights,
    kinematics,
    reconstruction,
    stage,
)
from hepgrad.analysis.stages import (
    Cleaning,
    EventSelection,
    EventWeight,
    LeptonicW,
    ObjectSelection,
    Observable,
    Perceptron,
    ScaleFactors,
    Score,
    Table,
    TopPair,
    TransverseMass,
)
from hepgrad.workflows import Fileset, InputError, Layout
from hepgrad.workflows.analyses.correcting_network import correcting_weights
from hepgrad.workflows.analyses.htautau import HTAUTAU
from hepgrad.workflows.analyses.ttbar_agc import TTBAR_AGC
from hepgrad.workflows.analyses.zprime import ZPRIME
from hepgrad.workflows.execution import load_events, located
from hepgrad.workflows.export import runtime, selection_script
from hepgrad.workflows.export.expression import as_python

pytestmark = pytest.mark.usefixtures("quick_compilation")

CENTRAL = 2.4
FILESET = Fileset.load(ZPRIME.data)
RUN = """
import json, runpy, sys
for module in ("hepgrad", "jax"):
    sys.modules[module] = None  # an import would fail
filled = runpy.run_path(sys.argv[1])["histograms"](sys.argv[2], slice(int(sys.argv[3]), None, 2))
views = {"/".join(key): h.view(flow=True) for key, h in filled.items()}
print(json.dumps({key: [view["value"].tolist(), view["variance"].tolist()] for key, view in views.items()}))
"""


def far_apart(objects, others):
    return objects.without_overlap(others, 0.4)


@stage(reads=("Jet_pt", "Jet_eta", "Jet_phi", "Jet_btagCSVV2", "Muon_pt", "Muon_eta", "Muon_phi", "MET_pt", "MET_phi"))
def rich(events, cut):
    """Use much of what collections can do."""
    muons = events.Muon.select(events.Muon.pt > cut.muon_pt)
    jets = far_apart(events.Jet.select((events.Jet.pt > cut.jet_pt) & (abs(events.Jet.eta) < CENTRAL)), muons)
    # a comment, which stays
    bjets = jets.select(jets.btagCSVV2 > cut.btag)
    by_tag = jets.ordered_by("btagCSVV2")
    events = events.select(jets.at_least(2) & bjets.at_most(3) & ~muons.none(), "objects")
    events = events.with_field(
        sum=jets.sum("pt") / 10 + bjets.count() + jets.max("eta") + by_tag.nth("pt", 2, fill_value=0.0) / 100,
        shifted=events.MET.pt - cut.met.value + math.pi + rg.sum(events.Jet.eta, axis=1) + jnp.cos(events.MET.phi),
    )
    return events.categorise(tagged=bjets.at_least(1), rest="untagged")


RICH = dataclasses.replace(
    ZPRIME,
    analysis=dataclasses.replace(
        ZPRIME.analysis,
        stages=[rich],
        channels=[
            Channel("tagged", "sum", Regular(10, 0.0, 200.0), region="tagged", edges="bins"),
            Channel("untagged", "shifted", Regular(5, -50.0, 100.0), region="untagged"),
        ],
        model=CountingModel(["zprime"], 0.1),
    ),
    parameters=Parameters(**ZPRIME.parameters.specs, bins=Edges(np.linspace(0, 20, 11) ** 1.5)),
)


def correction(pt):
    return 1 + 0.1 * jnp.tanh(pt / 100)


TABLE = Table([[20, 60, 120, 300], [0.0, 0.8, 1.6, 2.4]], [[0.9, 0.8, 0.7], [1.0, 0.9, 0.8], [1.1, 1.0, 0.9]])


@dataclasses.dataclass(frozen=True)
class Squared:
    """A stage that is a class of its own."""

    name = "squared"
    reads = ("MET_pt",)
    makes = ()
    parameters = ()

    def __call__(self, events, cut):
        return events.with_field(squared=events.MET.pt**2)


EVENT_NETWORK, JET_NETWORK = Perceptron([4, 5, 3, 1]), Perceptron([2, 3, 1])
BOXED = dataclasses.replace(
    ZPRIME,
    analysis=Analysis(
        stages=[
            ObjectSelection("Muon", ["pt > cut.muon_pt", "abs(eta) < 2.1"]),
            ObjectSelection("Jet", ["pt > cut.jet_pt and abs(eta) < 2.4", "btagCSVV2 > 0 or pt > 50"], into="GoodJet"),
            Cleaning("GoodJet", "Muon", "0.4"),
            ObjectSelection("GoodJet", ["btagCSVV2 > cut.btag"], into="BJet"),
            EventSelection(["num(Muon) >= 1", "num(GoodJet) > 1 and num(BJet) <= 3", "not MET.pt < cut.met"]),
            EventSelection(["25 < leading(GoodJet.pt) < 900", "sqrt(sum(GoodJet.pt)) > 5"], name="2nd selection"),
            TransverseMass("m_t", "Muon"),
            Observable("sf", ["pt", "abs(eta)"], TABLE, collection="Muon"),
            ScaleFactors("Muon", "sf"),
            Observable("jet_sf", "pt", correction, collection="GoodJet"),
            ScaleFactors("GoodJet", "jet_sf", when="btagCSVV2 > cut.btag", otherwise="1.05"),
            EventWeight("1 + MET.pt / (1000 + cut.met.value)"),
            Score("jet_net", JET_NETWORK, ["pt / 100", "eta"], collection="GoodJet"),
            Observable("best", "max(GoodJet.jet_net)"),
            Score(
                "net",
                EVENT_NETWORK,
                ["log(sum(GoodJet.pt) + 1)", "num(BJet)", "MET.pt > 80", "m_t"],
                mean=(6.0, 1.0, 0.5, 60.0),
                deviation=(1.0, 1.0, 0.5, 40.0),
            ),
            EventSelection(["net > cut.net_min"], name="network"),
            LeptonicW("W", "Muon"),
            Observable("w_pt", "W.pt"),
            TopPair(
                "tt",
                "GoodJet",
                "Muon",
                "btagCSVV2 > cut.btag / 2",
                reconstruction.TopMasses(20.0, 30.0, 40.0),
                capacity=1_000_000,
            ),
            Observable("m_tt", "leading(tt.mass, fill_value=-1)"),
        ],
        channels=[
            Channel("m_t", "m_t", Regular(5, 0.0, 200.0)),
            Channel("best", "best", Regular(4, 0.2, 0.8)),
            Channel("w_pt", "w_pt", Regular(5, 0.0, 1000.0)),
            Channel("m_tt", "m_tt", Regular(5, 0.0, 2000.0)),
        ],
        model=CountingModel(["zprime"], 0.1),
    ),
    parameters=Parameters(
        **{name: ZPRIME.parameters.specs[name] for name in ("muon_pt", "jet_pt", "btag", "met")},
        net=Weights(EVENT_NETWORK.initial(jax.random.key(1))),
        jet_net=Weights(JET_NETWORK.initial(jax.random.key(2))),
        net_min=Parameter(0.45, bounds=(0.1, 0.9)),
    ),
)


def with_data(workflow, data):
    """Return a workflow on other events, without systematic variations, which the script leaves out anyway."""
    (signal,) = workflow.analysis.model.signal
    analysis = dataclasses.replace(workflow.analysis, model=CountingModel([signal], 0.1), objective="discovery")
    return dataclasses.replace(workflow, data=data, analysis=analysis, processes=workflow.predicted)


CORRECTING = {
    **correcting_weights(7, 8, (2,), seed=1),
    "output": np.random.default_rng(2).normal(0, 0.3, (8, 2)).astype(np.float32),
    "output_bias": np.float32([0.2, -0.1]),
}
CASES = {
    "zprime": (ZPRIME, {"muon_pt": 41.3, "jet_pt": 33.3, "btag": 0.41}),
    "rich": (RICH, {"muon_pt": 41.3, "jet_pt": 33.3, "btag": 0.41}),
    "boxed": (BOXED, {"muon_pt": 41.3, "jet_pt": 33.3, "btag": 0.41}),
    "ttbar-agc": (TTBAR_AGC, {"jet_pt": 33.3, "btag": 0.41, "lepton_eta": 2.05, "network": CORRECTING}),
    "htautau": (HTAUTAU, {"pt_2": 22.2, "mt_1": 41.0, "mjj": 310.0, "jdeta": 2.1}),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", CASES)
def test_it_selects_the_same_events(name, tmp_path, request):
    workflow, cuts = CASES[name]
    data = request.getfixturevalue("shared_data") / "htautau_cms2012" if name == "htautau" else workflow.data
    workflow, fileset = located(with_data(workflow, data))
    script = tmp_path / "selection.py"
    parameters = workflow.parameters.replace(**cuts)
    script.write_text(selection_script(workflow, parameters, fileset))
    command = [sys.executable, "-c", RUN, str(script), str(data), "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    filled = json.loads(done.stdout)
    with jax.enable_x64(True):
        held_out = load_events(workflow, fileset).held_out
        expected = workflow.analysis.histograms(held_out, parameters, Hard())
    assert len(filled) == len(workflow.analysis.channels) * len(held_out.processes)
    for channel in workflow.analysis.channels:
        for row, process in enumerate(held_out.processes):
            sumw, sumw2 = filled[f"{channel.name}/{process}"]
            np.testing.assert_allclose(sumw, expected[channel.name].sumw[row], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(sumw2, expected[channel.name].sumw2[row], rtol=1e-5, atol=1e-5)
        assert np.sum(np.asarray(expected[channel.name].sumw)) > 10


@pytest.mark.thorough
@pytest.mark.parametrize("tagged", [True, False])
def test_top_pairs_in_plain_awkward(tagged):
    """The best assignment of every event, with and without b tags."""
    rng = np.random.default_rng(3)
    numbers = rng.integers(0, 7, 300)
    draws = {"pt": rng.uniform(30, 200, sum(numbers)), "eta": rng.normal(0, 1, sum(numbers))}
    draws |= {"phi": rng.uniform(-3, 3, sum(numbers)), "mass": draws["pt"] / 8, "tag": rng.random(sum(numbers))}
    array = ak.zip({name: ak.unflatten(values, numbers) for name, values in draws.items()})
    lepton, neutrino = ((rng.uniform(30, 90, 300), *rng.normal(0, 1, (2, 300)), np.zeros(300)) for _ in "ln")
    masses = (10.0, 15.0, 20.0)
    with jax.enable_x64(True):
        jets = Objects.of(rg.from_awkward(array)).select(rg.from_awkward(array.pt > 40))
        momenta = [kinematics.momentum(*map(rg.from_numpy, each)) for each in (lepton, neutrino)]
        tags = jets.array.tag > 0.3 if tagged else None
        expected = reconstruction.top_pairs(jets, *momenta, reconstruction.TopMasses(*masses), btagged=tags)
        expected = expected.ordered_by("chi_square", ascending=True)
        plain = runtime.objects.Objects(array).select(array.pt > 40)
        momenta = [runtime.formulas.momentum(*each) for each in (lepton, neutrino)]
        tags = array.tag > 0.3 if tagged else None
        actual = runtime.systems.top_pairs(plain, *momenta, runtime.systems.TopMasses(*masses), btagged=tags)
        actual = actual.ordered_by("chi_square", ascending=True)
        np.testing.assert_array_equal(actual.count(), expected.count())
        assert np.count_nonzero(expected.count()) > 100
        for field in expected.array.fields:
            value = expected.leading(field, fill_value=-1)
            np.testing.assert_allclose(actual.leading(field, fill_value=-1), value, rtol=1e-9, err_msg=field)


def test_files_that_call_things_otherwise(tiny, tmp_path):
    """Momenta in MeV under other names, a number of events in place of weights, and a cross-section of the workflow."""
    branches = tiny.draw("top")
    renamed = {"AnalysisJets.pt": 1000 * branches["Jet_pt"], "Missing": 1000 * branches["MET_pt"]}
    for file in ("a", "b"):
        tiny.write_tree(tmp_path / f"{file}.root", renamed, tree="CollectionTree")
    listed = {"files": ["*.root"], "nevts_total": 5000}
    content = {name: {"nominal": listed} for name in ("signal", "top", "multijet_low", "multijet_high")}
    (tmp_path / "fileset.json").write_text(json.dumps(content))
    workflow = dataclasses.replace(
        tiny.TINY,
        data=tmp_path,
        tree="CollectionTree",
        layout=Layout(branches={"Jet_*": "AnalysisJets.*", "MET_pt": "Missing"}, factors={"*_pt": 0.001}),
        cross_sections=dict.fromkeys(content, 2.0),
    )
    workflow, fileset = located(workflow)
    script = tmp_path / "selection.py"
    script.write_text(selection_script(workflow, workflow.parameters, fileset))
    filled = runpy.run_path(str(script))["histograms"](tmp_path)
    jets = branches["Jet_pt"][branches["MET_pt"] > 20]
    passed = np.count_nonzero(ak.sum(jets[jets > 30], axis=1) > 60)
    assert filled["ht", "top"].sum(flow=True).value == pytest.approx(2 * passed * 2.0 * 1000.0 / 5000)


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("not tightId", "~jets.tightId"),
        ("(pt > 30 or eta < 1) and pt < cut.pt[1]", "((jets.pt > 30) | (jets.eta < 1)) & (jets.pt < cut.pt[1])"),
        ("-eta * 2 > cut.a.value - 1", "-jets.eta * 2 > cut.a - 1"),
        ("sqrt(sum) > 3", "np.sqrt(jets['sum']) > 3"),
        ("num(Jet) < 3", "jets.Jet.at_most(2)"),
        ("nth(Jet.pt, 2, fill_value=-1) > 3", "jets.Jet.nth('pt', 2, fill_value=-1) > 3"),
    ],
)
def test_expressions_become_python(text, python):
    assert as_python(text, "jets") == python


def test_it_reads_like_the_stage():
    text = selection_script(RICH, RICH.parameters, FILESET)
    assert "    # a comment, which stays\n" in text
    assert "CENTRAL = 2.4" in text
    assert "events.MET.pt - cut.met + math.pi" in text
    assert "hepgrad" not in text.partition("\n")[2]


def test_what_cannot_be_written_is_named():
    def with_stage(made):
        return dataclasses.replace(RICH, analysis=dataclasses.replace(RICH.analysis, stages=[made]))

    @stage(reads=("MET_pt",))
    def uses_jax(events, cut):
        return events.select(jax.nn.sigmoid(events.MET.pt) > 0.5)

    @stage(reads=("MET_pt",))
    def closure(events, cut):
        return events.select(events.MET.pt > wrapped)

    wrapped = object()

    @stage(reads=("MET_pt",))
    def unknown(events, cut):
        return CountingModel

    def network(weights, features):
        return features @ weights["w"]

    for made, message in (
        (uses_jax, r"'uses_jax' cannot be exported: it uses the module jax \(test_export.py, line \d+\)"),
        (closure, r"'closure' cannot be exported: it uses wrapped, a object \(test_export.py, line \d+\)"),
        (
            unknown,
            r"'unknown' cannot be exported: it uses hepgrad\.analysis\.statistics\.counting_model\.CountingModel",
        ),
        (
            Score("net", network, ["MET.pt"]),
            "'score net' cannot be exported: of networks only a Perceptron is, not net",
        ),
        (Observable("x", "MET.pt", lambda pt: pt), "the function '<lambda>' cannot be exported: it is without"),
        (Observable("x", "MET.pt", np.sqrt), "'x' cannot be exported: its function is a ufunc"),
        (Squared(), "stage 'squared' cannot be exported: it is a Squared, for which there is no plain form"),
    ):
        with pytest.raises(InputError, match=message):
            selection_script(with_stage(made), RICH.parameters, FILESET)
