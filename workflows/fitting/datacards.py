"""Datacards of Combine on disk: the text, and the histograms in ROOT files beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hist
import numpy as np
import uproot

from hepgrad.analysis.statistics.exchange import (
    Datacard,
    Histogram,
    format_datacard,
    from_datacard,
    parse_datacard,
    to_datacard,
)
from hepgrad.analysis.statistics.exchange.datacards import Interpretation

from ..errors import InputError
from ..files.replacing import replacing
from ..read.files.paths import is_remote, patience
from .reading import Document, read_bytes


def read_datacard(path: str | Path, *, interpretation: Interpretation = "combine") -> Document:
    """Read a datacard and its histograms.

    Raises `InputError` when something cannot be read, or is no likelihood that HistFactory can express.
    """
    try:
        card = parse_datacard(read_bytes(path, "datacard").decode("utf-8"))
        with contextlib.ExitStack() as files:
            workspace, codes = from_datacard(card, _Finder(str(path), files), interpretation=interpretation)
    except ValueError as error:
        raise InputError(str(error) if isinstance(error, InputError) else f"{path}: {error}") from None
    return Document(str(path), workspace, codes)


def write_datacard(workspace: Mapping[str, Any], path: str | Path) -> Datacard:
    """Write the datacard of a workspace, and its histograms in a ROOT file of the same name beside it.

    The workspace is in pyhf's format, with one measurement. Raises `InputError` when a card cannot express the
    workspace, or a file cannot be written.
    """
    path = Path(path)
    try:
        card, _ = histograms_of(workspace, path.with_suffix(".root"))
        with replacing(path) as temporary:
            temporary.write_text(format_datacard(card), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be written: {error}") from None
    return card


def histograms_of(workspace: Mapping[str, Any], file: Path) -> tuple[Datacard, dict[str, Histogram]]:
    """Write the histograms of a workspace's datacard, and return both.

    The workspace is in pyhf's format, with one measurement. Raises `ValueError` when a card cannot express the
    workspace.
    """
    card, histograms = to_datacard(workspace, file=file.name)
    with replacing(file) as temporary, uproot.recreate(temporary) as written:
        for name, histogram in histograms.items():
            written[name] = _as_hist(histogram)
    return card, histograms


class _Finder:
    """Finds histograms in ROOT files, each of which is opened once."""

    def __init__(self, card: str, files: contextlib.ExitStack) -> None:
        self._folder = card.rpartition("/")[0] if "/" in card else "."
        self._files = files
        self._open: dict[str, Any] = {}

    def __call__(self, file: str, path: str) -> Histogram | None:
        """Return the bins of a histogram; None when the file has none of this path."""
        if file not in self._open:
            where = file if is_remote(file) or Path(file).is_absolute() else f"{self._folder}/{file}"
            try:
                self._open[file] = self._files.enter_context(uproot.open(where, **patience(where)))
            except Exception as error:  # damaged files surface as almost any exception
                reason = (str(error) or type(error).__name__).strip().splitlines()[0]
                raise InputError(f"{where}, with the histograms of the datacard, cannot be read: {reason}") from None
        if path.partition(":")[0] not in self._open[file] and path not in self._open[file]:
            return None
        found = self._open[file][path]
        if not hasattr(found, "variances"):
            raise InputError(f"{path} in {file} is a {found.classname}, and no histogram")
        values = np.asarray(found.values(), float)
        if values.ndim != 1:
            raise InputError(f"{path} in {file} has {values.ndim} dimensions; a datacard has histograms of one")
        variances = found.variances()
        return Histogram(values, values if variances is None else np.asarray(variances, float))


def _as_hist(histogram: Histogram) -> hist.Hist[Any]:
    bins = len(histogram.values)
    result = hist.Hist(hist.axis.Regular(bins, 0, bins, name="bin"), storage=hist.storage.Weight())
    result.values()[...], result.variances()[...] = histogram.values, histogram.variances
    return result
