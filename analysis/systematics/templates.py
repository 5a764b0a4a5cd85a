"""Templates: the histograms of an analysis at the nominal point and at one standard deviation of every source."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ..histogram import Counts
from ..selection.events import Events
from .sources import KinematicVariation, Source, WeightVariation

Histograms = dict[str, Counts]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Templates(Mapping[str, Counts]):
    """Histograms by channel, each of shape (processes, bins + 2); as a mapping, the nominal ones.

    Attributes
    ----------
    nominal
        Nothing shifted.
    down, up
        By source, then by channel: one standard deviation below and above; ``down`` lacks one-sided sources. Sources
        that need no histograms of their own (normalisations, alternative samples) are not among them.
    """

    nominal: Histograms
    down: dict[str, Histograms] = dataclasses.field(default_factory=dict)
    up: dict[str, Histograms] = dataclasses.field(default_factory=dict)

    def __getitem__(self, channel: str) -> Counts:
        return self.nominal[channel]

    def __iter__(self) -> Iterator[str]:
        return iter(self.nominal)

    def __len__(self) -> int:
        return len(self.nominal)


def fill_templates(
    systematics: Sequence[Source],
    events: Events,
    select: Callable[[Events], Events],
    fill: Callable[[Events], Histograms],
) -> Templates:
    """Select and fill events at the nominal point and for every variation.

    The selection runs once for the nominal point and once, as one vectorised evaluation, for all kinematic variations
    together. Weight variations fill the events that the nominal selection keeps with other weights.

    Parameters
    ----------
    systematics
        The sources.
    events
        Before any selection.
    select
        The selection.
    fill
        From selected events to histograms by channel.
    """
    weights = [s for s in systematics if isinstance(s, WeightVariation)]
    kinematics = [s for s in systematics if isinstance(s, KinematicVariation)]
    selected = select(_shifted(kinematics, events, [0.0] * len(kinematics)))
    varied = _weights(weights, selected, fill) + _kinematics(kinematics, events, select, fill)
    down, up = ({name: h for name, alpha, h in varied if alpha == side} for side in (-1, 1))
    return Templates(fill(selected), down, up)


# name of the source, +1 or -1 standard deviation, histograms
Varied = tuple[str, int, Histograms]


def _weights(
    sources: Sequence[WeightVariation], selected: Events, fill: Callable[[Events], Histograms]
) -> list[Varied]:
    variations = [(s.name, 1, s.up) for s in sources]
    variations += [(s.name, -1, s.down) for s in sources if s.down is not None]
    if not variations:
        return []
    factors = jnp.stack([jnp.broadcast_to(factor(selected), selected.weight.shape) for _, _, factor in variations])
    filled = jax.vmap(lambda f: fill(dataclasses.replace(selected, weight=selected.weight * f)))(factors)
    return [(name, alpha, _entry(filled, i)) for i, (name, alpha, _) in enumerate(variations)]


def _kinematics(
    sources: Sequence[KinematicVariation],
    events: Events,
    select: Callable[[Events], Events],
    fill: Callable[[Events], Histograms],
) -> list[Varied]:
    variations = [(i, 1) for i in range(len(sources))]
    variations += [(i, -1) for i, s in enumerate(sources) if not s.one_sided]
    if not variations:
        return []
    # one row a variation: every source acts on the events, all but one of them by nothing
    shifts = np.zeros((len(variations), len(sources)), events.weight.dtype)
    for row, (i, alpha) in enumerate(variations):
        shifts[row, i] = alpha

    filled = jax.vmap(lambda alphas: fill(select(_shifted(sources, events, alphas))))(jnp.asarray(shifts))
    return [(sources[i].name, alpha, _entry(filled, row)) for row, (i, alpha) in enumerate(variations)]


def _shifted(sources: Sequence[KinematicVariation], events: Events, alphas: Iterable[jax.Array | float]) -> Events:
    for source, alpha in zip(sources, alphas, strict=True):
        events = source.shift(events, alpha)
    return events


def _entry(filled: Histograms, i: int) -> Histograms:
    return jax.tree.map(lambda x: x[i], filled)
