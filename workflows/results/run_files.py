"""What a run folder holds: parameters, history, cutflow, results and histograms, for people and for programs."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import hist
import numpy as np
import uhi.io.json
import uproot

from hepgrad.analysis import Analysis, Attempt, Dataset, Optimisable, Outcome, Point, Result, Soft, StepRecord
from hepgrad.analysis.data.folds import Folds
from hepgrad.analysis.data.judged import Judged
from hepgrad.analysis.data.split import Part
from hepgrad.analysis.histogram import to_hist
from hepgrad.analysis.optimisation import EVALUATIONS, Fold
from hepgrad.analysis.optimisation.programs.of_shards import Count
from hepgrad.analysis.selection.cutflow import Cutflow

from ..errors import InputError, blaming
from ..files.plain_json import json_numbers
from ..files.stored_files import read_text
from . import file_names
from .bootstrap import Improvement
from .inference_files import write_inference
from .observation import Observation
from .run_folder import RunFolder

PARAMETER_COLUMNS = ("parameter", "start", "optimum", "lowest", "highest", "unit", "frozen", "label")
# attributes of `StepRecord` and the columns that hold them
RECORDED = {
    "step": "step",
    "objective": "objective",
    "width": "width",
    "bandwidth": "bandwidth",
    "hard": "hard_objective",
    "validation": "validation_objective",
    "failed": "failed_fits",
}
SLOPE = "slope:"
# the number of a fold, from 1
FOLD, FOLDS = "fold", "folds"
COUNTED = ("weighted", "weighted_uncertainty", "raw")
CUTFLOW_COLUMNS = ("point", "reading", "process", "step", *COUNTED, *(f"n_minus_1_{name}" for name in COUNTED))


def write_results(
    folder: RunFolder,
    result: Result,
    analysis: Analysis,
    about: Dataset,
    improvement: Improvement,
    soft_cutflows: Mapping[str, Cutflow],
    observation: Observation | None = None,
) -> None:
    """Write everything a program may want to read; `hepgrad.workflows.results.stored_result` reads it.

    ``about`` are held-out events, for their processes and typical weights; cutflows are by point, from `soft_cutflows`;
    there is no observation while the analysis is blinded.
    """
    folder.write_json(file_names.PARAMETERS, parameters_table(result))
    folds = [f"{FOLD}_{number}" for number in range(1, len(result.folds) + 1)]
    folder.write_csv(file_names.PARAMETERS_TABLE, [*PARAMETER_COLUMNS, *folds], parameter_rows(result))
    told = {**objectives_and_yields(result), "improvement": improvement_table(improvement)}
    told["merit"] = dataclasses.asdict(result.merit)
    told["fits"] = dataclasses.asdict(result.fits)
    told["descents"] = [descent_entry(attempt) for attempt in result.attempts]
    if result.folds:
        told["folds"] = [fold_entry(fold) for fold in result.folds]
    folder.write_json(file_names.RESULT, told)
    write_history(folder, result)
    hard_cutflows = {name: point.cutflow for name, point in points(result).items()}
    processes = list(result.start.hard_held_out.yields)
    folder.write_csv(
        file_names.CUTFLOW,
        CUTFLOW_COLUMNS,
        (
            row
            for reading, flows in (("hard", hard_cutflows), ("soft", soft_cutflows))
            for point, flow in flows.items()
            for row in cutflow_rows(point, reading, processes, flow)
        ),
    )
    histograms = named_histograms(result, analysis)
    if observation is not None:
        folder.write_json(file_names.OBSERVED, observation.numbers())
        histograms |= observation.named_histograms(result, analysis)
    write_histograms(folder, histograms)
    if analysis.model.likelihood is not None:
        write_inference(folder, result, analysis, about, observation)


def write_history(folder: RunFolder, result: Result) -> None:
    """Write every step of every descent; those of a cross-fit with the number of the fold."""
    names, slopes = list(result.start.parameters.numbers()), list(result.history[0].slopes)
    columns = ["descent", *RECORDED.values(), *names, *(f"{SLOPE}{name}" for name in slopes)]
    every = [fold.attempts for fold in result.folds] or [result.attempts]
    folder.write_csv(
        file_names.HISTORY,
        [FOLD, *columns] if result.folds else columns,
        (
            [fold, *row] if result.folds else row
            for fold, attempts in enumerate(every, 1)
            for number, attempt in enumerate(attempts, 1)
            for row in (history_row(number, record, names, slopes) for record in attempt.history)
        ),
    )


def soft_cutflows(result: Result, analysis: Analysis, sample: Part | Folds) -> dict[str, Cutflow]:
    """Return by point the expected cutflow with soft cuts of the width of the last step.

    Of a cross-fit the sample is all folds.
    """
    judged = {"start": Judged.of(sample, result.start.parameters), "optimum": Judged.of(sample, *result.judging)}
    return {name: each.total(Count(analysis), Soft(result.history[-1].width)) for name, each in judged.items()}


def points(result: Result) -> dict[str, Point]:
    """Return the two points of a result by name."""
    return {"start": result.start, "optimum": result.optimum}


def parameters_table(result: Result) -> dict[str, dict[str, Any]]:
    """Return, by parameter: start, optimum, and what describes it (bounds, unit, width, scale, frozen, label, ...).

    Of a cross-fit also the value of each fold, with which its events are judged.
    """
    start, optimum = (point.parameters.to_dict() for point in points(result).values())

    def told(name: str, spec: Optimisable) -> dict[str, Any]:
        entry = spec.to_entry(result.start.parameters[name])
        described = {key: entry[key] for key in entry if key not in ("value", "weights")}
        folds = {FOLDS: [at[name] for at in every]} if result.folds else {}
        return {"start": start[name], "optimum": optimum[name], **folds, **described, "label": spec.label or name}

    every = [fold.parameters.to_dict() for fold in result.folds]
    return {name: told(name, spec) for name, spec in result.start.parameters.specs.items()}


def parameter_rows(result: Result) -> Iterator[tuple[Any, ...]]:
    """Yield name, start, optimum, bounds, unit and label of each cut value, arrays element by element, no weights.

    Of a cross-fit also its value in each fold.
    """
    start, optimum = (point.parameters.numbers() for point in points(result).values())
    folds = [fold.parameters.numbers() for fold in result.folds]
    for name, (low, high) in result.start.parameters.ranges().items():
        if name in start:
            spec = result.start.parameters.spec_of(name)
            told = name, start[name], optimum[name], low, high, spec.unit, spec.frozen, spec.label or name
            yield *told, *(fold[name] for fold in folds)


def descent_entry(attempt: Attempt) -> dict[str, Any]:
    """Return where a descent began, the best point that it found and after how many steps, and how its fits went."""
    ends = {name: getattr(attempt, name).to_dict() for name in ("start", "best")}
    found = {"best_value": json_numbers(attempt.best_value), "best_step": attempt.best_step}
    return {**ends, **found, "start_failed": bool(attempt.failed), "fits": dataclasses.asdict(attempt.fits)}


def fold_entry(fold: Fold) -> dict[str, Any]:
    """Return what is told of the optimisation of one fold: its descents, and start and optimum on either side."""
    objectives = {name: json_numbers(getattr(fold, name)) for name in ("trained", "unseen")}
    return {**objectives, "descents": [descent_entry(attempt) for attempt in fold.attempts]}


def history_row(descent: int, record: StepRecord, names: Sequence[str], slopes: Sequence[str]) -> list[Any]:
    """Return one step as a line of ``history.csv``; what was not evaluated is empty."""
    numbers = [getattr(record, name) for name in RECORDED]
    told = ["" if math.isnan(number) else number for number in numbers]
    return [descent, *told, *(record.values[name] for name in names), *(record.slopes[name] for name in slopes)]


def objectives_and_yields(result: Result) -> dict[str, Any]:
    """Return the objective and the yields of both points in both readings on both halves, and the gain.

    An objective whose fits did not converge is None.
    """

    def told(evaluation: Outcome) -> dict[str, Any]:
        objective = {"objective": json_numbers(evaluation.objective), "converged": evaluation.converged}
        return {**objective, "yields": dict(evaluation.yields)}

    told_points = {
        name: {which: told(getattr(point, which)) for which in EVALUATIONS} for name, point in points(result).items()
    }
    return {**told_points, "gain_hard_held_out": json_numbers(result.gain)}


def improvement_table(improvement: Improvement) -> dict[str, Any]:
    """Return the figure of merit at both points and the gain, with their uncertainties from simulated statistics."""
    figures = {field.name: getattr(improvement, field.name) for field in dataclasses.fields(improvement)}
    counted = ("replicas", "start_failed", "optimum_failed", "events")
    figures = {name: json_numbers(value) for name, value in figures.items() if name not in ("merit", *counted)}
    return {
        "figure": improvement.merit.title,
        **figures,
        "exceeds_uncertainty": improvement.is_significant,
        **{name: getattr(improvement, name) for name in counted},
    }


def cutflow_rows(point: str, reading: str, processes: Sequence[str], flow: Cutflow) -> Iterator[tuple[Any, ...]]:
    """Yield the cutflow on held-out events, one row per process and step.

    The last columns count the events that pass all selections but that of the step.
    """
    tallies = [(np.asarray(t.yields), np.sqrt(t.variance), np.asarray(t.raw)) for t in (flow, flow.n_minus_1)]
    for p, process in enumerate(processes):
        for s, step in enumerate(flow.steps):
            counted = [number[s, p].item() for tally in tallies for number in tally]
            yield point, reading, process, step, *(round(n) if n.is_integer() else n for n in counted)


def named_histograms(result: Result, analysis: Analysis) -> dict[str, hist.Hist[Any]]:
    """Return every histogram by ``channel/process/point/reading``, such as ``m_tt/ttbar/optimum/hard_held_out``."""
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

    Slashes in names become folders in the ROOT file.
    """
    with folder.writing(file_names.HISTOGRAMS_ROOT) as path, uproot.recreate(path) as file:
        for name, histogram in histograms.items():
            file[name] = histogram
    folder.write_text(file_names.HISTOGRAMS, json.dumps(histograms, default=uhi.io.json.default))


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
    path = path / file_names.HISTOGRAMS if path.is_dir() else path
    with blaming(f"{path} does not hold histograms"):
        try:
            content = json.loads(read_text(path), object_hook=uhi.io.json.object_hook)
        except FileNotFoundError:
            raise InputError(f"there is no {path}; give the folder of a run that has finished") from None
        return {name: hist.Hist(histogram) for name, histogram in content.items()}
