"""What a stage of an analysis uses, with cuts that an event passes or not, in plain Awkward Array."""

from __future__ import annotations

import copy
import functools
import json
import types
from pathlib import Path

import awkward as ak
import hist
import numpy as np
import uproot


class Objects:
    """One collection, such as the jets, and which of its objects have passed so far."""

    def __init__(self, array, passed=None):
        self.array = array
        self.passed = ak.ones_like(array[array.fields[0]], dtype=bool) if passed is None else passed

    @property
    def fields(self):
        return self.array.fields

    def __getattr__(self, name):
        return self.array[name]

    def __getitem__(self, name):
        return self.array[name]

    def with_field(self, **fields):
        array = self.array
        for name, values in fields.items():
            array = ak.with_field(array, values, name)
        return Objects(array, self.passed)

    def select(self, passed):
        return Objects(self.array, self.passed & passed)

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
        return ak.fill_none(ak.mean(self[field][self.passed], axis=1), fill_value or 0.0)

    def max(self, field, *, fill_value=None):
        return ak.fill_none(ak.max(self[field][self.passed], axis=1), fill_value or 0.0)

    def min(self, field, *, fill_value=None):
        return ak.fill_none(ak.min(self[field][self.passed], axis=1), fill_value or 0.0)

    def nth(self, field, n, *, by=None, fill_value=None):
        values = self[field][self.passed]
        if by is not None:
            values = values[ak.argsort(self[by][self.passed], axis=1, ascending=False, stable=True)]
        return ak.fill_none(ak.pad_none(values, n, axis=1)[:, n - 1], fill_value or 0.0)

    def leading(self, field, *, by=None, fill_value=None):
        return self.nth(field, 1, by=by, fill_value=fill_value)

    def subleading(self, field, *, by=None, fill_value=None):
        return self.nth(field, 2, by=by, fill_value=fill_value)

    def ordered_by(self, field, *, ascending=False):
        order = ak.argsort(self[field], axis=1, ascending=ascending, stable=True)
        return Objects(self.array[order], self.passed[order])

    def without_overlap(self, others, radius):
        theirs = others.array[others.passed]
        mine, near = ak.unzip(ak.cartesian([self.array, theirs], nested=True))
        return self.select(~ak.any(delta_r(mine.eta, mine.phi, near.eta, near.phi) < radius, axis=-1))


class Events:
    """All events, and which of them have passed so far."""

    def __init__(self, columns, weight):
        self.columns = {
            name: Objects(columns[name]) if columns[name].ndim > 1 and columns[name].fields else columns[name]
            for name in columns.fields
        }
        self.weight = weight
        self.passed = np.ones(len(weight), bool)
        self.cutflow = {}
        self.regions = {}

    def __getattr__(self, name):
        if name.startswith("__") or name not in self.__dict__["columns"]:
            raise AttributeError(name)
        return self.columns[name]

    def _with(self, **changes):
        other = copy.copy(self)
        other.__dict__.update(changes)
        return other

    def with_field(self, **fields):
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

    def in_region(self, name):
        return self._with(passed=self.passed & self.regions[name])


class Momentum:
    """Four-momenta, in GeV."""

    def __init__(self, px, py, pz, energy):
        self.px, self.py, self.pz, self.energy = px, py, pz, energy

    @classmethod
    def of(cls, particle):
        return momentum(particle.pt, particle.eta, particle.phi, particle.mass)

    def __add__(self, other):
        return Momentum(self.px + other.px, self.py + other.py, self.pz + other.pz, self.energy + other.energy)

    def __sub__(self, other):
        return Momentum(self.px - other.px, self.py - other.py, self.pz - other.pz, self.energy - other.energy)

    @property
    def pt(self):
        return np.sqrt(self.px**2 + self.py**2)

    @property
    def p(self):
        return np.sqrt(self.px**2 + self.py**2 + self.pz**2)

    @property
    def eta(self):
        return np.arcsinh(self.pz / self.pt)

    @property
    def phi(self):
        return np.arctan2(self.py, self.px)

    @property
    def mass(self):
        return np.sqrt(np.maximum(self.energy**2 - self.p**2, 0))


def momentum(pt, eta, phi, mass):
    return Momentum(pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2))


def leading_momentum(objects, *, fill_value=None):
    first = objects.array[objects.passed][:, :1]
    parts = Momentum.of(first)
    return Momentum(
        *(ak.fill_none(ak.firsts(part), fill_value or 0.0) for part in (parts.px, parts.py, parts.pz, parts.energy))
    )


def total_momentum(objects):
    parts = Momentum.of(objects.array[objects.passed])
    return Momentum(*(ak.sum(part, axis=1) for part in (parts.px, parts.py, parts.pz, parts.energy)))


def neutrino_from_w(lepton, met_pt, met_phi, w_mass=80.4):
    nx, ny = met_pt * np.cos(met_phi), met_pt * np.sin(met_phi)
    mu = w_mass**2 / 2 + lepton.px * nx + lepton.py * ny
    spread = lepton.energy * np.sqrt(np.maximum((mu - lepton.pt * met_pt) * (mu + lepton.pt * met_pt), 0))
    centre = mu * lepton.pz
    pt2 = lepton.pt**2
    nothing = pt2 == 0
    numerator = np.where(centre > 0, centre - spread, centre + spread)
    nz = np.where(nothing, 0, numerator / np.where(nothing, 1, pt2))
    return Momentum(nx, ny, nz, np.sqrt(met_pt**2 + nz**2))


def delta_phi(phi1, phi2):
    difference = phi1 - phi2
    return difference - 2 * np.pi * np.round(difference / (2 * np.pi))


def delta_r(eta1, phi1, eta2, phi2):
    return np.sqrt((eta1 - eta2) ** 2 + delta_phi(phi1, phi2) ** 2)


def transverse_mass(lepton, missing):
    return np.sqrt(np.maximum(2 * lepton.pt * missing.pt * (1 - np.cos(delta_phi(lepton.phi, missing.phi))), 0))


def window(x, low, high):
    return (x > low) & (x < high)


def _firsts(x, fill_value):
    return ak.fill_none(ak.firsts(x), fill_value)


def _apply(function, *arrays, **_):
    return function(*ak.broadcast_arrays(*arrays))


# Awkward Array's functions, and two more that stages use
rg = types.SimpleNamespace(**{name: getattr(ak, name) for name in ak.__all__ if hasattr(ak, name)})
rg.firsts, rg.apply = _firsts, _apply


def read_events(path, branches, tree="Events"):
    """Read branches of one file; ``Jet_pt`` becomes ``events.Jet.pt``."""
    with uproot.open(path) as file:
        flat = file[tree].arrays(branches)[branches]
    groups = {}
    for name in branches:
        collection, _, field = name.partition("_")
        groups.setdefault(collection, {})[field] = flat[name]
    columns = {}
    for name, members in groups.items():
        if set(members) == {""}:
            columns[name] = members[""]
            continue
        ragged = next(iter(members.values())).ndim > 1
        columns[name] = ak.zip(members, depth_limit=2 if ragged else 1)
        if ragged and "pt" in members:
            order = ak.argsort(columns[name].pt, axis=1, ascending=False, stable=True)
            columns[name] = columns[name][order]
    return ak.zip(columns, depth_limit=1)


def select(columns, weight, stages, cut):
    """Run all stages on some events."""
    return functools.reduce(lambda events, stage: stage(events, cut), stages, Events(columns, weight))


def read_process(fileset, datasets, branches, luminosity, part):
    """Yield the events of a process and what each of them counts for; a part stands for all of them."""
    content = json.loads(Path(fileset).read_text(encoding="utf-8"))
    for dataset in datasets:
        sample = content[dataset]["nominal"]
        scale = sample["xsec_pb"] * luminosity / sample["sumw_total"]
        parts = [read_events(Path(fileset).parent / file["path"], [*branches, "genWeight"]) for file in sample["files"]]
        events = ak.concatenate(parts)
        chosen = events[part]
        yield chosen, scale * ak.to_numpy(chosen.genWeight) * (len(events) / len(chosen))


def fill(fileset, *, stages, cut, channels, processes, branches, luminosity, part=slice(None)):
    """Return a `hist.Hist` for each channel and process, filled with the selected events."""
    filled = {
        (name, process): hist.Hist(axis, storage=hist.storage.Weight())
        for name, (_, axis, _) in channels.items()
        for process in processes
    }
    for process, datasets in processes.items():
        for columns, weight in read_process(fileset, datasets, branches, luminosity, part):
            events = select(columns, weight, stages, cut)
            for channel, (observable, _, region) in channels.items():
                chosen = events if region is None else events.in_region(region)
                values = ak.to_numpy(getattr(chosen, observable))[chosen.passed]
                filled[channel, process].fill(values, weight=weight[chosen.passed])
    return filled
