"""What a run folder holds: parameters, history, cutflow, results and histograms, for people and for programs."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hist
import numpy as np
import uhi.io.json
import uproot

from hepgrad.analysis import Analysis, Dataset, Evaluation, Optimisable, Point, Result
from hepgrad.analysis.histogram import to_hist
from hepgrad.analysis.statistics import TemplateModel

from .bootstrap import Improvement
from .errors import InputError
from .inference_files import write_inference
from .observation import Observation
from .run_folder import RunFolder

EVALUATIONS = ("soft_train", "soft_held_out", "hard_train", "hard_held_out")
HISTOGRAMS = "histograms.json"


def write_results(
    folder: RunFolder,
    result: Result,
    analysis: Analysis,
    about: Dataset,
    improvement: Improvement,
    observation: Observation | None = None,
) -> None:
    """Write everything a program may want to read.

    Parameters
    ----------
    folder
        Where to.
    result
        What the optimisation found.
    analysis
        What was optimised.
    about
        Held-out events, for their processes and typical weights.
    improvement
        What was gained on them, with its uncertainty.
    observation
        What was observed; None while the analysis is blinded.
    """
    folder.write_json("parameters.json", parameters_table(result))
    folder.write_json("result.json", {**objectives_and_yields(result), "improvement": improvement_table(improvement)})
    names = list(result.start.parameters.numbers())
    folder.write_csv(
        "history.csv",
        ["step", "objective", "width", "hard_objective", *names],
        (
            [r.step, r.objective, r.width, "" if math.isnan(r.hard) else r.hard, *(r.values[n] for n in names)]
            for r in result.history
        ),
    )
    folder.write_csv("cutflow.csv", CUTFLOW_COLUMNS, cutflow_rows(result))
    histograms = named_histograms(result, analysis)
    if observation is not None:
        folder.write_json("observed.json", observation.numbers())
        histograms |= observation.named_histograms(result, analysis)
    write_histograms(folder, histograms)
    if isinstance(analysis.model, TemplateModel):
        write_inference(folder, result, analysis, about, observation)


def points(result: Result) -> dict[str, Point]:
    """Return the two points of a result by name.

    Parameters
    ----------
    result
        What the optimisation found.
    """
    return {"start": result.start, "optimum": result.optimum}


def parameters_table(result: Result) -> dict[str, dict[str, Any]]:
    """Return, by parameter: start, optimum, and what describes it (bounds, unit, width, scale, frozen, label, ...).

    Parameters
    ----------
    result
        What the optimisation found.
    """
    start, optimum = (point.parameters.to_dict() for point in points(result).values())

    def told(name: str, spec: Optimisable) -> dict[str, Any]:
        entry = spec.to_entry(result.start.parameters[name])
        described = {key: entry[key] for key in entry if key not in ("value", "weights")}
        return {"start": start[name], "optimum": optimum[name], **described, "label": spec.label or name}

    return {name: told(name, spec) for name, spec in result.start.parameters.specs.items()}


def objectives_and_yields(result: Result) -> dict[str, Any]:
    """Return the objective and the yields of both points in both readings on both halves, and the gain.

    Parameters
    ----------
    result
        What the optimisation found.
    """

    def told(evaluation: Evaluation) -> dict[str, Any]:
        return {"objective": _finite(evaluation.objective), "yields": dict(evaluation.yields)}

    told_points = {
        name: {which: told(getattr(point, which)) for which in EVALUATIONS} for name, point in points(result).items()
    }
    return {**told_points, "gain_hard_held_out": _finite(result.gain)}


def improvement_table(improvement: Improvement) -> dict[str, Any]:
    """Return the figure of merit at both points and the gain, with their uncertainties from simulated statistics.

    Parameters
    ----------
    improvement
        With hard cuts on held-out events.
    """
    figures = {field.name: getattr(improvement, field.name) for field in dataclasses.fields(improvement)}
    figures = {name: _finite(value) for name, value in figures.items() if name not in ("merit", "replicas")}
    return {
        "figure": improvement.merit.title,
        **figures,
        "exceeds_uncertainty": improvement.is_significant,
        "replicas": improvement.replicas,
    }


COUNTED = ("weighted", "weighted_uncertainty", "raw")
CUTFLOW_COLUMNS = ("point", "process", "step", *COUNTED, *(f"n_minus_1_{name}" for name in COUNTED))


def cutflow_rows(result: Result) -> Iterator[tuple[Any, ...]]:
    """Yield the cutflow with hard cuts on held-out events, one row per point, process and step.

    The last columns count the events that pass all selections but that of the step.

    Parameters
    ----------
    result
        What the optimisation found.
    """
    processes = list(result.start.hard_held_out.yields)
    for point_name, point in points(result).items():
        flow = point.cutflow
        tallies = [(np.asarray(t.yields), np.sqrt(t.variance), np.asarray(t.raw)) for t in (flow, flow.n_minus_1)]
        for p, process in enumerate(processes):
            for s, step in enumerate(flow.steps):
                counted = [(float(w[s, p]), float(u[s, p]), round(float(n[s, p]))) for w, u, n in tallies]
                yield point_name, process, step, *counted[0], *counted[1]


def named_histograms(result: Result, analysis: Analysis) -> dict[str, hist.Hist[Any]]:
    """Return every histogram by ``channel/process/point/reading``, such as ``m_tt/ttbar/optimum/hard_held_out``.

    Parameters
    ----------
    result
        What the optimisation found.
    analysis
        What was optimised.
    """
    processes = list(result.start.hard_held_out.yields)
    return {
        f"{channel.name}/{process}/{point_name}/{which}": to_hist(
            getattr(point, which).histograms[channel.name][row], channel.axis_at(point.parameters)
        )
        for channel in analysis.channels
        for row, process in enumerate(processes)
        for point_name, point in points(result).items()
        for which in EVALUATIONS
    }


def write_histograms(folder: RunFolder, histograms: dict[str, hist.Hist[Any]]) -> None:
    """Write histograms as a ROOT file, and as JSON from which `read_histograms` restores the `hist` objects.

    Parameters
    ----------
    folder
        Where to.
    histograms
        By name; slashes become folders in the ROOT file.
    """
    with folder.writing("histograms.root") as path, uproot.recreate(path) as file:
        for name, histogram in histograms.items():
            file[name] = histogram
    folder.write_text(HISTOGRAMS, json.dumps(histograms, default=uhi.io.json.default))


def read_histograms(path: str | Path) -> dict[str, hist.Hist[Any]]:
    """Read the histograms of a run.

    Parameters
    ----------
    path
        The run folder, or its ``histograms.json``.

    Returns
    -------
    dict
        `hist.Hist` by ``channel/process/point/reading``, such as ``m_tt/ttbar/optimum/hard_held_out``.

    Raises
    ------
    InputError
        When there is no such file, or it holds something else.
    """
    path = Path(path)
    path = path / HISTOGRAMS if path.is_dir() else path
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_hook=uhi.io.json.object_hook)
        return {name: hist.Hist(histogram) for name, histogram in content.items()}
    except FileNotFoundError:
        raise InputError(f"there is no {path}; give the folder of a run that has finished") from None
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path} does not hold histograms: {error}") from error


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
