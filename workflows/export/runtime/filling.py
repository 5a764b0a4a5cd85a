"""Reading events and filling histograms, in plain Awkward Array."""

# a script reads better without types and with few docstrings
# ruff: noqa: ANN001, ANN201, ANN202
# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return, var-annotated, no-redef"

from __future__ import annotations

import functools
import glob
import json
from pathlib import Path

import awkward as ak
import hist
import numpy as np
import uproot

from .objects import Events


def _single(values):
    is_double = ak.to_numpy(ak.flatten(values, axis=None)).dtype == np.float64
    return ak.values_astype(values, np.float32) if is_double else values


def read_events(path, columns, *, tree="Events", separator="_", renamed=None, factors=None, defaults=None):
    """Read columns of one file; ``Jet_pt`` becomes ``events.Jet.pt``."""
    branches = {column: (renamed or {}).get(column, column) for column in columns}
    with uproot.open(path) as file:
        there = set(file[tree].keys())
        flat = file[tree].arrays([each for each in branches.values() if each in there or not defaults])
    groups = {}
    for column, branch in branches.items():
        # in single precision, in which the cuts were tuned
        values = _single(flat[branch]) if branch in flat.fields else ak.Array([defaults[column]] * len(flat))
        values = values * np.float32(factors[column]) if column in (factors or {}) else values
        collection, _, field = column.partition(separator) if separator else (column, "", "")
        groups.setdefault(collection, {})[field] = values
    events = {}
    for name, members in groups.items():
        if set(members) == {""}:
            events[name] = members[""]
            continue
        ragged = any(values.ndim > 1 for values in members.values())
        events[name] = ak.zip(members, depth_limit=2 if ragged else 1)
    return ak.zip(events, depth_limit=1)


def select(columns, weight, stages, cut):
    """Run all stages on some events."""
    return functools.reduce(lambda events, stage: stage(events, cut), stages, Events(columns, weight))


def find_files(where, sample, files):
    """Return the files of a sample: as listed here, in a folder, or else as a fileset in JSON lists them."""
    where = Path(where)
    if files:
        return [where / file for file in files[sample]]
    where = where / "fileset.json" if where.is_dir() else where
    name, _, variation = sample.partition(":")
    listed = json.loads(where.read_text(encoding="utf-8"))[name][variation or "nominal"]["files"]
    paths = [entry["path"] if isinstance(entry, dict) else entry for entry in listed]
    local = [path if "://" in path else str(where.parent / path) for path in paths]
    return [path for each in local for path in (sorted(glob.glob(each)) if glob.has_magic(each) else [each])]


def read_process(where, ingredients, columns, part, files, reading):
    """Yield the events of each sample of a process and what they count for; a part stands for all of them."""
    for sample, factor, weight, keep in ingredients:
        wanted = [*columns, *([weight] if weight else [])]
        events = ak.concatenate([read_events(path, wanted, **reading) for path in find_files(where, sample, files)])
        chosen = events[part]
        counts = factor * len(events) / len(chosen) * (ak.to_numpy(chosen[weight]) if weight else np.ones(len(chosen)))
        kept = np.all([np.ones(len(chosen), bool), *(ak.to_numpy(passes(chosen)) for passes in keep)], axis=0)
        yield chosen[kept], counts[kept]


def fill(where, *, stages, cut, channels, processes, columns, part=slice(None), files=None, reading=None):
    """Return a `hist.Hist` for each channel and process, filled with the selected events."""
    filled = {
        (name, process): hist.Hist(axis, storage=hist.storage.Weight())
        for name, (_, axis, _) in channels.items()
        for process in processes
    }
    for process, ingredients in processes.items():
        for array, weight in read_process(where, ingredients, columns, part, files, reading or {}):
            events = select(array, weight, stages, cut)
            for channel, (observable, _, region) in channels.items():
                chosen = events if region is None else events.in_region(region)
                values = ak.to_numpy(functools.reduce(getattr, observable.split("."), chosen))[chosen.passed]
                filled[channel, process].fill(values, weight=ak.to_numpy(chosen.weight)[chosen.passed])
    return filled
