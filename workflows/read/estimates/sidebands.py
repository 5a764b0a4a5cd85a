"""Data of the control regions, for a background that the fit takes from there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import awkward as ak

from hepgrad.analysis.printing import as_names

from ..layout import Layout
from ..sample import Keep, Reweight, Sample
from .contract import Estimate, check_uncertainty
from .same_sign import Otherwise


@dataclasses.dataclass(frozen=True)
class All:
    """Every event, told as those that fulfil a condition or do not."""

    condition: Keep

    def __call__(self, events: ak.Array) -> ak.Array:
        """Return that each event is one of them."""
        fulfilled = self.condition(events)
        return fulfilled | ~fulfilled

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The condition."""
        return (self.condition,)

    def text(self, names: Mapping[str, str]) -> str:
        """Return it as Python; ``names`` play no role."""
        name = self.condition.__name__
        return f"lambda events: {name}(events) | ~{name}(events)"


@dataclasses.dataclass(frozen=True)
class Sidebands(Estimate):
    """A background that `ABCD` takes from control regions, from the data there.

    It is all data outside of a region that stays blind, less the simulated backgrounds there. They pass the same stages
    as all events. All other processes, and the observed events of the fit, are everywhere: the fit counts data of the
    control regions once, since the factors of such a background are free, and what it was before the fit is where they
    start.

    Attributes
    ----------
    blinded
        A function of the events, as `hepgrad.workflows.read_events` returns them, that tells which may be in the signal
        region A for any allowed cuts: an Awkward array of booleans. `ABCD` does not use what the process has in A.
    reads
        The columns that it looks at.
    uncertainty
        Relative, of the whole background; by default none besides what `ABCD` says.
    subtract
        Names of the simulated processes that are taken off the data; all backgrounds by default.

    Raises
    ------
    ValueError
        When the uncertainty is not between 0 and 1.

    Examples
    --------
    >>> from hepgrad.workflows import Process, Sidebands
    >>> def blinded(events):
    ...     return (events.MET.pt > 50) & (events.iso < 0.2)
    >>> Process("multijet", estimate=Sidebands(blinded, reads=["MET_pt", "iso"])).label
    'multijet'
    """

    blinded: Keep
    _: dataclasses.KW_ONLY
    reads: Sequence[str]
    uncertainty: float = 0.0
    subtract: Sequence[str] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reads", as_names(self.reads))
        object.__setattr__(self, "subtract", None if self.subtract is None else as_names(self.subtract))
        check_uncertainty("Sidebands", self.uncertainty)

    def others(self) -> Keep:
        """Return a condition that all events fulfil."""
        return All(self.blinded)

    def own(self) -> Keep:
        """Return the condition of the sidebands."""
        return Otherwise(self.blinded)

    def factor(self) -> float | Reweight:
        """Return 1: data are what they are."""
        return 1.0

    def relative_uncertainty(self) -> float:
        """Return the uncertainty; that of the method is in the fit."""
        return self.uncertainty

    def told(self) -> str:
        """Return in words what it is."""
        return "data of the sidebands, less simulation; the fit takes it from there"

    def measured(self, name: str, parts: Sequence[tuple[float, Sample]], *, tree: str, layout: Layout) -> Sidebands:
        """Return it as it is; the arguments are those of every estimate."""
        return self
