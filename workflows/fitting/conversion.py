"""Likelihoods from one format to another."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

from hepgrad.analysis.statistics.exchange import cabinetry_configuration, configured, to_hs3
from hepgrad.analysis.statistics.exchange.datacards import Interpretation
from hepgrad.analysis.statistics.exchange.datacards.reading import CODES

from ..errors import InputError
from ..files.replacing import replacing
from .datacards import histograms_of, write_datacard
from .reading import Document, PatchLike, WorkspaceLike
from .sources import document

FORMATS = ("pyhf", "hs3", "combine", "cabinetry")


def convert(
    source: WorkspaceLike,
    target: str | Path,
    *,
    to: Literal["pyhf", "hs3", "combine", "cabinetry"],
    patch: PatchLike | None = None,
    measurement: str | None = None,
    interpretation: Interpretation = "combine",
) -> list[Path]:
    """Write a likelihood in another format.

    Parameters
    ----------
    source
        Path or URL of a pyhf workspace, an HS3 document or a Combine datacard; a run folder, which has a
        ``workspace.json``; or a workspace as ``json.load`` returns it.
    target
        The file to write. Histograms of ``"combine"`` and ``"cabinetry"`` go into a ROOT file of the same name beside
        it.
    to
        ``"pyhf"``, ``"hs3"``, ``"combine"`` (a datacard) or ``"cabinetry"`` (a configuration).
    patch
        What to change first, as in `from_workspace`.
    measurement
        Which one, where there are several; ``"pyhf"`` and ``"hs3"`` keep all without it, where analyses of HS3 have the
        same data.
    interpretation
        Of a datacard that is read: ``"combine"``, or ``"histfactory"`` for one that this function wrote.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        When the source cannot be read, or the format cannot express it.

    Examples
    --------
    >>> from hepgrad.workflows import convert
    >>> signal = {"name": "sig", "data": [5.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    >>> workspace = {
    ...     "channels": [{"name": "SR", "samples": [signal]}],
    ...     "observations": [{"name": "SR", "data": [7.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
    ...     "version": "1.0.0",
    ... }
    >>> [path.name for path in convert(workspace, "card.txt", to="combine")]
    ['card.txt', 'card.root']
    """
    if to not in FORMATS:
        raise InputError(f"formats to convert to are {', '.join(FORMATS)}; got {to!r}")
    target = Path(target)
    read = document(source, patch=patch, interpretation=interpretation, measurement=measurement)
    if to != "combine" and dict(read.codes) not in ({}, CODES["histfactory"]):
        raise InputError(
            f"{read.source} interpolates as Combine does, which {to} cannot say: read it with interpretation "
            "'histfactory' (--interpretation), or keep it a datacard"
        )
    try:
        if measurement is not None or to in ("combine", "cabinetry"):
            read = dataclasses.replace(read, workspace=configured(read.workspace, measurement=measurement))
        read.model(measurement=measurement or read.workspace["measurements"][0]["name"])
        return _write(read, target, to)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error}") from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{read.source or 'the workspace'} cannot be written for {to}: {error}") from None


def _write(read: Document, target: Path, to: str) -> list[Path]:
    shapes = target.with_suffix(".root")
    if to == "combine":
        write_datacard(read.workspace, target)
        return [target, shapes]
    if to == "cabinetry":
        card, histograms = histograms_of(read.workspace, shapes)
        poi = read.workspace["measurements"][0]["config"]["poi"]
        # cabinetry looks for the file where it runs
        _write_json(cabinetry_configuration(card, histograms, poi=poi, file=str(shapes)), target)
        return [target, shapes]
    _write_json(to_hs3(read.workspace) if to == "hs3" else dict(read.workspace), target)
    return [target]


def _write_json(content: Any, target: Path) -> None:
    with replacing(target) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
