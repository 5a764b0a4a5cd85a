"""Making the report of a finished run anew."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ..results.run_folder import RunFolder
from .page import write_report
from .subject import Subject


def remake_report(folder: str | Path, *, experiment: str | None = None) -> Path:
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
    subject = Subject.read(run.path)
    if experiment is not None:
        dataclasses.replace(subject, experiment=experiment).write(run)
    write_report(run, run.facts)
    run.finish(run.facts)
    return run.path / "report.html"
