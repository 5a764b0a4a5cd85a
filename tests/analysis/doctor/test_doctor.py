"""Every finding of the doctor, provoked; and a healthy analysis, in which there is none."""

from __future__ import annotations

import dataclasses
import sys

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Dataset,
    Parameter,
    Parameters,
    Regular,
    Severity,
    Soft,
    Split,
    check,
    measured_widths,
    stage,
    window,
)
from hepgrad.analysis.comparisons import distances
from hepgrad.analysis.doctor.branches import examine_branches
from hepgrad.analysis.doctor.columns import examine_columns, examine_processes
from hepgrad.analysis.doctor.compilation import examine_compilation
from hepgrad.analysis.doctor.derivatives import examine_differences, examine_gradient
from hepgrad.analysis.doctor.patient import Patient
from hepgrad.analysis.doctor.reach import inputs_that_matter
from hepgrad.analysis.doctor.selections import (
    examine_lost_processes,
    examine_selections,
    examine_statistics,
    examine_thresholds,
)
from hepgrad.analysis.doctor.widths import examine_widths
from hepgrad.analysis.statistics import asimov_z

pytestmark = pytest.mark.usefixtures("quick_compilation")

N = 3000


class Simple(CountingModel):
    """A model that compiles fast."""

    def discovery(self, histograms, axes, processes, typical_weight):
        s, b = histograms["sr"].sumw.sum(axis=-1)
        return asimov_z(s, b)


@stage(reads=["Jet_pt", "MET_pt"], parameters=["jet_pt", "met"])
def select(events, cut):
    jets = events.Jet.select(events.Jet.pt > cut.jet_pt)
    events = events.select(jets.at_least(1), "a jet").select(events.MET.pt > cut.met, "met")
    return events.with_field(ht=jets.sum("pt"))


ANALYSIS = Analysis([select], [Channel("sr", "ht", Regular(3, 0.0, 600.0))], Simple(["signal"], 0.1))
CUTS = Parameters(
    jet_pt=Parameter(40.0, bounds=(20, 100), width=8.0, unit="GeV"),
    met=Parameter(50.0, bounds=(10, 200), width=10.0, unit="GeV"),
)


def sample(seed: int, scale: float, number: int = N) -> ak.Array:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(2.5, number)
    pt = ak.unflatten((20 + rng.exponential(scale, counts.sum())).astype(np.float32), counts)
    met = rng.exponential(scale, number).astype(np.float32)
    return ak.zip({"Jet": ak.zip({"pt": pt}), "MET": ak.zip({"pt": met})}, depth_limit=1)


def dataset(samples=None, weights=None, **kwargs) -> Dataset:
    samples = samples or {"signal": sample(0, 90.0), "background": sample(1, 50.0)}
    weights = weights or {name: np.full(len(s), 0.2) for name, s in samples.items()}
    return Dataset.from_awkward(samples, weights, **kwargs)


@pytest.fixture(scope="module")
def data():
    return dataset()


def found(examine, data, analysis=ANALYSIS, cuts=CUTS, *, severity, about, what):
    """The one finding about something, which must be as bad and say what it is expected to."""
    patient = Patient.of(analysis, data, cuts)
    (finding,) = [f for f in examine(patient) if about in f.subject]
    assert finding.severity is severity
    assert what in finding.what
    assert finding.why and finding.advice
    return finding


@pytest.mark.thorough
def test_a_healthy_analysis_has_no_finding(data):
    diagnosis = check(ANALYSIS, Split(data, data), CUTS)
    assert diagnosis.findings == ()
    assert diagnosis.worst is None
    assert str(diagnosis).startswith("nothing found (looked at processes, columns and weights,")


def test_findings_are_sorted_and_printed(data, monkeypatch):
    module = sys.modules["hepgrad.analysis.doctor.examination"]
    monkeypatch.setattr(module, "EXAMINATIONS", {"widths": examine_widths, "columns": examine_columns})
    broken = dataclasses.replace(data, weight=data.weight.at[0, 0].set(jnp.nan))
    wide = Parameters(**{**CUTS.specs, "met": Parameter(50.0, bounds=(10, 200), width=200.0)})
    diagnosis = check(ANALYSIS, broken, wide)
    assert [finding.severity for finding in diagnosis.findings] == [Severity.ERROR, Severity.WARNING]
    assert diagnosis.worst is Severity.ERROR
    text = str(diagnosis)
    for phrase in ("2 findings (looked at widths, columns)", "weights (train)", "parameter met", "error", "warning"):
        assert phrase in text


def test_weights_and_columns_that_are_no_numbers(data):
    broken = dataclasses.replace(data, weight=data.weight.at[0, :2].set(jnp.asarray([jnp.nan, jnp.inf])))
    found(examine_columns, broken, severity=Severity.ERROR, about="weights (train)", what="2 event weights are NaN")
    # the end of the buffer behind the last jet does not count
    content = data.columns.Jet.content.pt
    for index, number in ((3, 1), (-1, 0)):
        pt = content.at[0, index].set(jnp.nan)
        jets = dataclasses.replace(data.columns.Jet, content=type(data.columns.Jet.content)({"pt": pt}))
        columns = type(data.columns)({**data.columns.columns, "Jet": jets})
        patient = Patient.of(ANALYSIS, dataclasses.replace(data, columns=columns), CUTS)
        findings = list(examine_columns(patient))
        assert [f.subject for f in findings] == ["column Jet.pt (train)"] * number
        assert all(f.severity is Severity.WARNING and f.what.startswith("1 values") for f in findings)


def test_empty_processes(data):
    without = dataclasses.replace(data, process=jnp.where(data.process == 0, 2, data.process))
    found(examine_processes, without, severity=Severity.ERROR, about="process signal (train)", what="no events")
    negative = dataclasses.replace(data, weight=jnp.where(data.process == 1, -data.weight, data.weight))
    about = {"severity": Severity.ERROR, "about": "process background (held-out)"}
    found(examine_processes, Split(data, negative), what="3000 weights add up to -600", **about)


def test_selections_that_reject_everything_or_nothing(data):
    signal = {"severity": Severity.ERROR, "about": "selection 'met'", "what": "simulated signal events passes"}
    weak = dataset({"signal": sample(0, 3.0), "background": sample(1, 50.0)})
    found(examine_selections, weak, **signal)
    background = dataset({"signal": sample(0, 90.0), "background": sample(1, 3.0)})
    found(
        examine_selections,
        background,
        severity=Severity.WARNING,
        about="selection 'met'",
        what="simulated background events passes",
    )
    open_cut = Parameters(**{**CUTS.specs, "met": Parameter(-1.0, bounds=(-5, 5), width=1.0)})
    found(
        examine_selections,
        data,
        cuts=open_cut,
        severity=Severity.NOTE,
        about="selection 'met'",
        what="with hard cuts all of",
    )


def test_a_background_of_which_no_simulated_event_passes(data):
    samples = {"signal": sample(0, 90.0), "background": sample(1, 50.0), "qcd": sample(2, 1.0, 40)}
    weights = {name: np.full(len(events), 500.0 if name == "qcd" else 0.2) for name, events in samples.items()}
    what = "20,000 +- 3,162 events are expected before the selection, and none of the 40 simulated ones passes it"
    finding = found(
        examine_lost_processes, dataset(samples, weights), severity=Severity.WARNING, about="process qcd", what=what
    )
    assert "one simulated event stands for 500 events" in finding.why
    assert not list(examine_lost_processes(Patient.of(ANALYSIS, data, CUTS)))


def test_thresholds_on_one_side_of_everything(data):
    cuts = Parameters(**{**CUTS.specs, "met": Parameter(5000.0, bounds=(10, 6000), width=100.0)})
    rejects = {"severity": Severity.WARNING, "about": "parameter met", "what": "rejects everything"}
    assert "6000 values" in found(examine_thresholds, data, cuts=cuts, **rejects).what
    accepts = {"severity": Severity.NOTE, "about": "parameter jet_pt", "what": "accepts everything"}
    found(
        examine_thresholds,
        data,
        cuts=Parameters(**{**CUTS.specs, "jet_pt": Parameter(10.0, bounds=(5, 90))}),
        **accepts,
    )


def test_few_effective_events(data):
    """One background event of a large weight: the effective number in its bin is near 1, however many there are."""
    weight = data.weight.at[0, 2 * N - 1].set(1e4)
    bins = {
        "severity": Severity.WARNING,
        "about": "channel sr",
        "what": "effective background events with hard cuts (1.0 in",
    }
    few = found(examine_statistics, dataclasses.replace(data, weight=weight), cuts=CUTS.replace(met=10.0), **bins)
    assert few.what.startswith(("1 of 3", "2 of 3"))
    tight = dataset({"signal": sample(0, 12.0), "background": sample(1, 50.0)})
    about = {"severity": Severity.WARNING, "about": "channel sr", "what": "effective signal events are selected"}
    found(examine_statistics, tight, **about)


def test_widths_that_do_not_fit(data):
    wide = Parameters(**{**CUTS.specs, "met": Parameter(50.0, bounds=(10, 200), width=200.0)})
    about = {"severity": Severity.WARNING, "about": "parameter met"}
    found(examine_widths, data, cuts=wide, what="times the distance between the quartiles", **about)
    narrow = Parameters(**{**CUTS.specs, "met": Parameter(50.0, bounds=(10, 200), width=1e-4)})
    found(examine_widths, data, cuts=narrow, what="of 6000 values lie within two widths", **about)
    frozen = Parameters(**{**CUTS.specs, "met": Parameter(50.0, bounds=(10, 200), width=200.0, frozen=True)})
    assert list(examine_widths(Patient.of(ANALYSIS, data, frozen))) == []
    measured = measured_widths(ANALYSIS, data, wide)
    assert list(examine_widths(Patient.of(ANALYSIS, data, measured))) == []
    met = np.concatenate([np.asarray(sample(seed, scale).MET.pt) for seed, scale in ((0, 90.0), (1, 50.0))])
    quartiles = np.subtract(*np.quantile(met[np.abs(met - 50) <= 190], [0.75, 0.25]))
    assert measured.specs["met"].width == pytest.approx(0.25 * quartiles, rel=1e-4)
    assert measured["met"] == wide["met"]


def test_what_fills_up_a_block_is_not_compared(data):
    """Of events and of objects: there are as many distances as real ones, whatever the blocks."""
    expected = distances(ANALYSIS, dataset(block_size=2 * N), CUTS)
    for blocks in (data, dataset(block_size=512)):
        assert blocks.weight.size > 2 * N
        told = distances(ANALYSIS, blocks, CUTS)
        assert set(told) == {"jet_pt", "met"}
        for name, values in told.items():
            np.testing.assert_array_equal(np.sort(values), np.sort(expected[name]))


def test_distances_of_every_kind_of_comparison(data):
    """Arrays, shifted and scaled thresholds, windows; frozen and array parameters."""

    @stage(reads=["Jet_pt", "MET_pt"])
    def compare(events, cut):
        index = jnp.zeros(len(events), jnp.int32)
        passed = window(events.MET.pt, cut.low, cut.low + cut.size.value) & (events.MET.pt < 2 * cut.pair[1])
        return events.select(passed & (events.MET.pt > cut.pair[index]) & (events.MET.pt < cut.size + 1))

    cuts = Parameters(
        low=Parameter(20.0, bounds=(0, 50), width=2.0),
        size=Parameter(30.0, bounds=(1, 90), width=3.0),
        pair=Parameter([10.0, 60.0], bounds=(0, 99), width=(4.0, 5.0), frozen=True),
        unused=Parameter(1.0, bounds=(0, 2)),
    )
    analysis = dataclasses.replace(ANALYSIS, stages=[compare])
    met = np.concatenate([np.asarray(sample(seed, scale).MET.pt) for seed, scale in ((0, 90.0), (1, 50.0))])
    expected = {
        "low": np.concatenate([(met - 20) / 2, (50 - met) / 2]),
        "size": (31 - met) / 3,
        "pair": np.concatenate([(120 - met) / 10, (met - 10) / 4]),
    }
    told = distances(analysis, data, cuts)
    assert set(told) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(np.sort(told[name]), np.sort(values), rtol=1e-4, atol=1e-4)


def test_branches_that_are_dead_or_not_declared(data):
    @stage(reads=["Jet_pt", "Jet_eta"])
    def careless(events, cut):
        return select.function(events, cut)

    eta = ak.zip({"pt": sample(0, 90.0).Jet.pt, "eta": sample(0, 90.0).Jet.pt})
    with_eta = {name: ak.with_field(sample(0, 90.0), eta, "Jet") for name in ("signal", "background")}
    analysis = dataclasses.replace(ANALYSIS, stages=[careless])
    both = dataset(with_eta)
    warning = {"severity": Severity.WARNING}
    found(examine_branches, both, analysis, about="branch Jet_eta", what="no histogram depends on it", **warning)
    found(examine_branches, both, analysis, about="branch MET_pt", what="no stage declares that it reads it", **warning)


def test_reach_follows_functions_and_trusts_no_loop():
    """What is multiplied by zero still counts; what only a discarded output needs does not."""

    @jax.jit
    def inner(a, b, c):
        return a + 1, jnp.sin(b), jax.checkpoint(jnp.cos)(c)

    def outer(a, b, c, d):
        first, second, _ = inner(a, b, c)
        return first * 0, jax.lax.fori_loop(0, 2, lambda i, carry: (carry[0] + second, carry[1]), (second, d))[0]

    one = jnp.ones(())
    assert inputs_that_matter(outer, one, one, one, one) == (True, True, False, True)


def test_a_layout_of_its_own(data):
    short = dataset({"signal": sample(0, 90.0, 100), "background": sample(1, 50.0)})
    found(
        examine_compilation,
        Split(data, short),
        severity=Severity.NOTE,
        about="events (held-out)",
        what="arrays have another shape or type than in the part 'train'",
    )
    double = jax.tree.map(lambda x: x.astype(np.float16) if x.dtype == np.float32 else x, data)
    patient = Patient.of(ANALYSIS, Split([data, data], data, validation=double), CUTS)
    assert [finding.subject for finding in examine_compilation(patient)] == ["events (validation)"]


def broken_analysis(threshold):
    @stage(reads=["MET_pt"])
    def broken(events, cut):
        passed = (events.MET.pt > cut.met) & threshold(events, cut)
        return events.select(passed).with_field(ht=events.MET.pt)

    return dataclasses.replace(ANALYSIS, stages=[broken])


@pytest.mark.thorough
def test_parameters_without_a_derivative(data):
    error = {"severity": Severity.ERROR, "about": "parameter extra"}
    cuts = Parameters(met=CUTS.specs["met"], extra=Parameter(30.0, bounds=(20, 60)))
    found(
        examine_gradient,
        data,
        broken_analysis(lambda events, cut: events.MET.pt > 20),
        cuts,
        what="no histogram",
        **error,
    )
    hard = broken_analysis(lambda events, cut: events.MET.pt > cut.extra.value)
    found(examine_gradient, data, hard, cuts, what="is exactly 0", **error)
    root = broken_analysis(lambda events, cut: events.MET.pt > cut.extra + jnp.sqrt(cut.met.value - 50.0))
    about = {"severity": Severity.ERROR, "about": "gradient"}
    found(examine_gradient, data, root, cuts, what="stage 'broken' has a derivative with respect to 'met'", **about)


def test_a_derivative_that_is_not_that_of_the_function(data):
    """Half of the dependence is hidden from the gradient."""
    hidden = broken_analysis(lambda events, cut: 2 * events.MET.pt > cut.met + 2 * jax.lax.stop_gradient(cut.met.value))
    about = {"severity": Severity.ERROR, "about": "parameter met", "what": "finite differences give"}
    found(examine_differences, data, hidden, Parameters(met=CUTS.specs["met"]), **about)


def test_differences_agree_in_float64_and_along_arrays(x64):
    @stage(reads=["MET_pt"])
    def binned(events, cut):
        first = (events.MET.pt > cut.pair[0]) | (events.MET.pt > cut.pair[1])
        return events.select(first).with_field(ht=events.MET.pt)

    analysis = dataclasses.replace(ANALYSIS, stages=[binned])
    cuts = Parameters(pair=Parameter([40.0, 90.0], bounds=(10, 200), width=10.0))
    exact = jax.tree.map(lambda x: x.astype(float) if x.dtype == np.float32 else x, dataset())
    assert list(examine_differences(Patient.of(analysis, exact, cuts))) == []


def test_a_fit_that_fails_at_the_start_or_beside_it(flagged):
    data = flagged.events(1)
    nowhere = flagged.analysis(lambda b, is_hard: b < 100)
    about = {"severity": Severity.ERROR, "about": "fit", "what": "did not converge, from any of its starts"}
    found(examine_gradient, data, nowhere, flagged.START, **about)
    assert list(examine_differences(Patient.of(nowhere, data, flagged.START))) == []
    # more background than at the start
    here = float(nowhere.histograms(data, flagged.START, Soft())["all"].sumw[1].sum())
    beside = flagged.analysis(lambda b, is_hard: b < here + 0.1)
    assert list(examine_gradient(Patient.of(beside, data, flagged.START))) == []
    about = {"severity": Severity.WARNING, "about": "parameter x", "what": "a fit fails when it moves by"}
    found(examine_differences, data, beside, flagged.START, **about)
