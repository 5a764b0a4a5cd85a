"""What is asked of every source of systematic uncertainty, with the answer of one that has nothing to say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self, TypeAlias

import jax
import numpy as np

from ..selection.events import Events
from .nuisances import Nuisance
from .shape import Treatment

# a row of templates: its name, and at how many standard deviations, mostly 1 or -1
Variation: TypeAlias = tuple[str, int]


class Source:
    """A source of systematic uncertainty, whatever its kind; those in the box derive from it.

    Attributes
    ----------
    name
        Of its nuisance parameter.
    processes, channels
        Those it acts on; None for all.
    nuisances
        The parameters that it moves with, when that is not one of its own name.
    reads
        The branches that it needs.
    shape
        What is done to its templates, in order.
    bounds
        (lowest, highest) value of its parameter in a fit; those that HistFactory has by default.
    interpolation
        Of ``"templates"`` between the standard deviations, or of the weights of ``"events"``.
    """

    name: str
    processes: Sequence[str] | None
    channels: Sequence[str] | None = None
    nuisances: Sequence[Nuisance] = ()
    reads: Sequence[str] = ()
    shape: Sequence[Treatment] = ()
    bounds: tuple[float, float] | None = None
    interpolation: str = "templates"

    @property
    def modifier(self) -> str:
        """What it is in the likelihood, a type of HistFactory's: ``"histosys"`` for all that have templates."""
        return "histosys"

    @property
    def samples(self) -> tuple[str, ...]:
        """The processes that are nothing but its templates: up, and down if there is one."""
        return ()

    @property
    def factors_of_yields(self) -> tuple[float, float]:
        """The factors on the yields in all bins at minus and plus one standard deviation."""
        return 1.0, 1.0

    @property
    def sides(self) -> tuple[int, ...]:
        """The standard deviations, 1 and -1, at which the selection runs again."""
        return ()

    @property
    def weighted(self) -> tuple[Variation, ...]:
        """The rows of templates that are the nominal selection, filled with other weights."""
        return ()

    @property
    def combined_of(self) -> tuple[str, ...]:
        """The rows that its templates are combined of, where these are not rows themselves."""
        return ()

    def shifted(self, events: Events, alpha: jax.Array | float) -> Events:
        """Return events with their objects shifted by ``alpha`` standard deviations.

        Parameters
        ----------
        events
            Before any selection.
        alpha
            A number; the float 0.0 for the nominal point.
        """
        return events

    def factors_of_events(self, events: Events) -> Sequence[jax.Array]:
        """Return the factors on the weight of each event for the rows of `weighted`.

        Parameters
        ----------
        events
            Selected ones.

        Returns
        -------
        sequence of jax.Array
            Row by row, shape (events,), or several at once, shape (rows, events).
        """
        return ()

    def confined(self, mine: jax.Array) -> Self:
        """Return the source with factors of 1 on the weights of all other events.

        Parameters
        ----------
        mine
            Which events are of a process that it acts on, shape (events,), bool.
        """
        return self

    def unselected(self, processes: Sequence[str]) -> np.ndarray:
        """Return what each row of `combined_of` changes before any selection, a factor that is taken away.

        Parameters
        ----------
        processes
            Their names.

        Returns
        -------
        numpy.ndarray
            Shape (rows, processes).
        """
        return np.ones((len(self.combined_of), len(processes)))

    def combined(self, nominal: jax.Array, members: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the templates at minus and plus one standard deviation, from the rows of `combined_of`.

        Parameters
        ----------
        nominal
            Yields, any shape.
        members
            Shape (rows, ...).
        """
        return nominal, nominal


def nuisances_of(source: Source) -> tuple[Nuisance, ...]:
    """Return the parameters that a source moves with: one of its own name unless it says others."""
    return tuple(source.nuisances) or (Nuisance(source.name),)


def templates_only(sources: Iterable[Source]) -> frozenset[str]:
    """Return the processes that are nothing but templates of other ones, neither signal nor background."""
    return frozenset(name for source in sources for name in source.samples)


def acts_on(source: Source, process: str, channel: str) -> bool:
    """Tell whether a source acts on a process in a channel."""
    return Nuisance(source.name, 1.0, source.processes, source.channels).acts_on(process, channel)
