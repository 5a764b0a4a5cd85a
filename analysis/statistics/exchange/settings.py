"""Which measurement of a workspace is made, of what, with which parameters held."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ..histfactory.specification import check_workspace

# a number for each component, one for all of a scalar, or None: at its start
Fixed = Mapping[str, Any]


def configured(
    workspace: Mapping[str, Any],
    *,
    measurement: str | None = None,
    parameter_of_interest: str | None = None,
    fixed: Fixed | None = None,
) -> dict[str, Any]:
    """Return a workspace with one measurement, and with other settings of it.

    Parameters
    ----------
    workspace
        The JSON; it is not changed.
    measurement
        Its name; by default the only one.
    parameter_of_interest
        Another one than the measurement's.
    fixed
        Parameters that fits hold, by name: at a number (one for each component), or at their start (None).

    Raises
    ------
    ValueError
        When the measurement has to be chosen, or there is no such parameter.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange import configured
    >>> modifiers = [{"name": name, "type": "normfactor", "data": None} for name in ("mu", "k")]
    >>> workspace = {
    ...     "channels": [{"name": "SR", "samples": [{"name": "signal", "data": [5.0], "modifiers": modifiers}]}],
    ...     "observations": [{"name": "SR", "data": [7.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
    ...     "version": "1.0.0",
    ... }
    >>> configured(workspace, parameter_of_interest="k", fixed={"mu": 0.0})["measurements"][0]["config"]
    {'poi': 'k', 'parameters': [{'name': 'mu', 'fixed': True, 'inits': [0.0], 'bounds': [[0.0, 0.0]]}]}
    """
    check_workspace(workspace)
    names = [entry["name"] for entry in workspace["measurements"]]
    if measurement is None and len(names) == 1:
        measurement = names[0]
    if measurement not in names:
        asked = "none was chosen" if measurement is None else f"there is no {measurement!r}"
        raise ValueError(f"choose a measurement among {names}: {asked}")
    only = copy.deepcopy(workspace["measurements"][names.index(measurement)])
    config, known = only["config"], parameter_names(workspace)
    for name in [*(fixed or {}), *([] if parameter_of_interest is None else [parameter_of_interest])]:
        if name not in known:
            raise ValueError(f"there is no parameter {name!r}; there are {known}")
    if parameter_of_interest is not None:
        config["poi"] = parameter_of_interest
    for name, value in (fixed or {}).items():
        entry = next((entry for entry in config["parameters"] if entry["name"] == name), None)
        if entry is None:
            config["parameters"].append(entry := {"name": name})
        entry["fixed"] = True
        if value is not None:
            numbers = [float(number) for number in (value if hasattr(value, "__len__") else [value])]
            # what is held may lie outside the bounds that it would have had
            entry |= {"inits": numbers, "bounds": [[number, number] for number in numbers]}
    return {**workspace, "measurements": [only]}


def parameter_names(workspace: Mapping[str, Any]) -> list[str]:
    """Return the names of all parameters of a workspace, that is, of its modifiers.

    Parameters
    ----------
    workspace
        Its structure is right.
    """
    samples = (sample for channel in workspace["channels"] for sample in channel["samples"])
    return list(dict.fromkeys(modifier["name"] for sample in samples for modifier in sample["modifiers"]))


def alike(workspace: Mapping[str, Any], background: Mapping[str, Any]) -> dict[str, Any]:
    """Return a workspace whose signal samples have names that do not tell the signal.

    Likelihoods of many signals then have one structure, and share compiled programs. Numbers do not change.

    Parameters
    ----------
    workspace
        The JSON of signal and background; it is not changed.
    background
        That of the background alone. What it does not have is signal.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange import alike
    >>> def samples(*names):
    ...     return {"channels": [{"samples": [{"name": name, "modifiers": []} for name in names]}]}
    >>> alike(samples("ttbar", "Zprime_2000"), samples("ttbar"))["channels"][0]["samples"][1]["name"]
    'signal'
    """
    known = {sample["name"] for channel in background["channels"] for sample in channel["samples"]}
    new = sorted({sample["name"] for channel in workspace["channels"] for sample in channel["samples"]} - known)
    base = "signal" if "signal" not in known else "new signal"
    names = {name: base if len(new) == 1 else f"{base} {i}" for i, name in enumerate(new)}
    kept, renamed = parameter_names(background), {}

    def unnamed(sample: Mapping[str, Any]) -> Mapping[str, Any]:
        if sample["name"] not in names:
            return sample
        signal = copy.deepcopy(dict(sample))
        before, signal["name"] = signal["name"], names[signal["name"]]
        for modifier in signal["modifiers"]:
            if modifier["name"] not in kept:
                new_name = modifier["name"].replace(before, signal["name"])
                renamed[modifier["name"]] = modifier["name"] = new_name
        return signal

    # what stays is not copied, because that would take longer than all else
    channels = [
        {**channel, "samples": [unnamed(sample) for sample in channel["samples"]]} for channel in workspace["channels"]
    ]
    result = {**workspace, "channels": channels}
    if "measurements" in workspace:
        result["measurements"] = copy.deepcopy(workspace["measurements"])
    for measurement in result.get("measurements", []):
        config = measurement["config"]
        config["poi"] = renamed.get(config["poi"], config["poi"])
        for entry in config["parameters"]:
            entry["name"] = renamed.get(entry["name"], entry["name"])
    return result
