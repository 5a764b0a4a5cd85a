"""A configuration of cabinetry that builds a workspace from the histograms of a datacard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .datacards import Datacard, Histogram
from .datacards.reading import SIGNAL_STRENGTH


def cabinetry_configuration(
    card: Datacard, histograms: Mapping[str, Histogram], *, poi: str = SIGNAL_STRENGTH, file: str = "shapes.root"
) -> dict[str, Any]:
    """Return what `cabinetry.templates.collect` and `cabinetry.workspace.build` take.

    The workspace that cabinetry builds has the same yields, at the start and at one standard deviation of each source.
    Between, they agree where factor and shape of a source are separate already: cabinetry separates them.

    Parameters
    ----------
    card, histograms
        Of `to_datacard`.
    poi
        Name of the parameter of interest, ``r`` in the card.
    file
        Where the histograms are; written as JSON, which is YAML, the configuration refers to it.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        When cabinetry has no such modifier: a constrained rate (``lumi``), a ``shapesys``.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange import cabinetry_configuration, to_datacard
    >>> signal = {"name": "sig", "data": [5.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    >>> card, histograms = to_datacard({
    ...     "channels": [{"name": "SR", "samples": [signal]}],
    ...     "observations": [{"name": "SR", "data": [7.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
    ...     "version": "1.0.0",
    ... })
    >>> cabinetry_configuration(card, histograms, poi="mu")["NormFactors"]
    [{'Name': 'mu', 'Samples': ['sig'], 'Nominal': 1.0, 'Bounds': [0.0, 10.0]}]
    """
    if card.constraints:
        raise ValueError(f"cabinetry has no modifier for the constrained rate {next(iter(card.constraints))!r}")
    if any(entry.threshold > 0 for entry in card.mc_statistics):
        raise ValueError("cabinetry has no shapesys, only a staterror for all samples of a channel")
    signals = [process for process, number in card.processes.items() if number <= 0]
    factors: dict[str, dict[str, Any]] = {poi: {"Name": poi, "Samples": signals, "Nominal": 1.0, "Bounds": [0.0, 10.0]}}
    for p in card.rate_parameters:
        entry = factors.setdefault(p.name, {"Name": p.name, "Samples": [], "Regions": [], "Nominal": p.value})
        entry["Samples"] = [*dict.fromkeys([*entry["Samples"], p.process])]
        entry["Regions"] = [*dict.fromkeys([*entry["Regions"], p.channel])]
        entry["Bounds"] = list(p.bounds or (0.0, 10.0))
    samples: list[dict[str, Any]] = [{"Name": "Data", "SamplePath": "data_obs", "Data": True}]
    for process in card.processes:
        sample: dict[str, Any] = {"Name": process, "SamplePath": process}
        paths = [f"{channel}/{p}" for channel, p in card.rates if p == process]
        if not any(histograms[path].variances.any() for path in paths):
            sample["DisableStaterror"] = True
        channels = [channel for channel, p in card.rates if p == process]
        if len(channels) < len(card.channels):
            sample["Regions"] = channels
        samples.append(sample)
    return {
        "General": {
            "Measurement": "measurement",
            "POI": poi,
            "InputPath": f"{file}:{{RegionPath}}/{{SamplePath}}{{VariationPath}}",
            "HistogramFolder": "histograms/",
            "VariationPath": "",
        },
        "Regions": [{"Name": channel, "RegionPath": channel} for channel in card.channels],
        "Samples": samples,
        "Systematics": [entry for nuisance in card.nuisances for entry in _systematic(nuisance.name, nuisance.effects)],
        "NormFactors": list(factors.values()),
    }


def _systematic(name: str, effects: Mapping[tuple[str, str], str]) -> list[dict[str, Any]]:
    """Return the entries of one source: one for each effect and set of columns, all of one modifier."""
    entries = []
    for (channel, process), effect in effects.items():
        sides: dict[str, Any]
        where: dict[str, Any] = {"Name": name, "ModifierName": name, "Samples": process, "Regions": channel}
        if effect == "1":
            sides = {side: {"VariationPath": f"_{name}{side}"} for side in ("Up", "Down")}
            entries.append({**where, **sides, "Type": "NormPlusShape"})
        else:
            low, _, high = effect.rpartition("/")
            hi = float(high)
            lo = float(low) if low else 1 / hi
            sides = {"Up": {"Normalization": hi - 1}, "Down": {"Normalization": lo - 1}}
            entries.append({**where, **sides, "Type": "Normalization"})
    for i, entry in enumerate(entries):
        if len(entries) > 1:
            entry["Name"] = f"{name}_{i}"
    return entries
