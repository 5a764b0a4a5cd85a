"""The flag of a fit goes wherever its number goes: bootstraps, stored results, reports, the command line."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math

import jax
import numpy as np
import pytest

from hepgrad.analysis import FitError, Hard
from hepgrad.analysis.optimisation import FitTally
from hepgrad.workflows import RunFolder, StoredResult
from hepgrad.workflows.cli import program as cli
from hepgrad.workflows.reporting import write_report
from hepgrad.workflows.reporting.subject import Subject
from hepgrad.workflows.results.bootstrap import Improvement, bootstrap
from hepgrad.workflows.results.inference_files import impact_rows
from hepgrad.workflows.results.run_files import write_results


@pytest.mark.thorough
@pytest.mark.parametrize(("deviations", "known"), [(1.7, True), (0.5, False)])
def test_replicas_without_a_fit_are_left_out_and_counted(flagged, finished, deviations, known):
    """Those whose background has fluctuated down by so many standard deviations; it is about 160 +- 9 events."""
    data, without_rule = flagged.events(2), flagged.analysis(lambda b, is_hard: True)
    b = float(without_rule.histograms(data, flagged.START, Hard())["all"].sumw[1].sum())
    lowest = b - deviations * math.sqrt(b * flagged.WEIGHT)
    analysis = flagged.analysis(lambda b, is_hard: b > lowest)
    free = bootstrap(without_rule, data, flagged.START, replicas=200)
    values = bootstrap(analysis, data, flagged.START, replicas=200)
    kept = ~np.isnan(values)
    np.testing.assert_array_equal(values[kept], free[kept])
    failed = int((~kept).sum())
    assert (0 < failed <= 20) is known

    held_out = dataclasses.replace(finished[1].start.hard_held_out, objective=15.0)
    point = dataclasses.replace(finished[1].start, parameters=flagged.START, hard_held_out=held_out)
    result = dataclasses.replace(finished[1], start=point, optimum=point, merit=analysis.merit)
    improvement = Improvement.of(result, analysis, data, replicas=200)
    assert improvement.fits == FitTally(2 * failed, 400)
    assert f"{2 * failed} of 400 fits failed" in str(improvement)
    assert math.isnan(improvement.start_uncertainty) is not known
    assert "nan" not in str(improvement)
    if known:
        assert improvement.start_uncertainty == values[kept].std(ddof=1)


@pytest.fixture
def stored(finished, tmp_path):
    """A run whose start has no fit, nor one of the points on the way."""
    workflow, result, folder = finished
    checked = next(i for i, record in enumerate(result.history) if record.checks)
    history = list(result.history)
    history[checked] = dataclasses.replace(history[checked], hard=math.nan, failed=1)
    attempt = dataclasses.replace(result.best, history=tuple(history), failed=1)
    held_out = dataclasses.replace(result.start.hard_held_out, objective=math.nan, converged=False)
    start = dataclasses.replace(result.start, hard_held_out=held_out)
    result = dataclasses.replace(result, start=start, attempts=(attempt,))
    improvement = dataclasses.replace(
        StoredResult.read(folder).improvement, start=math.nan, gain=math.nan, start_failed=200
    )
    run = RunFolder.create(tmp_path / "run")
    flows = {"start": result.start.cutflow, "optimum": result.optimum.cutflow}
    write_results(run, result, workflow.analysis, None, improvement, flows)
    Subject.of(workflow).write(run)
    return result, improvement, run


@pytest.mark.thorough
def test_flags_are_stored_and_come_back(stored):
    result, improvement, run = stored
    again = StoredResult.read(run.path)
    assert again.result.fits == result.fits
    assert result.fits.failed == 3
    assert not again.result.start.hard_held_out.converged
    assert again.result.optimum.hard_held_out.converged
    assert again.result.attempts[0].failed == 1
    assert str(again.result) == str(result)
    assert [record.failed for record in again.result.history] == [record.failed for record in result.history]
    assert again.improvement.fits == improvement.fits
    told = json.loads((run.path / "result.json").read_text())
    assert told["fits"] == dataclasses.asdict(result.fits)
    assert told["start"]["hard_held_out"]["objective"] is None
    assert told["start"]["hard_held_out"]["converged"] is False
    assert told["optimum"]["hard_held_out"]["converged"] is True
    assert told["improvement"]["start"] is None


@pytest.mark.thorough
def test_the_report_tells_of_fits_that_failed_and_no_number_of_theirs(stored, finished):
    result, _, run = stored
    facts = json.loads((finished[2] / "run.json").read_text())
    write_report(run, facts)
    page = (run.path / "report.html").read_text()
    assert f"{result.fits}, of all evaluations" in page
    assert "<b>no fit &rarr; " in page
    assert ">nan<" not in page


@pytest.mark.thorough
def test_a_run_folder_of_before_the_flags_is_read(finished, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("parameters.json", "cutflow.csv", "histograms.json"):
        (folder / name).write_bytes((finished[2] / name).read_bytes())
    rows = [row.split(",") for row in (finished[2] / "history.csv").read_text().splitlines()]
    column = rows[0].index("failed_fits")
    (folder / "history.csv").write_text("".join(",".join(r[:column] + r[column + 1 :]) + "\n" for r in rows))
    told = json.loads((finished[2] / "result.json").read_text())
    for point in ("start", "optimum"):
        for evaluation in told[point].values():
            del evaluation["converged"]
    for descent in told["descents"]:
        del descent["start_failed"], descent["fits"]
    del told["fits"], told["improvement"]["start_failed"], told["improvement"]["optimum_failed"]
    (folder / "result.json").write_text(json.dumps(told))
    again = StoredResult.read(folder).result
    assert str(again) == str(finished[1])
    assert again.fits.failed == 0


@pytest.mark.thorough
@pytest.mark.parametrize(
    "error", [FitError("step 3: a fit failed"), RuntimeError("a mistake of the program")], ids=["fit", "mistake"]
)
def test_the_command_line_ends_with_the_reason(monkeypatch, capsys, error):
    def fails(arguments):
        raise error

    monkeypatch.setattr(cli, "_parser", lambda: argparse.ArgumentParser(argument_default=None))
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", lambda *args: argparse.Namespace(carry_out=fails))
    if isinstance(error, FitError):
        assert cli.main([]) == 2
        assert capsys.readouterr().err == "hepgrad: step 3: a fit failed\n"
    else:
        assert cli.main([]) == 70
        assert "RuntimeError: a mistake of the program" in capsys.readouterr().err


@pytest.mark.thorough
def test_impacts_of_a_parameter_whose_fit_failed_are_empty():
    from hepgrad.analysis.statistics import FitChannel, FitSample, Model, NormFactor, NormSys
    from hepgrad.analysis.statistics.inference import impacts

    with jax.enable_x64(True):
        background = FitSample("background", [50.0], [NormSys("xsec", hi=1.1, lo=0.9)])
        model = Model(
            [FitChannel("SR", [FitSample("signal", [10.0], [NormFactor("mu")]), background])],
            parameter_of_interest="mu",
        )
        result = impacts(model, model.expected_data(model.initial))
        lost = dataclasses.replace(result, converged=np.array([name != "xsec" for name in result.names]))
        rows = {row[0]: row[1:] for row in impact_rows(lost)}
    assert rows["xsec"][-5:] == ("", "", "", "", False)
    assert rows["mu"][-5:] == (0.0, 0.0, 0.0, 0.0, True)
