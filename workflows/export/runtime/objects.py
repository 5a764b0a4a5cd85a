"""Collections and events, with cuts that they pass or not, in plain Awkward Array."""

from __future__ import annotations

import copy
import functools
import operator
import re

import awkward as ak
import numpy as np

from .formulas import delta_r


def points(field):
    """Return whether a field holds positions of objects, by its name."""
    return re.search(r"Idx|((^|_)(idx|index)|Index)\d*$", field) is not None


class Objects:
    """One collection, such as the jets, and which of its objects have passed so far."""

    def __init__(self, array, passed=None, order=None):
        self.array = array
        self.passed = ak.local_index(array, axis=1) >= 0 if passed is None else passed
        # the position of the leading object, of the subleading one, ...; by default that in the list
        self.order = order

    @classmethod
    def as_read(cls, array):
        order = ak.argsort(array.pt, axis=1, ascending=False, stable=True) if "pt" in array.fields else None
        return cls(array, order=order)

    @classmethod
    def of(cls, array):
        return cls(array)

    def leading_first(self):
        return self if self.order is None else Objects(self.array[self.order], self.passed[self.order])

    @property
    def fields(self):
        return self.array.fields

    @property
    def capacity(self):
        return ak.count(self.passed)

    def __getattr__(self, name):
        return self.array[name]

    def __getitem__(self, name):
        return self.array[name]

    def with_field(self, /, **fields):
        array = self.array
        for name, values in fields.items():
            array = ak.with_field(array, values, name)
        return Objects(array, self.passed, self.order)

    def select(self, passed):
        return Objects(self.array, self.passed & passed, self.order)

    def count(self):
        return ak.sum(self.passed, axis=1)

    def at_least(self, n):
        return self.count() >= n

    def at_most(self, n):
        return self.count() <= n

    def exactly(self, n):
        return self.count() == n

    def none(self):
        return self.count() == 0

    def all(self, passed):
        return ak.all(passed[self.passed], axis=1)

    def any(self, passed):
        return ak.any(passed[self.passed], axis=1)

    def sum(self, field):
        return ak.sum(self[field][self.passed], axis=1)

    def mean(self, field, *, fill_value=None):
        return ak.fill_none(ak.mean(self[field][self.passed], axis=1, mask_identity=True), fill_value or 0.0)

    def max(self, field, *, fill_value=None):
        return ak.fill_none(ak.max(self[field][self.passed], axis=1), fill_value or 0.0)

    def min(self, field, *, fill_value=None):
        return ak.fill_none(ak.min(self[field][self.passed], axis=1), fill_value or 0.0)

    def nth(self, field, n, *, by=None, fill_value=None):
        ranked = self.leading_first()
        values = ranked[field][ranked.passed]
        if by is not None:
            values = values[ak.argsort(ranked[by][ranked.passed], axis=1, ascending=False, stable=True)]
        return ak.fill_none(ak.pad_none(values, n, axis=1)[:, n - 1], fill_value or 0.0)

    def leading(self, field, *, by=None, fill_value=None):
        return self.nth(field, 1, by=by, fill_value=fill_value)

    def subleading(self, field, *, by=None, fill_value=None):
        return self.nth(field, 2, by=by, fill_value=fill_value)

    def at(self, positions, *, fill_value=0):
        there = (positions >= 0) & (positions < ak.num(self.array))
        # an event without objects has one that is missing, for positions to point at
        places, found = ak.where(there, positions, 0), ak.pad_none(self.array, 1, axis=1)
        # what points somewhere itself points nowhere
        positions_too = {name for name in self.fields if points(name) and "int" in str(ak.type(self.array[name]))}
        fills = {name: -1 if name in positions_too else fill_value for name in self.fields}
        fields = {name: ak.where(there, ak.fill_none(found[name][places], fill), fill) for name, fill in fills.items()}
        passed = ak.fill_none(ak.pad_none(self.passed, 1, axis=1)[places], False)
        return Objects(ak.zip(fields, depth_limit=2), there & passed)

    def ordered_by(self, field, *, ascending=False):
        ranked = self.leading_first()
        order = ak.argsort(ranked[field], axis=1, ascending=ascending, stable=True)
        return Objects(ranked.array[order], ranked.passed[order])

    def combinations(self, n, *, fields=None, **_):
        names = [str(place) for place in range(n)] if fields is None else list(fields)
        ranked = self.leading_first()
        objects = ak.combinations(ranked.array, n, axis=1, fields=names)
        passed = ak.unzip(ak.combinations(ranked.passed, n, axis=1))
        members = dict(zip(names, ak.unzip(objects), strict=True))
        return Objects(ak.zip(members, depth_limit=2), functools.reduce(operator.and_, passed))

    @classmethod
    def concatenate(cls, collections, *, fields=None):
        names = list(fields or collections[0].fields)
        collections = [each.leading_first() for each in collections]
        arrays = [ak.zip({name: each[name] for name in names}, depth_limit=2) for each in collections]
        return cls(ak.concatenate(arrays, axis=1), ak.concatenate([each.passed for each in collections], axis=1))

    def without_overlap(self, others, radius, **_):
        theirs = others.array[others.passed]
        mine, near = ak.unzip(ak.cartesian([self.array, theirs], nested=True))
        return self.select(~ak.any(delta_r(mine.eta, mine.phi, near.eta, near.phi) < radius, axis=-1))


class Events:
    """All events, and which of them have passed so far."""

    def __init__(self, columns, weight):
        self.columns = {
            name: Objects.as_read(columns[name]) if columns[name].ndim > 1 and columns[name].fields else columns[name]
            for name in columns.fields
        }
        self.weight = weight
        self.passed = np.ones(len(weight), bool)
        self.cutflow = {}
        self.regions = {}

    def __getattr__(self, name):
        columns = self.__dict__.get("columns", {})
        if name not in columns:
            raise AttributeError(f"no column {name!r}; the columns are {list(columns)}")
        return self.columns[name]

    def __getitem__(self, name):
        return self.columns[name]

    def _with(self, **changes):
        other = copy.copy(self)
        other.__dict__.update(changes)
        return other

    def __len__(self):
        return len(self.weight)

    def with_field(self, /, **fields):
        return self._with(columns={**self.columns, **fields})

    def select(self, passed, name=None):
        passed = self.passed & ak.to_numpy(passed)
        return self._with(passed=passed, cutflow=self.cutflow if name is None else {**self.cutflow, name: passed})

    def categorise(self, *, rest="rest", **categories):
        left, regions = np.ones(len(self.weight), bool), {}
        for name, passed in categories.items():
            regions[name] = left & ak.to_numpy(passed)
            left = left & ~regions[name]
        return self._with(regions={**self.regions, **regions, rest: left})

    def quadrants(self, first, second, *, names=("A", "B", "C", "D"), within=None):
        p, q = ak.to_numpy(first), ak.to_numpy(second)
        inside = np.ones(len(self.weight), bool) if within is None else ak.to_numpy(within)
        four = [each & inside for each in (p & q, p & ~q, ~p & q, ~p & ~q)]
        return self._with(regions={**self.regions, **dict(zip(names, four, strict=True))})

    def weighted(self, factor):
        return self._with(weight=self.weight * ak.to_numpy(factor))

    def in_region(self, name):
        return self._with(passed=self.passed & self.regions[name])
