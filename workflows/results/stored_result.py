"""A finished run as its folder tells it: what `hepgrad.workflows.results.run_files` wrote, read back without events."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hist
import jax.numpy as jnp

from hepgrad.analysis import Attempt, Counts, Cutflow, Outcome, Parameters, Point, Result, StepRecord
from hepgrad.analysis.histogram import from_hist
from hepgrad.analysis.optimisation import EVALUATIONS, Fold
from hepgrad.analysis.selection.cutflow import Tally
from hepgrad.analysis.statistics.objectives import Merit

from ..errors import InputError, blaming
from ..files.stored_files import read_json, read_rows
from . import file_names
from .bootstrap import Improvement
from .observation import Observation, Strength
from .run_files import COUNTED, FOLD, FOLDS, RECORDED, SLOPE, read_histograms

Histograms = Mapping[str, hist.Hist[Any]]
Rows = list[dict[str, str]]


@dataclasses.dataclass(frozen=True)
class StoredResult:
    """What a run found.

    Attributes
    ----------
    result
        Start and optimum, and the history. Histograms are the nominal ones; weights of networks are nested
        dictionaries, whatever they were.
    soft_cutflows
        By point, with soft cuts of the width of the last step.
    improvement
        What was gained on held-out events, with its uncertainty.
    observation
        What was observed; None when the run was blinded.
    """

    result: Result
    soft_cutflows: Mapping[str, Cutflow]
    improvement: Improvement
    observation: Observation | None

    @classmethod
    def read(cls, folder: str | Path) -> StoredResult:
        """Read a run folder.

        Parameters
        ----------
        folder
            Of a run that has finished.

        Raises
        ------
        InputError
            When a file is missing, or holds something else.
        """
        folder = Path(folder)
        changed = f"the files in {folder} are not those of a run of this version of hepgrad, or they were changed"
        with blaming(changed):
            try:
                return _read(folder)
            except FileNotFoundError as error:
                missing = Path(error.filename).name
                raise InputError(f"{folder} does not hold a whole run: {missing} is missing") from None


def _read(folder: Path) -> StoredResult:
    told, described = (read_json(folder / name) for name in (file_names.RESULT, file_names.PARAMETERS))
    histograms, flows = read_histograms(folder), read_rows(folder / file_names.CUTFLOW)
    merit = Merit(**told["merit"])
    start = _parameters(described)
    optimum = start.replace(**{name: entry["optimum"] for name, entry in described.items()})
    history = read_rows(folder / file_names.HISTORY)
    folds = tuple(
        Fold(
            start.replace(**{name: entry[FOLDS][number - 1] for name, entry in described.items()}),
            _attempts(each["descents"], [row for row in history if int(row[FOLD]) == number], start),
            *((_number(a), _number(b)) for a, b in (each["trained"], each["unseen"])),
        )
        for number, each in enumerate(told.get("folds", ()), 1)
    )
    attempts = _attempts(told["descents"], history, start)
    if folds:
        # those of the fold whose cuts are the optimum's
        middle = next(fold for fold in folds if fold.parameters.to_dict() == optimum.to_dict())
        attempts = middle.attempts
    points = {
        name: _point(name, at, told[name], histograms, flows) for name, at in (("start", start), ("optimum", optimum))
    }
    return StoredResult(
        Result(points["start"], points["optimum"], attempts, merit, folds),
        {name: _cutflow(flows, name, "soft") for name in points},
        _improvement(told["improvement"], merit),
        _observation(folder / file_names.OBSERVED, histograms),
    )


def _attempts(descents: list[dict[str, Any]], history: Rows, parameters: Parameters) -> tuple[Attempt, ...]:
    """Return descents from what is told of each, and the lines of all their steps."""
    return tuple(
        Attempt(
            parameters.replace(**entry["start"]),
            parameters.replace(**entry["best"]),
            -math.inf if entry["best_value"] is None else entry["best_value"],
            entry["best_step"],
            tuple(_record(row, parameters) for row in history if int(row["descent"]) == number),
            # runs of earlier versions did not tell of fits that failed
            int(entry.get("start_failed", False)),
        )
        for number, entry in enumerate(descents, 1)
    )


def _parameters(described: dict[str, dict[str, Any]]) -> Parameters:
    """Return the parameters at the start."""
    entries = {}
    for name, entry in described.items():
        rest = {key: value for key, value in entry.items() if key not in ("start", "optimum", FOLDS)}
        kind = "value" if "bounds" in rest or "points" in rest else "edges" if "narrowest" in rest else "weights"
        # whatever the tree of a network was, its arrays are known by their paths
        entries[name] = {**rest, kind: entry["start"], **({"nested": True} if kind == "weights" else {})}
    return Parameters.from_json(json.dumps(entries))


def _point(name: str, at: Parameters, told: dict[str, Any], histograms: Histograms, flows: Rows) -> Point:
    evaluations = {which: _evaluation(name, which, told[which], histograms) for which in EVALUATIONS}
    return Point(at, **evaluations, cutflow=_cutflow(flows, name, "hard"))


def _evaluation(point: str, which: str, told: dict[str, Any], histograms: Histograms) -> Outcome:
    counts: dict[str, list[Counts]] = {}
    for name, histogram in histograms.items():
        channel, _, *place = name.split("/")
        if place == [point, which]:
            counts.setdefault(channel, []).append(from_hist(histogram)[0])
    stacked = {
        channel: Counts(jnp.stack([c.sumw for c in each]), jnp.stack([c.sumw2 for c in each]))
        for channel, each in counts.items()
    }
    objective = _number(told["objective"])
    return Outcome(objective, stacked, told["yields"], told.get("converged", not math.isnan(objective)))


def _cutflow(rows: Rows, point: str, reading: str) -> Cutflow:
    mine = [row for row in rows if (row["point"], row["reading"]) == (point, reading)]
    steps, processes = (tuple(dict.fromkeys(row[key] for row in mine)) for key in ("step", "process"))

    def tally(prefix: str) -> Tally:
        columns = [[float(row[prefix + name]) for row in mine] for name in COUNTED]
        weighted, uncertainty, raw = (jnp.reshape(jnp.array(c), (len(processes), len(steps))).T for c in columns)
        return Tally(weighted, uncertainty**2, raw)

    after = tally("")
    return Cutflow(after.yields, after.variance, after.raw, tally("n_minus_1_"), steps)


def _record(row: Mapping[str, str], parameters: Parameters) -> StepRecord:
    whole = ("step", "failed")
    numbers = {name: float(row[column] or math.nan) for name, column in RECORDED.items() if name not in whole}
    values = {name: float(row[name]) for name in parameters.numbers()}
    slopes = {name.removeprefix(SLOPE): float(value) for name, value in row.items() if name.startswith(SLOPE)}
    return StepRecord(
        int(row["step"]), **numbers, values=values, slopes=slopes, failed=int(row.get(RECORDED["failed"]) or 0)
    )


def _improvement(told: dict[str, Any], merit: Merit) -> Improvement:
    counted = ("replicas", "start_failed", "optimum_failed")
    words = {"events": told["events"]} if "events" in told else {}
    others = ("merit", "events", *counted)
    names = [field.name for field in dataclasses.fields(Improvement) if field.name not in others]
    figures: dict[str, Any] = {name: _number(told[name]) for name in names}
    return Improvement(merit, **figures, **{name: told.get(name, 0) for name in counted}, **words)


def _observation(path: Path, histograms: Histograms) -> Observation | None:
    if not path.exists():
        return None
    fits = {name: each and Strength(**each) for name, each in read_json(path).items() if name != "events"}
    seen: dict[str, dict[str, Counts]] = {"start": {}, "optimum": {}}
    for name, histogram in histograms.items():
        channel, _, point, which = name.split("/")
        if which == "observed":
            seen[point][channel] = from_hist(histogram)[0]
    return Observation(seen["start"], seen["optimum"], fits["observed"], fits["expected"])


def _number(number: float | None) -> float:
    """Return a number; JSON has no word for those that are not finite."""
    return math.nan if number is None else number
