"""Channels with a free factor in each bin, written as one channel for each bin: datacards only scale rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# modifiers with one parameter a bin
_OF_BINS = ("shapefactor", "shapesys", "staterror")


def bin_by_bin(workspace: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a workspace without ``shapefactor``, and what was changed in words.

    Channels that have one become channels of one bin each, ``sr_bin0`` and so on, and its parameters ``normfactor``,
    ``free_bin0`` and so on; the log-probability is the same. Without any the workspace is returned.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange.datacards.by_bin import bin_by_bin
    >>> sample = {"name": "qcd", "data": [5.0, 3.0], "modifiers": [{"name": "f", "type": "shapefactor", "data": None}]}
    >>> after, _ = bin_by_bin({
    ...     "channels": [{"name": "sr", "samples": [sample]}],
    ...     "observations": [{"name": "sr", "data": [6.0, 2.0]}],
    ...     "measurements": [{"name": "fit", "config": {"poi": "", "parameters": []}}],
    ... })
    >>> [(channel["name"], channel["samples"][0]["modifiers"][0]["name"]) for channel in after["channels"]]
    [('sr_bin0', 'f_bin0'), ('sr_bin1', 'f_bin1')]
    """
    divided = {
        channel["name"]
        for channel in workspace["channels"]
        if any(m["type"] == "shapefactor" for sample in channel["samples"] for m in sample["modifiers"])
    }
    if not divided:
        return dict(workspace), []
    kept = [channel for channel in workspace["channels"] if channel["name"] not in divided]
    parts = [channel for channel in workspace["channels"] if channel["name"] in divided]
    observed = {entry["name"]: entry["data"] for entry in workspace["observations"]}
    of_bins = {
        modifier["name"]
        for channel in parts
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
        if modifier["type"] in _OF_BINS
    }
    changed = {
        **workspace,
        "channels": [*kept, *(_one_bin(channel, i) for channel in parts for i in range(_bins(channel)))],
        "observations": [
            *({"name": channel["name"], "data": observed[channel["name"]]} for channel in kept),
            *(
                {"name": _named(channel["name"], i), "data": [observed[channel["name"]][i]]}
                for channel in parts
                for i in range(_bins(channel))
            ),
        ],
        "measurements": [
            {**each, "config": {**each["config"], "parameters": _settings(each["config"]["parameters"], of_bins)}}
            for each in workspace["measurements"]
        ],
    }
    return changed, [f"{name} is written bin by bin, as its bins have free factors" for name in sorted(divided)]


def _bins(channel: Mapping[str, Any]) -> int:
    return len(channel["samples"][0]["data"])


def _named(name: str, index: int) -> str:
    return f"{name}_bin{index}"


def _one_bin(channel: Mapping[str, Any], index: int) -> dict[str, Any]:
    """Return a channel of one bin."""
    name = _named(channel["name"], index)
    samples = [
        {
            **sample,
            "data": [sample["data"][index]],
            "modifiers": [_of_bin(modifier, name, index) for modifier in sample["modifiers"]],
        }
        for sample in channel["samples"]
    ]
    return {**channel, "name": name, "samples": samples}


def _of_bin(modifier: Mapping[str, Any], channel: str, index: int) -> dict[str, Any]:
    """Return a modifier as it acts on a single bin."""
    name, data = modifier["name"], modifier["data"]
    match modifier["type"]:
        case "shapefactor":
            return {"name": _named(name, index), "type": "normfactor", "data": None}
        case "shapesys" | "staterror":
            return {**modifier, "name": f"{name}_{channel}", "data": [data[index]]}
        case "histosys":
            return {**modifier, "data": {side: [values[index]] for side, values in data.items()}}
    return dict(modifier)


def _settings(parameters: list[dict[str, Any]], of_bins: set[str]) -> list[dict[str, Any]]:
    """Return the settings of parameters; a card has none of the statistics of the simulation."""
    found: list[dict[str, Any]] = []
    for entry in parameters:
        if entry["name"] not in of_bins:
            found.append(entry)
            continue
        by_bin = {key: entry[key] for key in entry if key in ("inits", "bounds")}
        for index in range(max(map(len, by_bin.values()), default=0)):
            each = {key: [values[index]] for key, values in by_bin.items()}
            found.append({"name": _named(entry["name"], index), **each})
    return found
