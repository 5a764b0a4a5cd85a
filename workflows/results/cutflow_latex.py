"""The cut flow as a LaTeX table, to be put into a paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from hepgrad.analysis import Cutflow, Result

from . import file_names
from .run_folder import RunFolder

SPECIAL = {character: f"\\{character}" for character in "&%$#_{}"}
SPECIAL |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
SPECIAL |= {"<": r"\ensuremath{<}", ">": r"\ensuremath{>}"}


def cutflow_latex(flow: Cutflow, processes: Sequence[str], labels: Sequence[str]) -> str:
    r"""Return expected events after each step as a table of LaTeX, without packages.

    Processes are in the order of the cutflow; there is one label for each, TeX where it stands between dollar signs,
    and an empty one leaves the process out.

    Examples
    --------
    >>> import numpy as np
    >>> from hepgrad.analysis.selection.cutflow import Cutflow, Tally
    >>> counts = np.array([[100.0], [12.5]]), np.array([[100.0], [1.5625]]), np.array([[100.0], [8.0]])
    >>> flow = Cutflow(*counts, Tally(*counts), ("all events", "MET > 80_GeV"))
    >>> print(cutflow_latex(flow, ["zjets"], [r"Z $\to\ell\ell$"]))
    \begin{tabular}{lr}
    \hline
    step & Z $\to\ell\ell$ \\
    \hline
    all events & $100 \pm 10$ \\
    MET \ensuremath{>} 80\_GeV & $12.5 \pm 1.2$ \\
    \hline
    \end{tabular}
    """
    shown = [index for index, label in enumerate(labels) if label]
    assert len(labels) == len(processes)
    numbers = np.asarray(flow.yields, float), np.sqrt(np.asarray(flow.variance, float))
    header = ["step", *(escaped(labels[index]) for index in shown)]
    lines = [
        [escaped(step), *(_counted(*(part[row, index] for part in numbers)) for index in shown)]
        for row, step in enumerate(flow.steps)
    ]
    body = [rf"{' & '.join(cells)} \\" for cells in (header, *lines)]
    top = rf"\begin{{tabular}}{{l{'r' * len(shown)}}}"
    return "\n".join([top, r"\hline", body[0], r"\hline", *body[1:], r"\hline", r"\end{tabular}"])


def write_cutflow_latex(folder: RunFolder, result: Result, labels: Mapping[str, str]) -> None:
    """Write the cut flow with the optimised cuts, hard, on held-out events, as ``cutflow.tex``."""
    names = list(result.optimum.hard_held_out.yields)
    table = cutflow_latex(result.optimum.cutflow, names, [labels.get(name, "") for name in names])
    folder.write_text(file_names.CUTFLOW_LATEX, f"{table}\n")


def escaped(text: str) -> str:
    r"""Return a text as LaTeX shows it; what stands between dollar signs is TeX already.

    Examples
    --------
    >>> from hepgrad.workflows.results.cutflow_latex import escaped
    >>> print(escaped("50 % of $p_T$"), escaped("5 $"))
    50 \% of $p_T$ 5 \$
    """
    parts = text.split("$")
    if len(parts) % 2 == 0:  # one that is no pair
        return "".join(SPECIAL.get(character, character) for character in text)
    told = (p if i % 2 else "".join(SPECIAL.get(c, c) for c in p) for i, p in enumerate(parts))
    return "$".join(told)


def _counted(events: float, uncertainty: float) -> str:
    digits = max(0, 1 - math.floor(math.log10(uncertainty))) if uncertainty > 0 else 1
    return rf"${events:.{digits}f} \pm {uncertainty:.{digits}f}$"
