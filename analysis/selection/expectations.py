"""Quantities of the selected objects of an event: sums, means, extremes, and those of the n-th one in an order.

Each is the expectation over independent passes, ``sum(w * x)``, with w the probability that the object is the one that
is asked for: to be selected (sum), to be the n-th selected (leading, extremes), or to be drawn from the selected ones
(mean). All are exact when the probabilities are 0 and 1.
"""

from __future__ import annotations

import abc
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg
from hepgrad.ragged.remembered import remembered

from .counting import whole_number
from .ranking import in_order


class Expectations(abc.ABC):
    """The part of `Objects` that computes event quantities from a field."""

    probability: rg.RaggedArray
    order: rg.RaggedArray | None

    @abc.abstractmethod
    def __getitem__(self, name: str) -> rg.RaggedArray: ...

    def sum(self, field: str) -> rg.FlatArray:
        """Return the expected sum of a field over the selected objects, ``sum(p * x)``, per event.

        Parameters
        ----------
        field
            Name of a field.
        """
        return _sum(self.probability, self[field])

    def mean(self, field: str, *, fill_value: float | None = None) -> rg.FlatArray:
        """Return the expected mean of a field over the selected objects, per event.

        That is the value of an object drawn from the selected ones (`hepgrad.ragged.draw_probability`), not the ratio
        of the expected sum and the expected number.

        Parameters
        ----------
        field
            Name of a field.
        fill_value
            As for `leading`.
        """
        mean = _expectation(rg.draw_probability(self.probability), self[field], None)
        if fill_value is None:
            return mean
        some = rg.at_least_probability(self.probability, 1)
        return some * mean + (1 - some) * fill_value

    def max(self, field: str, *, fill_value: float | None = None) -> rg.FlatArray:
        """Return the expected largest value of a field among the selected objects, per event.

        Parameters
        ----------
        field
            Name of a field.
        fill_value
            As for `leading`.
        """
        return self.nth(field, 1, by=field, fill_value=fill_value)

    def min(self, field: str, *, fill_value: float | None = None) -> rg.FlatArray:
        """Return the expected smallest value of a field among the selected objects, per event.

        Parameters
        ----------
        field
            Name of a field.
        fill_value
            As for `leading`.
        """
        values, probability = self._ranked(self[field], self.probability)
        values, probability = _in_order(values, values, probability, ascending=True)
        return _expectation(rg.nth_probability(probability, 1), values, fill_value)

    def leading(self, field: str, *, by: str | None = None, fill_value: float | None = None) -> rg.FlatArray:
        """Return the expected value of a field of the leading selected object, per event.

        Object i leads with probability ``p_i prod_{j before i} (1 - p_j)``. Which one comes before the other is told by
        the pT as it was read: shifts of systematic sources do not change it.

        Parameters
        ----------
        field
            Name of a field.
        by
            Name of the field whose largest value leads; by default the pT in a collection as it was read, and the first
            in the row in others (see `Objects`).
        fill_value
            The value in events without such an object, which enters the expectation with their probability.
            Without it the expectation is conditional on there being one (and 0 where there cannot be one), which is
            right when the event selection asks for one anyway.
        """
        return self.nth(field, 1, by=by, fill_value=fill_value)

    def subleading(self, field: str, *, by: str | None = None, fill_value: float | None = None) -> rg.FlatArray:
        """Return the expected value of a field of the second selected object, per event.

        Parameters
        ----------
        field, by, fill_value
            As for `leading`.
        """
        return self.nth(field, 2, by=by, fill_value=fill_value)

    def nth(self, field: str, n: int, *, by: str | None = None, fill_value: float | None = None) -> rg.FlatArray:
        """Return the expected value of a field of the n-th selected object, per event.

        Object i is the n-th with probability ``p_i`` times that of exactly ``n - 1`` selected ones before it.

        Parameters
        ----------
        field
            Name of a field.
        n
            The place, counted from 1: ``nth("pt", 4)`` is the pT of the fourth.
        by, fill_value
            As for `leading`.

        Raises
        ------
        TypeError
            When ``n`` is a parameter or not a whole number.
        ValueError
            When ``n`` is less than 1.

        Examples
        --------
        >>> import hepgrad.ragged as rg
        >>> from hepgrad.analysis import Objects
        >>> jets = Objects.of(rg.from_lists([[{"pt": 50.0, "btag": 0.1}, {"pt": 30.0, "btag": 0.9}], []]))
        >>> jets.nth("pt", 2, fill_value=0.0)
        Array([30.,  0.], dtype=float32)
        >>> jets.nth("pt", 1, by="btag", fill_value=0.0)
        Array([30.,  0.], dtype=float32)
        """
        n = whole_number(n, "nth")
        if n < 1:
            raise ValueError(f"nth: places count from 1, the leading object's, got {n}")
        values, probability = self._ranked(self[field], self.probability)
        if by is not None:
            (key,) = self._ranked(self[by])
            values, probability = _in_order(key, values, probability, ascending=False)
        return _expectation(rg.nth_probability(probability, n), values, fill_value)

    def _ranked(self, *arrays: rg.RaggedArray) -> list[rg.RaggedArray]:
        """Return the arrays with what belongs to the leading object first."""
        return [array if self.order is None else in_order(array, self.order) for array in arrays]


def _in_order(by: rg.RaggedArray, *arrays: rg.RaggedArray, ascending: bool) -> tuple[rg.RaggedArray, ...]:
    # one array of records, so that all of them keep the same rows
    sorted_records = rg.zip(list(arrays))[rg.argsort(by, ascending=ascending)]
    return rg.unzip(sorted_records)


def _expectation(shares: rg.RaggedArray, values: rg.RaggedArray, fill_value: float | None) -> Any:
    expected = _sum(shares, values)
    total = remembered(shares, "total", lambda: rg.sum(shares, axis=1))
    if fill_value is not None:
        return expected + (1 - total) * fill_value
    # below this a second derivative's 1 / total**3 overflows, and the event counts for nothing
    possible = total > float(np.finfo(total.dtype).tiny) ** 0.25
    return rg.where(possible, expected / rg.where(possible, total, 1), 0)


def _sum(weight: rg.RaggedArray, values: rg.RaggedArray) -> Any:
    def product(w: Any, x: Any) -> jax.Array:
        # an object that cannot be chosen may hold NaN
        return w * jnp.where((w == 0) & ~jnp.isfinite(x), 0, x)

    return rg.sum(rg.apply(product, weight, values, operation="a sum over objects"), axis=1)
