"""Stages: the steps of an analysis, each a function of events and cuts that returns events."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

from .cut import Cuts
from .events import Events

StageFunction: TypeAlias = Callable[[Events, Cuts], Events]


@dataclasses.dataclass(frozen=True)
class Stage:
    """A named step of an analysis.

    Attributes
    ----------
    name
        By which it is listed, swapped and removed.
    function
        ``(events, cut) -> events``, pure, built from JAX and `hepgrad.ragged` operations.
    reads
        The branches it needs, so that a reader reads no others.
    """

    name: str
    function: StageFunction
    reads: tuple[str, ...] = ()

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Run the stage.

        Parameters
        ----------
        events
            A block of events.
        cut
            The parameters as thresholds.

        Raises
        ------
        TypeError
            When the function returns something else than events.
        """
        result = self.function(events, cut)
        if not isinstance(result, Events):
            raise TypeError(f"stage {self.name!r} must return Events, it returned {type(result).__name__}")
        return result


def stage(*, reads: tuple[str, ...] = (), name: str | None = None) -> Callable[[StageFunction], Stage]:
    """Make a stage of a function, as a decorator.

    Parameters
    ----------
    reads
        The branches it needs, for instance ``("Jet_pt", "MET_pt")``.
    name
        Name of the stage; the function's own by default.

    Examples
    --------
    >>> from hepgrad.analysis import stage
    >>> @stage(reads=("MET_pt",))
    ... def missing_momentum(events, cut):
    ...     return events.select(events.MET.pt > cut.met, "missing momentum")
    >>> missing_momentum.name, missing_momentum.reads
    ('missing_momentum', ('MET_pt',))
    """

    def decorate(function: StageFunction) -> Stage:
        return Stage(name or function.__name__, function, tuple(reads))

    return decorate
