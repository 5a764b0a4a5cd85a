"""Templates: the histograms of an analysis at the nominal point and at one standard deviation of every source."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from ..histogram import Counts
from ..selection.events import Events
from ..selection.later import settled
from .contract import Source, Variation
from .variations import Varied, vary

Histograms = dict[str, Counts]
# so many kinematic variations are rows of one vectorised evaluation: more take more memory than they save time
TOGETHER = 12
# so many weights are filled as if each were an event's own; more of them by products of matrices
MANY = 32


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


class Filling(Protocol):
    """From selected events to histograms of shape (processes, cells), those of all channels side by side."""

    def __call__(self, selected: Events, factors: jax.Array | None = None) -> Counts:
        """Fill them; ``factors`` on the weights, shape (factors, events), give a row for each."""


def fill_templates(
    systematics: Sequence[Source],
    events: Events,
    select: Callable[[Events], Events],
    fill: Filling,
    channels: Sequence[tuple[str, int]],
) -> Templates:
    """Select and fill events at the nominal point and for every variation.

    The selection is one program. Up to `TOGETHER` kinematic variations it runs once, as one vectorised evaluation for
    the nominal point and all of them; more of them run in turn, so that memory does not grow with their number, and
    what makes weights runs for the nominal events only. Weight variations fill the events that the nominal selection
    keeps with other weights.

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
    sources = [source for source in systematics if source.weighted]

    def with_weights(selected: Events) -> list[Counts]:
        if not sources:
            return []
        # columns that are made together are made once
        whole = dataclasses.replace(selected, columns=settled(selected.columns))
        factors = jnp.concatenate([part.ravel() for source in sources for part in source.factors_of_events(whole)])
        factors = factors.reshape(-1, *selected.weight.shape)
        # what is no number is of no consequence for events that do not count
        counts = (jnp.asarray(selected.weight) != 0) & (jnp.asarray(selected.probability) > 0)
        factors = jnp.where(counts | jnp.isfinite(factors), factors, 1)
        if len(factors) > MANY:
            return [fill(selected, factors)]
        return [jax.vmap(lambda f: fill(dataclasses.replace(selected, weight=selected.weight * f)))(factors)]

    if len(varied.names) > TOGETHER:
        filled, more = _in_turn(varied, select, fill, with_weights)
    elif varied.names:
        selected = varied.map(select)
        filled = jax.vmap(fill)(selected)
        more = with_weights(jax.tree.map(lambda x: x[0], selected))
    else:
        nominal = select(varied.events)
        filled = jax.tree.map(lambda x: x[None], fill(nominal))
        more = with_weights(nominal)
    rows = jax.tree.map(lambda *parts: jnp.concatenate(parts), filled, *more)
    names = (*varied.names, *(row for source in sources for row in source.weighted))
    return Templates.packed(rows, channels, names)


def _in_turn(
    varied: Varied,
    select: Callable[[Events], Events],
    fill: Filling,
    with_weights: Callable[[Events], list[Counts]],
) -> tuple[Counts, list[Counts]]:
    """Return the histograms of each row, and those with other weights of the nominal one."""

    def of_row(events: Events, is_nominal: jax.Array) -> tuple[Counts, list[Counts]]:
        selected = select(events)
        shapes = jax.eval_shape(lambda: with_weights(selected))
        nothing = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        return fill(selected), jax.lax.cond(is_nominal, lambda: with_weights(selected), lambda: nothing)

    return varied.in_turn(of_row, jnp.arange(1 + len(varied.names)) == 0)


def _joined(histograms: Sequence[Counts]) -> Counts:
    """Return histograms side by side."""
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis=-1), *histograms)
