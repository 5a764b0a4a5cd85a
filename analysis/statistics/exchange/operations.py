"""What one does with workspaces before they are fitted: prune, rename, combine, sort; pyhf's names and results."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from ..histfactory.specification import check_workspace

Workspace = Mapping[str, Any]
Join = Literal["none", "outer", "left outer", "right outer"]
_JOINS = ("none", "outer", "left outer", "right outer")


def prune(
    workspace: Workspace,
    *,
    modifiers: Sequence[str] = (),
    modifier_types: Sequence[str] = (),
    samples: Sequence[str] = (),
    channels: Sequence[str] = (),
    measurements: Sequence[str] = (),
) -> dict[str, Any]:
    """Return a workspace without the parts of these names, as ``pyhf.Workspace.prune`` does.

    Parameters
    ----------
    workspace
        The JSON; it is not changed.
    modifiers, modifier_types, samples, channels, measurements
        Names (or types) of what is left out. Settings of a parameter go with its modifiers, observations with their
        channel.

    Raises
    ------
    ValueError
        When there is nothing of a name, or what is left is no workspace.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange import prune
    >>> samples = [{"name": name, "data": [5.0], "modifiers": []} for name in ("ttbar", "wjets")]
    >>> workspace = {
    ...     "channels": [{"name": "SR", "samples": samples}],
    ...     "observations": [{"name": "SR", "data": [7.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "", "parameters": []}}],
    ...     "version": "1.0.0",
    ... }
    >>> [sample["name"] for sample in prune(workspace, samples=["wjets"])["channels"][0]["samples"]]
    ['ttbar']
    """
    check_workspace(workspace)
    names = _names(workspace)
    for kind, asked in (
        ("modifier", modifiers),
        ("modifier type", modifier_types),
        ("sample", samples),
        ("channel", channels),
        ("measurement", measurements),
    ):
        _require(asked, names[kind], kind)
    result = copy.deepcopy(dict(workspace))
    result["channels"] = [channel for channel in result["channels"] if channel["name"] not in channels]
    for channel in result["channels"]:
        channel["samples"] = [sample for sample in channel["samples"] if sample["name"] not in samples]
        for sample in channel["samples"]:
            sample["modifiers"] = [
                modifier
                for modifier in sample["modifiers"]
                if modifier["name"] not in modifiers and modifier["type"] not in modifier_types
            ]
    result["observations"] = [entry for entry in result["observations"] if entry["name"] not in channels]
    result["measurements"] = [entry for entry in result["measurements"] if entry["name"] not in measurements]
    for entry in result["measurements"]:
        config = entry["config"]
        config["parameters"] = [settings for settings in config["parameters"] if settings["name"] not in modifiers]
    return _checked(result)


def rename(
    workspace: Workspace,
    *,
    modifiers: Mapping[str, str] | None = None,
    samples: Mapping[str, str] | None = None,
    channels: Mapping[str, str] | None = None,
    measurements: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a workspace with other names, as ``pyhf.Workspace.rename`` does.

    Parameters
    ----------
    workspace
        The JSON; it is not changed.
    modifiers, samples, channels, measurements
        From old to new names. The parameter of interest and the settings of parameters follow their modifiers,
        observations their channel.

    Raises
    ------
    ValueError
        When there is nothing of an old name, or the new names make two things one.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange import rename
    >>> signal = {"name": "signal", "data": [5.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    >>> workspace = {
    ...     "channels": [{"name": "SR", "samples": [signal]}],
    ...     "observations": [{"name": "SR", "data": [7.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
    ...     "version": "1.0.0",
    ... }
    >>> rename(workspace, modifiers={"mu": "r"})["measurements"][0]["config"]["poi"]
    'r'
    """
    check_workspace(workspace)
    names = _names(workspace)
    of: dict[str, Mapping[str, str]] = {
        "modifier": modifiers or {},
        "sample": samples or {},
        "channel": channels or {},
        "measurement": measurements or {},
    }
    for kind, changes in of.items():
        _require(changes, names[kind], kind)

    def renamed(kind: str, entry: dict[str, Any]) -> None:
        entry["name"] = of[kind].get(entry["name"], entry["name"])

    result = copy.deepcopy(dict(workspace))
    for channel in result["channels"]:
        renamed("channel", channel)
        for sample in channel["samples"]:
            renamed("sample", sample)
            for modifier in sample["modifiers"]:
                renamed("modifier", modifier)
    for observation in result["observations"]:
        renamed("channel", observation)
    for measurement in result["measurements"]:
        renamed("measurement", measurement)
        config = measurement["config"]
        config["poi"] = of["modifier"].get(config["poi"], config["poi"])
        for settings in config["parameters"]:
            renamed("modifier", settings)
    return _checked(result)


def combine(left: Workspace, right: Workspace, *, join: Join = "none", merge_channels: bool = False) -> dict[str, Any]:
    """Return one workspace with the channels of two, as ``pyhf.Workspace.combine`` does.

    Modifiers of the same name share their parameter, which correlates the two. A measurement of the same name on both
    sides becomes one.

    Parameters
    ----------
    left, right
        The JSON of each; they are not changed.
    join
        ``"none"``: nothing may be on both sides. ``"outer"``: what is on both sides has to be equal there.
        ``"left outer"`` and ``"right outer"``: of what is on both sides, that side's is taken unseen.
    merge_channels
        Whether the samples of channels on both sides are put together; not with ``"none"``.

    Raises
    ------
    ValueError
        When a `join` is unknown, or the sides contradict each other.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange import combine, rename
    >>> signal = {"name": "signal", "data": [5.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    >>> workspace = {
    ...     "channels": [{"name": "SR", "samples": [signal]}],
    ...     "observations": [{"name": "SR", "data": [7.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
    ...     "version": "1.0.0",
    ... }
    >>> both = combine(workspace, rename(workspace, channels={"SR": "SR2"}), join="outer")
    >>> [channel["name"] for channel in both["channels"]]
    ['SR', 'SR2']
    """
    if join not in _JOINS:
        raise ValueError(f"join must be one of {list(_JOINS)}, got {join!r}")
    if merge_channels and join == "none":
        raise ValueError("channels can be merged with join='outer', 'left outer' or 'right outer', not with 'none'")
    for workspace in (left, right):
        check_workspace(workspace)
    if left.get("version") != right.get("version"):
        raise ValueError(f"the versions of the workspaces differ: {left.get('version')} and {right.get('version')}")
    result = {}
    for key in ("channels", "measurements", "observations"):
        deep = "samples" if merge_channels and key == "channels" else None
        joined = _joined(join, left[key], right[key], deep)
        if join == "none":
            _refuse(key, {entry["name"] for entry in left[key]} & {entry["name"] for entry in right[key]})
        elif join == "outer" and key == "measurements":
            joined = _merged_measurements(joined)
        elif join == "outer":
            _refuse(key, _repeated(joined))
        result[key] = joined
    return _checked({**result, "version": left.get("version", "1.0.0")})


def sort(workspace: Workspace) -> dict[str, Any]:
    """Return a workspace in alphabetical order, as ``pyhf.Workspace.sorted`` does: equal contents, equal digests.

    Parameters
    ----------
    workspace
        The JSON; it is not changed.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange import sort
    >>> samples = [{"name": name, "data": [5.0], "modifiers": []} for name in ("wjets", "ttbar")]
    >>> workspace = {
    ...     "channels": [{"name": "SR", "samples": samples}],
    ...     "observations": [{"name": "SR", "data": [7.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "", "parameters": []}}],
    ...     "version": "1.0.0",
    ... }
    >>> [sample["name"] for sample in sort(workspace)["channels"][0]["samples"]]
    ['ttbar', 'wjets']
    """
    check_workspace(workspace)
    result = copy.deepcopy(dict(workspace))
    for key in ("channels", "measurements", "observations"):
        result[key].sort(key=_name)
    for channel in result["channels"]:
        channel["samples"].sort(key=_name)
        for sample in channel["samples"]:
            sample["modifiers"].sort(key=lambda modifier: (modifier["name"], modifier["type"]))
    for measurement in result["measurements"]:
        measurement["config"]["parameters"].sort(key=_name)
    return result


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry["name"])


def _names(workspace: Workspace) -> dict[str, set[str]]:
    """Return the names of everything, by kind."""
    samples = [sample for channel in workspace["channels"] for sample in channel["samples"]]
    modifiers = [modifier for sample in samples for modifier in sample["modifiers"]]
    return {
        "modifier": {_name(modifier) for modifier in modifiers},
        "modifier type": {modifier["type"] for modifier in modifiers},
        "sample": {_name(sample) for sample in samples},
        "channel": {_name(channel) for channel in workspace["channels"]},
        "measurement": {_name(measurement) for measurement in workspace["measurements"]},
    }


def _require(asked: Iterable[str], known: set[str], kind: str) -> None:
    if unknown := [name for name in asked if name not in known]:
        raise ValueError(f"the workspace has no {kind} {unknown[0]!r}; it has {sorted(known)}")


def _checked(workspace: dict[str, Any]) -> dict[str, Any]:
    try:
        check_workspace(workspace)
    except ValueError as error:
        raise ValueError(f"what would be left is no workspace: {error}") from None
    return workspace


def _joined(join: str, left: list[Any], right: list[Any], deep: str | None = None) -> list[Any]:
    """Join two lists of named entries; those of equal name are merged along the key `deep`, if there is one."""
    first, second = (right, left) if join == "right outer" else (left, right)
    joined = copy.deepcopy(first)
    names = [entry["name"] for entry in joined]
    for entry in second:
        if entry["name"] in names and deep is not None:
            # of a sample on both sides the first is kept, whatever the join: pyhf's rule
            merged = joined[names.index(entry["name"])]
            merged[deep] = _joined("left outer", merged[deep], entry[deep])
        elif join == "none" or (entry not in first if join == "outer" else entry["name"] not in names):
            joined.append(copy.deepcopy(entry))
    return joined


def _merged_measurements(joined: list[Any]) -> list[Any]:
    by_name: dict[str, list[Any]] = {}
    for entry in joined:
        by_name.setdefault(entry["name"], []).append(entry["config"])
    merged = []
    for name, configs in by_name.items():
        if len({config["poi"] for config in configs}) > 1:
            raise ValueError(
                f"the measurement {name!r} has the parameter of interest {configs[0]['poi']!r} on one side and "
                f"{configs[1]['poi']!r} on the other"
            )
        parameters = configs[0]["parameters"]
        for config in configs[1:]:
            parameters = _joined("outer", parameters, config["parameters"])
        _refuse(f"settings of parameters in the measurement {name!r}", _repeated(parameters))
        merged.append({"name": name, "config": {"poi": configs[0]["poi"], "parameters": parameters}})
    return merged


def _repeated(entries: list[Any]) -> set[str]:
    names = [entry["name"] for entry in entries]
    return {name for name in names if names.count(name) > 1}


def _refuse(what: str, names: set[str]) -> None:
    if names:
        raise ValueError(
            f"both workspaces have {what} named {sorted(names)}, and they differ or may not be shared; choose another "
            f"join of {list(_JOINS)}, or rename them"
        )
