"""The selection for other frameworks: events as coffea reads them, and columns that an RDataFrame filters by."""

from __future__ import annotations

import functools
import re

import awkward as ak
import hist
import numpy as np
import uproot

from .filling import fill_channels, first_axis, read_process, selections

# newer versions of coffea read columns when they are asked for
materialised = getattr(ak, "materialize", ak.Array)


def plain_columns(events, columns, separator="_"):
    """Return the columns of NanoEvents as plain records, without what coffea's own classes add to them."""
    groups = {}
    for column in columns:
        collection, _, field = column.partition(separator)
        values = events[collection][field] if field else events[collection]
        groups.setdefault(collection, {})[field] = ak.without_parameters(materialised(values))
    fields = {}
    for name, members in groups.items():
        ragged = any(values.ndim > 1 for values in members.values())
        fields[name] = members[""] if set(members) == {""} else ak.zip(members, depth_limit=2 if ragged else 1)
    return ak.zip(fields, depth_limit=1)


def fill_nanoevents(events, sample, *, stages, cut, channels, processes, columns):
    """Return a `hist.Hist` by channel and process, of events of one sample as coffea reads them."""
    filled = {}
    for process, ingredients in processes.items():
        for name, factor, weight, keep in ingredients:
            if name != sample:
                continue
            needed = plain_columns(events, dict.fromkeys([*columns, *([weight] if weight else [])]))
            for passes in keep:
                needed = needed[passes(needed)]
            counts = factor * (ak.to_numpy(needed[weight]) if weight else np.ones(len(needed)))
            here = {}
            for channel, (_, axis, _) in channels.items():
                empty = hist.Hist(first_axis(axis), storage=hist.storage.Weight())
                here[channel] = filled.setdefault(f"{channel}/{process}", empty)
            fill_channels(here, needed, counts, stages, cut, channels)
    return filled


def write_columns(where, path, *, stages, cut, channels, processes, columns, files, reading):
    """Write a tree for each process: what every event counts for, its observables, and which cuts it has passed."""
    with uproot.recreate(path) as file:
        for process, ingredients in processes.items():
            parts = [
                columns_in_order(array, weight, stages, cut, channels)
                for array, weight in read_process(where, ingredients, columns, slice(None), files, reading)
            ]
            joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            tree = file.mktree(as_name(process), {name: values.dtype for name, values in joined.items()})
            tree.extend(joined)


def columns_in_order(array, weight, stages, cut, channels):
    """Return what there is to know of each event, in the order in which events were read."""
    places = np.arange(len(array))
    groups = [(places[where], event_columns(e, channels)) for where, e in selections(array, weight, stages, cut)]
    order = np.argsort(np.concatenate([where for where, _ in groups]))
    return {name: np.concatenate([told[name] for _, told in groups])[order] for name in groups[0][1]}


def event_columns(events, channels):
    """Return what there is to know of each event, by names that C++ takes."""
    told = {"weight": ak.to_numpy(events.weight), "passed": events.passed}
    told |= {f"after_{as_name(step)}": passed for step, passed in events.cutflow.items()}
    told |= {f"in_{as_name(region)}": member for region, member in events.regions.items()}
    for observable, *_ in channels.values():
        told[as_name(observable)] = ak.to_numpy(functools.reduce(getattr, observable.split("."), events))
    return told


def as_name(text):
    """Return a text as a name of C++."""
    return re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "x"
