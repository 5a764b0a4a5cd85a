"""Writing the script into a run folder, and running it on events of the run before anybody is told that it is right."""

from __future__ import annotations

import dataclasses
import runpy
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from hepgrad.analysis import Parameters, Point

from ..errors import InputError
from ..read import Fileset
from ..results.run_folder import RunFolder
from ..workflow import Workflow
from .runtime import runtime_source
from .script import SCRIPT, selection_script

# events that a script is run on at most, unless the smallest process has more of them
MOST = 2_000_000
# of the events of a process: so many may be on the other side of a cut because another library rounds otherwise
ROUNDING = 1e-4
HELD_OUT = slice(1, None, 2)


@dataclasses.dataclass(frozen=True)
class Exported:
    """What became of a script.

    Attributes
    ----------
    told
        One sentence.
    written
        Whether there is a script.
    agrees
        Whether it was run and fills what the run filled.
    """

    told: str
    written: bool
    agrees: bool


def write_selection(
    folder: RunFolder, workflow: Workflow, point: Point, fileset: Fileset, judging: Sequence[Parameters] = ()
) -> Exported:
    """Write ``selection.py`` into a run folder, run it on held-out events, and compare it bin by bin with the run.

    That of a cross-fit is run on all events, each of which has the cuts of its fold.

    Parameters
    ----------
    folder
        Where to.
    workflow, fileset
        As for `selection_script`.
    point
        The cut values, and the histograms that they fill.
    judging
        The cut values of each fold, where there are several.
    """
    folds = judging if len(judging) > 1 else ()
    try:
        folder.write_text(SCRIPT, selection_script(workflow, folds or point.parameters, fileset))
    except (InputError, ValueError) as error:
        return Exported(f"there is no {SCRIPT}: {error}", False, False)
    compared = _few_enough(workflow, point)
    try:
        filled = _run(folder.path / SCRIPT, fileset.source, compared, slice(None) if folds else HELD_OUT)
    except Exception as error:  # whatever a user's function raises where it meets arrays of another library
        return Exported(f"{SCRIPT} does not run: {_told(error, folder.path / SCRIPT)}", True, False)
    events = f"events, with the cuts of {len(folds)} folds by their numbers" if folds else "held-out events"
    return _compared(workflow, point, compared, filled, events)


def _few_enough(workflow: Workflow, point: Point) -> list[str]:
    """Return the processes that the script is run on: the smallest ones, at least one."""
    names = list(point.hard_held_out.yields)
    numbers = dict(zip(names, np.asarray(point.cutflow.raw)[0].tolist(), strict=True))
    few: list[str] = []
    for name in sorted((process.name for process in workflow.predicted), key=lambda name: numbers[name]):
        if not few or sum(numbers[each] for each in few) + numbers[name] <= MOST:
            few.append(name)
    return few


def _run(script: Path, where: Path, processes: Sequence[str], part: slice) -> Mapping[tuple[str, str], Any]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        result: Mapping[tuple[str, str], Any] = runpy.run_path(str(script))["histograms"](where, part, processes)
    return result


def _compared(
    workflow: Workflow, point: Point, processes: Sequence[str], filled: Mapping[tuple[str, str], Any], which: str
) -> Exported:
    """Compare bin by bin, under- and overflow included."""
    rows = list(point.hard_held_out.yields)
    rtol = 1e-5 if jnp.result_type(float) == jnp.float64 else 1e-4
    events = bins = 0
    moved = 0.0
    for channel in workflow.analysis.channels:
        counts = point.hard_held_out.histograms[channel.name]
        for process in processes:
            ours = np.asarray(counts.sumw[rows.index(process)], float)
            theirs = np.asarray(filled[channel.name, process].view(flow=True)["value"], float)
            events += int(np.asarray(point.cutflow.raw)[0, rows.index(process)])
            bins += len(ours)
            wrong = ~np.isclose(theirs, ours, rtol=rtol, atol=rtol * max(float(np.abs(ours).max()), 1e-30))
            share = float(np.abs(theirs - ours)[wrong].sum()) / max(float(np.abs(ours).sum()), 1e-30)
            if share > ROUNDING:
                place = int(np.argmax(np.abs(theirs - ours)))
                return Exported(
                    f"{SCRIPT} does not select what the run selected: channel {channel.name!r}, process {process!r}, "
                    f"{_bin(channel.axis_at(point.parameters).edges, place)}: {theirs[place]:.6g} events instead of "
                    f"{ours[place]:.6g}",
                    True,
                    False,
                )
            moved = max(moved, share)
    events //= max(len(workflow.analysis.channels), 1)
    left = [process.name for process in workflow.predicted if process.name not in processes]
    told = f"{SCRIPT} is the same selection in plain Awkward Array: run on {events:,} {which}, it fills all "
    told += f"{bins} bins as the run did"
    told += f", but for rounding ({100 * moved:.2g} % of the events of a process)" if moved else ""
    told += f"; left out because they have too many events: {', '.join(left)}" if left else ""
    return Exported(told, True, True)


def _bin(edges: np.ndarray, place: int) -> str:
    if place == 0:
        return f"below {edges[0]:g}"
    return f"above {edges[-1]:g}" if place == len(edges) else f"{edges[place - 1]:g} to {edges[place]:g}"


def _told(error: Exception, script: Path) -> str:
    """Return what went wrong, and the last line of the stages that led to it."""
    # the functions of the stages stand after what they use
    begin = script.read_text(encoding="utf-8").splitlines().index(runtime_source().splitlines()[-1]) + 1
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(script) and (frame.lineno or 0) > begin and frame.name != "histograms"
    ]
    text = str(error).strip().partition("\n")[0]
    where = f" (line {frames[-1].lineno}: {frames[-1].line})" if frames else ""
    return f"{type(error).__name__}: {text}{where}"
