"""One sample: its files, and how many events of the real experiment one of its events stands for."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import awkward as ak
import numpy as np

from ..errors import InputError
from .layout import Layout

WEIGHT = "genWeight"

# from events to booleans
Keep: TypeAlias = Callable[[ak.Array], ak.Array]
# from events to one number for each
Reweight: TypeAlias = Callable[[ak.Array], np.ndarray]
# an item of a list of weights
ITEM = re.compile(r"(.+)\[(\d+)\]")


@dataclasses.dataclass(frozen=True)
class Sample:
    """One sample of events, simulated or real.

    A simulated event counts for ``cross_section * luminosity * weight / sum_of_weights``. Where the weights already
    stand for a luminosity of their own, as those of collision data do (each event counts 1), an event counts for
    ``weight * luminosity / own luminosity``.

    Attributes
    ----------
    name
        Its name in the fileset.
    files
        Paths or URLs.
    source
        The JSON file that describes it.
    cross_section
        In pb; None when the fileset does not say.
    sum_of_weights
        Sum of the weights over *all generated* events, also those that a skim dropped; None when the fileset does
        not say.
    weight
        The column with the weight of each event; ``""`` where every event counts 1. Where it holds a list for each
        event, one of its items, as in ``"LHEReweightingWeight[3]"``.
    luminosity
        In 1/pb, what the weights stand for already; None for simulation that is normalised to its cross-section.
    shares
        What each file holds of ``sum_of_weights``, in any unit; None when the fileset does not say. Only needed to go
        on without a file that cannot be read.
    generated_events
        How many events were generated; None when the fileset does not say.
    file_events, file_weights
        What each file holds at most, by its ``nevts`` and ``sumw``: events, and their sum of weights. Empty when the
        fileset does not say.
    keep
        Which of its events: those for which all of these plain functions are true. The others are part of the sums of
        weights all the same.
    reads
        The columns that these functions look at.
    reweight
        A function of the events that are kept, by which their weights are multiplied; none by default. The sums of
        weights are those without it.
    friends
        For each file, files with further columns of the same events, row by row; empty where there are none.
    era
        The period of data taking that it is of; "" where the fileset does not say.
    era_luminosity
        In 1/pb, what it is normalised to instead of the whole; None where that is the whole.
    layout
        How its files call the columns, where that is not how those of the other samples do.
    """

    name: str
    files: tuple[str, ...]
    source: Path
    cross_section: float | None = None
    sum_of_weights: float | None = None
    weight: str = WEIGHT
    luminosity: float | None = None
    shares: tuple[float, ...] | None = None
    generated_events: float | None = None
    file_events: tuple[float | None, ...] = ()
    file_weights: tuple[float | None, ...] = ()
    keep: tuple[Keep, ...] = ()
    reads: tuple[str, ...] = ()
    layout: Layout | None = dataclasses.field(default=None, compare=False)
    reweight: Reweight | None = None
    friends: tuple[tuple[str, ...], ...] = ()
    era: str = ""
    era_luminosity: float | None = None

    @property
    def weight_column(self) -> str:
        """The column that holds the weights, or a list of them for each event."""
        found = ITEM.fullmatch(self.weight)
        return found[1] if found else self.weight

    @property
    def weight_position(self) -> int | None:
        """Which item of the list is the weight; None where there is no list."""
        found = ITEM.fullmatch(self.weight)
        return int(found[2]) if found else None

    def columns(self) -> tuple[str, ...]:
        """Return the columns that are read because of the sample itself."""
        return (*([self.weight_column] if self.weight else []), *self.reads)

    def events_per_weight(self, luminosity: float) -> float:
        """Return the expected number of events per unit of weight.

        It is ``cross_section * luminosity / sum_of_weights``, or ``luminosity / own luminosity``.

        Parameters
        ----------
        luminosity
            In 1/pb; that of the era counts instead where there is one.

        Raises
        ------
        InputError
            When the cross-section or the sum of weights is missing, not finite, or not positive.

        Examples
        --------
        >>> from pathlib import Path
        >>> from hepgrad.workflows import Sample
        >>> sample = Sample("ttbar", ("ttbar.root",), Path("fileset.json"), cross_section=800.0, sum_of_weights=1e6)
        >>> sample.events_per_weight(luminosity=1000.0)
        0.8
        >>> data = Sample("data", ("data.root",), Path("fileset.json"), weight="", luminosity=1000.0)
        >>> data.events_per_weight(luminosity=1000.0)
        1.0
        """
        luminosity = luminosity if self.era_luminosity is None else self.era_luminosity
        if self.luminosity is not None:
            return luminosity / self._positive(self.luminosity, "lumi_pb", "the luminosity in 1/pb of its weights")
        cross_section = self._positive(
            self.cross_section, "xsec_pb", "a cross-section in pb (or to the workflow's cross_sections)"
        )
        total = self._positive(
            self.sum_of_weights,
            "sumw_total",
            f"the sum of {self.weight or 'weights'} over all generated events (or nevts_total, their number, where "
            "each of them counts the same)",
        )
        return cross_section * luminosity / total

    def _positive(self, value: float | None, key: str, meaning: str) -> float:
        if value is None:
            raise InputError(
                f'sample {self.name!r} has no {key} in {self.source}; add {meaning} to its entry, as in "{key}": 1.0'
            )
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"sample {self.name!r}: {key} must be positive, got {value} in {self.source}")
        return value
