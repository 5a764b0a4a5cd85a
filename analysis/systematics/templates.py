"""Templates: the histograms of an analysis at the nominal point and at one standard deviation of every source."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ..histogram import Counts
from ..selection.events import Events
from ..selection.later import settled
from .sources import KNOTS, Source, WeightVariation
from .variations import Variation, vary
from .weight_sets import WeightSet

Histograms = dict[str, Counts]


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, init=False, eq=False)
class Templates(Mapping[str, Counts]):
    """Histograms by channel, each of shape (processes, bins + 2); as a mapping, the nominal ones.

    All of them are one array, so that what a program does with them does not depend on how many there are.

    Parameters
    ----------
    nominal
        By channel: nothing shifted.
    down, up
        By source, then by channel: one standard deviation below and above; ``down`` lacks one-sided sources. The
        members of a `WeightSet` are rows of their own, ``"pdf[17]"``, above. Sources that need no histograms of their
        own (normalisations, alternative samples) are not among them.

    Attributes
    ----------
    counts
        Shape (rows, processes, cells): the nominal histograms in the first row, then one row for each variation. The
        cells of all channels, under- and overflow included, follow each other.
    channels
        Name and number of cells of each channel, in order (static).
    names
        The source, and +1 or -1 standard deviation, of each row but the first; where events are interpolated also +-2
        and +-3 (static).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis import Counts
    >>> from hepgrad.analysis.systematics import Templates
    >>> counts = Counts(jnp.array([[0.0, 5.0, 3.0, 0.0]]), jnp.array([[0.0, 5.0, 3.0, 0.0]]))
    >>> templates = Templates({"sr": counts}, up={"jes": {"sr": counts}})
    >>> templates.counts.sumw.shape
    (2, 1, 4)
    >>> print(templates.up["jes"]["sr"].sumw)
    [[0. 5. 3. 0.]]
    """

    counts: Counts
    channels: tuple[tuple[str, int], ...]
    names: tuple[Variation, ...]

    def __init__(
        self,
        nominal: Mapping[str, Counts],
        down: Mapping[str, Mapping[str, Counts]] | None = None,
        up: Mapping[str, Mapping[str, Counts]] | None = None,
    ) -> None:
        varied = [(name, side, row) for side, rows in ((1, up), (-1, down)) for name, row in (rows or {}).items()]
        rows = [
            _joined([histograms[name] for name in nominal]) for histograms in (nominal, *(row for *_, row in varied))
        ]
        counts = jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
        channels = tuple((name, int(counts.sumw.shape[-1])) for name, counts in nominal.items())
        self._set(counts, channels, tuple((name, side) for name, side, _ in varied))

    def _set(self, counts: Any, channels: tuple[tuple[str, int], ...], names: tuple[Variation, ...]) -> None:
        for field, value in (("counts", counts), ("channels", channels), ("names", names)):
            object.__setattr__(self, field, value)

    def tree_flatten_with_keys(self) -> tuple[tuple[tuple[Any, Counts]], Any]:
        """Return the counts, and the static part, as JAX asks for."""
        return ((jax.tree_util.GetAttrKey("counts"), self.counts),), (self.channels, self.names)

    @classmethod
    def tree_unflatten(cls, static: Any, children: Any) -> Templates:
        """Return templates with these counts, whatever JAX puts in their place."""
        return cls.packed(children[0], *static)

    @classmethod
    def packed(cls, counts: Counts, channels: Sequence[tuple[str, int]], names: Sequence[Variation]) -> Templates:
        """Return the templates in an array.

        Parameters
        ----------
        counts, channels, names
            As the attributes.
        """
        made = object.__new__(cls)
        made._set(counts, tuple(channels), tuple(names))
        return made

    @functools.cached_property
    def nominal(self) -> Histograms:
        """The nominal histograms, by channel."""
        return self._row(0)

    @property
    def up(self) -> dict[str, Histograms]:
        """By source, then by channel: one standard deviation above."""
        return self._side(1)

    @property
    def down(self) -> dict[str, Histograms]:
        """By source, then by channel: one standard deviation below."""
        return self._side(-1)

    def __getitem__(self, channel: str) -> Counts:
        return self.nominal[channel]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.channels)

    def __len__(self) -> int:
        return len(self.channels)

    def _side(self, side: int) -> dict[str, Histograms]:
        return {name: self._row(row) for row, (name, of) in enumerate(self.names, 1) if of == side}

    def _row(self, row: int) -> Histograms:
        histograms, start = {}, 0
        for name, cells in self.channels:
            here = slice(start, start + cells)
            histograms[name] = jax.tree.map(lambda x, here=here: x[row, ..., here], self.counts)
            start += cells
        return histograms


def fill_templates(
    systematics: Sequence[Source],
    events: Events,
    select: Callable[[Events], Events],
    fill: Callable[..., Counts],
    channels: Sequence[tuple[str, int]],
) -> Templates:
    """Select and fill events at the nominal point and for every variation.

    The selection is one program, which runs for the nominal point and for each kinematic variation in turn, so that
    memory does not grow with their number. Weight variations fill the events that the nominal selection keeps with
    other weights; what makes these weights runs for the nominal events only.

    Parameters
    ----------
    systematics
        The sources.
    events
        Before any selection.
    select
        The selection.
    fill
        From selected events, and factors on their weights where there are any, to histograms of shape (processes,
        cells), those of all channels side by side; with factors, with a row for each.
    channels
        Name and number of cells of each channel, in order.
    """
    varied = vary(systematics, events)
    weights = _Weights.of(systematics)

    def of_row(events: Events, is_nominal: Any) -> tuple[Counts, list[Counts]]:
        selected = select(events)

        def with_weights() -> Counts:
            return fill(selected, weights.factors(selected))

        if not weights.names:
            return fill(selected), []
        if not varied.names:
            return fill(selected), [with_weights()]
        shapes = jax.eval_shape(with_weights)
        nothing = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        return fill(selected), [jax.lax.cond(is_nominal, with_weights, lambda: nothing)]

    filled, more = varied.in_turn(of_row, jnp.arange(1 + len(varied.names)) == 0)
    rows = jax.tree.map(lambda *parts: jnp.concatenate(parts), filled, *more)
    return Templates.packed(rows, channels, (*varied.names, *weights.names))


@dataclasses.dataclass(frozen=True)
class _Weights:
    """All variations of weights: two sides of sources, and members of sets."""

    sides: tuple[tuple[WeightVariation, int], ...]
    sets: tuple[WeightSet, ...]

    @classmethod
    def of(cls, systematics: Sequence[Source]) -> _Weights:
        sources = [s for s in systematics if isinstance(s, WeightVariation)]
        sides = [(s, alpha) for alpha in KNOTS for s in sources if alpha in s.points]
        return cls(tuple(sides), tuple(s for s in systematics if isinstance(s, WeightSet)))

    @property
    def names(self) -> tuple[Variation, ...]:
        """What each row is."""
        sides = ((source.name, alpha) for source, alpha in self.sides)
        return (*sides, *((row, 1) for source in self.sets for row in source.rows))

    def factors(self, selected: Events) -> jax.Array:
        """Return the factors on the weights of selected events, shape (rows, events)."""
        # columns that are made together are made once
        whole = dataclasses.replace(selected, columns=settled(selected.columns))
        single = [source.factor_at(whole, alpha) for source, alpha in self.sides]
        return jnp.concatenate([*([jnp.stack(single)] if single else []), *(s.factors(whole) for s in self.sets)])


def _joined(histograms: Sequence[Counts]) -> Counts:
    """Return histograms side by side."""
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis=-1), *histograms)
