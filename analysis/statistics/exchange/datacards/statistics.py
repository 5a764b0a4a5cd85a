"""The simulation's statistical uncertainty in a datacard: ``autoMCStats``, as HistFactory can express it."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

import numpy as np

from .card import Datacard


def prefix(channel: str) -> str:
    """Return how Combine names the parameters of a channel's simulated statistics."""
    return f"prop_bin{channel}"


def mc_modifiers(
    card: Datacard, channel: str, histograms: Mapping[str, Any], interpretation: str
) -> dict[str, list[dict[str, Any]]]:
    """Return the modifiers of each process of a channel; see `reading` for why they are Combine's.

    Histograms are by process, with values and variances.
    """
    found = [entry for entry in card.mc_statistics if fnmatch.fnmatch(channel, entry.channel)]
    if not found or found[-1].threshold < 0:
        return {}
    settings, name = found[-1], prefix(channel)
    processes = list(histograms)
    values = np.stack([histograms[process].values for process in processes])
    errors = np.sqrt(np.stack([histograms[process].variances for process in processes]))
    if interpretation == "histfactory":
        return _as_histfactory(name, settings.threshold, processes, values, errors)
    counted = np.array([settings.include_signal or card.processes[process] > 0 for process in processes])
    gaussian, events = _choose(values, errors, counted, settings.threshold)
    modifiers: dict[str, list[dict[str, Any]]] = {process: [] for process in processes}
    for p, process in enumerate(processes):
        for b in np.flatnonzero(gaussian[p]):
            step = np.where(np.arange(values.shape[1]) == b, errors[p], 0)
            data = {"hi_data": (values[p] + step).tolist(), "lo_data": (values[p] - step).tolist()}
            modifiers[process].append({"name": f"{name}_bin{b}_{process}", "type": "histosys", "data": data})
        if events[p].any():
            # the width that makes the constraint one of a whole number of events, as in Combine
            uncertainties = np.where(events[p] > 0, values[p] / np.sqrt(np.maximum(events[p], 1)), 0)
            modifiers[process].append({"name": f"{name}_{process}", "type": "shapesys", "data": uncertainties.tolist()})
    return modifiers


def _choose(
    values: np.ndarray, errors: np.ndarray, counted: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return which uncertainties are Gaussian, and the whole numbers of events of those that are Poisson."""
    total, squared = values[counted].sum(axis=0), (errors[counted] ** 2).sum(axis=0)
    # a bin whose uncertainty is that of signal alone has no event to compare with the threshold
    effective = np.where(squared > 0, np.floor(0.5 + total**2 / np.where(squared > 0, squared, 1)), np.inf)
    each = np.where(errors > 0, np.floor(0.5 + values**2 / np.where(errors > 0, errors, 1) ** 2), 0)
    poisson = (effective <= threshold) & (errors > 0) & (values > 0) & (errors <= values) & (each <= threshold)
    return (errors > 0) & ~poisson, np.where(poisson, each, 0)


def threshold_of(values: np.ndarray, errors: np.ndarray, signal: np.ndarray, poisson: np.ndarray) -> tuple[float, bool]:
    """Return threshold and whether signal counts, with which Combine chooses these Poisson constraints.

    Values, errors and ``poisson``, which uncertainties have a Poisson constraint, have shape (processes, bins);
    ``signal``, which processes are signal, has shape (processes,). Raises `ValueError` when there is no such threshold.
    """
    each = np.where(errors > 0, np.floor(0.5 + values**2 / np.where(errors > 0, errors, 1) ** 2), 0)
    for include_signal in (False, True):
        counted = np.full(len(signal), True) if include_signal else ~signal
        total, squared = values[counted].sum(axis=0), (errors[counted] ** 2).sum(axis=0)
        effective = np.floor(0.5 + total**2 / np.where(squared > 0, squared, 1))
        threshold = max(effective[poisson.any(axis=0)].max(), each[poisson].max())
        _, events = _choose(values, errors, counted, threshold)
        if np.array_equal(events > 0, poisson):
            return float(threshold), include_signal
    raise ValueError(
        "some bins have Gaussian and some Poisson constraints for the statistics of the simulation, and no threshold "
        "of autoMCStats makes that choice"
    )


def _as_histfactory(
    name: str, threshold: float, processes: list[str], values: np.ndarray, errors: np.ndarray
) -> dict[str, list[dict[str, Any]]]:
    """Return a staterror for the channel, or a shapesys for each process where the threshold is above 0."""
    return {
        process: [
            {"name": f"{name}_{process}", "type": "shapesys", "data": errors[p].tolist()}
            if threshold > 0
            else {"name": name, "type": "staterror", "data": errors[p].tolist()}
        ]
        for p, process in enumerate(processes)
        if errors[p].any()
    }
