"""Eras: periods of data taking with a luminosity, triggers and names of columns of their own."""

from __future__ import annotations

import dataclasses
import math

from .layout import Layout


@dataclasses.dataclass(frozen=True)
class Era:
    """A period of data taking.

    Attributes
    ----------
    luminosity
        Integrated luminosity in 1/pb that the simulated samples of this era stand for.
    layout
        How its files call the columns, where that is not how those of the others do: which branch is the trigger, and
        constants for corrections by year. None where it is the workflow's.

    Raises
    ------
    ValueError
        When the luminosity is not positive.

    Examples
    --------
    One column for the trigger of both years, and the year as a column of its own (no file has a branch ``year``):

    >>> from hepgrad.workflows import Era, Layout
    >>> eras = {
    ...     "2017": Era(41_480.0, Layout(branches={"HLT_muon": "HLT_IsoMu27"}, defaults={"year": 2017})),
    ...     "2018": Era(59_830.0, Layout(branches={"HLT_muon": "HLT_IsoMu24"}, defaults={"year": 2018})),
    ... }
    >>> eras["2017"].layout.branch("HLT_muon"), eras["2018"].layout.default("year")
    ('HLT_IsoMu27', 2018)
    """

    luminosity: float
    layout: Layout | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.luminosity) and self.luminosity > 0):
            raise ValueError(f"the luminosity of an era must be positive, in 1/pb; got {self.luminosity}")
