"""What an estimate says: which data it is made of, what they count for, and how well that is known."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ..layout import Layout
from ..sample import Keep, Reweight, Sample

E = TypeVar("E", bound="Estimate")


class Written(Protocol):
    """A condition or a weight made of the user's functions, which a script can write down."""

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The user's functions."""

    def text(self, names: Mapping[str, str]) -> str:
        """Return it as Python; ``names`` are those of the script's own functions that had to change."""


class Estimate(abc.ABC):
    """A background that is estimated from collision data beside the selection: `SameSign`, `FakeRate`, `Sidebands`.

    The data are those of the observed processes of the workflow. Of these the estimate takes events that no other
    process and no observed event of the selection has, so that it unblinds nothing; `Sidebands` takes those of the
    control regions. Simulated processes are taken off it, as they are there too.

    Attributes
    ----------
    reads
        The columns that its functions look at.
    uncertainty
        Relative, of the whole estimate.
    subtract
        Names of the simulated processes that are taken off the data; all backgrounds when it is None.
    """

    reads: Sequence[str]
    uncertainty: float
    subtract: Sequence[str] | None

    @abc.abstractmethod
    def others(self) -> Keep:
        """Return which events all other processes, and the observed events, are made of."""

    @abc.abstractmethod
    def own(self) -> Keep:
        """Return which events it is made of."""

    @abc.abstractmethod
    def factor(self) -> float | Reweight:
        """Return what each of its events counts for: one number, or a function of the events."""

    @abc.abstractmethod
    def relative_uncertainty(self) -> float:
        """Return the relative uncertainty of all of it, with what was measured."""

    @abc.abstractmethod
    def told(self) -> str:
        """Return in words what is known of it."""

    @abc.abstractmethod
    def measured(self: E, name: str, parts: Sequence[tuple[float, Sample]], *, tree: str, layout: Layout) -> E:
        """Return the estimate with what is measured in data.

        Parameters
        ----------
        name
            Of its process, for errors.
        parts
            Samples and what a unit of their weights counts for: data, and less than nothing for what is taken off.
        tree, layout
            As for `hepgrad.workflows.load`.
        """


def check_uncertainty(name: str, value: float) -> None:
    """Raise a `ValueError` when a relative uncertainty is none."""
    if not (math.isfinite(value) and 0 <= value < 1):
        raise ValueError(f"{name}: the uncertainty is relative, at least 0 and below 1 (0.3 for 30 %), got {value}")
