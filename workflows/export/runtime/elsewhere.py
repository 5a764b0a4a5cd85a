"""The selection for other frameworks: events as coffea reads them, and columns that an RDataFrame filters by."""

from __future__ import annotations

import functools
import itertools
import re

import awkward as ak
import hist
import numpy as np
import uproot

from .filling import (
    _collection,
    _scaled,
    _single,
    fill_channels,
    first_axis,
    read_process,
    selections,
    weigh,
    weight_column,
)

# words of C++, which no column can be called by there
_WORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class
co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype
default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline
int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template
this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t
while xor xor_eq
"""
RESERVED = frozenset(_WORDS.split())
# newer versions of coffea read columns when they are asked for
materialised = getattr(ak, "materialize", ak.Array)


def plain_columns(events, columns, *, separator="_", renamed=(), factors=(), defaults=(), double=False, **others):
    """Return the columns of NanoEvents as plain records, without what coffea's own classes add to them."""
    renamed, factors, defaults = dict(renamed), dict(factors), dict(defaults)
    groups = {}
    for column in columns:
        collection, _, field = column.partition(separator) if separator else (column, "", "")
        members, missing = groups.setdefault(collection, ({}, {}))
        values = nano_column(events, renamed.get(column, column))
        if values is None and column in defaults:
            missing[field] = defaults[column]
        elif values is None:
            raise KeyError(f"the events that coffea read have no column {renamed.get(column, column)}")
        else:
            scaled = _scaled(ak.without_parameters(materialised(values)), factors.get(column, 1))
            members[field] = scaled if double else _single(scaled)
    fields = {name: _collection(members, missing, len(events)) for name, (members, missing) in groups.items()}
    return ak.zip(fields, depth_limit=1)


def nano_column(events, branch):
    """Return what coffea made of a branch; None where there is none. Counters are those of their collections."""
    collection, _, field = branch.partition("_")
    if branch in events.fields:
        return events[branch]
    if collection in events.fields and field in events[collection].fields:
        return events[collection][field]
    counted = branch[1:] if branch.startswith("n") else ""
    return ak.num(events[counted]) if counted in events.fields else None


def fill_nanoevents(events, sample, *, stages, cut, channels, processes, columns, reading):
    """Return a `hist.Hist` by channel and process, of events of one sample as coffea reads them."""
    filled = {}
    for process, ingredients in processes.items():
        for name, factor, weight, keep, *factors in ingredients:
            if name != sample:
                continue
            how = reading.get("", {}) | reading.get(sample, {})
            wanted = dict.fromkeys([*columns, *([weight_column(weight)[0]] if weight else [])])
            needed, counts = weigh(plain_columns(events, wanted, **how), weight, keep, factors, how["separator"])
            here = {}
            for channel, (_, axis, _) in channels.items():
                empty = hist.Hist(first_axis(axis), storage=hist.storage.Weight())
                here[channel] = filled.setdefault(f"{channel}/{process}", empty)
            fill_channels(here, needed, factor * counts, stages, cut, channels)
    return filled


def write_columns(where, path, *, stages, cut, channels, processes, columns, files, reading):
    """Write a tree for each process: what every event counts for, its observables, and which cuts it has passed."""
    trees = dict(zip(processes, unique_names(map(plain_name, processes)), strict=True))
    with uproot.recreate(path) as file:
        for process, ingredients in processes.items():
            parts = [
                columns_in_order(array, weight, stages, cut, channels)
                for array, weight in read_process(where, ingredients, columns, slice(None), files, reading)
            ]
            joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            tree = file.mktree(trees[process], {name: values.dtype for name, values in joined.items()})
            tree.extend(joined)


def columns_in_order(array, weight, stages, cut, channels):
    """Return what there is to know of each event, in the order in which events were read."""
    places = np.arange(len(array))
    groups = [(places[where], event_columns(e, channels)) for where, e in selections(array, weight, stages, cut)]
    order = np.argsort(np.concatenate([where for where, _ in groups]))
    return {name: np.concatenate([told[name] for _, told in groups])[order] for name in groups[0][1]}


def event_columns(events, channels):
    """Return what there is to know of each event, by names that C++ takes."""
    told = [("weight", ak.to_numpy(events.weight)), ("passed", events.passed)]
    told += [(f"after_{plain_name(step)}", passed) for step, passed in events.cutflow.items()]
    told += [(f"in_{plain_name(region)}", member) for region, member in events.regions.items()]
    for observable in dict.fromkeys(observable for observable, *_ in channels.values()):
        values = functools.reduce(getattr, observable.split("."), events)
        told.append((plain_name(observable), ak.to_numpy(values)))
    return dict(zip(unique_names(name for name, _ in told), (values for _, values in told), strict=True))


def unique_names(names):
    """Return names of C++, each of its own: the second of the same ends in ``_2``."""
    found = []
    for name in names:
        name = f"_{name}" if name[0].isdigit() or name in RESERVED else name
        numbered = (name if number == 1 else f"{name}_{number}" for number in itertools.count(1))
        found.append(next(each for each in numbered if each not in found))
    return found


def plain_name(text):
    """Return a text without what names of C++ cannot have."""
    return re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "x"
