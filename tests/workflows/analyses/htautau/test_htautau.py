"""H to tau tau on real data: against NumPy on the same files, against the data, and blinded until it is asked for."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections import Counter
from pathlib import Path

import jax
import numpy as np
import pytest
import uproot

from hepgrad.analysis import Hard
from hepgrad.analysis.data.pool import Pool
from hepgrad.analysis.optimisation.programs.of_shards import Fill
from hepgrad.workflows import InputError, InputWarning, read_histograms, run
from hepgrad.workflows.analyses.htautau import HTAUTAU
from hepgrad.workflows.analyses.htautau.analysis import SYSTEMATICS, TRANSFER
from hepgrad.workflows.analyses.htautau.events import TauPairs
from hepgrad.workflows.analyses.htautau.samples import BRANCHING_FRACTION, PERIODS, SIMULATION, find_samples
from hepgrad.workflows.backends import InMemory, OutOfCore
from hepgrad.workflows.cache import Cache
from hepgrad.workflows.cli.program import main
from hepgrad.workflows.execution import load_events
from hepgrad.workflows.read.reader import SampleReader
from hepgrad.workflows.results.observation import count, observe

pytestmark = pytest.mark.usefixtures("quick_compilation")

DATA = "Run2012B_TauPlusXSkim.root"
START = HTAUTAU.parameters.to_dict()
TIGHT = {"pt_1": 24.0, "iso_1": 0.06, "pt_2": 31.0, "mt_1": 22.0, "mjj": 300.0, "jdeta": 2.0}
# without the variations that triple the time to compile
NORMALISATIONS = tuple(source for source in SYSTEMATICS if source.name != "tau_scale")
MODEL = dataclasses.replace(HTAUTAU.analysis.model, systematics=NORMALISATIONS)
QUICK = dataclasses.replace(HTAUTAU, replicas=2, analysis=dataclasses.replace(HTAUTAU.analysis, model=MODEL))
EDGES = {channel.name: channel.axis.edges for channel in HTAUTAU.analysis.channels}


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "htautau_cms2012"


@pytest.fixture(scope="module")
def branches(folder):
    """Every file as a dictionary of NumPy arrays."""
    names = {DATA, *(simulation.file for simulation in SIMULATION.values())}
    result = {}
    for name in names:
        with uproot.open(folder / name) as file:
            result[name] = file["Events"].arrays(library="np")
    return result


@pytest.fixture(scope="module")
def split(folder):
    return load_events(HTAUTAU, find_samples(folder))


@pytest.fixture(scope="module")
def observed(folder):
    return HTAUTAU.source.observed(HTAUTAU, find_samples(folder))


def parameters(cuts):
    return HTAUTAU.parameters.replace(**cuts)


# ------------------------------------------------------------------------------------------------ independent NumPy


def passed(events, cuts, tau_scale=0.0):
    """Whether each event passes, its visible mass, and whether it is in the VBF category."""
    pt_2 = events["pt_2"] * (1 + tau_scale)
    # the visible mass and the transverse mass from the momenta, instead of by a factor
    px, py, pz, energy = 0.0, 0.0, 0.0, 0.0
    for i, pt in ((1, events["pt_1"]), (2, pt_2)):
        # at high momenta the mass of the tau's products hardly matters
        pt, eta, phi, mass = (x.astype(float) for x in (pt, *(events[f"{name}_{i}"] for name in ("eta", "phi", "m"))))
        mass = mass * (1 + tau_scale) if i == 2 else mass
        px, py, pz = px + pt * np.cos(phi), py + pt * np.sin(phi), pz + pt * np.sinh(eta)
        energy = energy + np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)
    m_vis = np.sqrt(energy**2 - px**2 - py**2 - pz**2) if tau_scale else events["m_vis"]
    missing = events["pt_met"] * np.exp(1j * events["phi_met"]) - tau_scale * events["pt_2"] * np.exp(
        1j * events["phi_2"]
    )
    angle = np.angle(missing) - events["phi_1"]
    mt_1 = np.sqrt(2 * events["pt_1"] * abs(missing) * (1 - np.cos(angle))) if tau_scale else events["mt_1"]
    good = (events["pt_1"] > cuts["pt_1"]) & (events["iso_1"] < cuts["iso_1"])
    good &= (pt_2 > cuts["pt_2"]) & (mt_1 < cuts["mt_1"])
    return good, m_vis, (events["mjj"] > cuts["mjj"]) & (abs(events["jdeta"]) > cuts["jdeta"])


def filled(events, kept, weight, cuts, channel, **shift):
    """A histogram of some events of a file, with what lies outside of the bins in the outermost ones."""
    good, m_vis, vbf = passed(events, cuts, **shift)
    good_here = kept & good & (vbf if channel == "vbf" else ~vbf)
    edges = EDGES[channel]
    m_vis = np.clip(m_vis[good_here], edges[0], np.nextafter(edges[-1], 0))
    return np.histogram(m_vis, edges, weights=np.full(good_here.sum(), weight))[0]


def half_of(events, remainder):
    inside = np.arange(len(events["q_1"])) % 2 == remainder
    return inside, len(inside) / inside.sum()


def prediction(branches, cuts, channel, remainder, **shift):
    """Every process in one half of the events."""

    def simulated(name, charges, select=lambda events: True):
        events = branches[SIMULATION[name].file]
        inside, factor = half_of(events, remainder)
        # what the file normalises to both periods, and to production alone
        weight = factor * events["weight"][0] * 4412 / 11467 * (BRANCHING_FRACTION if name in ("ggh", "vbf") else 1)
        kept = inside & (events["q_1"] * events["q_2"] == charges) & select(events)
        return filled(events, kept, weight, cuts, channel, **shift)

    data = branches[DATA]
    inside, factor = half_of(data, remainder)
    same_sign = filled(data, inside & (data["q_1"] * data["q_2"] == 1), factor, cuts, channel, **shift)
    background = ("dy", "ttbar", "w1", "w2", "w3")
    return {
        "higgs": simulated("ggh", -1) + simulated("vbf", -1),
        "ztt": simulated("dy", -1, lambda events: events["gen_match"]),
        "zll": simulated("dy", -1, lambda events: ~events["gen_match"]),
        "ttbar": simulated("ttbar", -1),
        "wjets": simulated("w1", -1) + simulated("w2", -1) + simulated("w3", -1),
        "multijet": TRANSFER * (same_sign - sum(simulated(name, 1) for name in background)),
    }


# -------------------------------------------------------------------------------------------------------- the samples


def test_cross_sections_are_those_of_the_files(branches):
    for name, simulation in SIMULATION.items():
        weight = branches[simulation.file]["weight"]
        production = simulation.cross_section / (BRANCHING_FRACTION if name in ("ggh", "vbf") else 1)
        np.testing.assert_allclose(weight, production * 11467 / simulation.generated, rtol=1e-6)


def test_simulated_higgs_bosons_all_decay_to_taus(branches):
    """So that the cross-section of production needs the branching fraction."""
    for name in ("ggh", "vbf"):
        assert branches[SIMULATION[name].file]["gen_match"].mean() > 0.98


def test_transfer_factor_is_measured_where_nothing_is_hidden(branches):
    difference = {}
    for charges in (1, -1):
        counts = []
        for name, events in branches.items():
            control = (events["iso_1"] > 0.2) & (events["iso_1"] < 0.5) & (events["mt_1"] < 30)
            control &= events["q_1"] * events["q_2"] == charges
            is_signal = name in (SIMULATION["ggh"].file, SIMULATION["vbf"].file)
            weight = 1 if name == DATA else 0 if is_signal else -events["weight"] * 4412 / 11467
            counts.append(np.sum(control * weight))
        difference[charges] = sum(counts)
    assert difference[-1] / difference[1] == pytest.approx(TRANSFER, abs=0.01)
    # no cut inside the bounds reaches the region
    assert HTAUTAU.parameters.ranges()["iso_1"][1] < 0.2


@pytest.mark.thorough
@pytest.mark.parametrize("cuts", [START, TIGHT], ids=["baseline", "tight"])
def test_hard_histograms_equal_numpy(split, branches, cuts):
    for remainder, half in enumerate((split.train, split.held_out)):
        templates = HTAUTAU.analysis.histograms(half, parameters(cuts), Hard())
        for channel in HTAUTAU.analysis.channels:
            expected = prediction(branches, cuts, channel.name, remainder)
            for row, process in enumerate(half.processes):
                ours = channel.axis.select(templates[channel.name].sumw[row])
                np.testing.assert_allclose(ours, expected[process], rtol=2e-5, atol=2e-3)


def test_tau_energy_scale_equals_numpy(split, branches):
    """Up to the few events that the float32 of a column or the tau's mass moves across an edge."""
    templates = HTAUTAU.analysis.histograms(split.held_out, parameters(TIGHT), Hard())
    for side, shift in ((templates.up, 0.03), (templates.down, -0.03)):
        for channel in HTAUTAU.analysis.channels:
            expected = prediction(branches, TIGHT, channel.name, 1, tau_scale=shift)
            for process in ("ztt", "higgs"):
                row = split.held_out.processes.index(process)
                ours = np.asarray(channel.axis.select(side["tau_scale"][channel.name].sumw[row]))
                assert abs(ours - expected[process]).sum() < 0.02 * expected[process].sum() + 1e-3


def test_prediction_agrees_with_the_data(split, observed):
    """After the baseline selection, in each half of the simulation: within ten per cent, and within three sigma."""
    seen = count(HTAUTAU.analysis, observed, HTAUTAU.parameters)
    data = sum(float(counts.sumw.sum()) for counts in seen.values())
    assert data == 2796
    for half in (split.train, split.held_out):
        predicted = HTAUTAU.analysis.histograms(half, HTAUTAU.parameters, Hard())
        assert data / sum(float(counts.sumw.sum()) for counts in predicted.values()) == pytest.approx(1, abs=0.1)


@pytest.mark.thorough
@pytest.mark.parametrize("backend", [InMemory(), OutOfCore(Path("cache"))])
def test_cached_events_make_the_same_prediction(split, folder, backend, tmp_path, monkeypatch):
    """Read again from the cache, without the files, and with shards on disk."""
    monkeypatch.chdir(tmp_path)
    fileset = find_samples(folder)
    once = load_events(HTAUTAU, fileset, cache="cache", backend=backend)
    # Z bosons in two parts, everything but the signal with either charges, of the data those with equal ones
    expected = Counter({name: 1 if name in ("ggh", "vbf", "data") else 2 for name in [*SIMULATION, "data"]}) + Counter(
        ["dy"]
    )
    assert Counter(entry.sample for entry in Cache(Path("cache")).entries()) == expected
    monkeypatch.setattr(SampleReader, "__init__", lambda *_: pytest.fail("a file was read again"))
    again = load_events(HTAUTAU, fileset, cache="cache", backend=backend)
    for read in (once, again):
        for ours, theirs in ((read.train, split.train), (read.held_out, split.held_out)):
            found = Pool.of(ours).total(Fill(HTAUTAU.analysis), HTAUTAU.parameters, Hard())
            expected = Pool.of(theirs).total(Fill(HTAUTAU.analysis), HTAUTAU.parameters, Hard())
            for channel in HTAUTAU.analysis.channels:
                np.testing.assert_allclose(found[channel.name].sumw, expected[channel.name].sumw, rtol=1e-5, atol=1e-5)


def damaged(folder, copy, name):
    """Link a folder, but spoil the end of a column in one of its files."""
    for path in folder.iterdir():
        (copy / path.name).symlink_to(path)
    with uproot.open(folder / name) as file:
        seek = int(file["Events"]["pt_1"].member("fBasketSeek")[30])
    whole = bytearray((folder / name).read_bytes())
    whole[seek : seek + 200] = bytes(200)
    (copy / name).unlink()
    (copy / name).write_bytes(whole)
    return find_samples(copy)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        # a sample without any event is no prediction
        (SIMULATION["dy"].file, r"sample 'dy': no file can be read; .*DYJetsToLLSkim\.root cannot be read"),
        # what is lost of the data would have to be taken off the luminosity
        (DATA, r"cannot be skipped: .* does not say which part of sample 'data' each file is"),
    ],
)
@pytest.mark.filterwarnings("ignore:.* It is skipped")
def test_files_without_a_substitute_are_not_skipped(folder, tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        load_events(HTAUTAU, damaged(folder, tmp_path, name), skip_bad_files=True)


@pytest.mark.thorough
def test_both_periods_make_the_prediction_larger(folder, branches, split, tmp_path):
    """With a second file of data (here of the same events, which have no numbers) the luminosity is that of both."""
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    with uproot.recreate(tmp_path / "Run2012C_TauPlusXSkim.root") as file:
        again = branches[DATA]
        file.mktree(HTAUTAU.tree, {name: values.dtype for name, values in again.items()}).extend(again)
    fileset = find_samples(tmp_path)
    assert HTAUTAU.source.luminosity(fileset) == sum(PERIODS.values()) == 11467
    both = load_events(dataclasses.replace(HTAUTAU, luminosity=11467.0), fileset)
    one, two = (HTAUTAU.analysis.histograms(x.train, HTAUTAU.parameters, Hard())["inclusive"] for x in (split, both))
    ztt = split.train.processes.index("ztt")
    np.testing.assert_allclose(two.sumw[ztt], one.sumw[ztt] * 11467 / 4412, rtol=1e-5)


# ---------------------------------------------------------------------------------------------------- what is missing


def test_missing_events_are_explained(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "htautau"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("hepgrad: there is no folder htautau_cms2012; this workflow has no events of its own")
    for expected in ("records 12351 to 12359", "--data FOLDER", "DYJetsToLLSkim.root", DATA):
        assert expected in message


def test_missing_files_are_named(folder, tmp_path):
    for path in folder.iterdir():
        if path.name not in ("TTbarSkim.root", DATA):
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(InputError, match=f"lacks TTbarSkim.root, {DATA}; this workflow has no events of its own"):
        find_samples(tmp_path)


# --------------------------------------------------------------------------------------------------------- blinding


@pytest.fixture(scope="module")
def without_signal_data(folder, branches, tmp_path_factory):
    """The same folder, but the events of the signal selection are not in the data at all."""
    copy = tmp_path_factory.mktemp("blind")
    for path in folder.iterdir():
        if path.name != DATA:
            (copy / path.name).symlink_to(path)
    data = branches[DATA]
    same_sign = data["q_1"] * data["q_2"] > 0
    # an event that is dropped must not change which of the others are held out
    spoilt = {name: np.where(same_sign, values, values.dtype.type(-999)) for name, values in data.items()}
    spoilt |= {"q_1": data["q_1"], "q_2": data["q_2"]}
    with uproot.recreate(copy / DATA) as file:
        file.mktree("Events", {name: values.dtype for name, values in spoilt.items()}).extend(spoilt)
    return copy


@pytest.fixture(scope="module")
def blinded(without_signal_data, tmp_path_factory):
    """A run without --unblind, on data whose signal selection is spoilt, that may not ask for the observed events."""
    output = tmp_path_factory.mktemp("runs") / "htautau"
    with pytest.MonkeyPatch.context() as patch, jax.enable_x64(True), warnings.catch_warnings():
        patch.setattr(TauPairs, "observed", lambda *_: pytest.fail("the observed events were asked for"))
        warnings.simplefilter("ignore", InputWarning)
        result = run(QUICK, data=without_signal_data, output=output, quiet=True, steps=3)
    return result, output


@pytest.mark.thorough
def test_the_prediction_does_not_depend_on_the_observed_events(split, without_signal_data):
    """And an optimisation has no other input than the prediction; see also test_observation."""
    spoilt = load_events(HTAUTAU, find_samples(without_signal_data))
    for ours, theirs in ((spoilt.train, split.train), (spoilt.held_out, split.held_out)):
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.slow
def test_a_blinded_run_does_not_depend_on_the_observed_events(blinded, split):
    result, _ = blinded
    hard = HTAUTAU.analysis.histograms(split.held_out, HTAUTAU.parameters, Hard())
    for channel in HTAUTAU.analysis.channels:
        ours = result.start.hard_held_out.histograms[channel.name].sumw
        np.testing.assert_allclose(ours, hard[channel.name].sumw, rtol=1e-5, atol=1e-5)


def test_data_cannot_be_taken_for_a_prediction(folder):
    processes = [dataclasses.replace(p, datasets=("dy", "data")) if p.name == "ztt" else p for p in HTAUTAU.processes]
    workflow = dataclasses.replace(HTAUTAU, processes=processes)
    with pytest.raises(InputError, match="process 'ztt': collision data are no prediction"):
        load_events(workflow, find_samples(folder))


@pytest.mark.slow
def test_a_blinded_run_shows_no_observed_events(blinded):
    _, output = blinded
    assert not [path for path in output.rglob("*") if "observed" in path.name]
    assert not [name for name in read_histograms(output) if "data" in name or "observed" in name]
    assert json.loads((output / "run.json").read_text())["unblinded"] is False
    page = (output / "report.html").read_text()
    assert "Blinded: the observed events of the signal selection have not been used" in page
    assert "Signal strength" not in page
    assert "Expected uncertainty of mu with hard cuts on events that the optimiser never saw" in page


@pytest.mark.parametrize("cuts", [START, TIGHT], ids=["baseline", "tight"])
def test_unblinded_histograms_equal_numpy(observed, branches, cuts):
    counts = count(HTAUTAU.analysis, observed, parameters(cuts))
    data = branches[DATA]
    for channel in HTAUTAU.analysis.channels:
        expected = filled(data, data["q_1"] * data["q_2"] == -1, 1, cuts, channel.name)
        np.testing.assert_array_equal(channel.axis.select(counts[channel.name].sumw), expected)


@pytest.mark.slow
def test_unblinding_fits_the_observed_events(blinded, split, observed):
    result, _ = blinded
    observation = observe(QUICK.analysis, observed, result, split.held_out)
    # on the prediction itself the fit finds the signal, with the uncertainty that the cuts were tuned for
    assert observation.expected.estimate == pytest.approx(1, abs=1e-6)
    assert observation.expected.uncertainty == pytest.approx(np.exp(-result.optimum.hard_held_out.objective), rel=1e-6)
    assert observation.observed.uncertainty == pytest.approx(observation.expected.uncertainty, rel=0.5)
    assert abs(observation.observed.estimate) < 3 * observation.observed.uncertainty
    assert observation.numbers()["events"]["start"] == {"inclusive": 2788.0, "vbf": 8.0}


@pytest.mark.slow
def test_unblinded_from_the_command_line(folder, tmp_path, capsys):
    output = tmp_path / "run"
    arguments = ["run", "htautau", "--data", str(folder), "--output", str(output), "--steps", "60", "--unblind"]
    assert main(arguments) == 0
    assert "Signal strength, optimised cuts" in capsys.readouterr().out
    numbers = json.loads((output / "observed.json").read_text())
    assert numbers["events"]["start"] == {"inclusive": 2788.0, "vbf": 8.0}
    assert read_histograms(output)["inclusive/data/start/observed"].sum(flow=True).value == 2788
    gain = json.loads((output / "result.json").read_text())["gain_hard_held_out"]
    assert gain > 1.1
    assert "Blinded" not in (output / "report.html").read_text()
