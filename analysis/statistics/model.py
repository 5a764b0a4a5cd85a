"""Statistical models: from histograms per process to a figure of merit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from ..histogram import Axis, Counts
from .asimov import discovery_significance


@dataclasses.dataclass(frozen=True)
class CountingModel:
    """Signal over background in bins, with a common background normalisation and simulated statistics.

    Attributes
    ----------
    signal
        The processes that are the signal; all others are background.
    background_uncertainty
        Relative uncertainty of the background's normalisation (0.1 is 10 %), profiled.

    Examples
    --------
    >>> from hepgrad.analysis.statistics import CountingModel
    >>> CountingModel(signal=("zprime",), background_uncertainty=0.1).signal
    ('zprime',)
    """

    signal: Sequence[str]
    background_uncertainty: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "signal", tuple(self.signal))
        if not self.background_uncertainty >= 0:
            raise ValueError(f"background_uncertainty must not be negative, got {self.background_uncertainty}")

    @property
    def objectives(self) -> dict[str, Callable[..., jax.Array]]:
        """The figures of merit by name, each of histograms, their axes, and the processes; larger is better."""
        return {"discovery": self.discovery}

    def discovery(
        self, histograms: Mapping[str, Counts], axes: Mapping[str, Axis], processes: Sequence[str]
    ) -> jax.Array:
        """Return the expected discovery significance on Asimov data.

        Parameters
        ----------
        histograms
            By channel, `Counts` of shape (processes, bins + 2).
        axes
            By channel; they say what happens to under- and overflow.
        processes
            The names of the rows.

        Raises
        ------
        ValueError
            When a signal process is missing, or nothing else is there.
        """
        missing = [name for name in self.signal if name not in processes]
        if missing or len(processes) <= len(self.signal):
            raise ValueError(f"the model needs the signal {list(self.signal)} and a background; got {list(processes)}")
        is_signal = jnp.array([name in self.signal for name in processes])[:, None]
        sumw = jnp.concatenate([axes[name].visible(h.sumw) for name, h in histograms.items()], axis=-1)
        sumw2 = jnp.concatenate([axes[name].visible(h.sumw2) for name, h in histograms.items()], axis=-1)
        # statistics in the highest precision that is enabled
        sumw, sumw2 = (x.astype(jnp.result_type(float)) for x in (sumw, sumw2))
        return discovery_significance(
            jnp.sum(jnp.where(is_signal, sumw, 0), axis=0),
            jnp.sum(jnp.where(is_signal, 0, sumw), axis=0),
            background_uncertainty=self.background_uncertainty,
            background_variance=jnp.sum(jnp.where(is_signal, 0, sumw2), axis=0),
        )
