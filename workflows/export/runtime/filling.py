"""Reading events and filling histograms, in plain Awkward Array."""

from __future__ import annotations

import functools
import operator
from pathlib import Path

import awkward as ak
import hist
import numpy as np
import uproot

from .folds import fold_numbers
from .objects import Events


def _single(values):
    is_double = ak.to_numpy(ak.flatten(values, axis=None)).dtype == np.float64
    return ak.values_astype(values, np.float32) if is_double else values


def _scaled(values, factor):
    if factor == 1:
        return values
    # in double precision, so that 50,000 MeV are 50 GeV in single precision too
    single = ak.to_numpy(ak.flatten(values, axis=None)).dtype == np.float32
    scaled = ak.values_astype(values, np.float64) * factor
    return ak.values_astype(scaled, np.float32) if single else scaled


def _collection(members, defaults, events):
    """Return the fields of a collection, or of something that there is one of in each event."""
    lists = next((values for values in members.values() if values.ndim > 1), None)
    for field, default in defaults.items():
        value = np.float32(default) if isinstance(default, float) else default
        same = ak.Array(np.full(events, value))
        members[field] = same if lists is None else ak.broadcast_arrays(same, lists)[0]
    if set(members) == {""}:
        return members[""]
    return ak.zip(members, depth_limit=1 if lists is None else 2)


def read_friend(path, tree):
    """Return the columns of a file that has further ones of the same events, row by row."""
    suffix = Path(path).suffix
    if suffix == ".root":
        with uproot.open(path) as file:
            rows = file[tree if tree in file else file.keys()[0]].arrays()
    else:
        rows = ak.from_parquet(path) if suffix == ".parquet" else np.load(path)
    names = getattr(rows, "files", None) or getattr(rows, "fields", None) or rows.dtype.names
    return {name: ak.drop_none(ak.Array(rows[name]), axis=0) for name in names}


def read_branch(tree, name):
    """Return a branch, a part of its objects, or the positions of its element links in containers with some keys."""
    name, _, keys = name.partition(" -> ")
    if keys:
        branch, item = weight_column(name)
        return followed(tree, branch, item, [int(key) for key in keys.split(",")])
    parts = name.split(".")
    length = next((n for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in tree), len(parts))
    return functools.reduce(lambda found, part: found[part], parts[length:], tree[".".join(parts[:length])].array())


def followed(tree, branch, item, keys):
    """Return the positions that element links have in containers with some keys: -1 for all others."""
    split = [f"{branch.removesuffix('.m_persIndex')}.{part}" for part in ("m_persKey", "m_persIndex")]
    whole = None if split[0] in tree else tree[branch].array()
    key, index = (tree[part].array() if whole is None else whole[part.rpartition(".")[2]] for part in split)
    found = ak.where(functools.reduce(operator.or_, [key == each for each in keys]), index, -1)
    if item is not None:
        found = ak.fill_none(ak.pad_none(found, item + 1, axis=-1)[..., item], -1)
    return ak.values_astype(found, np.int32)


def read_events(path, columns, *, tree, separator="_", renamed=(), factors=(), defaults=(), double=False, friends=()):
    """Read columns of one file and its friends; ``Jet_pt`` becomes ``events.Jet.pt``."""
    renamed, factors, defaults = dict(renamed), dict(factors), dict(defaults)
    beside = {name: values for friend in friends for name, values in read_friend(friend, tree).items()}
    branches = {column: column if column in beside else renamed.get(column, column) for column in columns}
    with uproot.open(path) as file:
        there = file[tree]
        wanted = [branch for column, branch in branches.items() if column not in defaults or branch in there]
        wanted = [branch for branch in dict.fromkeys(wanted) if branch not in beside]
        plain = there.arrays(sorted(set(wanted) & set(there.keys())))
        # parts of objects and links are read one by one
        flat = {branch: plain[branch] if branch in plain.fields else read_branch(there, branch) for branch in wanted}
        events = there.num_entries
    groups = {}
    for column, branch in branches.items():
        collection, _, field = column.partition(separator) if separator else (column, "", "")
        members, missing = groups.setdefault(collection, ({}, {}))
        if branch not in flat and branch not in beside:
            missing[field] = defaults[column]
            continue
        values = _scaled(beside[branch] if branch in beside else flat[branch], factors.get(column, 1))
        # in the precision in which the cuts were tuned
        members[field] = values if double else _single(values)
    fields = {name: _collection(members, missing, events) for name, (members, missing) in groups.items()}
    return ak.zip(fields, depth_limit=1)


def select(columns, weight, stages, cut):
    """Run all stages on some events."""
    return functools.reduce(lambda events, stage: stage(events, cut), stages, Events(columns, weight))


def selections(columns, weight, stages, cut):
    """Yield which events have the same cuts, and what is selected of them: all, or those of each fold."""
    if not isinstance(cut, list):
        yield slice(None), select(columns, weight, stages, cut)
        return
    fold = fold_numbers(columns.event, len(cut))
    for number, cuts in enumerate(cut):
        yield fold == number, select(columns[fold == number], weight[fold == number], stages, cuts)


def first_axis(axis):
    """Return the bins of a channel: where each fold has its own, the sum is told in those of the first."""
    return axis[0] if isinstance(axis, list) else axis


def find_files(where, files):
    """Return files that are listed relative to a folder, or to the folder of a file."""
    folder = Path(where) if Path(where).is_dir() else Path(where).parent
    return [file if "://" in file else folder / file for file in files]


def read_process(where, ingredients, columns, part, files, reading):
    """Yield the events of each sample of a process and what they count for; a part stands for all of them."""
    for sample, factor, weight, keep, *factors in ingredients:
        wanted = list(dict.fromkeys([*columns, *([weight_column(weight)[0]] if weight else [])]))
        how = {"tree": "Events"} | reading.get("", {}) | reading.get(sample, {})
        beside = how.pop("friends", None) or [[]] * len(files[sample])
        paths = zip(find_files(where, files[sample]), beside, strict=True)
        pieces = [read_events(path, wanted, friends=find_files(where, friends), **how) for path, friends in paths]
        events = ak.concatenate(pieces)
        taken = events[part]
        whole = factor * len(events) / max(len(taken), 1)
        kept, counts = weigh(taken, weight, keep, factors, how.get("separator", "_"))
        yield kept, whole * counts


def weigh(events, weight, keep, factors, separator="_"):
    """Return the events that are kept, and what each of them counts for."""
    for passes in keep:
        events = events[passes(events)]
    counts = np.ones(len(events))
    if weight:
        name, position = weight_column(weight)
        collection, _, field = name.partition(separator) if separator else (name, "", "")
        values = events[collection, field] if field else events[collection]
        counts = ak.to_numpy(values if position is None else values[:, position])
    for of_events in factors:
        counts = counts * of_events(events)
    return events, counts


def weight_column(weight):
    """Return the column of weights, and which item of its lists they are: ``"LHEScaleWeight[4]"``."""
    column, bracket, position = weight.partition("[")
    return column, int(position.rstrip("]")) if bracket else None


def fill_channels(histograms, columns, weight, stages, cut, channels):
    """Fill the selected events into histograms by channel."""
    for fold, (_, events) in enumerate(selections(columns, weight, stages, cut)):
        for channel, (observable, axis, region) in channels.items():
            if not isinstance(axis, list):
                fill_channel(histograms[channel], events, observable, region)
                continue
            # a bin of the sum is the same bin of all folds, wherever its edges are
            part = hist.Hist(axis[fold], storage=hist.storage.Weight())
            fill_channel(part, events, observable, region)
            for what in ("value", "variance"):
                histograms[channel].view(flow=True)[what] += part.view(flow=True)[what]


def fill_channel(histogram, events, observable, region):
    """Fill the selected events of a region."""
    inside = events if region is None else events.in_region(region)
    values = ak.to_numpy(functools.reduce(getattr, observable.split("."), inside))[inside.passed]
    histogram.fill(values, weight=ak.to_numpy(inside.weight)[inside.passed])


def fill(where, *, stages, cut, channels, processes, columns, files, reading, part=slice(None), only=None):
    """Return a `hist.Hist` for each channel and process, filled with the selected events."""
    processes = {name: processes[name] for name in only or processes}
    filled = {
        (name, process): hist.Hist(first_axis(axis), storage=hist.storage.Weight())
        for name, (_, axis, _) in channels.items()
        for process in processes
    }
    for process, ingredients in processes.items():
        for array, weight in read_process(where, ingredients, columns, part, files, reading):
            here = {channel: filled[channel, process] for channel in channels}
            fill_channels(here, array, weight, stages, cut, channels)
    return filled
