"""What a report tells of cuts that were moved or left out, and of repeated searches."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from hepgrad.analysis import Parameters

from ...files.stored_files import read_json
from ...results.cut_profiles import Robustness
from ...results.file_names import REPEATED, ROBUSTNESS, SIMPLER
from ...stability.repeated import RepeatedSearch
from ...stability.simpler import Simpler
from ..style import Plot
from .profiles import profile_plot
from .repeats import repeats_plot

Found = Robustness | Simpler | RepeatedSearch


def stored_stability(folder: Path, parameters: Parameters) -> list[Found]:
    """Return what a run told of moved cuts, those that were left out, and repeated searches; only what there is.

    Parameters
    ----------
    folder
        Of the run.
    parameters
        Of its analysis.
    """
    found: list[Found] = []
    if (folder / ROBUSTNESS).exists():
        found.append(Robustness.from_dict(read_json(folder / ROBUSTNESS), parameters))
    if (folder / SIMPLER).exists():
        found.append(Simpler.from_dict(read_json(folder / SIMPLER)))
    if (folder / REPEATED).exists():
        found.append(RepeatedSearch.from_dict(read_json(folder / REPEATED)))
    return found


def stability_tables(found: list[Found]) -> list[Table]:
    """Return the tables of the report.

    Parameters
    ----------
    found
        From `stored_stability`.
    """
    return [table for each in found for table in each.tables()]


def stability_plots(found: list[Found]) -> list[Plot]:
    """Return the plots of the report.

    Parameters
    ----------
    found
        From `stored_stability`.
    """
    plots = [profile_plot(each) for each in found if isinstance(each, Robustness) and each.profiles]
    return plots + [repeats_plot(each) for each in found if isinstance(each, RepeatedSearch)]
