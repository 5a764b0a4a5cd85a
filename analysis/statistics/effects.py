"""What one standard deviation of each source does to the histograms of an analysis, outside of any fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ..histogram import Axis
from ..systematics import Source, Templates
from .blueprint import Blueprint

# of a blueprint whose likelihood nobody builds; no source has this name
_STRENGTH = "the strength of the signal"


def with_deviations(sources: Iterable[Source]) -> tuple[Source, ...]:
    """Return the sources with standard deviations: not those that are free."""
    return tuple(source for source in sources if source.modifier in ("histosys", "normsys"))


@dataclasses.dataclass(frozen=True)
class Effects:
    """Histograms and what sources make of them, in the bins that the axes say.

    Attributes
    ----------
    blueprint
        Where everything is.
    nominal
        Yields, shape (samples, bins).
    sides
        The templates of each source at minus and at plus one standard deviation, shape (2, sources, samples, bins).
    treated
        The same after what the sources ask for: smoothed, pruned, and so on.
    """

    blueprint: Blueprint
    nominal: np.ndarray
    sides: np.ndarray
    treated: np.ndarray

    @classmethod
    def of(
        cls,
        signal: Sequence[str],
        sources: Sequence[Source],
        templates: Templates,
        axes: Mapping[str, Axis],
        processes: Sequence[str],
    ) -> Effects:
        """Return the effects of sources on the templates that they made, whose rows are the processes.

        Free normalisations, and backgrounds from control regions, are left out.
        """
        channels = tuple((name, axes[name]) for name, _ in templates.channels)
        where = tuple(processes), channels, templates.names
        blueprint = Blueprint(tuple(signal), (), with_deviations(sources), _STRENGTH, None, *where)

        @jax.jit
        def evaluated(sumw: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
            nominal, *sides = blueprint.sides(blueprint.bins(sumw.astype(float)))
            return nominal, jnp.stack(sides), jnp.stack(blueprint.treated(nominal, *sides))

        return cls(blueprint, *map(np.asarray, evaluated(templates.counts.sumw)))

    def largest(self, source: str, process: str, channel: str) -> tuple[float, float]:
        """Return the largest relative change of a bin by a source, before and after what is done to its templates."""
        index = [each.name for each in self.blueprint.shapes].index(source)
        layout = self.blueprint.layout
        here = layout.sample_names.index(process), layout.channel_slices[channel]
        nominal = np.maximum(self.nominal[here], 0)
        before, after = (
            np.max(abs(np.maximum(sides[(slice(None), index, *here)], 0) - nominal), axis=0)
            for sides in (self.sides, self.treated)
        )
        return _relative(before, nominal), _relative(after, nominal)

    def shifts(self) -> dict[str, np.ndarray]:
        """Return by nuisance parameter half the difference between one standard deviation up and down.

        Sources that share a parameter add up. Shapes of the values are (samples, bins).
        """
        layout = self.blueprint.layout
        down, up = map(np.asarray, self.blueprint.mixed(*map(jnp.asarray, (self.nominal, *self.sides))))
        change = (up - down) / 2 * layout.acts_on("histosys")[..., layout.channel_of_bin]
        found = dict(zip(layout.cells_of["histosys"], change, strict=True))
        low, high = self.blueprint.normalisations
        for name, factors in zip(layout.cells_of["normsys"], (high - low) / 2, strict=True):
            found[name] = found.get(name, 0) + factors[:, layout.channel_of_bin] * self.nominal
        return found


def _relative(change: np.ndarray, nominal: np.ndarray) -> float:
    return float(np.max(np.where(nominal > 0, change / np.where(nominal > 0, nominal, 1), change > 0), initial=0))
