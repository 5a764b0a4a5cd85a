"""The Z' search on the embedded events: against plain Awkward, against finite differences, and what it promises."""

from __future__ import annotations

import json

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from hepgrad.analysis import Hard, Soft, optimize
from hepgrad.workflows import Fileset, load, read_events
from hepgrad.workflows.config import configured
from hepgrad.workflows.zprime import ZPRIME

pytestmark = pytest.mark.skipif(not (ZPRIME.data / "fileset.json").exists(), reason="the embedded events are missing")

START = ZPRIME.parameters.to_dict()
TIGHT = {**START, "muon_iso": 0.06, "jet_pt": 60.0, "btag": 0.8, "met": 90.0, "lepton_ht": 260.0, "fatjet_pt": 620.0}
LOOSE = {**START, "muon_pt": 32.0, "muon_iso": 0.38, "btag": 0.12, "met": 25.0, "fatjet_pt": 405.0, "toptag": 0.15}


def load_split(folder=ZPRIME.data, workflow=ZPRIME):
    return load(Fileset.load(folder), workflow.processes, workflow.analysis.reads, luminosity=workflow.luminosity)


@pytest.fixture(scope="module")
def split():
    return load_split()


@pytest.fixture(scope="module")
def samples():
    """The same files as plain Awkward arrays: for each process, the (events, weights) of each of its samples."""
    fileset = json.loads((ZPRIME.data / "fileset.json").read_text())
    result = {}
    for process in ZPRIME.processes:
        result[process.name] = []
        for name in process.datasets:
            sample = fileset[name]["nominal"]
            files = [ZPRIME.data / file["path"] for file in sample["files"]]
            events = ak.concatenate([read_events(f, [*ZPRIME.analysis.reads, "genWeight"]) for f in files])
            scale = sample["xsec_pb"] * ZPRIME.luminosity / sample["sumw_total"]
            result[process.name].append((events, ak.to_numpy(events.genWeight).astype(float) * scale))
    return result


def awkward_selection(events, cut):
    """The selection and m(tt), written a second time, with Awkward and NumPy only."""
    muons = events.Muon
    muons = muons[(muons.pt > cut["muon_pt"]) & (abs(muons.eta) < cut["muon_eta"])]
    muons = muons[muons.pfRelIso04_all < cut["muon_iso"]]
    jets = events.Jet[(events.Jet.pt > cut["jet_pt"]) & (abs(events.Jet.eta) < cut["jet_eta"])]
    fat = events.FatJet[events.FatJet.pt > cut["fatjet_pt"]]
    fat = fat[fat.particleNet_TvsQCD > cut["toptag"]]
    lead = ak.fill_none(ak.firsts(muons.pt), 0.0)
    passed = (
        (ak.num(muons) == 1)
        & ak.any(jets.btagCSVV2 > cut["btag"], axis=1)
        & (events.MET.pt > cut["met"])
        & (lead + events.MET.pt > cut["lepton_ht"])
        & (ak.num(fat) > 0)
    )
    passed = ak.to_numpy(passed)
    mu, fatjet, met = muons[passed][:, 0], fat[passed][:, 0], events.MET[passed]
    first_muon = events.Muon[passed][:, 0]
    sel = jets[passed]
    dphi = (sel.phi - first_muon.phi + np.pi) % (2 * np.pi) - np.pi
    near = sel[np.sqrt((sel.eta - first_muon.eta) ** 2 + dphi**2) < 2.0]
    jet = ak.firsts(near)

    def cartesian(p):
        pt, eta, phi, mass = (np.asarray(ak.fill_none(p[k], 0.0), np.float64) for k in ("pt", "eta", "phi", "mass"))
        px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
        return np.array([px, py, pz, np.sqrt(px**2 + py**2 + pz**2 + mass**2)])

    lepton = cartesian(mu)
    nx, ny = (np.asarray(met.pt * f(met.phi), np.float64) for f in (np.cos, np.sin))
    mu_w = 80.4**2 / 2 + lepton[0] * nx + lepton[1] * ny
    pt2 = lepton[0] ** 2 + lepton[1] ** 2
    root = np.sqrt(np.maximum(mu_w**2 - pt2 * (nx**2 + ny**2), 0)) * lepton[3] / pt2
    solutions = mu_w * lepton[2] / pt2 + np.array([root, -root])
    nz = np.where(abs(solutions[0]) < abs(solutions[1]), *solutions)
    neutrino = np.array([nx, ny, nz, np.sqrt(nx**2 + ny**2 + nz**2)])
    total = lepton + neutrino + cartesian(jet) + cartesian(fatjet)
    return passed, np.sqrt(np.maximum(total[3] ** 2 - (total[:3] ** 2).sum(axis=0), 0))


@pytest.mark.parametrize("values", [START, TIGHT, LOOSE], ids=["start", "tight", "loose"])
def test_hard_reading_equals_awkward_event_for_event(split, samples, values):
    parameters = ZPRIME.parameters.replace(**values)
    select = jax.jit(jax.vmap(lambda events: ZPRIME.analysis.select(events, parameters, Hard())))
    for half, parity in ((split.train, 0), (split.held_out, 1)):
        selected = select(half.events)
        for index, name in enumerate(half.processes):
            mine = np.asarray(half.process) == index
            events = ak.concatenate([events[parity::2] for events, _ in samples[name]])
            passed, mass = awkward_selection(events, values)
            np.testing.assert_array_equal(np.asarray(selected.probability)[mine], passed.astype(np.float32))
            np.testing.assert_allclose(np.asarray(selected.m_tt)[mine][passed], mass, rtol=2e-4)


def test_starting_cuts_leave_enough_simulated_events(samples):
    """Effective entries after the starting hard cuts, in all events."""
    effective = {}
    for name, parts in samples.items():
        w = np.concatenate([weight[awkward_selection(events, START)[0]] for events, weight in parts])
        effective[name] = w.sum() ** 2 / (w**2).sum()
    assert effective["zprime"] >= 300
    assert effective["ttbar"] >= 300
    assert effective["wjets"] >= 20


def test_no_bin_is_empty_of_background_and_the_start_is_between_2_and_4(split):
    for half in (split.train, split.held_out):
        counts = ZPRIME.analysis.histograms(half, ZPRIME.parameters, Hard())["m_tt"]
        background = ZPRIME.analysis.channels[0].axis.select(counts.sumw)[1:].sum(axis=0)
        assert np.all(np.asarray(background) > 0)
        assert 2 < float(ZPRIME.analysis.figure_of_merit({"m_tt": counts}, half)) < 4


@pytest.mark.slow
def test_gradient_of_the_whole_chain_agrees_with_central_differences(x64):
    """Every parameter, in float64: relative 1e-5."""
    data = jax.tree.map(lambda x: x.astype(np.float64) if x.dtype == np.float32 else x, load_split().train)
    f = jax.jit(lambda scaled: ZPRIME.analysis.evaluate(data, ZPRIME.parameters.from_scaled(scaled), Soft(1.0)))
    # away from the bounds, where the start of the muon's eta lies
    point = ZPRIME.parameters.replace(muon_eta=2.2, jet_eta=2.2).scaled()
    gradient = jax.jit(jax.grad(f))(point)
    forward = jax.jit(lambda p, t: jax.jvp(f, (p,), (t,))[1])
    for name in point:
        h = 1e-4
        up, down = ({**point, name: point[name] + s * h} for s in (1, -1))
        upper, lower = ({**point, name: point[name] + s * 2 * h} for s in (1, -1))
        # fourth order, so that the step may be large enough against rounding
        difference = (8 * (f(up) - f(down)) - (f(upper) - f(lower))) / (12 * h)
        np.testing.assert_allclose(gradient[name], difference, rtol=1e-5, err_msg=name)
        tangent = {k: jnp.asarray(float(k == name)) for k in point}
        np.testing.assert_allclose(forward(point, tangent), difference, rtol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def result(split):
    return optimize(
        ZPRIME.analysis,
        split,
        parameters=ZPRIME.parameters,
        optimizer=optax.adam(ZPRIME.learning_rate),
        steps=ZPRIME.steps,
        anneal=ZPRIME.anneal,
    )


def test_optimised_cuts_measure_better_on_events_never_seen(result):
    assert result.gain >= 1.15


def test_optimum_is_not_below_the_best_of_300_random_points(split, result):
    """Random search with the same number of evaluations, in the hard reading, on the same training half."""
    rng = np.random.default_rng(20261122)
    specs = ZPRIME.parameters.specs
    hard = jax.jit(lambda p: ZPRIME.analysis.evaluate(split.train, p, Hard()))
    points = [ZPRIME.parameters.replace(**{k: rng.uniform(*s.bounds) for k, s in specs.items()}) for _ in range(300)]
    best = max(float(hard(p)) for p in points)
    assert result.optimum.hard_train.objective >= best
    # the random search may overtrain, the optimum on events it never saw is better even than that
    assert result.optimum.hard_held_out.objective >= best


@pytest.mark.slow
def test_larger_events_run_through_the_same_analysis(shared_data):
    datasets = {name: {"datasets": [f"{name}_boosted"]} for name in ("ttbar", "wjets")}
    workflow = configured(ZPRIME, {"processes": datasets}, origin="test")
    split = load_split(shared_data / "pythia13tev", workflow)
    result = optimize(
        ZPRIME.analysis,
        split,
        parameters=ZPRIME.parameters,
        optimizer=optax.adam(ZPRIME.learning_rate),
        steps=60,
        anneal=ZPRIME.anneal,
    )
    assert result.optimum.hard_train.objective > result.start.hard_train.objective
