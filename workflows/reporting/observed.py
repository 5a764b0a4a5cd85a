"""Observed events in a plot: points with Poisson intervals, and their ratio to the prediction."""

from __future__ import annotations

from typing import Any

import hist.intervals
import numpy as np
from matplotlib.axes import Axes

POINTS: dict[str, Any] = {"fmt": "o", "ms": 4.5, "color": "black", "elinewidth": 1.1}


def draw_observed(axes: Axes, observed: np.ndarray, edges: np.ndarray) -> None:
    """Draw points with central Poisson intervals of 68 % (Garwood)."""
    axes.errorbar((edges[1:] + edges[:-1]) / 2, observed, yerr=_errors(observed), label="data", zorder=5, **POINTS)


def draw_observed_ratio(
    axes: Axes, observed: np.ndarray, edges: np.ndarray, predicted: np.ndarray, spread: np.ndarray
) -> None:
    """Draw observed over predicted events, and the uncertainty of the prediction; not where nothing is predicted."""
    filled = predicted > 0
    scale = np.where(filled, predicted, np.nan)
    band: dict[str, Any] = {"fill": True, "facecolor": "none", "edgecolor": "0.25", "hatch": "//////", "lw": 0}
    width = np.nan_to_num(spread / scale)
    axes.stairs(1 + width, edges, baseline=1 - width, **band)
    axes.axhline(1, color="0.5", lw=0.9)
    centres = (edges[1:] + edges[:-1]) / 2
    axes.errorbar(centres, observed / scale, yerr=_errors(observed) / scale, zorder=5, **POINTS)


def _errors(observed: np.ndarray) -> np.ndarray:
    """Return the lengths of the error bars downwards and upwards, shape (2, bins)."""
    low, high = hist.intervals.poisson_interval(observed)
    return np.stack([observed - low, high - observed])
