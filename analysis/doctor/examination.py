"""The examination of an analysis before it is optimised."""

from __future__ import annotations

from ..analysis import Analysis
from ..data.dataset import Dataset
from ..data.split import Split
from ..parameters.parameters import Parameters
from .branches import examine_branches
from .columns import examine_columns, examine_processes
from .compilation import examine_compilation
from .derivatives import examine_differences, examine_gradient
from .diagnosis import Diagnosis
from .patient import Patient
from .selections import examine_lost_processes, examine_selections, examine_statistics, examine_thresholds
from .sources import examine_sources
from .versions import examine_versions
from .widths import examine_widths

EXAMINATIONS = {
    "processes": examine_processes,
    "columns and weights": examine_columns,
    "selections": examine_selections,
    "lost processes": examine_lost_processes,
    "cuts": examine_thresholds,
    "simulated statistics": examine_statistics,
    "sources": examine_sources,
    "widths": examine_widths,
    "branches": examine_branches,
    "compilation": examine_compilation,
    "versions": examine_versions,
    "gradient": examine_gradient,
    "finite differences": examine_differences,
}


def check(analysis: Analysis, data: Split | Dataset, parameters: Parameters) -> Diagnosis:
    """Tell before an optimisation what is wrong with it, or may be.

    Examined are, at the given cut values: processes without events; NaN and infinities; selections and cuts that reject
    everything or nothing; backgrounds of which no simulated event passes; bins with too few effective events; sources
    of uncertainty that do nothing, or are pruned; widths that do not fit the data; branches that are read for nothing
    or not declared; parts that need a compilation of their own; compilers that are slow on a GPU; parameters without a
    derivative; and whether derivatives agree with finite differences.

    Parameters
    ----------
    analysis
        Stages, channels, model and objective.
    data
        The events. All parts are examined for numbers that are none and for their layout, and the training events (or
        their first shard) for the rest.
    parameters
        Where the optimisation is to start.

    Returns
    -------
    Diagnosis
        The findings, the worst first; it prints itself.
    """
    patient = Patient.of(analysis, data, parameters)
    findings = [finding for examine in EXAMINATIONS.values() for finding in examine(patient)]
    return Diagnosis(tuple(sorted(findings, key=lambda f: -f.severity)), tuple(EXAMINATIONS))
