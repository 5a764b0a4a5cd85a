"""Same-sign estimate: jets that are mistaken for leptons have equal charges about as often as opposite ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import awkward as ak

from hepgrad.analysis.printing import as_names

from ..layout import Layout
from ..sample import Keep, Reweight, Sample
from .contract import Estimate, check_uncertainty


@dataclasses.dataclass(frozen=True)
class Otherwise:
    """The opposite of a condition."""

    condition: Keep

    def __call__(self, events: ak.Array) -> ak.Array:
        """Return which events do not fulfil it."""
        return ~self.condition(events)

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The condition."""
        return (self.condition,)

    def text(self, names: Mapping[str, str]) -> str:
        """Return it as Python; ``names`` play no role."""
        return f"lambda events: ~{self.condition.__name__}(events)"


@dataclasses.dataclass(frozen=True)
class SameSign(Estimate):
    """A background of mistaken leptons, from data with equal charges.

    It is all data with equal charges, each counted ``transfer`` times, less the simulated backgrounds with equal
    charges. They pass the same stages as all events, so the estimate follows every cut. All other processes, and the
    observed events, are those with other charges: the stages need not ask for that.

    Attributes
    ----------
    same
        A function of the events, as `hepgrad.workflows.read_events` returns them, that tells which have equal charges:
        an Awkward array of booleans.
    reads
        The columns that it looks at.
    transfer
        Opposite over equal charges among the events of this background.
    uncertainty
        Relative, of the transfer factor: a nuisance parameter of the model, named after the process, as in
        ``multijet_estimate``. With 0 there is none. Models without sources, such as `CountingModel`, have one
        uncertainty for the whole background and take none from here.
    subtract
        Names of the simulated processes that are taken off the data; all backgrounds by default.

    Raises
    ------
    ValueError
        When the transfer factor is not positive, or the uncertainty not between 0 and 1.

    Examples
    --------
    >>> from hepgrad.workflows import Process, SameSign
    >>> def same_sign(events):
    ...     return events.q_1 * events.q_2 > 0
    >>> multijet = SameSign(same_sign, reads=["q_1", "q_2"], transfer=1.03, uncertainty=0.15)
    >>> Process("multijet", estimate=multijet).label
    'multijet'
    """

    same: Keep
    _: dataclasses.KW_ONLY
    reads: Sequence[str]
    transfer: float = 1.0
    uncertainty: float = 0.3
    subtract: Sequence[str] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reads", as_names(self.reads))
        object.__setattr__(self, "subtract", None if self.subtract is None else as_names(self.subtract))
        check_uncertainty("SameSign", self.uncertainty)
        if not (math.isfinite(self.transfer) and self.transfer > 0):
            raise ValueError(f"SameSign: the transfer factor must be positive, got {self.transfer}")

    def others(self) -> Keep:
        """Return the condition of opposite charges."""
        return Otherwise(self.same)

    def own(self) -> Keep:
        """Return the condition of equal charges."""
        return self.same

    def factor(self) -> float | Reweight:
        """Return the transfer factor."""
        return self.transfer

    def relative_uncertainty(self) -> float:
        """Return the uncertainty; the statistics of its events are in its histograms."""
        return self.uncertainty

    def told(self) -> str:
        """Return the transfer factor in words."""
        return f"data with equal charges x {self.transfer:g}, +- {100 * self.uncertainty:g} %"

    def measured(self, name: str, parts: Sequence[tuple[float, Sample]], *, tree: str, layout: Layout) -> SameSign:
        """Return it as it is; the arguments are those of every estimate."""
        return self
