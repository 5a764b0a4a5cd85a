"""Where the templates of an analysis go in the arrays of a likelihood: static indices, made outside of programs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..histogram import Axis
from ..systematics import ABCD, Nuisance, Source, Treatment, mirrored
from ..systematics.contract import acts_on, nuisances_of, templates_only
from .control_regions import parts_of
from .histfactory import ParameterConfig
from .histfactory.eventwise import FURTHER
from .histfactory.layout import ChannelLayout, ModelLayout, SampleLayout

# a nearly empty bin has a large relative uncertainty, which pyhf's bounds of (0, 10) would cut off
STATERROR_BOUNDS = (1e-10, 1e6)


@dataclasses.dataclass(frozen=True)
class Blueprint:
    """The structure of the likelihood of some templates; hashable, all index arrays derive from it.

    Attributes
    ----------
    signal, signal_statistics, systematics, parameter_of_interest, bounds
        Those of the `TemplateModel`.
    processes
        The names of the templates' processes, in order.
    channels
        Name and axis of each channel, in the order of the templates' cells.
    rows
        The source, and +1 or -1 standard deviation, of each row of the templates but the first.

    Raises
    ------
    ValueError
        When a process that the model names is missing, or no background is there.
    """

    signal: tuple[str, ...]
    signal_statistics: tuple[str, ...]
    systematics: tuple[Source, ...]
    parameter_of_interest: str
    bounds: tuple[float, float] | None
    processes: tuple[str, ...]
    channels: tuple[tuple[str, Axis], ...]
    rows: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        named = {*self.signal, *templates_only(self.systematics)}
        parts: list[Source | Nuisance] = [*self.systematics]
        parts += [nuisance for source in self.systematics for nuisance in nuisances_of(source)]
        named |= {process for part in parts for process in part.processes or ()}
        if missing := named - set(self.processes):
            raise ValueError(f"the model names the processes {sorted(missing)}; there are {list(self.processes)}")
        channels = {name for name, _ in self.channels}
        validation = {channel for source in self.foretold for channel in source.validation}
        if unknown := validation.union(*(part.channels or () for part in parts)) - channels:
            raise ValueError(f"the sources name the channels {sorted(unknown)}; there are {sorted(channels)}")
        for source in self.eventwise:
            others = [o for o in self.systematics if o.modifier == "histosys" and o is not source]
            if sharing := [o.name for o in others if source.name in [each.name for each in nuisances_of(o)]]:
                raise ValueError(
                    f"{source.name}: where events are interpolated no other source can move templates with the same "
                    f"parameter, and {sharing} do; interpolate templates"
                )
        if not self.backgrounds:
            raise ValueError(f"the model needs a background besides its signal {list(self.signal)}")
        for source in self.foretold:
            if source.process not in self.backgrounds:
                raise ValueError(f"{source.name}: {source.process!r} is no background; there are {self.backgrounds}")
        names = [source.name for source in self.sources]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"a background from control regions has parameters {repeated} of its own; rename the other"
            )
        for source in self.eventwise:
            if missing_rows := {(source.name, point) for point in FURTHER} - set(self.rows):
                raise ValueError(
                    f"{source.name}: to interpolate events takes templates at {sorted(p for _, p in missing_rows)} "
                    "standard deviations, too, which are not there; interpolate templates"
                )

    @functools.cached_property
    def backgrounds(self) -> tuple[str, ...]:
        """The processes that are neither signal nor templates only, in order."""
        others = {*self.signal, *templates_only(self.systematics)}
        return tuple(name for name in self.processes if name not in others)

    @functools.cached_property
    def foretold(self) -> tuple[ABCD, ...]:
        """The backgrounds that are taken from control regions."""
        return tuple(source for source in self.systematics if isinstance(source, ABCD))

    @functools.cached_property
    def rows_of_foretold(self) -> dict[str, list[int]]:
        """The processes that a background from control regions is, by its name: itself, and other samples of it."""
        rows = {}
        for source in self.foretold:
            others = [other for other in self.systematics if source.process in (other.processes or ())]
            names = [source.process, *(name for other in others for name in other.samples)]
            rows[source.name] = [self.processes.index(name) for name in names]
        return rows

    def _is_foretold(self, process: str, channel: str) -> bool:
        """Tell whether a process is taken from control regions in a channel, or is one of them."""
        return any(process == source.process and channel in source.channels for source in self.foretold)

    @functools.cached_property
    def is_simulated_background(self) -> np.ndarray:
        """Where a process is a background as it was simulated, shape (processes, channels of the model), bool."""
        channels = [channel.name for channel in self.layout.ordered_channels]
        return np.array(
            [
                [process in self.backgrounds and not self._is_foretold(process, channel) for channel in channels]
                for process in self.processes
            ]
        )

    @functools.cached_property
    def sources(self) -> tuple[Source, ...]:
        """The sources, and what backgrounds from control regions are in the likelihood."""
        bins = {name: len(axis.edges) - 1 for name, axis in self.channels}
        simple = tuple(source for source in self.systematics if source not in self.foretold)
        return (*simple, *(part for source in self.foretold for part in parts_of(source, bins)))

    @functools.cached_property
    def fitted(self) -> tuple[tuple[str, Axis], ...]:
        """Name and axis of the channels that are in the likelihood: not those in which only closure is measured."""
        validation = {channel for source in self.foretold for channel in source.validation}
        return tuple((name, axis) for name, axis in self.channels if name not in validation)

    def acts_on(self, source: Source, process: str, channel: str) -> bool:
        """Tell whether a source acts on a process in a channel; one from control regions it has to name."""
        free = source.processes is None and self._is_foretold(process, channel)
        return acts_on(source, process, channel) and not free

    @functools.cached_property
    def layout(self) -> ModelLayout:
        """The structure of the likelihood."""

        def has_statistics(channel: str, process: str) -> bool:
            counted = process in self.backgrounds or process in self.signal_statistics
            return counted and not self._is_foretold(process, channel)

        def modifiers(channel: str, process: str) -> tuple[tuple[str, str], ...]:
            found = [("normfactor", self.parameter_of_interest)] if process in self.signal else []
            if has_statistics(channel, process):
                found.append(("staterror", f"staterror_{channel}"))
            for source in self.sources:
                if self.acts_on(source, process, channel):
                    found += [
                        (source.modifier, nuisance.name)
                        for nuisance in nuisances_of(source)
                        if nuisance.acts_on(process, channel)
                    ]
            return tuple(dict.fromkeys(found))

        names = [*self.signal, *self.backgrounds]
        strength = ParameterConfig(self.parameter_of_interest, bounds=self.bounds)
        bins = {name: len(axis.edges) - 1 for name, axis in self.fitted}
        wide = [
            ParameterConfig(f"staterror_{name}", bounds=[STATERROR_BOUNDS] * bins[name])
            for name in bins
            if any(has_statistics(name, process) for process in names)
        ]
        for source in self.sources:
            if source.bounds is not None:
                size = bins[min(source.channels or bins)] if source.modifier == "shapefactor" else 1
                wide.append(ParameterConfig(source.name, bounds=[source.bounds] * size))
        return ModelLayout(
            channels=tuple(
                ChannelLayout(c, len(axis.edges) - 1, tuple(SampleLayout(name, modifiers(c, name)) for name in names))
                for c, axis in self.fitted
            ),
            parameter_of_interest=self.parameter_of_interest,
            configs=(strength, *wide),
            normsys_code="code4",
            histosys_code="code4p",
            eventwise=tuple(source.name for source in self.eventwise),
        )

    @functools.cached_property
    def eventwise(self) -> tuple[Source, ...]:
        """The sources of which events are interpolated, wherever they act."""
        names = [*self.signal, *self.backgrounds]
        return tuple(
            source
            for source in self.systematics
            if source.interpolation == "events"
            and any(self.acts_on(source, process, channel) for process in names for channel, _ in self.fitted)
        )

    @functools.cached_property
    def further(self) -> np.ndarray:
        """The rows of the templates at further points, shape (points, sources)."""
        rows = {name: row for row, name in enumerate(self.rows, 1)}
        found = [[rows[source.name, point] for source in self.eventwise] for point in FURTHER]
        return np.array(found, np.int32).reshape(len(FURTHER), -1)

    @functools.cached_property
    def order(self) -> np.ndarray:
        """The process of each sample, shape (samples,), int32."""
        return np.array([self.processes.index(name) for name in self.layout.sample_names], np.int32)

    @functools.cached_property
    def is_background(self) -> np.ndarray:
        """Which processes are, shape (processes,), bool."""
        return np.array([name in self.backgrounds for name in self.processes])

    @functools.cached_property
    def cells(self) -> tuple[tuple[str, int], ...]:
        """Name and number of cells of each channel: its bins, under- and overflow."""
        return tuple((name, len(axis.edges) + 1) for name, axis in self.channels)

    @functools.cached_property
    def cells_of_bins(self) -> tuple[np.ndarray, np.ndarray]:
        """The cells that make each bin of the model, as its axis says, and which of them count, shape (3, bins).

        The first is the bin's own, then come under- and overflow, of which most bins have none.
        """
        cells = np.zeros((3, self.layout.bins), np.int32)
        counts = np.zeros(cells.shape, bool)
        start = 0
        for name, axis in self.channels:
            bins = len(axis.edges) - 1
            if (name, axis) in self.fitted:
                here = self.layout.channel_slices[name]
                cells[:, here] = np.arange(start + 1, start + 1 + bins)
                counts[0, here] = True
                if axis.flow == "fold":
                    cells[1, here.start], cells[2, here.stop - 1] = start, start + bins + 1
                    counts[1, here.start] = counts[2, here.stop - 1] = True
            start += bins + 2
        return cells, counts

    def bins(self, cells: jax.Array) -> jax.Array:
        """Return the bins that the model sees, in its order, from the cells (last axis) of channels side by side."""
        index, counts = self.cells_of_bins
        # not a product with a matrix, in which one cell that is NaN would make all bins NaN
        return jnp.sum(jnp.where(counts, cells[..., index], 0), axis=-2)

    @functools.cached_property
    def channel_of_cells(self) -> np.ndarray:
        """Matrix of 0 and 1, shape (cells, channels): which channel, in the order of the model, a cell is of."""
        ordered = [channel.name for channel in self.layout.ordered_channels]
        places = [ordered.index(name) if name in ordered else -1 for name, _ in self.cells]
        index = np.repeat(places, [cells for _, cells in self.cells])
        return (index[:, None] == np.arange(len(ordered))).astype(float)

    @functools.cached_property
    def shapes(self) -> tuple[Source, ...]:
        """The sources with templates, in the order of their parameters in the model."""
        order = list(self.layout.cells_of["histosys"])
        sources = [source for source in self.sources if source.modifier == "histosys"]
        places = {
            source.name: [order.index(each.name) for each in nuisances_of(source) if each.name in order]
            for source in sources
        }
        return tuple(sorted((s for s in sources if places[s.name]), key=lambda s: min(places[s.name])))

    @functools.cached_property
    def mixing(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Which sources the templates of each parameter are made of; None where each has one of its own.

        For each term the parameter, the source, and by how much the source's change counts, of shapes (terms,),
        (terms,) and (terms, samples, bins).
        """
        order = list(self.layout.cells_of["histosys"])
        terms = self._terms(self.shapes, order)
        alone = [(parameter, source) for parameter, source, _ in terms] == [(i, i) for i in range(len(order))]
        if alone and all(np.isin(counts, (0, 1)).all() for *_, counts in terms):
            return None
        parameters, sources, counts = zip(*terms, strict=True)
        by_bin = np.stack(counts)[:, :, self.layout.channel_of_bin]
        return np.array(parameters, np.int32), np.array(sources, np.int32), by_bin

    def _terms(self, sources: Sequence[Source], order: Sequence[str]) -> list[tuple[int, int, np.ndarray]]:
        """Return the parameter and the source of each term, and its coefficient, shape (samples, channels)."""
        names = self.layout.sample_names
        channels = [channel.name for channel in self.layout.ordered_channels]
        terms: dict[tuple[int, int], np.ndarray] = {}
        for index, source in enumerate(sources):
            for nuisance in nuisances_of(source):
                if nuisance.name not in order:
                    continue
                key = (order.index(nuisance.name), index)
                counts = terms.setdefault(key, np.zeros((len(names), len(channels))))
                for i, process in enumerate(names):
                    for j, channel in enumerate(channels):
                        if self.acts_on(source, process, channel) and nuisance.acts_on(process, channel):
                            counts[i, j] += nuisance.coefficient
        return [(*key, counts) for key, counts in sorted(terms.items(), key=lambda item: item[0])]

    @functools.cached_property
    def combinations(self) -> tuple[tuple[int, Source, np.ndarray, np.ndarray], ...]:
        """Sources that are combined of several templates: place among the shapes, the source, its rows, and factors.

        The factors, shape (rows, samples), take away what is changed before any selection.
        """
        rows = {name: row for row, (name, _) in enumerate(self.rows, 1)}
        return tuple(
            (
                index,
                source,
                np.array([rows[name] for name in source.combined_of], np.int32),
                1 / source.unselected(self.layout.sample_names),
            )
            for index, source in enumerate(self.shapes)
            if source.combined_of
        )

    @functools.cached_property
    def templates_of_shapes(self) -> np.ndarray:
        """Where the templates of each source are, shape (2, sources, samples): row times processes, plus process.

        At minus and at plus one standard deviation; of a source without the former, that of the latter.
        """
        number = len(self.processes)
        rows = {name: row * number for row, name in enumerate(self.rows, 1)}

        def place(source: Source, side: int) -> Any:
            if source.samples:
                name = source.samples[0 if side > 0 else -1]
                return np.full(len(self.order), self.processes.index(name))
            if source.combined_of:
                return self.order  # made of several; see `combinations`
            return rows.get((source.name, side), rows[source.name, 1]) + self.order

        index = [[place(source, side) for source in self.shapes] for side in (-1, 1)]
        return np.array(index, np.int32).reshape(2, len(self.shapes), len(self.order))

    @functools.cached_property
    def is_one_sided(self) -> np.ndarray:
        """Which sources have no template below, shape (sources,), bool."""
        below = {name for name, side in self.rows if side < 0}
        below |= {source.name for source in self.shapes if source.combined_of}
        return np.array(
            [len(source.samples) == 1 if source.samples else source.name not in below for source in self.shapes], bool
        )

    @functools.cached_property
    def treatments(self) -> tuple[tuple[tuple[Treatment, ...], np.ndarray], ...]:
        """What is done to templates, and the indices of the sources to whose it is done."""
        groups: dict[tuple[Treatment, ...], list[int]] = {}
        for index, source in enumerate(self.shapes):
            groups.setdefault(tuple(source.shape), []).append(index)
        return tuple((shape, np.array(indices, np.int32)) for shape, indices in groups.items() if shape)

    @functools.cached_property
    def alike_channels(self) -> tuple[np.ndarray, ...]:
        """The bins of channels with equally many of them, each of shape (channels, bins)."""
        alike: dict[int, list[np.ndarray]] = {}
        for where in self.layout.channel_slices.values():
            alike.setdefault(where.stop - where.start, []).append(np.arange(where.start, where.stop, dtype=np.int32))
        return tuple(map(np.array, alike.values()))

    @functools.cached_property
    def normalisations(self) -> np.ndarray:
        """The factors of the sources that only normalise, shape (2, sources, samples, channels): minus, then plus."""
        order = list(self.layout.cells_of["normsys"])
        sources = [source for source in self.sources if source.modifier == "normsys"]
        made = np.ones((2, len(order), len(self.order), len(self.layout.channels)))
        for parameter, source, counts in self._terms(sources, order):
            for side, factor in enumerate(sources[source].factors_of_yields):
                # opposite where the coefficient is negative
                made[side, parameter] *= factor ** np.maximum(counts, 0)
                made[1 - side, parameter] *= factor ** np.maximum(-counts, 0)
        return made

    @functools.cached_property
    def background_of_samples(self) -> np.ndarray:
        """The place of each sample among the backgrounds, shape (samples,); -1 for the others."""
        names = self.layout.sample_names
        return np.array([self.backgrounds.index(n) if n in self.backgrounds else -1 for n in names], np.int32)

    def sides(self, yields: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return the nominal yields of the samples, and the templates of each source below and above.

        ``yields`` has shape (rows, processes, bins). The nominal ones have shape (samples, bins), templates shape
        (sources, samples, bins), before what sources ask for is done to them.
        """
        nominal = yields[0][self.order]
        down, up = yields.reshape(-1, yields.shape[-1])[self.templates_of_shapes]
        down = jnp.where(self.is_one_sided[:, None, None], mirrored(nominal, up), down)
        for place, source, rows, factors in self.combinations:
            members = yields[rows][:, self.order] * jnp.asarray(factors, yields.dtype)[:, :, None]
            low, high = source.combined(nominal, members)
            down, up = down.at[place].set(low), up.at[place].set(high)
        return nominal, down, up

    def mixed(self, nominal: jax.Array, down: jax.Array, up: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the templates of each parameter, to which the changes of its sources add up.

        ``nominal`` has shape (samples, bins); ``down`` and ``up``, of the sources, shape (sources, samples, bins).
        """
        if self.mixing is None:
            return down, up
        parameters, sources, counts = self.mixing
        number = len(self.layout.cells_of["histosys"])
        factors = jnp.asarray(counts, nominal.dtype)
        below, above = ((side - nominal)[sources] for side in (down, up))

        def total(same: jax.Array, opposite: jax.Array) -> jax.Array:
            # a source that moves against its parameter is above where that is below
            changes = jnp.where(factors >= 0, factors * same, -factors * opposite)
            return jnp.maximum(nominal + jax.ops.segment_sum(changes, parameters, number), 0)

        return total(below, above), total(above, below)

    def treated(self, nominal: jax.Array, down: jax.Array, up: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return templates after what each source asks for.

        ``nominal`` has shape (samples, bins); ``down`` and ``up`` shape (sources, samples, bins).
        """
        for shape, sources in self.treatments:
            treat = functools.partial(_treated, shape)
            each = jax.vmap(jax.vmap(treat), in_axes=(None, 0, 0))
            for bins in self.alike_channels:
                here = nominal[:, bins].reshape(-1, bins.shape[1])
                where = (sources[:, None, None, None], np.arange(len(nominal), dtype=np.int32)[:, None, None], bins)
                before = (side[where].reshape(len(sources), -1, bins.shape[1]) for side in (down, up))
                after = each(here, *before)
                size = (len(sources), len(nominal), *bins.shape)
                down, up = (side.at[where].set(new.reshape(size)) for side, new in zip((down, up), after, strict=True))
        return down, up


def _treated(
    shape: Sequence[Treatment], nominal: jax.Array, down: jax.Array, up: jax.Array
) -> tuple[jax.Array, jax.Array]:
    for treatment in shape:
        down, up = treatment(nominal, down, up)
    return down, up
