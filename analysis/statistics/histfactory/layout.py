"""The structure of a model: its names, and where everything lies in flat arrays.

Axes of the packed arrays: samples and channels in alphabetical order, all bins of all channels on one axis, parameters
in one vector; all as pyhf orders them, so that vectors of parameters and data can be exchanged.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter

import numpy as np

from .interpolation import ADDITIVE, MULTIPLICATIVE
from .parameters import ParameterConfig, ParameterSet, parameter_set

_ORDER = ("histosys", "lumi", "normfactor", "normsys", "shapefactor", "shapesys", "staterror")


@dataclasses.dataclass(frozen=True)
class SampleLayout:
    """Names of a sample and of its modifiers, each (type, name)."""

    name: str
    modifiers: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class ChannelLayout:
    """Names of a channel and its samples, and the number of bins."""

    name: str
    bins: int
    samples: tuple[SampleLayout, ...]


@dataclasses.dataclass(frozen=True)
class Cell:
    """One sample in one channel: its indices in the packed arrays and its modifiers."""

    sample: int
    channel: int
    bins: slice
    modifiers: tuple[tuple[str, str], ...]

    @property
    def size(self) -> int:
        """Number of bins."""
        return self.bins.stop - self.bins.start


@dataclasses.dataclass(frozen=True)
class ModelLayout:
    """The static part of a model; hashable, all index arrays derive from it.

    Index arrays have 32 bits: JAX takes the dtype of an array of 64 bits for what it was when it first met the array,
    and fails when x64 has been switched since.

    Attributes
    ----------
    channels
        In the order of the user.
    parameter_of_interest
        Name, or None.
    configs
        Settings of parameters.
    normsys_code, histosys_code
        Interpolation codes.
    eventwise
        Names of the ``histosys`` that have templates at further points, see `eventwise.FURTHER`.

    Raises
    ------
    ValueError
        When names repeat or contradict each other, or a setting is unknown.
    """

    channels: tuple[ChannelLayout, ...]
    parameter_of_interest: str | None
    configs: tuple[ParameterConfig, ...]
    normsys_code: str
    histosys_code: str
    eventwise: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for setting, known in (("normsys_code", MULTIPLICATIVE), ("histosys_code", ADDITIVE)):
            if getattr(self, setting) not in known:
                raise ValueError(f"{setting} must be one of {list(known)}, got {getattr(self, setting)!r}")
        _check_unique("channel", [channel.name for channel in self.channels], "the model")
        for channel in self.channels:
            _check_unique("sample", [sample.name for sample in channel.samples], f"channel {channel.name!r}")
            for sample in channel.samples:
                where = f"sample {sample.name!r} of channel {channel.name!r}"
                _check_unique("modifier", [" ".join(modifier) for modifier in sample.modifiers], where)
        _check_unique("ParameterConfig", [config.name for config in self.configs], "the model")
        names = [parameters.name for parameters in self.parameter_sets]
        if not names:
            raise ValueError("the model has no parameter: give at least one sample a modifier, for instance NormFactor")
        for config in self.configs:
            if config.name not in names:
                raise ValueError(f"a ParameterConfig names {config.name!r}, which is none of the parameters {names}")
        poi = self.parameter_of_interest
        if poi is not None:
            if poi not in names:
                raise ValueError(f"the parameter of interest {poi!r} is none of the parameters {names}")
            size = self.parameter_sets[names.index(poi)].size
            if size > 1:
                raise ValueError(f"the parameter of interest must be one number; {poi!r} has {size} components")

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        codes = (self.normsys_code, self.histosys_code, self.eventwise)
        return hash((self.channels, self.parameter_of_interest, self.configs, *codes))

    @functools.cached_property
    def ordered_channels(self) -> tuple[ChannelLayout, ...]:
        """The channels in the order of the bins."""
        return tuple(sorted(self.channels, key=lambda channel: channel.name))

    @functools.cached_property
    def channel_slices(self) -> dict[str, slice]:
        """Where the bins of each channel lie."""
        sizes = [channel.bins for channel in self.ordered_channels]
        stops = np.cumsum(sizes).tolist()
        return {
            channel.name: slice(stop - channel.bins, stop)
            for channel, stop in zip(self.ordered_channels, stops, strict=True)
        }

    @functools.cached_property
    def bins(self) -> int:
        """Number of bins in all channels."""
        return sum(channel.bins for channel in self.channels)

    @functools.cached_property
    def channel_of_bin(self) -> np.ndarray:
        """Index of the channel of each bin."""
        return np.repeat(
            np.arange(len(self.channels), dtype=np.int32), [channel.bins for channel in self.ordered_channels]
        )

    @functools.cached_property
    def sample_names(self) -> tuple[str, ...]:
        """The names of all samples in the order of their axis."""
        return tuple(sorted({sample.name for channel in self.channels for sample in channel.samples}))

    @functools.cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The samples of all channels, ordered by channel, then sample; modifiers by name, then type."""
        return tuple(
            Cell(
                sample=self.sample_names.index(sample.name),
                channel=index,
                bins=self.channel_slices[channel.name],
                modifiers=tuple(sorted(sample.modifiers, key=lambda modifier: modifier[::-1])),
            )
            for index, channel in enumerate(self.ordered_channels)
            for sample in sorted(channel.samples, key=lambda sample: sample.name)
        )

    @functools.cached_property
    def cells_of(self) -> dict[str, dict[str, tuple[Cell, ...]]]:
        """The cells that a modifier acts on, by type and name; names in the order of their parameters."""
        found: dict[str, dict[str, tuple[Cell, ...]]] = {modifier_type: {} for modifier_type in _ORDER}
        for cell in self.cells:
            for modifier_type, name in cell.modifiers:
                found[modifier_type][name] = (*found[modifier_type].get(name, ()), cell)
        return {**found, "staterror": dict(sorted(found["staterror"].items()))}

    @functools.cached_property
    def parameter_sets(self) -> tuple[ParameterSet, ...]:
        """The parameters in the order of their vector."""
        configs = {config.name: config for config in self.configs}
        sets: dict[str, ParameterSet] = {}
        for modifier_type in _ORDER:
            for name, cells in self.cells_of[modifier_type].items():
                new = parameter_set(
                    name, modifier_type, self._components(modifier_type, name, cells), configs.get(name)
                )
                if sets.setdefault(name, new) != new:
                    raise ValueError(
                        f"{name!r} names a {modifier_type} and a {sets[name].type}: only normsys and histosys can "
                        "share a parameter, other types need different names"
                    )
        return tuple(sets.values())

    @functools.cached_property
    def parameter_slices(self) -> dict[str, slice]:
        """Where the components of each parameter lie."""
        stops = np.cumsum(self._sizes).tolist()
        return {
            parameters.name: slice(stop - parameters.size, stop)
            for parameters, stop in zip(self.parameter_sets, stops, strict=True)
        }

    @functools.cached_property
    def size(self) -> int:
        """Number of components of all parameters."""
        return sum(self._sizes)

    @functools.cached_property
    def constrained(self) -> np.ndarray:
        """The components with an auxiliary measurement, in the order of the auxiliary data."""
        return np.flatnonzero(np.repeat([p.constraint != "none" for p in self.parameter_sets], self._sizes)).astype(
            np.int32
        )

    @functools.cached_property
    def has_poisson_constraint(self) -> np.ndarray:
        """Whether each auxiliary measurement is Poisson, otherwise Gaussian."""
        return np.repeat([p.constraint == "poisson" for p in self.parameter_sets], self._sizes)[self.constrained]

    @property
    def _sizes(self) -> list[int]:
        return [parameters.size for parameters in self.parameter_sets]

    def settings(self, field: str) -> np.ndarray:
        """Return a setting of `ParameterSet` for each component; NaN stands for None."""
        values = []
        for parameters in self.parameter_sets:
            value = getattr(parameters, field)
            values.append(np.broadcast_to(np.asarray(np.nan if value is None else value, float), parameters.size))
        return np.concatenate(values)

    def parameters_of(self, modifier_type: str) -> np.ndarray:
        """Return the index of the (scalar) parameter of each modifier of a type."""
        return np.array([self.parameter_slices[name].start for name in self.cells_of[modifier_type]], np.int32)

    def acts_on(self, modifier_type: str) -> np.ndarray:
        """Return whether each modifier of a type acts, shape (modifiers, samples, channels)."""
        cells_of = self.cells_of[modifier_type]
        mask = np.zeros((len(cells_of), len(self.sample_names), len(self.channels)), bool)
        for row, cells in enumerate(cells_of.values()):
            for cell in cells:
                mask[row, cell.sample, cell.channel] = True
        return mask

    @functools.cached_property
    def factor_index(self) -> np.ndarray:
        """Parameters that multiply a sample, shape (layers, samples, channels); `size` stands for the number 1."""
        layers: dict[tuple[int, int], list[int]] = {}
        for cell in self.cells:
            for modifier_type, name in cell.modifiers:
                if modifier_type in ("normfactor", "lumi"):
                    layers.setdefault((cell.sample, cell.channel), []).append(self.parameter_slices[name].start)
        depth = max(map(len, layers.values()), default=0)
        index = np.full((depth, len(self.sample_names), len(self.channels)), self.size, np.int32)
        for position, parameters in layers.items():
            index[: len(parameters), *position] = parameters
        return index

    @functools.cached_property
    def bin_factor_index(self) -> np.ndarray:
        """Parameters that multiply a bin, shape (layers, samples, bins); `size` stands for the number 1."""
        types = ("shapefactor", "shapesys", "staterror")
        depth = max(sum(kind in types for kind, _ in cell.modifiers) for cell in self.cells)
        index = np.full((depth, len(self.sample_names), self.bins), self.size, np.int32)
        for cell in self.cells:
            factors = [modifier for modifier in cell.modifiers if modifier[0] in types]
            for layer, (modifier_type, name) in enumerate(factors):
                index[layer, cell.sample, cell.bins] = self.components(modifier_type, name, cell)
        return index

    def components(self, modifier_type: str, name: str, cell: Cell) -> np.ndarray:
        """Return the parameter of each bin of a cell, for a modifier with one for each bin."""
        parameters = self.parameter_slices[name].start + np.arange(cell.size, dtype=np.int32)
        if modifier_type == "staterror":  # runs through all of its channels
            sizes = {other.channel: other.size for other in self.cells_of[modifier_type][name]}
            parameters += sum(size for channel, size in sizes.items() if channel < cell.channel)
        return parameters

    def bins_of(self, modifier_type: str) -> tuple[np.ndarray, np.ndarray]:
        """Return element of (samples x bins) and parameter of each bin of the modifiers with one parameter a bin."""
        pairs = [
            (
                cell.sample * self.bins + np.arange(cell.bins.start, cell.bins.stop, dtype=np.int32),
                self.components(modifier_type, name, cell),
            )
            for name, cells in self.cells_of[modifier_type].items()
            for cell in cells
        ]
        elements, parameters = zip(*pairs, strict=True) if pairs else ([np.zeros(0, np.int32)], [np.zeros(0, np.int32)])
        return np.concatenate(elements), np.concatenate(parameters)

    def _components(self, modifier_type: str, name: str, cells: tuple[Cell, ...]) -> int:
        """Return the number of components of a parameter, having checked that its cells agree on it."""
        sizes = {cell.channel: cell.size for cell in cells}
        channels = {channel: self.ordered_channels[channel].name for channel in sizes}
        if modifier_type == "shapesys" and len(cells) > 1:
            raise ValueError(
                f"the shapesys {name!r} acts on {len(cells)} samples; it belongs to one: use a name for each"
            )
        if modifier_type == "shapefactor" and max(sizes.values()) > sizes[cells[0].channel]:
            bins = dict(zip(channels.values(), sizes.values(), strict=True))
            raise ValueError(
                f"the shapefactor {name!r} has one parameter for each bin of {channels[cells[0].channel]!r}, the first "
                f"of its channels by name, but another has more bins: {bins}"
            )
        if modifier_type == "staterror":
            by_sample = {cell.sample: {c.channel for c in cells if c.sample == cell.sample} for cell in cells}
            if any(touched != set(sizes) for touched in by_sample.values()):
                raise ValueError(
                    f"the staterror {name!r} acts on different samples in the channels {list(channels.values())}: "
                    "use a name for each channel"
                )
        if modifier_type in ("shapefactor", "shapesys"):
            return sizes[cells[0].channel]
        return sum(sizes.values()) if modifier_type == "staterror" else 1


def _check_unique(kind: str, names: list[str], where: str) -> None:
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{where} has more than one {kind} {repeated[0]!r}")


@functools.lru_cache(maxsize=64)
def with_constant(layout: ModelLayout) -> ModelLayout:
    """Return the layout with one more sample in every channel, the last by name and without modifiers."""
    constant = SampleLayout(layout.sample_names[-1] + "_", ())
    channels = tuple(dataclasses.replace(channel, samples=(*channel.samples, constant)) for channel in layout.channels)
    return dataclasses.replace(layout, channels=channels)
