"""What an analysis asks of its statistical model, whichever it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self, TypeAlias

import jax
import jax.numpy as jnp

from ..histogram import Axis, Counts
from ..systematics import Source
from .histfactory import Model
from .objectives import Evaluation, Merit

# of histograms by channel, their axes, the names of the processes, and what one simulated event of each counts for
OfHistograms: TypeAlias = Callable[[Mapping[str, Counts], Mapping[str, Axis], Sequence[str], jax.Array], Evaluation]
Likelihood: TypeAlias = Callable[[Mapping[str, Counts], Mapping[str, Axis], Sequence[str], jax.Array], Model]


@dataclasses.dataclass(frozen=True)
class FigureOfMerit:
    """What an optimiser maximises, as a function of histograms.

    Attributes
    ----------
    merit
        How people are told the value.
    function
        Of histograms by channel, their axes, the names of the processes, and what one simulated event of each counts
        for, shape (processes,). Differentiable; within `jit` it raises nothing, and tells by the flag of its
        `Evaluation` whether to believe the value.
    confirmed
        The same for values that are compared with others or told, if it takes more to believe these: `function` looks
        for the nearest maximum of a likelihood, this one for the highest.
    """

    merit: Merit
    function: OfHistograms
    confirmed: OfHistograms | None = None

    def __call__(
        self,
        histograms: Mapping[str, Counts],
        axes: Mapping[str, Axis],
        processes: Sequence[str],
        typical_weight: jax.Array,
        *,
        confirmed: bool = False,
    ) -> Evaluation:
        """Return the value, larger is better, and whether to believe it."""
        function = self.confirmed if confirmed and self.confirmed is not None else self.function
        return function(histograms, axes, processes, typical_weight)


class StatisticalModel(Protocol):
    """What `Analysis.model` may be: any hashable object of this form; `TemplateModel` and `CountingModel` are two.

    Examples
    --------
    >>> import dataclasses
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis import Analysis, Channel, Regular, stage
    >>> from hepgrad.analysis.statistics import FigureOfMerit
    >>> from hepgrad.analysis.statistics.objectives import Evaluation, Merit
    >>> @dataclasses.dataclass(frozen=True)
    ... class Counted:
    ...     signal: tuple = ("signal",)
    ...     systematics: tuple = ()
    ...     likelihood: None = None
    ...     def with_sources(self, sources):
    ...         return self
    ...     def figure_of(self, objective):
    ...         return FigureOfMerit(Merit("Selected events", "events"), self.count)
    ...     def count(self, histograms, axes, processes, typical_weight):
    ...         return Evaluation(sum(counts.sumw.sum() for counts in histograms.values()), jnp.array(True))
    >>> @stage(reads=("met",))
    ... def select(events, cut):
    ...     return events.select(events.met > cut.met)
    >>> Analysis([select], [Channel("sr", "met", Regular(5, 0, 500))], Counted(), "events").merit.title
    'Selected events'
    """

    @property
    def signal(self) -> Sequence[str]:
        """The processes that are searched for; all others are background."""

    @property
    def systematics(self) -> Sequence[Source]:
        """The sources of uncertainty; those that vary events have histograms of their own."""

    def with_sources(self, sources: Sequence[Source]) -> Self:
        """Return the model with sources of uncertainty more: those of backgrounds that are estimated from data.

        A model that has none of its own, such as one with one uncertainty for the whole background, returns itself.

        Parameters
        ----------
        sources
            With names that the model does not know yet.
        """

    def figure_of(self, objective: Any) -> FigureOfMerit:
        """Return the figure of merit for what `Analysis.objective` says.

        Parameters
        ----------
        objective
            A name, or whatever else the model understands.

        Raises
        ------
        ValueError
            When it does not.
        """

    @property
    def likelihood(self) -> Likelihood | None:
        """From histograms to their HistFactory likelihood; None for a model that is not one.

        A run with a likelihood leaves a workspace, pulls and impacts, and can fit observed events. A process that
        counts for less than nothing in a bin counts for nothing there.
        """


def heaviest_event(typical_weight: jax.Array) -> jax.Array:
    """Return what an event of the process with the heaviest events counts for.

    A process whose weights do not add up to a positive number has no typical weight, so that it is left out; where
    there is no other one, the result is infinite, and with it no figure of merit is finite. Weights are those of the
    background processes, shape (processes,).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.statistical_model import heaviest_event
    >>> print(heaviest_event(jnp.array([0.5, 2.0, jnp.inf])), heaviest_event(jnp.array([jnp.inf])))
    2.0 inf
    """
    known = jnp.isfinite(typical_weight)
    return jnp.where(known.any(), jnp.max(jnp.where(known, typical_weight, 0)), jnp.inf)
