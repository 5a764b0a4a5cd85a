"""Backgrounds estimated from data: exact closure where data hold a known number of mistaken leptons."""

from __future__ import annotations

import dataclasses
import json
import runpy

import awkward as ak
import jax
import numpy as np
import pytest

from hepgrad.analysis import ABCD, Analysis, Channel, CountingModel, Hard, Parameter, Parameters, Regular, stage
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.workflows import FakeRate, InputError, Process, SameSign, Sidebands, Workflow
from hepgrad.workflows.execution import load_events, located
from hepgrad.workflows.export import selection_script
from hepgrad.workflows.reporting.subject import Subject

pytestmark = pytest.mark.usefixtures("quick_compilation")

LOW, HIGH = 25.0, 60.0
READS = ["Muon_pt", "Muon_iso", "MET_pt"]
LUMINOSITY = 1000.0


def loose(events):
    return events.Muon[events.Muon.pt > 10]


def tight(muons):
    return muons.iso < 0.1


def little_met(events):
    return events.MET.pt < 20


def same_sign(events):
    return events.sign > 0


@stage(reads=("Muon_pt", "MET_pt"))
def select(events, cut):
    muons = events.Muon.select(events.Muon.pt > cut.pt)
    return events.select(events.MET.pt > cut.met, "missing momentum").with_field(number=muons.count())


def workflow_of(folder, estimate, **changes):
    processes = [Process("s", signal=True), Process("prompt"), Process("fakes", estimate=estimate)]
    parameters = Parameters(
        pt=Parameter(12.0, bounds=(10, 20), width=2.0), met=Parameter(10.0, bounds=(5, 60), width=5.0)
    )
    about = {
        "name": "closure",
        "title": "closure",
        "analysis": Analysis([select], [Channel("n", "number", Regular(3, 0, 3))], TemplateModel(["s"])),
        "parameters": parameters,
        "processes": [*processes, Process("data", datasets=["run_b"], observed=True)],
        "luminosity": LUMINOSITY,
        "data": folder,
    }
    return Workflow(**{**about, **changes})


def muons_of(*kinds):
    """Some events as (how many, muons as (pt, is tight), missing momentum, sign)."""
    rows = [kind[1:] for kind in kinds for _ in range(kind[0])]
    muons = [[{"pt": pt, "iso": 0.05 if is_tight else 0.4} for pt, is_tight in row[0]] for row in rows]
    muons = ak.values_astype(ak.Array([*muons, [{"pt": 1.0, "iso": 1.0}]]), np.float32)[:-1]
    met, sign = (np.array([row[i] for row in rows], np.float32) for i in (1, 2))
    return {"Muon_pt": muons.pt, "Muon_iso": muons.iso, "MET_pt": met, "sign": sign}


def write(tiny, folder, data, prompt, weight):
    """Write data, and prompt events of which each stands for ``weight`` of them, as a fileset."""
    folder.mkdir()
    signal = muons_of((4, [(HIGH, True), (HIGH, True)], 80.0, -1.0))
    samples = {"run_b": {"lumi_pb": 5.0}}
    for name, branches in (("s", signal), ("prompt", prompt), ("run_b", data)):
        if name != "run_b":
            number = len(branches["MET_pt"])
            branches = {**branches, "genWeight": np.full(number, 2.0, np.float32)}
            samples[name] = {"xsec_pb": number * weight / LUMINOSITY, "sumw_total": 2.0 * number}
        tiny.write_tree(folder / f"{name}.root", branches)
        samples[name]["files"] = [f"{name}.root"]
    (folder / "fileset.json").write_text(json.dumps({name: {"nominal": entry} for name, entry in samples.items()}))
    return folder


# of mistaken leptons a quarter is tight below 40 GeV, and half of them above; of prompt ones four out of five
MEASURED = [
    (30, [(LOW, False)], 10.0, 1.0),
    (10, [(LOW, True)], 10.0, 1.0),
    (10, [(HIGH, False)], 10.0, 1.0),
    (10, [(HIGH, True)], 10.0, 1.0),
]
# two leptons, each tight or not by itself: 8 of 64 pass
APPLIED = [
    (8, [(LOW, True), (HIGH, True)], 50.0, -1.0),
    (8, [(LOW, True), (HIGH, False)], 50.0, -1.0),
    (24, [(LOW, False), (HIGH, True)], 50.0, -1.0),
    (24, [(LOW, False), (HIGH, False)], 50.0, -1.0),
]
PROMPT = [
    (2, [(LOW, False)], 10.0, 1.0),
    (8, [(LOW, True)], 10.0, 1.0),
    (2, [(HIGH, False)], 10.0, 1.0),
    (8, [(HIGH, True)], 10.0, 1.0),
    (16, [(LOW, True), (HIGH, True)], 50.0, -1.0),
    (4, [(LOW, True), (HIGH, False)], 50.0, -1.0),
    (4, [(LOW, False), (HIGH, True)], 50.0, -1.0),
]


@pytest.fixture(scope="module")
def leptons(tiny, tmp_path_factory):
    """Data of mistaken and prompt leptons; the simulation of prompt ones has twice as many events."""
    folder = tmp_path_factory.mktemp("fakes") / "events"
    data = muons_of(*MEASURED, *APPLIED, *PROMPT)
    return write(tiny, folder, data, muons_of(*PROMPT, *PROMPT), 0.5)


def yields(workflow):
    """What is expected of each process, in both halves together, and the sum of squared weights."""
    found, fileset = located(workflow)
    events = load_events(found, fileset)
    halves = [
        found.analysis.histograms(half, found.parameters, Hard())["n"] for half in (events.train, events.held_out)
    ]
    names = events.train.processes
    sums = np.mean([np.asarray(half.sumw).sum(axis=-1) for half in halves], axis=0)
    return found, fileset, dict(zip(names, sums.tolist(), strict=True))


def observed(found, fileset):
    return found.source.observed(found, fileset)


def test_fake_rates_close(leptons):
    estimate = FakeRate(loose, tight, little_met, reads=READS, edges=[10, 40, 100], uncertainty=0.1)
    found, fileset, expected = yields(workflow_of(leptons, estimate))
    measured = found.processes[-1].estimate
    np.testing.assert_allclose(measured.rates, [0.25, 0.5], rtol=1e-6)
    # of 30 (2 + 1 from simulation) and 10 (8 + 4) of the low leptons
    low = np.sqrt(0.75**2 * (18 + 4) + 0.25**2 * (32 + 1)) / 40
    assert measured.rate_uncertainties[0] == pytest.approx(low, rel=1e-6)
    assert expected["fakes"] == pytest.approx(8, rel=1e-6)
    assert expected["prompt"] == pytest.approx(16, rel=1e-6)
    # nothing of the measurement, and nothing that fails, is among the observed events
    assert observed(found, fileset).numbers == {"data": 8 + 16}
    (source,) = found.analysis.model.systematics
    assert source.name == "fakes_estimate"
    assert source.processes == ("fakes",)
    assert source.uncertainty == pytest.approx(np.hypot(0.1, measured.spread))
    assert measured.spread > 0.1
    assert measured.told().startswith("fake rate 0.250 +- 0.095 (pt 10 to 40), 0.500 +- ")


def test_one_rate_for_all_leptons_and_a_rate_that_is_known(leptons):
    known = FakeRate(loose, tight, reads=READS, rates=[0.5], subtract=[])
    _, _, expected = yields(workflow_of(leptons, known))
    # a lepton that fails counts as one that is tight; none of the prompt ones is taken off
    assert expected["fakes"] == pytest.approx((8 + 24 - 24) + (4 + 4), rel=1e-6)
    everything = FakeRate(loose, tight, little_met, reads=READS)
    found, _, _ = yields(workflow_of(leptons, everything))
    np.testing.assert_allclose(found.processes[-1].estimate.rates, [20 / 60], rtol=1e-6)


def test_a_script_estimates_the_same(leptons, tmp_path):
    estimate = FakeRate(loose, tight, little_met, reads=READS, edges=[10, 40, 100])
    found, fileset = located(workflow_of(leptons, estimate))
    (tmp_path / "selection.py").write_text(selection_script(found, found.parameters, fileset))
    filled = runpy.run_path(str(tmp_path / "selection.py"))["histograms"](fileset.source)
    assert filled["n", "fakes"].sum().value == pytest.approx(8, rel=1e-6)
    assert filled["n", "prompt"].sum().value == pytest.approx(16, rel=1e-6)


def test_same_sign_closes(tiny, tmp_path):
    """Six mistaken leptons of opposite charges for five of equal ones; of prompt ones one in ten is wrong."""
    leptons = [(HIGH, True), (HIGH, True)]
    mistaken = [(30, leptons, 50.0, -1.0), (25, leptons, 50.0, 1.0), (5, leptons, 2.0, 1.0)]
    prompt = [(18, leptons, 50.0, -1.0), (2, leptons, 50.0, 1.0)]
    folder = write(tiny, tmp_path / "events", muons_of(*mistaken, *prompt), muons_of(*prompt, *prompt), 0.5)
    estimate = SameSign(same_sign, reads=["sign"], transfer=1.2, uncertainty=0.15)
    found, fileset, expected = yields(workflow_of(folder, estimate))
    assert expected["fakes"] == pytest.approx(30, rel=1e-6)
    assert expected["prompt"] == pytest.approx(18, rel=1e-6)
    assert observed(found, fileset).numbers == {"data": 30 + 18}
    assert [source.name for source in found.analysis.model.systematics] == ["fakes_estimate"]
    # located again, as for a scan after a run, nothing is there twice
    again, _ = located(found)
    assert again.analysis.model == found.analysis.model
    (tmp_path / "selection.py").write_text(selection_script(found, found.parameters, fileset))
    filled = runpy.run_path(str(tmp_path / "selection.py"))["histograms"](fileset.source)
    assert filled["n", "fakes"].sum().value == pytest.approx(30, rel=1e-6)
    # the statistics are those of 25 data events and 4 simulated ones that are taken off
    assert filled["n", "fakes"].sum().variance == pytest.approx(1.44 * (25 + 2 + 4 / 4), rel=1e-6)


def blinded(events):
    return (events.MET.pt > 5) & (events.sign < 0)


@stage(reads=("MET_pt", "sign"))
def four(events, cut):
    return events.quadrants(events.MET.pt > cut.met, events.sign < 0).with_field(number=0 * events.MET.pt)


def test_sidebands_are_what_a_fit_takes_a_background_from(tiny, tmp_path):
    """Of mistaken leptons 20, 12 and 40 are in the control regions, so that there are 6 in the signal region."""
    leptons = [(HIGH, True)]
    mistaken = [(6, leptons, 50.0, -1.0), (20, leptons, 50.0, 1.0), (12, leptons, 2.0, -1.0), (40, leptons, 2.0, 1.0)]
    prompt = [(16, leptons, 50.0, -1.0), (4, leptons, 50.0, 1.0)]
    folder = write(tiny, tmp_path / "events", muons_of(*mistaken, *prompt), muons_of(*prompt, *prompt), 0.5)
    axis = Regular(1, -1, 1)
    channels = [Channel(name, "number", axis, region=name) for name in "ABCD"]
    analysis = Analysis([four], channels, TemplateModel(["s"], [ABCD("fakes")]))
    cuts = Parameters(met=Parameter(10.0, bounds=(5, 60), width=5.0))
    estimate = Sidebands(blinded, reads=["MET_pt", "sign"])
    found, fileset = located(workflow_of(folder, estimate, analysis=analysis, parameters=cuts))
    assert [source.name for source in found.analysis.model.systematics] == ["fakes"]
    events = load_events(found, fileset)
    halves = [found.analysis.histograms(half, found.parameters, Hard()) for half in (events.train, events.held_out)]
    both = jax.tree.map(lambda *x: sum(x) / 2, *halves)
    names = list(events.train.processes)
    expected = {"A": (0, 16), "B": (20, 4), "C": (12, 0), "D": (40, 0)}
    for name, yields_of in expected.items():
        sums = [float(both[name].sumw[names.index(process)].sum()) for process in ("fakes", "prompt")]
        assert sums == pytest.approx(yields_of, abs=1e-5)
    typical = (events.train.typical_weight + events.held_out.typical_weight) / 2
    model = found.analysis.model.build(both, dict.fromkeys("ABCD", axis), names, typical)
    fakes = model.expected_samples(model.initial)[model.layout.sample_names.index("fakes")]
    np.testing.assert_allclose([model.by_channel(fakes)[name][0] for name in "ABCD"], [6, 20, 12, 40], rtol=1e-5)
    # the observed events are everywhere
    assert observed(found, fileset).numbers == {"data": 78 + 20}
    (tmp_path / "selection.py").write_text(selection_script(found, found.parameters, fileset))
    filled = runpy.run_path(str(tmp_path / "selection.py"))["histograms"](fileset.source)
    assert filled["B", "fakes"].sum().value == pytest.approx(20, rel=1e-6)
    # the statistics are those of 24 data events and 8 simulated ones that are taken off
    assert filled["B", "fakes"].sum().variance == pytest.approx(24 + 8 / 4, rel=1e-6)
    assert filled["A", "prompt"].sum().value == pytest.approx(16, rel=1e-6)


def test_a_report_can_be_made_again(leptons):
    """What it shows is kept as JSON, which cannot hold the functions of an estimate."""
    estimate = FakeRate(loose, tight, little_met, reads=READS)
    found, _ = located(workflow_of(leptons, estimate))
    subject = Subject.of(found)
    again = Subject.from_dict(json.loads(json.dumps(subject.to_dict())))
    assert [process.name for process in again.prediction] == [process.name for process in subject.prediction]


def test_what_cannot_be_estimated(leptons):
    estimate = FakeRate(loose, tight, little_met, reads=READS, edges=[10, 40, 100, 200])
    with pytest.raises(InputError, match=r"process 'fakes': fake rate: .* 0 tight .* pt from 100 to 200 .* wider bins"):
        located(workflow_of(leptons, estimate))
    with pytest.raises(ValueError, match="'fakes' is estimated from data, and there are none; add them"):
        workflow_of(leptons, estimate, processes=[Process("s", signal=True), Process("fakes", estimate=estimate)])
    with pytest.raises(ValueError, match="no simulated process 'promt' to take off the data; there are 's', 'prompt'"):
        workflow_of(leptons, dataclasses.replace(estimate, subtract=["promt"]))
    with pytest.raises(ValueError, match="estimated from data, and cannot be the signal"):
        Process("fakes", estimate=estimate, signal=True)
    with pytest.raises(ValueError, match="say where the rate is measured"):
        FakeRate(loose, tight, reads=READS)
    with pytest.raises(ValueError, match="edges must rise"):
        FakeRate(loose, tight, little_met, reads=READS, edges=[10, 10])
    with pytest.raises(ValueError, match="2 rates are needed"):
        FakeRate(loose, tight, reads=READS, edges=[10, 20, 30], rates=[0.1])
    with pytest.raises(ValueError, match="the transfer factor must be positive"):
        SameSign(same_sign, reads=["sign"], transfer=0.0)
    with pytest.raises(ValueError, match="the uncertainty is relative"):
        SameSign(same_sign, reads=["sign"], uncertainty=30)


def test_a_model_without_sources_takes_none(leptons):
    estimate = FakeRate(loose, tight, little_met, reads=READS)
    analysis = Analysis([select], [Channel("n", "number", Regular(3, 0, 3))], CountingModel(["s"], 0.1))
    found, _ = located(workflow_of(leptons, estimate, analysis=analysis))
    assert found.analysis.model == CountingModel(["s"], 0.1)
