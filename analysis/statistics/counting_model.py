"""Statistical models: from histograms per process to a figure of merit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ..histogram import Axis, Counts
from ..printing import as_names
from ..systematics import Source
from .asimov import background_only_fit
from .objectives import Discovery, Evaluation
from .statistical_model import FigureOfMerit, heaviest_event


@dataclasses.dataclass(frozen=True)
class CountingModel:
    """Signal over background in bins, with a common background normalisation and simulated statistics.

    Attributes
    ----------
    signal
        The processes that are the signal; all others are background.
    background_uncertainty
        Relative uncertainty of the background's normalisation (0.1 is 10 %), profiled.

    Notes
    -----
    The variance of a bin's background is the sum of squared weights (as in HistFactory's ``staterror``), but at least
    that of one simulated event of the channel's average weight: a bin that the simulation leaves empty is not known to
    be free of background. Without this floor an optimiser wins by emptying bins.

    Examples
    --------
    >>> from hepgrad.analysis.statistics import CountingModel
    >>> CountingModel(signal=("zprime",), background_uncertainty=0.1).signal
    ('zprime',)
    """

    signal: Sequence[str]
    background_uncertainty: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "signal", as_names(self.signal))
        if not self.background_uncertainty >= 0:
            raise ValueError(f"background_uncertainty must not be negative, got {self.background_uncertainty}")

    @property
    def systematics(self) -> tuple[Source, ...]:
        """The sources that need histograms of their own: none."""
        return ()

    def with_sources(self, sources: Sequence[Source]) -> CountingModel:
        """Return the model as it is: the uncertainty of its background is one, and declared.

        Parameters
        ----------
        sources
            Of which it takes none.
        """
        return self

    def figure_of(self, objective: object) -> FigureOfMerit:
        """Return a figure of merit as a function of histograms, their axes, the processes and their typical weights.

        Parameters
        ----------
        objective
            ``"discovery"``, the only one that this model has.

        Raises
        ------
        ValueError
            For any other.
        """
        if objective != "discovery":
            raise ValueError(
                f"a CountingModel has no objective {objective!r}, only 'discovery'; a TemplateModel has others"
            )
        return FigureOfMerit(Discovery().merit, lambda *data: Evaluation.of(self.discovery(*data)))

    @property
    def likelihood(self) -> None:
        """None: what is profiled here is no HistFactory model."""

    def discovery(
        self,
        histograms: Mapping[str, Counts],
        axes: Mapping[str, Axis],
        processes: Sequence[str],
        typical_weight: jax.Array,
    ) -> Evaluation:
        """Return the expected discovery significance on Asimov data, and whether its fit converged.

        Parameters
        ----------
        histograms
            By channel, `Counts` of shape (processes, bins + 2).
        axes
            By channel; they say what happens to under- and overflow.
        processes
            The names of the rows.
        typical_weight
            Shape (processes,): what one simulated event counts for.

        Raises
        ------
        ValueError
            When a signal process is missing, or nothing else is there.
        """
        missing = [name for name in self.signal if name not in processes]
        if missing or len(processes) <= len(self.signal):
            raise ValueError(f"the model needs the signal {list(self.signal)} and a background; got {list(processes)}")
        is_signal = jnp.array([name in self.signal for name in processes])[:, None]
        # statistics in the highest precision that is enabled
        precise = jax.tree.map(lambda x: x.astype(jnp.result_type(float)), dict(histograms))
        heaviest = heaviest_event(typical_weight[np.array([name not in self.signal for name in processes])])

        def total(which: jax.Array, counts: Counts) -> Counts:
            return jax.tree.map(lambda x: jnp.sum(jnp.where(which, x, 0), axis=0), counts)

        bins = []
        for name, counts in precise.items():
            signal, background = total(is_signal, counts), total(~is_signal, counts)
            variance = jnp.maximum(axes[name].select(background.sumw2), one_event(background, heaviest))
            bins.append((axes[name].select(signal.sumw), axes[name].select(background.sumw), variance))
        signal_yields, background_yields, variances = (jnp.concatenate(part) for part in zip(*bins, strict=True))
        fit = background_only_fit(
            signal_yields,
            background_yields,
            background_uncertainty=self.background_uncertainty,
            background_variance=variances,
        )
        return Evaluation(fit.significance, fit.converged)


def one_event(background: Counts, otherwise: jax.Array) -> jax.Array:
    """Return the squared average weight of the selected events, or of ``otherwise`` where none is selected."""
    return average_weight(jnp.sum(background.sumw), jnp.sum(background.sumw2), otherwise) ** 2


def average_weight(sumw: jax.Array, sumw2: jax.Array, otherwise: jax.Array) -> jax.Array:
    """Return the average weight of selected events.

    ``otherwise`` is what the average is where no event is selected.
    """
    some = sumw > float(np.finfo(sumw.dtype).tiny) ** 0.5
    return jnp.where(some, sumw2 / jnp.where(some, sumw, 1), otherwise)
