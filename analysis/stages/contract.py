"""Stages: the steps of an analysis, each a function of events and cuts that returns events."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

from ..printing import as_names
from ..selection.events import Events
from ..selection.threshold import Cuts

StageFunction: TypeAlias = Callable[[Events, Cuts], Events]


class AnyStage(Protocol):
    """What an analysis asks of its stages: a hashable, pure callable that says what it needs.

    `Stage` makes one of a function; the stages of `hepgrad.analysis.stages` are such classes themselves.
    """

    @property
    def name(self) -> str:
        """By which it is listed, swapped and removed."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns it needs, as branches are named: ``"Jet_pt"`` is ``events.Jet.pt``."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters it needs."""

    @property
    def makes(self) -> tuple[tuple[str, str], ...]:
        """The columns it adds, each with the collection that it is a copy of, or ``""``.

        Later stages may read them, and no file needs to have them.
        """

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Run the stage.

        Parameters
        ----------
        events
            A block of events.
        cut
            The parameters as thresholds.
        """


@dataclasses.dataclass(frozen=True)
class Stage:
    """A function as a named step of an analysis.

    Attributes
    ----------
    name
        By which it is listed, swapped and removed.
    function
        ``(events, cut) -> events``, pure, built from JAX and `hepgrad.ragged` operations.
    reads
        The branches it needs, so that a reader reads no others.
    parameters
        The parameters it needs, so that a missing one is noticed before anything runs.
    makes
        The columns it adds, as in `AnyStage`.
    """

    name: str
    function: StageFunction
    reads: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    makes: tuple[tuple[str, str], ...] = ()

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
            raise TypeError(
                f"stage {self.name!r}{_place(self.function)} must return Events, it returned {type(result).__name__}; "
                "end it with `return events`"
            )
        return result


def stage(
    *undeclared: StageFunction,
    reads: Sequence[str] = (),
    parameters: Sequence[str] = (),
    makes: Sequence[str] = (),
    name: str | None = None,
) -> Callable[[StageFunction], Stage]:
    """Make a stage of a function, as a decorator.

    Parameters
    ----------
    *undeclared
        Nothing: a decorator that is told nothing, ``@stage``, is refused, because a stage without branches reads none.
    reads
        The branches it needs, for instance ``["Jet_pt", "MET_pt"]``.
    parameters
        The parameters it needs, for instance ``["met"]``; those that are not named here are noticed when it runs.
    makes
        The columns and collections that it adds and that later stages read, for instance ``["ht"]``.
    name
        Name of the stage; the function's own by default.

    Raises
    ------
    TypeError
        When the function does not take events and cuts, or nothing was declared.

    Examples
    --------
    >>> from hepgrad.analysis import stage
    >>> @stage(reads=["MET_pt"], parameters=["met"])
    ... def missing_momentum(events, cut):
    ...     return events.select(events.MET.pt > cut.met, "missing momentum")
    >>> missing_momentum.name, missing_momentum.reads
    ('missing_momentum', ('MET_pt',))
    """
    if undeclared:
        raise TypeError(
            f"a stage says what it reads: write `@stage(reads=[...])` above {undeclared[0]!r}, with the branches that "
            "it uses, for instance 'Jet_pt'"
        )

    def decorate(function: StageFunction) -> Stage:
        called = name or function.__name__
        try:
            inspect.signature(function).bind(None, None)
        except TypeError:
            raise TypeError(
                f"stage {called!r}{_place(function)} is called with the events and the cuts: write "
                f"`def {function.__name__}(events, cut):`"
            ) from None
        made = tuple((column, "") for column in as_names(makes))
        return Stage(called, function, as_names(reads), as_names(parameters), made)

    return decorate


def _place(function: StageFunction) -> str:
    code = getattr(function, "__code__", None)
    return "" if code is None else f" ({Path(code.co_filename).name}, line {code.co_firstlineno})"
