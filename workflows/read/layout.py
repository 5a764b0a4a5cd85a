"""Layouts: how a file calls the columns that stages read, and which columns form one field of the events."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping
from typing import Any, TypeVar

from hepgrad.analysis.selection.cross_references import points

from ..settings.ranges import is_finite
from .files.links import ARROW

Value = TypeVar("Value")
Other = TypeVar("Other")

STAR = "*"


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the columns that stages read are called in a file, and how they become fields of the events.

    Stages always say what they read by the name of the *column*, ``Jet_pt`` for ``events.Jet.pt``, whatever a file
    calls it; so the same stage reads every layout.

    Attributes
    ----------
    separator
        What stands between a collection and its field in the name of a column. The first one counts: ``Jet_btag_b``
        is ``events.Jet.btag_b``. Without a separator (``""``) every column stays by itself: ``pt_1`` is
        ``events.pt_1``.
    branches
        By column, the name of its branch where that is another one. A star on both sides stands for the same rest of
        the name. A name without a star goes before all others, otherwise the first entry that fits counts. Parts of
        objects follow a dot (``p4.fE``), and what ATLAS's element links are followed into an arrow
        (``AnalysisMuonsAuxDyn.combinedTrackParticleLink -> CombinedMuonTrackParticles``): such columns hold positions,
        which their name has to say, as in ``Muon_trackIdx``.
    factors
        By column, with or without a star, what its values are multiplied by, such as 0.001 from MeV to GeV.
    defaults
        By column, with or without a star, what stands for it in files that lack its branch: False for a trigger that
        did not exist yet, a number for a variable of other versions.

    Examples
    --------
    The CMS HEP tutorial of 2012 has ``NJet`` and ``Jet_Px``; ATLAS's PHYSLITE has momenta in MeV.

    >>> from hepgrad.workflows import Layout
    >>> tutorial = Layout(branches={"n*": "N*", "*_px": "*_Px", "*_py": "*_Py"})
    >>> tutorial.branch("nJet"), tutorial.branch("Jet_px"), tutorial.branch("triggerIsoMu24")
    ('NJet', 'Jet_Px', 'triggerIsoMu24')
    >>> physlite = Layout(branches={"Jet_*": "AnalysisJetsAuxDyn.*"}, factors={"*_pt": 0.001, "*_m": 0.001})
    >>> physlite.branch("Jet_pt"), physlite.factor("Jet_pt"), physlite.factor("Jet_eta")
    ('AnalysisJetsAuxDyn.pt', 0.001, 1.0)
    >>> tutorial.field("Jet_px"), Layout(separator="").field("pt_1")
    (('Jet', 'px'), ('pt_1', ''))

    A trigger that some files lack:

    >>> eras = Layout(defaults={"HLT_*": False})
    >>> eras.default("HLT_IsoMu24"), eras.default("Jet_pt")
    (False, None)
    """

    separator: str = "_"
    branches: Mapping[str, str] = dataclasses.field(default_factory=dict)
    factors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    defaults: Mapping[str, float | bool] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for column, branch in self.branches.items():
            if column.count(STAR) > 1 or column.count(STAR) != branch.count(STAR):
                raise ValueError(f"layout: {column!r}: {branch!r} needs at most one star, and on both sides or on none")
            # as `Objects.at` will ask, whatever stands for the star
            of_all, field = self.field(column.replace(STAR, "x"))
            if ARROW in branch and not points(field or of_all):
                raise ValueError(
                    f"layout: {column!r} holds positions of objects ({branch!r}), which its name has to say, so that "
                    f"links to nothing stay so where they are followed on; call it {column + 'Idx'!r}"
                )
        given: Any
        for column, given in self.factors.items():
            if isinstance(given, bool) or not isinstance(given, numbers.Real) or not is_finite(given):
                raise ValueError(f"layout: the factor of {column!r} must be a number, got {given!r}")
        for column, given in self.defaults.items():
            if not isinstance(given, numbers.Real):
                raise ValueError(f"layout: the default of {column!r} must be a number, True or False, got {given!r}")

    def branch(self, column: str) -> str:
        """Return the branch of a column.

        Parameters
        ----------
        column
            As stages read it.
        """
        if column in self.branches:
            return self.branches[column]
        for pattern, branch in self.branches.items():
            if (rest := _rest(pattern, column)) is not None:
                return branch.replace(STAR, rest)
        return column

    def field(self, column: str) -> tuple[str, str]:
        """Return the field of the events and the field in it (``""`` for a column by itself) that a column becomes.

        Parameters
        ----------
        column
            As stages read it.
        """
        collection, separator, field = column.partition(self.separator) if self.separator else (column, "", "")
        return collection, field if separator else ""

    def factor(self, column: str) -> float:
        """Return what the values of a column are multiplied by.

        Parameters
        ----------
        column
            As stages read it.
        """
        return _first_that_fits(self.factors, column, 1.0)

    def default(self, column: str) -> float | bool | None:
        """Return what stands for a column in files that lack its branch; None where that is an error.

        Parameters
        ----------
        column
            As stages read it.
        """
        return _first_that_fits(self.defaults, column, None)


def _first_that_fits(entries: Mapping[str, Value], column: str, otherwise: Other) -> Value | Other:
    if column in entries:
        return entries[column]
    return next((value for pattern, value in entries.items() if _rest(pattern, column) is not None), otherwise)


def _rest(pattern: str, column: str) -> str | None:
    """Return what the star of a pattern stands for in a name, or None when the name does not fit."""
    before, star, after = pattern.partition(STAR)
    fits = star and len(column) >= len(before) + len(after) and column.startswith(before) and column.endswith(after)
    return column[len(before) : len(column) - len(after)] if fits else None


NANOAOD = Layout()
FLAT = Layout(separator="")
