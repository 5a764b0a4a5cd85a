"""Events and their collections of objects, with the probability that each has passed the selection so far.

`select` multiplies probabilities and removes nothing. Every event quantity is the expectation over independent passes,
by a formula that is exact when the probabilities are 0 and 1: sizes never change and the hard reading needs no code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from .cut import Pass, as_probability


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Objects:
    """One collection, such as the jets: records in rows, one row per event, and each object's pass probability.

    Fields are attributes (``jets.pt``). Objects keep the order in which they are stored: "leading" is the first one in
    the row that passes, the highest pT in NanoAOD's convention.

    Attributes
    ----------
    array
        The objects' fields, ragged.
    probability
        Ragged, in [0, 1]: the probability that the object was selected.

    Examples
    --------
    >>> import awkward as ak
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Objects
    >>> jets = Objects.of(rg.from_awkward(ak.zip({"pt": [[50.0, 30.0], [], [40.0]]})))
    >>> jets = jets.select(jets.pt > 35.0)
    >>> jets.sum("pt")
    Array([50.,  0., 40.], dtype=float32)
    >>> jets.at_least(1).probability
    Array([1., 0., 1.], dtype=float32)
    """

    array: rg.RaggedArray
    probability: rg.RaggedArray

    @classmethod
    def of(cls, array: rg.RaggedArray) -> Objects:
        """Return a collection in which every object is selected.

        Parameters
        ----------
        array
            Ragged records.

        Raises
        ------
        TypeError
            When the array does not hold records in rows.
        """
        if not isinstance(array, rg.RaggedArray) or not array.fields:
            raise TypeError("a collection needs records in rows, such as ak.zip({'pt': ..., 'eta': ...})")
        dtype = jnp.result_type(
            *(leaf for leaf in jax.tree.leaves(array.content) if leaf.dtype.kind == "f"), jnp.float32
        )
        return cls(array, array.with_content(jnp.ones(array.capacity, dtype)))

    @property
    def fields(self) -> list[str]:
        """The names of the fields."""
        return self.array.fields

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.__dict__["array"].fields:
            raise AttributeError(
                f"no field {name!r} in this collection; the fields are {self.__dict__['array'].fields}"
            )
        return getattr(self.array, name)

    def with_field(self, **fields: Any) -> Objects:
        """Return the collection with fields added or replaced.

        Parameters
        ----------
        **fields
            Ragged, with the rows of this collection, or one value per event.
        """
        array = self.array
        for name, value in fields.items():
            array = rg.with_field(array, value, name)
        return dataclasses.replace(self, array=array)

    def select(self, passed: Pass | rg.RaggedArray) -> Objects:
        """Return the collection with each object's probability multiplied by that of passing.

        Parameters
        ----------
        passed
            A `Pass` per object, or ragged booleans.
        """
        return dataclasses.replace(self, probability=self.probability * as_probability(passed, self.probability))

    def count(self) -> jax.Array:
        """Return the expected number of selected objects per event, ``sum(p)``."""
        return rg.sum(self.probability, axis=1)

    def sum(self, field: str) -> jax.Array:
        """Return the expected sum of a field over the selected objects, ``sum(p * x)``, per event.

        Parameters
        ----------
        field
            Name of a field.
        """
        return rg.sum(self.probability * getattr(self, field), axis=1)

    def at_least(self, n: int) -> Pass:
        """Return the event pass "at least ``n`` objects are selected": the exact Poisson-binomial tail.

        Parameters
        ----------
        n
            Number of objects.
        """
        return Pass(rg.at_least_probability(self.probability, n))

    def exactly(self, n: int) -> Pass:
        """Return the event pass "exactly ``n`` objects are selected" (Poisson-binomial).

        Parameters
        ----------
        n
            Number of objects.
        """
        return Pass(rg.count_probability(self.probability, n)[:, n])

    def none(self) -> Pass:
        """Return the event pass "no object is selected", ``prod(1 - p)``."""
        return self.exactly(0)

    def all(self, passed: Pass | rg.RaggedArray) -> Pass:
        """Return the event pass "every selected object passes", ``prod(1 - p (1 - q))``.

        Parameters
        ----------
        passed
            A `Pass` per object, or ragged booleans.
        """
        return self.select(~Pass(as_probability(passed, self.probability))).none()

    def any(self, passed: Pass | rg.RaggedArray) -> Pass:
        """Return the event pass "at least one selected object passes", ``1 - prod(1 - p q)``.

        Parameters
        ----------
        passed
            A `Pass` per object, or ragged booleans.
        """
        return self.select(passed).at_least(1)

    def leading(self, field: str, *, fill_value: float | None = None) -> jax.Array:
        """Return the expected value of a field of the leading selected object, per event.

        Object i leads with probability ``p_i prod_{j before i} (1 - p_j)``.

        Parameters
        ----------
        field
            Name of a field.
        fill_value
            The value in events without a selected object, which enters the expectation with their probability.
            Without it the expectation is conditional on at least one selected object (and 0 where there cannot be
            one), which is right when the event selection asks for one anyway.
        """
        lead = self.probability * rg.exclusive_cumprod(1 - self.probability)
        expected = rg.sum(lead * getattr(self, field), axis=1)
        total = rg.sum(lead, axis=1)
        if fill_value is not None:
            return expected + (1 - total) * fill_value
        # below this the derivative's 1 / total**2 overflows, and the event counts for nothing
        possible = total > float(np.finfo(total.dtype).tiny) ** 0.5
        return jnp.where(possible, expected / jnp.where(possible, total, 1), 0)


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, eq=False)
class Events:
    """A block of events: collections, event-level columns, weights, and the probability that each event passed so far.

    Columns are attributes: ``events.Jet`` is `Objects`, ``events.MET.pt`` an array of shape (events,).

    Attributes
    ----------
    columns
        By name: `Objects`, records of one object per event, or arrays of shape (events,).
    weight
        Shape (events,): what each event counts for, before any selection.
    probability
        Shape (events,), in [0, 1]: the probability that the event passed all selections so far.
    cutflow
        The probability after each *named* selection, in order.
    """

    columns: Mapping[str, Any]
    weight: jax.Array
    probability: jax.Array
    cutflow: Mapping[str, jax.Array] = dataclasses.field(default_factory=dict)

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], tuple[tuple[str, ...], tuple[str, ...]]]:
        """Return the children and the static part, as JAX asks for."""
        key = jax.tree_util.GetAttrKey
        children = [(key(k), v) for k, v in self.columns.items()]
        children += [(key("weight"), self.weight), (key("probability"), self.probability)]
        # a dict would be sorted by name, and a cutflow has an order
        children += [(key(k), v) for k, v in self.cutflow.items()]
        return children, (tuple(self.columns), tuple(self.cutflow))

    @classmethod
    def tree_unflatten(cls, names: tuple[tuple[str, ...], tuple[str, ...]], children: Any) -> Events:
        """Return what `tree_flatten_with_keys` took apart; checks nothing, since JAX also puts in other leaves."""
        columns, cutflow = names
        children = list(children)
        n = len(columns)
        return cls(
            dict(zip(columns, children[:n], strict=True)),
            children[n],
            children[n + 1],
            dict(zip(cutflow, children[n + 2 :], strict=True)),
        )

    @classmethod
    def of(cls, array: rg.RecordArray, weight: jax.Array) -> Events:
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
        return cls(columns, weight, jnp.ones_like(weight))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.__dict__["columns"]:
            raise AttributeError(
                f"no column {name!r} in these events; the columns are {list(self.__dict__['columns'])}"
            )
        return self.columns[name]

    def __len__(self) -> int:
        return int(self.weight.shape[0])

    def with_field(self, **fields: Any) -> Events:
        """Return the events with columns added or replaced.

        Parameters
        ----------
        **fields
            `Objects`, records, or arrays of shape (events,).
        """
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
        probability = as_probability(passed, self.probability)
        if isinstance(probability, rg.RaggedArray):
            raise TypeError("an event selection needs one pass per event; count the objects, e.g. jets.at_least(1)")
        probability = self.probability * probability
        cutflow = self.cutflow if name is None else {**self.cutflow, name: probability}
        return dataclasses.replace(self, probability=probability, cutflow=cutflow)
