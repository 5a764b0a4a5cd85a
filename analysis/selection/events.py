"""Events: collections of objects, columns and weights, and the probability that each event has passed so far.

`select` multiplies probabilities and removes nothing. Every event quantity is the expectation over independent passes,
by a formula that is exact when the probabilities are 0 and 1: sizes never change and the hard reading needs no code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import numpy as np

from hepgrad import ragged as rg

from ..printing import meant
from .categories import exclusive
from .cut import Pass, as_probability
from .later import Later, settled
from .objects import Objects

# of columns, steps of the cutflow, regions and selections
# what to do about a column that nobody has
UNREAD = "; a stage has to read it (`reads`), or an earlier one to make it (`with_field`)"
Names: TypeAlias = tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Events:
    """A block of events: collections, event-level columns, weights, and the probability that each event passed so far.

    Columns are attributes: ``events.Jet`` is `Objects`, ``events.MET.pt`` a flat array with one value per event.

    Attributes
    ----------
    columns
        By name: `Objects`, records of one object per event, or flat arrays of shape (events, ...).
    weight
        Flat, shape (events,): what each event counts for, before any selection.
    probability
        Flat, shape (events,), in [0, 1]: the probability that the event passed all selections so far.
    cutflow
        The probability after each *named* selection, in order; flat arrays, as those that follow.
    regions
        The probability that the event belongs to each category, by name (`categorise`).
    passes
        The probability to pass each named selection alone, and of those without a name together under "".
    """

    columns: Mapping[str, Any]
    weight: rg.FlatArray
    probability: rg.FlatArray
    cutflow: Mapping[str, rg.FlatArray] = dataclasses.field(default_factory=dict)
    regions: Mapping[str, rg.FlatArray] = dataclasses.field(default_factory=dict)
    passes: Mapping[str, rg.FlatArray] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        # one value per event is a flat array, however a stage or a reader made it, and all its rows are real
        for name in ("weight", "probability"):
            object.__setattr__(self, name, _of_all_events(getattr(self, name), name))
        for name in ("columns", "cutflow", "regions", "passes"):
            object.__setattr__(self, name, {k: _of_all_events(v, k) for k, v in getattr(self, name).items()})

    @classmethod
    def of(cls, array: rg.RecordArray, weight: jax.Array | rg.FlatArray) -> Events:
        """Return events of which each has passed with probability 1.

        Parameters
        ----------
        array
            One record per event, with ragged records (collections), records and numbers as fields.
        weight
            Shape (events,).
        """
        columns = {
            name: Objects.of(column) if isinstance(column, rg.RaggedArray) and column.fields else column
            for name, column in array.columns.items()
        }
        whole = _of_all_events(weight, "weight")
        return cls(columns, whole, rg.ones_like(whole))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.__dict__["columns"]:
            raise AttributeError(
                f"no column {name!r} in these events; the columns are {list(self.__dict__['columns'])}"
                f"{meant(name, [*self.__dict__['columns'], *dir(type(self))]) or UNREAD}"
            )
        column = self.columns[name]
        return column.found() if isinstance(column, Later) else column

    def __getitem__(self, name: str) -> Any:
        if not isinstance(name, str):
            raise TypeError("events are not picked by masks or numbers: write `events.select(...)`, which takes a pass")
        return self.__getattr__(name)

    def __len__(self) -> int:
        return len(self.weight)

    def with_field(self, **fields: Any) -> Events:
        """Return the events with columns added or replaced.

        Parameters
        ----------
        **fields
            `Objects`, records, or arrays of shape (events,).

        Raises
        ------
        ValueError
            For an array of another length than that of the events.
        """
        for name, value in fields.items():
            if (rows := _rows(value)) not in (None, len(self)):
                raise ValueError(
                    f"column {name!r} has {rows} values and there are {len(self)} events here: give one for each of "
                    "them, also those that do not pass, such as `where(passed, value, 0)`"
                )
        return dataclasses.replace(self, columns={**self.columns, **fields})

    def select(self, passed: Pass | jax.Array, name: str | None = None) -> Events:
        """Return the events with each one's probability multiplied by that of passing.

        Parameters
        ----------
        passed
            A `Pass` per event, or booleans of shape (events,).
        name
            Title of the step in the cutflow; without one the step is not listed.

        Raises
        ------
        TypeError
            When the pass is one per object: say how many have to pass, with ``at_least`` or ``exactly``.
        """
        alone = self._per_event(passed)
        probability = self.probability * alone
        cutflow = self.cutflow if name is None else {**self.cutflow, name: probability}
        passes = {**self.passes, name or "": self.passes.get(name or "", 1) * alone}
        return dataclasses.replace(self, probability=probability, cutflow=cutflow, passes=passes)

    def weighted(self, factor: Any) -> Events:
        """Return the events with each one's weight multiplied by a factor.

        Parameters
        ----------
        factor
            One number per event, or one for all.

        Raises
        ------
        TypeError
            When there is one factor per object: multiply them first, with ``rg.prod(factors, axis=1)``.

        Examples
        --------
        >>> import jax.numpy as jnp
        >>> import hepgrad.ragged as rg
        >>> from hepgrad.analysis import Events
        >>> events = Events.of(rg.RecordArray({"pileup": jnp.array([0.9, 1.1])}), jnp.array([2.0, 1.0]))
        >>> print(events.weighted(events.pileup).weight)
        [1.8 1.1]
        """
        if isinstance(factor, rg.RaggedArray | Pass):
            raise TypeError("a weight needs one factor per event; multiply those of objects: rg.prod(factors, axis=1)")
        return dataclasses.replace(self, weight=self.weight * factor)

    def categorise(self, *, rest: str = "rest", **categories: Pass | jax.Array) -> Events:
        """Return the events with regions that exclude each other and together hold every event.

        Earlier categories take precedence: an event belongs to the first one that it passes, and to the rest if it
        passes none. The probabilities add up to 1 in every reading, and are independent of the selection: `in_region`
        multiplies them onto it.

        Parameters
        ----------
        rest
            The name of the region of the events that pass none.
        **categories
            By name, in order of precedence: a `Pass` per event, or booleans of shape (events,).

        Raises
        ------
        TypeError
            When a pass is one per object, or the rest is not a name.
        ValueError
            When a name is given twice, or there is no category.

        Examples
        --------
        >>> import jax.numpy as jnp
        >>> import hepgrad.ragged as rg
        >>> from hepgrad.analysis import Events
        >>> events = Events.of(rg.RecordArray({"met": jnp.array([20.0, 60.0, 150.0])}), jnp.ones(3))
        >>> events = events.categorise(high=events.met > 100, medium=events.met > 50, rest="low")
        >>> {name: events.in_region(name).probability.tolist() for name in events.regions}
        {'high': [0.0, 0.0, 1.0], 'medium': [0.0, 1.0, 0.0], 'low': [1.0, 0.0, 0.0]}
        """
        if not isinstance(rest, str):
            raise TypeError(f"`rest` names the events that pass no category; it is no category itself, got {rest!r}")
        regions = exclusive({name: self._per_event(passed) for name, passed in categories.items()}, rest=rest)
        if known := sorted(set(regions) & set(self.regions)):
            raise ValueError(f"there is a region {known[0]!r} already; the regions are {list(self.regions)}")
        return dataclasses.replace(self, regions={**self.regions, **regions})

    def quadrants(
        self,
        first: Pass | jax.Array,
        second: Pass | jax.Array,
        *,
        names: tuple[str, str, str, str] = ("A", "B", "C", "D"),
        within: Pass | jax.Array | None = None,
    ) -> Events:
        """Return the events with the four regions that two cuts make: those of the ABCD method.

        A passes both cuts, B only the first, C only the second, D none. Their probabilities add up to that of
        ``within``.

        Parameters
        ----------
        first, second
            A `Pass` per event, or booleans of shape (events,), each.
        names
            Of the regions A, B, C and D.
        within
            A third pass, of all four: control regions are divided again to see how well the method closes.

        Raises
        ------
        TypeError
            When a pass is one per object.
        ValueError
            When a name is given twice.

        Examples
        --------
        >>> import jax.numpy as jnp
        >>> import hepgrad.ragged as rg
        >>> from hepgrad.analysis import Events
        >>> columns = {"met": jnp.array([90.0, 90.0, 20.0, 20.0]), "iso": jnp.array([0.1, 0.9, 0.1, 0.9])}
        >>> events = Events.of(rg.RecordArray(columns), jnp.ones(4))
        >>> events = events.quadrants(events.met > 50, events.iso < 0.2)
        >>> {name: events.in_region(name).probability.tolist() for name in "ABCD"}
        {'A': [1.0, 0.0, 0.0, 0.0], 'B': [0.0, 1.0, 0.0, 0.0], 'C': [0.0, 0.0, 1.0, 0.0], 'D': [0.0, 0.0, 0.0, 1.0]}
        """
        p, q = self._per_event(first), self._per_event(second)
        inside = 1 if within is None else self._per_event(within)
        regions = dict(zip(names, (p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)), strict=True))
        if len(regions) < 4 or set(regions) & set(self.regions):
            raise ValueError(f"four regions need names of their own, got {names}; there are {list(self.regions)}")
        return dataclasses.replace(self, regions={**self.regions, **{k: v * inside for k, v in regions.items()}})

    def in_region(self, name: str) -> Events:
        """Return the events with each one's probability multiplied by that of belonging to a region.

        Parameters
        ----------
        name
            Of a category, or of the rest.

        Raises
        ------
        KeyError
            When there is no such region.
        """
        if name not in self.regions:
            raise KeyError(f"no region {name!r}; the regions are {list(self.regions)} (see Events.categorise)")
        return dataclasses.replace(self, probability=self.probability * self.regions[name])

    def _per_event(self, passed: Pass | jax.Array) -> Any:
        probability = as_probability(passed, self.probability)
        if isinstance(probability, rg.RaggedArray):
            raise TypeError("an event selection needs one pass per event; count the objects, e.g. jets.at_least(1)")
        return probability


def _flatten(events: Events) -> tuple[list[tuple[Any, Any]], Names]:
    """Return the children and the static part, as JAX asks for."""
    key = jax.tree_util.GetAttrKey
    # dicts would be sorted by name, and a cutflow has an order
    named = (settled(events.columns), events.cutflow, events.regions, events.passes)
    children = [(key(k), v) for part in named for k, v in part.items()]
    children += [(key("weight"), events.weight), (key("probability"), events.probability)]
    return children, tuple(tuple(part) for part in named)


def _unflatten(names: Names, children: Any) -> Events:
    """Return what `_flatten` took apart; checks nothing, since JAX also puts in other leaves."""
    left = iter(children)
    parts = dict(zip(("columns", "cutflow", "regions", "passes"), names, strict=True))
    events = object.__new__(Events)
    for field, part in parts.items():
        object.__setattr__(events, field, {name: next(left) for name in part})
    for field in ("weight", "probability"):
        object.__setattr__(events, field, next(left))
    return events


# not methods, which would be offered to users and missing in exported scripts
jax.tree_util.register_pytree_with_keys(Events, _flatten, _unflatten)


def _of_all_events(column: Any, name: str) -> Any:
    """Return one value per event as a flat array; one of other events, which a selection of rows leaves, is refused."""
    if isinstance(column, rg.FlatArray):
        return column if column.length is None else rg.FlatArray(column.buffer(f"events, {name!r}"))
    return rg.FlatArray(column) if isinstance(column, jax.Array) and column.ndim else column


def _rows(column: Any) -> int | None:
    """Return for how many events a column has something; None for a number, and where only the program will know."""
    array = column.array if isinstance(column, Objects) else column
    if isinstance(array, np.ndarray | jax.Array | rg.FlatArray):
        return array.shape[0] if array.ndim and getattr(array, "length", None) is None else None
    if not isinstance(array, rg.RaggedArray | rg.RecordArray):
        return None
    try:
        return len(array)
    except TypeError:  # of selected rows, inside jit
        return None
