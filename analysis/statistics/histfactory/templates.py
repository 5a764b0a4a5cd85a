"""The numbers of a model, packed into a few arrays whatever the number of samples and modifiers."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.ragged.tracing import is_known

from .channel import FitChannel, FitSample
from .layout import Cell, ModelLayout, SampleLayout
from .modifiers import HistoSys, Lumi, Modifier, NormFactor, NormSys, ShapeFactor, ShapeSys, StatError


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ModelTemplates:
    """All histograms and factors of a model; the leaves of its pytree.

    `ModelLayout` says which sample, channel, bin and modifier an index stands for. Entries of samples and modifiers
    that are not there have no influence.

    Attributes
    ----------
    nominal
        Yields, shape (samples, bins of all channels).
    histosys_hi, histosys_lo
        Varied yields, shape (modifiers, samples, bins).
    normsys_hi, normsys_lo
        Factors, shape (modifiers, samples, channels).
    staterror_sumw2
        Variances of the samples that carry a ``staterror``, shape (entries,).
    shapesys_uncertainties
        Absolute uncertainties of the samples with a ``shapesys``, shape (entries,).
    further
        Yields at the points `eventwise.FURTHER` of the modifiers that ``ModelLayout.eventwise`` names, shape (points,
        modifiers, samples, bins); None without any.
    """

    nominal: jax.Array
    histosys_hi: jax.Array
    histosys_lo: jax.Array
    normsys_hi: jax.Array
    normsys_lo: jax.Array
    staterror_sumw2: jax.Array
    shapesys_uncertainties: jax.Array
    further: jax.Array | None = None

    def with_yields(self, function: Callable[[jax.Array], jax.Array]) -> ModelTemplates:
        """Return the templates with a function of all yields, nominal and varied, of shape (..., samples, bins)."""
        return dataclasses.replace(
            self,
            nominal=function(self.nominal),
            histosys_hi=function(self.histosys_hi),
            histosys_lo=function(self.histosys_lo),
            further=None if self.further is None else function(self.further),
        )


def pack(layout: ModelLayout, channels: Sequence[FitChannel]) -> ModelTemplates:
    """Check the numbers of the channels and pack them.

    Values that are traced can only be checked for their shapes. The result is float64 where x64 is enabled, else
    float32. Raises `ValueError` when a number of bins is wrong, a number is not finite, or factors or uncertainties are
    negative; the message names channel, sample and modifier.
    """
    samples = {(channel.name, sample.name): sample for channel in channels for sample in channel.samples}
    values = {key: _values_of_modifiers(key, sample) for key, sample in samples.items()}
    keys = [(channel.name, name) for name in layout.sample_names for channel in layout.ordered_channels]
    bins = [channel.bins for _ in layout.sample_names for channel in layout.ordered_channels]
    missing = [np.zeros(size) for size in bins]
    one = [np.ones(1)] * len(bins)

    def nominal() -> Iterator[Any]:
        for key, empty in zip(keys, missing, strict=True):
            # one sample may be negative in a bin, as simulation with negative weights is; their sum may not
            where = f"yields of {_where(key)}"
            yield checked(where, samples[key].yields, len(empty), lowest=-math.inf) if key in samples else empty

    def varied(modifier_type: str, direction: int, absent: list[np.ndarray]) -> Iterator[Any]:
        for name in layout.cells_of[modifier_type]:
            for key, value in zip(keys, absent, strict=True):
                yield values.get(key, {}).get((modifier_type, name), (value, value))[direction]

    def entries(modifier_type: str) -> Iterator[Any]:
        for name, cells in layout.cells_of[modifier_type].items():
            for cell in cells:
                key = layout.ordered_channels[cell.channel].name, layout.sample_names[cell.sample]
                yield values[key][modifier_type, name][0]

    rows = len(layout.sample_names)
    return ModelTemplates(
        nominal=join(nominal(), (rows, -1)),
        histosys_hi=join(varied("histosys", 0, missing), (-1, rows, layout.bins)),
        histosys_lo=join(varied("histosys", 1, missing), (-1, rows, layout.bins)),
        normsys_hi=join(varied("normsys", 0, one), (-1, rows, len(layout.channels))),
        normsys_lo=join(varied("normsys", 1, one), (-1, rows, len(layout.channels))),
        staterror_sumw2=join(entries("staterror"), (-1,)),
        shapesys_uncertainties=join(entries("shapesys"), (-1,)),
    )


def check_packed(layout: ModelLayout, templates: ModelTemplates) -> None:
    """Check the numbers of packed templates, unless they are traced.

    Raises `ValueError` when a yield or a variance of simulated statistics is not finite or negative, or a varied yield
    is not finite; the message names channel and sample.
    """
    elements, _ = layout.bins_of("staterror")
    variances = templates.staterror_sumw2
    for what, values, lowest in (
        ("yields", templates.nominal, 0.0),
        ("varied yields", templates.histosys_hi, -math.inf),
        ("varied yields", templates.histosys_lo, -math.inf),
        ("sumw2 of the staterror", variances, 0.0),
    ):
        if not is_known(values):
            continue
        array = np.asarray(values)
        bad = np.flatnonzero(~(np.isfinite(array) & (array >= lowest)))
        if bad.size:
            element = elements[bad[0]] if values is variances else bad[0]
            sample, column = divmod(int(element) % (len(layout.sample_names) * layout.bins), layout.bins)
            channel = layout.ordered_channels[layout.channel_of_bin[column]].name
            place = column - layout.channel_slices[channel].start
            required = "finite" if lowest < 0 else "finite and not negative"
            where = _where((channel, layout.sample_names[sample]))
            raise ValueError(f"{what} of {where} must be {required}, got {array.flat[bad[0]]} in bin {place}")


def unpack(layout: ModelLayout, templates: ModelTemplates) -> tuple[FitChannel, ...]:
    """Return the channels that `pack` would turn into these templates; numbers that are known as NumPy arrays."""
    templates = jax.tree.map(lambda leaf: np.asarray(leaf) if is_known(leaf) else leaf, templates)
    start = dict.fromkeys(("staterror", "shapesys"), 0)
    entries: dict[tuple[str, str, int, int], slice] = {}
    for modifier_type in start:
        for name, cells in layout.cells_of[modifier_type].items():
            for cell in cells:
                entries[modifier_type, name, cell.channel, cell.sample] = slice(
                    start[modifier_type], start[modifier_type] + cell.size
                )
                start[modifier_type] += cell.size

    def modifier(modifier_type: str, name: str, cell: Cell) -> Modifier:
        row = list(layout.cells_of[modifier_type]).index(name)
        entry = entries.get((modifier_type, name, cell.channel, cell.sample))
        match modifier_type:
            case "normsys":
                hi, lo = templates.normsys_hi, templates.normsys_lo
                return NormSys(name, hi=hi[row, cell.sample, cell.channel], lo=lo[row, cell.sample, cell.channel])
            case "histosys":
                hi, lo = templates.histosys_hi, templates.histosys_lo
                return HistoSys(name, hi=hi[row, cell.sample, cell.bins], lo=lo[row, cell.sample, cell.bins])
            case "shapesys":
                return ShapeSys(name, uncertainties=templates.shapesys_uncertainties[entry])
            case "staterror":
                return StatError(name, sumw2=templates.staterror_sumw2[entry])
        return {"normfactor": NormFactor, "lumi": Lumi, "shapefactor": ShapeFactor}[modifier_type](name)

    cell_of = {
        (layout.ordered_channels[cell.channel].name, layout.sample_names[cell.sample]): cell for cell in layout.cells
    }

    def sample(channel: str, sample: SampleLayout) -> FitSample:
        cell = cell_of[channel, sample.name]
        return FitSample(
            sample.name,
            templates.nominal[cell.sample, cell.bins],
            [modifier(*names, cell) for names in sample.modifiers],
        )

    return tuple(FitChannel(c.name, [sample(c.name, s) for s in c.samples]) for c in layout.channels)


def number_of_bins(channel: FitChannel) -> int:
    """Return the number of bins of a channel, which its first sample sets.

    Raises `ValueError` when there is no sample, or its yields are no histogram.
    """
    if not channel.samples:
        raise ValueError(f"channel {channel.name!r} has no sample")
    shape = np.shape(channel.samples[0].yields)
    if len(shape) != 1 or shape[0] == 0:
        raise ValueError(
            f"yields of {_where((channel.name, channel.samples[0].name))} must be one number for each bin, "
            f"got an array of shape {shape}"
        )
    return shape[0]


def _values_of_modifiers(key: tuple[str, str], sample: FitSample) -> dict[tuple[str, str], tuple[Any, ...]]:
    bins = np.shape(sample.yields)[0] if np.ndim(sample.yields) else 0
    return {
        (modifier.type, modifier.name): _values(f"{modifier.type} {modifier.name!r} of {_where(key)}", modifier, bins)
        for modifier in sample.modifiers
    }


def _values(where: str, modifier: Modifier, bins: int) -> tuple[Any, ...]:
    if isinstance(modifier, NormSys):
        return tuple(checked(f"{end} of the {where}", getattr(modifier, end), None) for end in ("hi", "lo"))
    if isinstance(modifier, HistoSys):
        ends = ("hi", "lo")
        return tuple(checked(f"{end} of the {where}", getattr(modifier, end), bins, lowest=-math.inf) for end in ends)
    if isinstance(modifier, ShapeSys):
        return (checked(f"uncertainties of the {where}", modifier.uncertainties, bins),)
    if isinstance(modifier, StatError):
        if (modifier.sumw2 is None) == (modifier.uncertainties is None):
            raise ValueError(f"the {where} needs either sumw2 or uncertainties")
        if modifier.uncertainties is None:
            return (checked(f"sumw2 of the {where}", modifier.sumw2, bins),)
        return (checked(f"uncertainties of the {where}", modifier.uncertainties, bins) ** 2,)
    return ()


def checked(what: str, value: Any, bins: int | None, *, lowest: float = 0.0) -> Any:
    """Return the value as an array of one axis, having checked its shape and (unless traced) its numbers."""
    array = np.asarray(value, float) if is_known(value) else value
    shape = () if bins is None else (bins,)
    if array.shape != shape:
        expected = "one number" if bins is None else f"{bins} numbers, one for each bin"
        raise ValueError(f"{what} must be {expected}; got an array of shape {array.shape}")
    if is_known(array):
        bad = np.flatnonzero(~(np.isfinite(array) & (array >= lowest)))
        if bad.size:
            place = "" if bins is None else f" in bin {bad[0]}"
            required = "finite" if lowest < 0 else "finite and not negative"
            raise ValueError(f"{what} must be {required}, got {array.flat[bad[0]]}{place}")
    return array.reshape(-1)


def join(pieces: Iterator[Any], shape: tuple[int, ...]) -> jax.Array:
    """Concatenate and reshape; NumPy joins pieces that are not traced, so that they cost the compiler nothing."""
    dtype = jnp.result_type(float)
    joined = [
        np.concatenate(list(run)) if known else jnp.concatenate(list(run))
        for known, run in itertools.groupby(pieces, is_known)
    ]
    flat = jnp.concatenate(joined).astype(dtype) if joined else jnp.zeros(0, dtype)
    return flat.reshape(shape) if flat.size else flat.reshape([0 if size < 0 else size for size in shape])


def _where(key: tuple[str, str]) -> str:
    return f"sample {key[1]!r} in channel {key[0]!r}"
