"""Workspaces as datacards, with the histograms that they point at."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...histfactory.specification import check_observations, check_workspace
from ..operations import rename
from .by_bin import bin_by_bin
from .card import Column, Datacard, MCStatistics, Nuisance, RateParameter, Shapes
from .reading import SIGNAL_STRENGTH, Histogram
from .statistics import prefix, threshold_of

# every bin has fewer effective events than this, so that Combine gives each process its own Poisson constraint
_ALWAYS_POISSON = 1e9
_KINDS = ("histosys", "normsys", "normfactor", "lumi", "staterror", "shapesys")


def to_datacard(workspace: Mapping[str, Any], *, file: str = "shapes.root") -> tuple[Datacard, dict[str, Histogram]]:
    """Return the datacard of a workspace and the histograms that belong into its file.

    `from_datacard` with the interpretation ``"histfactory"`` gives the log-probability of the workspace back, as a
    function of the same parameters (the parameter of interest is ``r``). What Combine makes of the card differs where
    its likelihood differs from HistFactory's (see `from_datacard`), and notes at its top say so. Under- and overflow
    bins are written as 0: they are no part of the likelihood. Empty bins stay empty, and a note names them. Channels
    with a ``shapefactor`` are written as one channel for each bin.

    Parameters
    ----------
    workspace
        In pyhf's format, with one measurement.
    file
        Name of the file with the histograms, beside the card.

    Returns
    -------
    card : Datacard
    histograms : dict
        By path in the file: ``channel/process``, ``channel/process_systematicUp``, ``channel/data_obs``.

    Raises
    ------
    ValueError
        When a card cannot express it: a parameter of interest that is no ``normfactor`` of whole
        processes, several measurements.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange import format_datacard, to_datacard
    >>> signal = {"name": "sig", "data": [5.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    >>> card, histograms = to_datacard({
    ...     "channels": [{"name": "SR", "samples": [signal]}],
    ...     "observations": [{"name": "SR", "data": [7.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
    ...     "version": "1.0.0",
    ... })
    >>> card.processes, sorted(histograms)
    ({'sig': 0}, ['SR/data_obs', 'SR/sig'])
    """
    check_workspace(workspace)
    check_observations(workspace)
    if len(workspace["measurements"]) > 1:
        raise ValueError("a datacard has one measurement: choose one by `configured`")
    workspace, divided = bin_by_bin(workspace)
    _check_modifiers(workspace)
    workspace, renamed = _safe(workspace)
    config = workspace["measurements"][0]["config"]
    columns = {(c["name"], s["name"]): s for c in workspace["channels"] for s in c["samples"]}
    processes = _processes(columns, config["poi"])
    observed = {entry["name"]: entry["data"] for entry in workspace["observations"]}
    histograms: dict[str, Histogram] = {}
    for channel in workspace["channels"]:
        data = np.asarray(observed[channel["name"]], float)
        histograms[f"{channel['name']}/data_obs"] = Histogram(data, data)
    shapes: dict[str, dict[Column, str]] = {}
    for column, sample in columns.items():
        values = np.asarray(sample["data"], float)
        histograms["/".join(column)] = Histogram(values, _variances(column, sample))
        shapes_of, factors = _systematics(column, sample)
        for name, (up, down) in shapes_of.items():
            for direction, varied in (("Up", up), ("Down", down)):
                histograms[f"{'/'.join(column)}_{name}{direction}"] = Histogram(varied, np.zeros_like(varied))
            shapes.setdefault(name, {})[column] = "1"
        for name, (hi, lo) in factors.items():
            shapes.setdefault(name, {})[column] = f"{lo!r}/{hi!r}"
    found = [_mc_statistics(channel, processes, histograms) for channel in workspace["channels"]]
    card = Datacard(
        channels={channel: sum(observed[channel]) for channel in (c["name"] for c in workspace["channels"])},
        processes=processes,
        rates=dict.fromkeys(columns),
        shapes=(Shapes("*", "*", file, "$CHANNEL/$PROCESS", "$CHANNEL/$PROCESS_$SYSTEMATIC"),),
        nuisances=tuple(Nuisance(name, _row_type(effects), effects) for name, effects in shapes.items()),
        rate_parameters=tuple(_rate_parameters(columns, config)),
        mc_statistics=tuple(entry for entry in found if entry is not None),
        constraints=_luminosities(columns, config),
        notes=(*_notes(workspace, columns, config), *divided, *renamed),
    )
    return card, histograms


def _row_type(effects: Mapping[Column, str]) -> str:
    """Return the type of a row: templates, factors, or templates where there are some."""
    kinds = {effect == "1" for effect in effects.values()}
    return "shape?" if len(kinds) > 1 else "shape" if True in kinds else "lnN"


def _safe(workspace: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the workspace with names that can stand in a datacard, and what was changed."""
    names: dict[str, dict[str, str]] = {"channels": {}, "samples": {}, "modifiers": {}}
    for channel in workspace["channels"]:
        names["channels"].setdefault(channel["name"], "")
        for sample in channel["samples"]:
            names["samples"].setdefault(sample["name"], "")
            for modifier in sample["modifiers"]:
                names["modifiers"].setdefault(modifier["name"], "")
    notes = []
    for kind, changes in names.items():
        used = {name for name in changes if _is_safe(name)}
        for name in changes:
            if name in used:
                changes[name] = name
                continue
            safe = plain = re.sub(r"[^A-Za-z0-9_.+]+", "_", name).strip("_") or "x"
            for i in itertools.count(2):
                if safe not in used:
                    break
                safe = f"{plain}_{i}"
            used.add(safe)
            changes[name] = safe
            notes.append(f"{safe} stands for the {kind[:-1]} {' '.join(name.split())!a}")
    return rename(workspace, **names), notes


def _is_safe(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.+-]*", name) is not None


def _check_modifiers(workspace: Mapping[str, Any]) -> None:
    for channel in workspace["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                if modifier["type"] not in _KINDS:
                    raise ValueError(f"a datacard cannot express the {modifier['type']} {modifier['name']!r}")
                if modifier["type"] in ("normsys", "histosys") and modifier["name"] == SIGNAL_STRENGTH:
                    raise ValueError(f"{SIGNAL_STRENGTH!r} is the signal strength in a datacard: rename that source")


def _processes(columns: Mapping[Column, Mapping[str, Any]], poi: str) -> dict[str, int]:
    """Return the number of each process: signals are what the parameter of interest scales."""
    scaled: dict[str, set[bool]] = {}
    for (_, process), sample in columns.items():
        kinds = [m["type"] for m in sample["modifiers"] if m["name"] == poi]
        if kinds not in ([], ["normfactor"]):
            raise ValueError(f"the parameter of interest {poi!r} is a {kinds[0]}; a datacard needs a normfactor")
        scaled.setdefault(process, set()).add(bool(kinds))
    if mixed := [process for process, flags in scaled.items() if len(flags) > 1]:
        raise ValueError(f"{poi!r} scales {mixed[0]!r} in some channels only; in a datacard a process is signal or not")
    signals = [process for process, flags in scaled.items() if True in flags]
    if not signals:
        raise ValueError(f"no process is scaled by the parameter of interest {poi!r}: a datacard needs a signal")
    backgrounds = [process for process in scaled if process not in signals]
    return {name: -i for i, name in enumerate(signals)} | {name: i for i, name in enumerate(backgrounds, 1)}


def _systematics(
    column: Column, sample: Mapping[str, Any]
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[str, tuple[float, float]]]:
    """Return the varied templates and the factors of a sample, by source; templates contain the factors."""
    templates: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    factors: dict[str, tuple[float, float]] = {}
    for modifier in sample["modifiers"]:
        name, data = modifier["name"], modifier["data"]
        if modifier["type"] == "histosys" and _single_bin(column, name) is None:
            templates[name] = np.asarray(data["hi_data"], float), np.asarray(data["lo_data"], float)
        elif modifier["type"] == "normsys":
            factors[name] = float(data["hi"]), float(data["lo"])
            if min(factors[name]) <= 0:
                raise ValueError(f"the factors of {name!r} for {column[1]!r} have to be positive in a datacard")
    for name in set(templates) & set(factors):
        (high, low), (more, less) = templates[name], factors.pop(name)
        templates[name] = high * more, low * less
    return templates, factors


def _single_bin(column: Column, name: str) -> int | None:
    """Return which bin a parameter of Combine's simulated statistics is for; None for another parameter."""
    channel, process = (re.escape(part) for part in (prefix(column[0]), column[1]))
    found = re.fullmatch(rf"{channel}_bin(\d+)_{process}", name)
    return None if found is None else int(found[1])


def _variances(column: Column, sample: Mapping[str, Any]) -> np.ndarray:
    values = np.asarray(sample["data"], float)
    variances = np.zeros_like(values)
    for modifier in sample["modifiers"]:
        if modifier["type"] in ("staterror", "shapesys"):
            variances += np.asarray(modifier["data"], float) ** 2
        elif modifier["type"] == "histosys" and (b := _single_bin(column, modifier["name"])) is not None:
            variances[b] += (modifier["data"]["hi_data"][b] - values[b]) ** 2
    return variances


def _mc_statistics(
    channel: Mapping[str, Any], processes: Mapping[str, int], histograms: Mapping[str, Histogram]
) -> MCStatistics | None:
    """Return how a channel's simulated statistics are treated."""
    name, kinds = channel["name"], set()
    for sample in channel["samples"]:
        for modifier in sample["modifiers"]:
            is_single = _single_bin((name, sample["name"]), modifier["name"]) is not None
            if is_single or modifier["type"] in ("staterror", "shapesys"):
                kinds.add(modifier["type"])
    if not kinds:
        return None
    if kinds == {"histosys", "shapesys"}:
        samples = channel["samples"]
        found = [histograms[f"{name}/{sample['name']}"] for sample in samples]
        poisson = [
            np.any([np.asarray(m["data"]) > 0 for m in sample["modifiers"] if m["type"] == "shapesys"], axis=0)
            if any(m["type"] == "shapesys" for m in sample["modifiers"])
            else np.zeros(len(sample["data"]), bool)
            for sample in samples
        ]
        values, variances = (np.stack([getattr(each, part) for each in found]) for part in ("values", "variances"))
        signal = np.array([processes[sample["name"]] <= 0 for sample in samples])
        return MCStatistics(name, *threshold_of(values, np.sqrt(variances), signal, np.stack(poisson)))
    if len(kinds) > 1:
        raise ValueError(
            f"the channel {name!r} has {' and '.join(sorted(kinds))}; a datacard has one kind of statistical "
            "uncertainty for all processes of a channel"
        )
    return MCStatistics(name, _ALWAYS_POISSON if kinds == {"shapesys"} else 0, True)


def _rate_parameters(columns: Mapping[Column, Mapping[str, Any]], config: Mapping[str, Any]) -> list[RateParameter]:
    settings = {entry["name"]: entry for entry in config["parameters"]}
    found = []
    for (channel, process), sample in columns.items():
        for modifier in sample["modifiers"]:
            name = modifier["name"]
            if modifier["type"] not in ("normfactor", "lumi") or name == config["poi"]:
                continue
            entry = settings.get(name, {})
            default = [[0.0, 10.0 * entry["auxdata"][0] if modifier["type"] == "lumi" else 10.0]]
            low, high = entry.get("bounds", default)[0]
            start = entry.get("inits", entry.get("auxdata", [1.0]))[0]
            found.append(RateParameter(name, channel, process, float(start), (float(low), float(high))))
    return found


def _luminosities(
    columns: Mapping[Column, Mapping[str, Any]], config: Mapping[str, Any]
) -> dict[str, tuple[float, float]]:
    names = {m["name"] for sample in columns.values() for m in sample["modifiers"] if m["type"] == "lumi"}
    settings = {entry["name"]: entry for entry in config["parameters"]}
    if missing := [name for name in names if not {"auxdata", "sigmas"} <= set(settings.get(name, {}))]:
        raise ValueError(f"the lumi parameter {missing[0]!r} needs auxdata and sigmas in the measurement")
    return {name: (float(settings[name]["auxdata"][0]), float(settings[name]["sigmas"][0])) for name in sorted(names)}


def _notes(
    workspace: Mapping[str, Any], columns: Mapping[Column, Mapping[str, Any]], config: Mapping[str, Any]
) -> list[str]:
    notes = [
        f"written by hepgrad from the measurement {workspace['measurements'][0]['name']}: r is {config['poi']}",
        "under- and overflow are no part of the likelihood: their bins are 0",
    ]
    for channel in workspace["channels"]:
        total = np.sum([sample["data"] for sample in channel["samples"]], axis=0)
        if empty := np.flatnonzero(total <= 0).tolist():
            notes.append(f"{channel['name']}: nothing is expected in the bins {empty}, where Combine puts 1e-9 events")
    both = set()
    for sample in columns.values():
        named = [{m["name"] for m in sample["modifiers"] if m["type"] == kind} for kind in ("histosys", "normsys")]
        both |= named[0] & named[1]
    if both:
        notes.append(f"factor and shape of {', '.join(sorted(both))} are one pair of templates here")
    kinds = {m["type"] for sample in columns.values() for m in sample["modifiers"]}
    if "staterror" in kinds:
        notes.append("autoMCStats stands for a staterror, whose width does not scale with r as Combine's does")
    exact = _luminosities(columns, config)
    if moved := [entry["name"] for entry in config["parameters"] if "auxdata" in entry and entry["name"] not in exact]:
        notes.append(f"the auxiliary measurements of {', '.join(moved)} are those of the start here")
    if held := [entry["name"] for entry in config["parameters"] if entry.get("fixed")]:
        notes.append(f"the measurement holds {', '.join(held)}: give --freezeParameters {','.join(held)} to combine")
    return notes
