"""What an analysis compares its parameters with: the distances of events and objects from each threshold."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from .analysis import Analysis
from .data.dataset import Dataset
from .parameters.parameters import Parameters
from .selection.choice import Chosen
from .selection.cut import Hard
from .selection.event_numbers import Numbers, in_rows
from .selection.events import Events
from .selection.threshold import Cuts, Threshold, ThresholdArray, as_float

# a spread needs no more blocks than these
MOST_BLOCKS = 32


@dataclasses.dataclass(frozen=True, eq=False)
class _Notes:
    """What a threshold is compared with, and which events of the block are data."""

    kept: jax.Array
    heard: list[Numbers] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, eq=False)
class _Watched(Threshold):
    """A threshold that remembers what it is compared with."""

    notes: _Notes

    def compared(self, x: Any, sign: int) -> None:
        def distance(x: Any, value: Any, width: Any) -> jax.Array:
            return sign * (as_float(x) - value) / width

        steps = rg.apply(distance, x, self.value, self.width, operation="a comparison with a parameter")
        valid = self.notes.kept
        while isinstance(steps, rg.RaggedArray):
            valid, steps = in_rows(valid, steps), steps.content
        # parameters may also be compared with each other
        of_events = jnp.shape(steps)[:1] == valid.shape
        self.notes.heard.append(Numbers(steps, valid if of_events else None))

    def _times_plus(self, factor: Any, shift: Any) -> Threshold:
        return _watched(super()._times_plus(factor, shift), self.notes)


@dataclasses.dataclass(frozen=True, eq=False)
class _WatchedArray(ThresholdArray):
    """Several such thresholds."""

    notes: _Notes

    def __getitem__(self, index: Any) -> Any:
        return _watched(super().__getitem__(index), self.notes)


def _watched(threshold: Any, notes: _Notes) -> Any:
    if isinstance(threshold, Chosen):
        return threshold  # no width of its decides anything
    if isinstance(threshold, Threshold):
        return _Watched(threshold.value, threshold.width, threshold.reading, notes)
    if isinstance(threshold, ThresholdArray):
        return _WatchedArray(threshold.value, threshold.width, threshold.reading, notes)
    return threshold


def distances(analysis: Analysis, data: Dataset, parameters: Parameters) -> dict[str, np.ndarray]:
    """Return how far events and objects lie on the passing side of each threshold, in units of its width.

    The stages run once on at most 32 blocks, evenly spread over the data, with thresholds that remember what they are
    compared with. Nothing is weighted, nothing is left out because an earlier cut rejects it, and NaN is dropped. By
    parameter that is compared with something they have shape (comparisons,), and are positive where a hard cut passes.

    Examples
    --------
    >>> import awkward as ak, numpy as np
    >>> from hepgrad.analysis import Analysis, Channel, CountingModel, Dataset, Parameter, Parameters, Regular, stage
    >>> from hepgrad.analysis.comparisons import distances
    >>> @stage(reads=["met"])
    ... def missing_momentum(events, cut):
    ...     return events.select(events.met > cut.met + 10)
    >>> search = Analysis([missing_momentum], [Channel("sr", "met", Regular(5, 0, 500))], CountingModel(["s"], 0.1))
    >>> events = {"s": ak.zip({"met": np.array([50.0, 60.0, 80.0], np.float32)}, depth_limit=1)}
    >>> data = Dataset.from_awkward(events, {"s": np.ones(3)})
    >>> distances(search, data, Parameters(met=Parameter(50.0, bounds=(20, 150), width=10.0)))
    {'met': array([-1.,  0.,  2.], dtype=float32)}
    """

    @rg.checked
    def heard_in(columns: rg.RecordArray, weight: jax.Array, process: jax.Array) -> dict[str, list[Numbers]]:
        notes = {name: _Notes(process < len(data.processes)) for name in parameters}
        cuts = Cuts({name: _watched(cut, notes[name]) for name, cut in parameters.cuts(Hard()).items()})
        events = Events.of(columns, weight)
        for stage in analysis.stages:
            events = stage(events, cuts)
        heard = {name: [Numbers(as_float(n.values), n.valid) for n in each.heard] for name, each in notes.items()}
        return {name: told for name, told in heard.items() if told}

    sampled = np.unique(np.linspace(0, data.blocks - 1, MOST_BLOCKS).round().astype(int))
    whole = (data.columns, data.weight, data.process)
    blocks = [heard_in(*jax.tree.map(lambda leaf, i=i: leaf[i], whole)) for i in sampled]
    known = {name: [_known(numbers) for block in blocks for numbers in block[name]] for name in blocks[0]}
    return {name: np.concatenate(known[name]) for name in parameters if name in known}


def _known(numbers: Numbers) -> np.ndarray:
    values = np.asarray(numbers.values)
    return values[~np.isnan(values) & np.asarray(numbers.mask)]


def spread(distance: np.ndarray, reach: float) -> float:
    """Return the distance between the quartiles of what lies within reach of a threshold; NaN where nothing does.

    ``reach`` is in units of the width: what lies farther away can never be cut.
    """
    near = distance[np.abs(distance) <= reach]
    return float(np.subtract(*np.quantile(near, (0.75, 0.25)))) if near.size else float("nan")


def measured_widths(analysis: Analysis, data: Dataset, parameters: Parameters, *, share: float = 0.25) -> Parameters:
    """Return the parameters with widths that follow from the data: a share of the spread of what each is compared with.

    The spread is the distance between the quartiles of the values that lie within the range of the bounds from the
    threshold. With a quarter of it (a third of a standard deviation, for a normal distribution) the soft cut begins
    wide enough to feel most events, and `Anneal` makes it narrow. A parameter that is compared with nothing within its
    range, or only with one and the same value, keeps its width.

    Parameters
    ----------
    analysis
        The stages.
    data
        The events.
    parameters
        The cut values.
    share
        The width as a part of the spread.

    Examples
    --------
    >>> import awkward as ak, numpy as np
    >>> from hepgrad.analysis import Analysis, Channel, CountingModel, Dataset, Parameter, Parameters, Regular, stage
    >>> from hepgrad.analysis import measured_widths
    >>> @stage(reads=["met"])
    ... def missing_momentum(events, cut):
    ...     return events.select(events.met > cut.met)
    >>> search = Analysis([missing_momentum], [Channel("sr", "met", Regular(5, 0, 500))], CountingModel(["s"], 0.1))
    >>> events = {"s": ak.zip({"met": np.linspace(0, 100, 1001, dtype=np.float32)}, depth_limit=1)}
    >>> data = Dataset.from_awkward(events, {"s": np.ones(1001)})
    >>> cuts = measured_widths(search, data, Parameters(met=Parameter(50.0, bounds=(0, 150))))
    >>> round(cuts.specs["met"].width, 2)
    12.5
    """
    found = distances(analysis, data, parameters)
    specs: dict[str, Any] = dict(parameters.specs)
    for name, distance in found.items():
        width = np.asarray(specs[name].width)
        quartiles = spread(distance, reach_of(parameters, name))
        if quartiles > 0:
            value = np.asarray(parameters[name])
            specs[name] = dataclasses.replace(specs[name], value=value, width=width * quartiles * share)
    return Parameters(**specs).replace(**{name: parameters[name] for name in parameters})


def reach_of(parameters: Parameters, name: str) -> float:
    """Return the range of a parameter's bounds in units of its width (the largest, for an array)."""
    low, high = parameters.specs[name].box()
    return float(np.max((high - low) / np.asarray(parameters.specs[name].width)))
