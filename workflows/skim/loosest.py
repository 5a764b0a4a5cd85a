"""The skim that follows from an analysis: it keeps every event that some cut values inside the bounds could accept."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg
from hepgrad.analysis import Analysis, Events, Hard, Parameters
from hepgrad.analysis.optimisation.fingerprints import description
from hepgrad.analysis.selection.ranking import with_ranking
from hepgrad.analysis.systematics import vary

from .interpret import evaluate
from .interval import Interval, high

BLOCK = 8192


@dataclasses.dataclass(frozen=True, eq=False)
class Loosest:
    """Keeps the events that an analysis could accept, whatever the values of its free parameters inside their bounds.

    The hard selection, nominal and with every systematic variation of the objects, is evaluated in interval arithmetic:
    each free parameter is an interval, and so is everything that depends on one. An event is dropped when the upper
    bound of its probability to pass is 0 in every variation. So cuts in both directions, vetoes, exact numbers of
    objects and sums over selected objects are all treated alike, and where the arithmetic cannot tell (a sort by
    something that depends on a parameter, a network that is trained along) the event is kept. Comparisons that are
    closer than a relative 1e-5 count as undecided, which covers rounding.

    In the soft reading an event beyond the loosest cut still counts a little. The bounds are therefore moved outwards
    by some widths: beyond 5 of them a cut passes less than 1 %.

    Attributes
    ----------
    analysis
        The stages and the systematic uncertainties.
    parameters
        Bounds and widths; frozen parameters have their value.
    margin
        How far the bounds are moved outwards, in units of the width; 0 for the hard reading alone.

    Examples
    --------
    >>> import awkward as ak
    >>> from hepgrad.analysis import Analysis, Channel, CountingModel, Parameter, Parameters, Regular, stage
    >>> from hepgrad.workflows.skim import Loosest
    >>> @stage(reads=["met"])
    ... def missing_momentum(events, cut):
    ...     return events.select((events.met > cut.met) & (events.met < 500))
    >>> search = Analysis([missing_momentum], [Channel("sr", "met", Regular(5, 0, 500))], CountingModel(["s"], 0.1))
    >>> skim = Loosest(search, Parameters(met=Parameter(50.0, bounds=(20, 150), width=2.0)), margin=1)
    >>> skim(ak.Array({"met": [10.0, 17.0, 19.0, 160.0, 600.0]})).met.tolist()
    [19.0, 160.0]
    """

    analysis: Analysis
    parameters: Parameters
    margin: float = 5.0

    @property
    def key(self) -> Any:
        """What decides which events are kept, as JSON can hold it."""
        ranges = {name: [jax.tree.map(np.asarray, bound) for bound in box] for name, box in self._boxes().items()}
        fixed = {name: self.parameters[name] for name in self.parameters if name not in ranges}
        return description(
            {
                "stages": list(self.analysis.stages),
                "systematics": list(self.analysis.model.systematics),
                "ranges": {name: [jax.tree.leaves(bound) for bound in box] for name, box in ranges.items()},
                "fixed": {name: jax.tree.leaves(value) for name, value in fixed.items()},
            }
        )

    def __call__(self, events: ak.Array) -> ak.Array:
        """Return the events that could be accepted.

        Parameters
        ----------
        events
            One record per event, with the columns that the stages read.
        """
        needed = with_ranking(self._needed(events))
        kept = [self._possible(needed[i : i + BLOCK]) for i in range(0, len(needed), BLOCK)]
        return events[np.concatenate(kept)] if kept else events

    def _needed(self, events: ak.Array) -> ak.Array:
        # columns that stages do not read, such as weights, may be of any type
        read = {branch.partition("_")[0] for branch in self.analysis.reads} | set(self.analysis.reads)
        return events[[name for name in events.fields if name in read]]

    def _possible(self, events: ak.Array) -> np.ndarray:
        # events over and over, to the size of a block: chunks of any size share one compiled program
        block = events[np.arange(BLOCK) % len(events)]
        columns = rg.RecordArray({name: _with_room(block[name]) for name in block.fields})
        return np.asarray(self._compiled(columns))[: len(events)]

    @functools.cached_property
    def _compiled(self) -> Any:
        return rg.checked(self._upper_bound)

    def _upper_bound(self, columns: rg.RecordArray) -> jax.Array:
        """Return which events could pass."""

        def probabilities(free: Mapping[str, Any], columns: rg.RecordArray) -> list[jax.Array]:
            parameters = self.parameters.with_free(free)
            events = Events.of(columns, jnp.ones(len(columns), jnp.float32))
            varied = vary(self.analysis.model.systematics, events)
            return [varied.map(lambda events: self.analysis.select(events, parameters, Hard()).probability.content)]

        boxes = self._boxes()
        low, high_ = ({name: jax.tree.map(jnp.asarray, box[side]) for name, box in boxes.items()} for side in (0, 1))
        traced = jax.make_jaxpr(probabilities)(low, columns)
        ranges = [Interval(*ends) for ends in zip(jax.tree.leaves(low), jax.tree.leaves(high_), strict=True)]
        results = evaluate(traced, [*ranges, *jax.tree.leaves(columns)])
        return jnp.any(jnp.concatenate([high(each) > 0 for each in results]), axis=0)

    def _boxes(self) -> dict[str, tuple[Any, Any]]:
        """Return the bounds of the free parameters, moved outwards."""
        boxes = {}
        for name in self.parameters.free:
            spec = self.parameters.specs[name]
            width = 0.0 if spec.width is None else self.margin * np.asarray(spec.width)
            value = self.parameters[name]
            below, above = (
                jax.tree.map(lambda v, b, by=by: jnp.broadcast_to(jnp.asarray(b + by, v.dtype), v.shape), value, bound)
                for bound, by in zip(spec.box(), (-width, width), strict=True)
            )
            boxes[name] = (below, above)
        return boxes


def _with_room(column: ak.Array) -> Any:
    """Convert a column to one of few capacities."""
    if column.ndim == 1:
        return rg.from_awkward(column)
    counts = ak.num(column)
    return rg.from_awkward(
        column, capacity=_power_of_two(int(ak.sum(counts))), max_length=_power_of_two(int(ak.max(counts)))
    )


def _power_of_two(n: int) -> int:
    return 2 ** max(3, (n - 1).bit_length())
