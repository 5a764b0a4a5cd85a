"""What the parts of a workflow have to be: anything else would fail much later, and in other words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hepgrad.analysis import Analysis, Anneal, Channel, Parameters
from hepgrad.analysis.kinds import check_kind, listed

from ..read.layout import Layout
from ..read.process import Process

# what each is, and how it is written
_KINDS: Mapping[str, tuple[Any, str]] = {
    "name": (str, 'name="my_search"'),
    "title": (str, 'title="A search for ..."'),
    "analysis": (Analysis, "analysis=Analysis(stages, channels, model)"),
    "parameters": (Parameters, "parameters=Parameters(met=Parameter(50.0, bounds=(20, 200)))"),
    "data": (str | Path, 'data="events", the folder with a fileset.json'),
    "anneal": (Anneal, "anneal=Anneal(1.0, 0.1)"),
    "layout": (Layout, 'layout=Layout(branches={"MET_pt": "met"})'),
    "tree": (str, 'tree="Events"'),
}
_LISTS: Mapping[str, tuple[type[Any], str]] = {
    "processes": (Process, 'processes=[Process("zprime", signal=True), Process("ttbar")]'),
    "plots": (Channel, 'plots=[Channel("met", "MET.pt", Regular(10, 0, 300))]'),
}


def check_parts(where: str, parts: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """Return the lists among the fields of a workflow as tuples; ``where`` begins messages.

    Raises `TypeError` for a part of another kind, with what to write.

    Examples
    --------
    >>> from hepgrad.workflows.settings.parts import check_parts
    >>> check_parts("workflow 'tiny'", {"tree": 3})
    Traceback (most recent call last):
    TypeError: workflow 'tiny': tree: expected str, got 3 (int); write for instance tree="Events"
    """
    for name, (kind, example) in _KINDS.items():
        if name in parts:
            check_kind(f"{where}: {name}", parts[name], kind, example)
    return {
        name: listed(f"{where}: {name}", parts[name], kind, example)
        for name, (kind, example) in _LISTS.items()
        if name in parts
    }
