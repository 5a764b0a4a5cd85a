"""Scanning a workflow or a study: read, search without gradients, and leave a folder with all points."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hepgrad.analysis import Parameters

from ..backends import Backend
from ..defaults import RUNS
from ..errors import InputError
from ..execution import load_events, located, run_facts
from ..files.lock import locked
from ..results import file_names
from ..results.run_folder import RunFolder
from ..settings.config import laid_over
from ..settings.deciding import settings
from ..studies.study import Study
from ..workflow import Workflow
from .search import CutScan, Method, search, search_cuts


def scan(
    workflow: Workflow | Study,
    *,
    data: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    method: Method = "random",
    trials: int = 500,
    seed: int = 0,
    also: Sequence[str] = (),
    cache: str | Path | None = None,
    skip_bad_files: bool = False,
    backend: Backend | str | None = None,
) -> CutScan:
    """Evaluate many points of a workflow with hard cuts and write them down, to compare `run` with.

    The folder holds ``trials.csv`` with all points, ``best.json`` with the best of them, and ``run.json`` with the
    settings. Statistics are computed in the precision that `run` computes them in.

    Parameters
    ----------
    workflow
        What to scan. A study draws its own events: `data`, `also`, `cache`, `skip_bad_files` and `backend` mean
        nothing for it.
    data
        Folder with a ``fileset.json``, or such a file; the workflow's own by default.
    output
        The folder, ``hepgrad-runs/NAME-METHOD`` by default.
    overwrite
        Whether an earlier scan there may be replaced.
    method
        ``"random"`` draws uniformly inside the bounds; ``"grid"`` takes as many values of each parameter as fit into
        the number of trials; ``"optuna"`` asks Optuna's tree-structured Parzen estimator, which learns from the
        earlier ones.
    trials
        How many points, at most.
    seed
        Of the points that are drawn.
    also
        Names of parameters without bounds that are scanned too, bin edges or weights, which otherwise keep their
        values.
    cache, skip_bad_files, backend
        As for `run`.

    Returns
    -------
    CutScan
        All points, and the best of them; prints itself.

    Raises
    ------
    InputError
        When the data or the output folder cannot be used, nothing can be scanned, a grid needs more trials, or Optuna
        is not installed.
    FitError
        When no point has an objective on the training events, because no fit converged.
    """
    output = RUNS / f"{workflow.name}-{method}" if output is None else Path(output)
    RunFolder.check(output, overwrite=overwrite)
    how: dict[str, Any] = {"method": method, "trials": trials, "seed": seed}
    with locked(output):
        reading = {"cache": cache, "skip_bad_files": skip_bad_files, "backend": backend}
        found, facts = _searched(workflow, how, data=data, also=also, **reading)
        folder = RunFolder.create(output, overwrite=overwrite)
        _write(folder, found)
        folder.finish(run_facts({**facts, **how, **_facts(found)}, workflow.title, found.seconds))
    return found


@functools.singledispatch
def _searched(workflow: Any, how: dict[str, Any], **given: Any) -> tuple[CutScan, dict[str, Any]]:
    """Return what was found, and what it takes to find it again."""
    raise InputError(f"a Workflow or a Study can be scanned, not a {type(workflow).__name__}")


@_searched.register
def _of_workflow(
    workflow: Workflow, how: dict[str, Any], *, data: str | Path | None, also: Sequence[str], **reading: Any
) -> tuple[CutScan, dict[str, Any]]:
    workflow, fileset = located(laid_over(workflow, data=data))
    events = load_events(workflow, fileset, **reading)
    found = search_cuts(workflow.analysis, events, workflow.parameters, also=also, **how)
    return found, {**settings(workflow, fileset), "also": list(also)}


@_searched.register
def _of_study(study: Study, how: dict[str, Any], **given: Any) -> tuple[CutScan, dict[str, Any]]:
    if any(given.values()):
        raise InputError(f"{study.name!r} draws its own events: it takes no data, and no way to read them")
    return search(study.contest(), **how), {"workflow": study.name, "settings": dataclasses.asdict(study)}


def _write(folder: RunFolder, found: CutScan) -> None:
    # the cell of a trial that has no objective is empty
    told = ("" if math.isnan(value) else value for value in found.objectives.tolist())
    rows = ([value, *point.values()] for value, point in zip(told, found.points, strict=True))
    folder.write_csv(file_names.TRIALS, ["objective", *found.points[0]], rows)
    if isinstance(found.best, Parameters):
        folder.write_text(file_names.BEST, found.best.to_json())


def _facts(found: CutScan) -> dict[str, Any]:
    halves = {"train": found.train, "held_out": found.held_out}
    return {
        **{name: [None if math.isnan(value) else value for value in half] for name, half in halves.items()},
        "fits": dataclasses.asdict(found.fits),
        "seconds_of_trials": found.seconds,
    }
