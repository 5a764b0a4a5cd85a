"""Making the report of a finished run anew."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from pathlib import Path

from ..errors import blaming
from ..files.lock import beside, locked
from ..results.file_names import REPORT, RUN_FILE
from ..results.run_folder import RunFolder
from .page import write_report
from .subject import Subject


def report(folder: str | Path, *, experiment: str | None = None) -> Path:
    """Make the report and the plots of a finished run anew, from what its folder holds.

    No events are read, and nothing is optimised again: for another style, or the plots of a later version.

    Parameters
    ----------
    folder
        The run folder.
    experiment
        What plots say at the top left, which also chooses their style; by default what they said before.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        When it is not the folder of a run that has finished, or a file is missing or was changed.
    """
    run = RunFolder.open(folder)
    # the folder may be that of somebody else, who lets others write into it and into nothing else
    own = os.access(beside(run.path, "").parent, os.W_OK)
    damaged = f"the files in {run.path} are not those of a run of this version of hepgrad, or they were changed"
    with locked(run.path) if own else contextlib.nullcontext(), blaming(damaged):
        subject = Subject.read(run.path)
        if experiment is not None:
            dataclasses.replace(subject, experiment=experiment).write(run)
        write_report(run, run.facts)
        run.finish(run.facts)
    return run.path / REPORT


# its former name
remake_report = report


def replaced_by_report(folder: str | Path) -> list[Path]:
    """Return the files of a run folder that `report` would replace; touches nothing.

    Parameters
    ----------
    folder
        The run folder.

    Raises
    ------
    InputError
        When it is not the folder of a run that has finished.
    """
    run = RunFolder.open(folder)
    names = [name for name in run.files if name.startswith("plots/") or name in (REPORT, RUN_FILE)]
    return [run.path / name for name in names]
