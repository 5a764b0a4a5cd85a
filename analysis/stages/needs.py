"""What a chain of stages needs, and a message before anything runs when something of it is missing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..selection.ranking import RANKING
from .contract import AnyStage

# a message lists at most so many names
SHOWN = 20


def needed_branches(stages: Sequence[AnyStage]) -> dict[str, str]:
    """Return the branches that stages read from files, each with the name of the first stage that needs it.

    Columns that an earlier stage makes are left out, and a field of a copied collection is the original's. Stages are
    in the order in which they run.

    Examples
    --------
    >>> from hepgrad.analysis import stage
    >>> from hepgrad.analysis.stages.needs import needed_branches
    >>> @stage(reads=["Jet_pt"], makes=["ht"])
    ... def scalar_sum(events, cut):
    ...     return events.with_field(ht=events.Jet.sum("pt"))
    >>> @stage(reads=["ht", "MET_pt"])
    ... def selection(events, cut):
    ...     return events.select(events.ht + events.MET.pt > 500)
    >>> needed_branches([scalar_sum, selection])
    {'Jet_pt': 'scalar_sum', 'MET_pt': 'selection'}
    """
    needed: dict[str, str] = {}
    made: dict[str, str] = {}
    for stage in stages:
        for column in stage.reads:
            if branch := _branch(column, made):
                needed.setdefault(branch, stage.name)
        made |= stage.makes
    return needed


def _branch(column: str, made: Mapping[str, str]) -> str:
    """Return the branch that a column comes from, or "" when a stage makes it."""
    seen: list[str] = []
    while names := [name for name in made if name not in seen and (column == name or column.startswith(f"{name}_"))]:
        seen.append(max(names, key=len))
        if not made[seen[-1]]:
            return ""
        column = made[seen[-1]] + column.removeprefix(seen[-1])
    return column


def needed_parameters(stages: Sequence[AnyStage]) -> dict[str, str]:
    """Return the parameters that stages ask for, each with the name of the first stage that needs it."""
    needed: dict[str, str] = {}
    for stage in stages:
        for parameter in stage.parameters:
            needed.setdefault(parameter, stage.name)
    return needed


def branch_names(columns: Mapping[str, Any]) -> list[str]:
    """Return the columns of events by the names that stages read them by, such as ``Jet_pt`` and ``genWeight``."""
    return [
        f"{name}_{field}" if field else name
        for name, column in columns.items()
        for field in getattr(column, "fields", None) or [""]
        if field != RANKING
    ]


def check_needs(stages: Sequence[AnyStage], *, branches: Iterable[str], parameters: Iterable[str]) -> None:
    """Raise an error when a stage needs a branch or a parameter that is not there.

    Branches are those of a file, or of events (`branch_names`). Raises `ValueError`, which names every stage that lacks
    something, what it lacks, the name that comes nearest, and what there is.

    Examples
    --------
    >>> from hepgrad.analysis import stage
    >>> from hepgrad.analysis.stages.needs import check_needs
    >>> @stage(reads=["MET_pt"], parameters=["met"])
    ... def missing_momentum(events, cut):
    ...     return events.select(events.MET.pt > cut.met)
    >>> check_needs([missing_momentum], branches=["MET_pt", "MET_phi"], parameters=["met_pt"])
    Traceback (most recent call last):
    ...
    ValueError: stage 'missing_momentum' needs the parameter 'met'; did you mean 'met_pt'? The parameters are met_pt
    """
    problems = [
        *_missing(needed_branches(stages), list(branches), "branch", "branches"),
        *_missing(needed_parameters(stages), list(parameters), "parameter", "parameters"),
    ]
    if problems:
        raise ValueError("\n".join(problems))


def _missing(needed: dict[str, str], there: list[str], kind: str, kinds: str) -> list[str]:
    problems = []
    for name, stage in needed.items():
        if name in there:
            continue
        close = difflib.get_close_matches(name, there, n=1)
        guess = f"; did you mean {close[0]!r}?" if close else "."
        # the most similar ones first
        shown = sorted(there, key=lambda other: -difflib.SequenceMatcher(None, name, other).ratio())
        listed = ", ".join(shown[:SHOWN]) or "none"
        more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
        problems.append(f"stage {stage!r} needs the {kind} {name!r}{guess} The {kinds} are {listed}{more}")
    return problems
