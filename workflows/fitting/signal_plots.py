"""Plots of limits on many signals: along one mass, or in the plane of two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ..reporting.style import Plot, new_figure
from .plots import ONE_SIGMA, TWO_SIGMA

# fewer points are no plane
_FEWEST = 4


def plots(
    labels: Sequence[str], values: Sequence[Sequence[Any]], observed: np.ndarray, expected: np.ndarray
) -> Iterator[Plot]:
    """Yield the plot of limits that lie on one axis or in a plane; none for places that are no numbers.

    Arguments are those of `SignalLimits`.
    """
    if not all(isinstance(value, int | float) for place in values for value in place):
        return
    places = np.array(values, float)
    good = ~np.isnan(observed)
    if not good.any():
        return
    places, observed, expected = places[good], observed[good], expected[good]
    if len(labels) == 1:
        yield Plot("limits", "Limits.", lambda: plot_line(labels[0], places[:, 0], observed, expected))
    elif len(labels) == 2 and len(places) >= _FEWEST and np.linalg.matrix_rank(places - places[0]) == 2:
        yield Plot("limits", "Limits.", lambda: plot_plane(labels, places, observed, expected))


def plot_line(label: str, places: np.ndarray, observed: np.ndarray, expected: np.ndarray) -> Figure:
    """Draw limits along one axis, with the bands that are expected without signal.

    Shapes are (signals,), (signals,), (signals, 5).
    """
    order = np.argsort(places)
    x, y, bands = places[order], observed[order], expected[order]
    figure = new_figure(7, 5)
    axes = figure.subplots()
    axes.fill_between(x, bands[:, 0], bands[:, 4], color=TWO_SIGMA, lw=0, label=r"expected $\pm 2\sigma$")
    axes.fill_between(x, bands[:, 1], bands[:, 3], color=ONE_SIGMA, lw=0, label=r"expected $\pm 1\sigma$")
    axes.plot(x, bands[:, 2], "k--", label="expected")
    axes.plot(x, y, "ko-", ms=3.5, label="observed")
    axes.axhline(1, color="#bd1f01", lw=1.2)
    axes.set_yscale("log")
    low, high = bands[:, 0].min(), bands[:, 4].max()
    axes.set_ylim(0.5 * min(low, y.min()), 5 * max(high, y.max()))
    axes.set_xlim(x[0], x[-1])
    axes.set_xlabel(label, loc="right")
    axes.set_ylabel("upper limit on the signal strength", loc="top")
    handles, names = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], names[::-1], loc="upper left", ncols=2)
    return figure


def plot_plane(labels: Sequence[str], places: np.ndarray, observed: np.ndarray, expected: np.ndarray) -> Figure:
    """Draw observed limits in the plane of two axes, and the contours where signals of strength 1 are excluded.

    Shapes are (signals, 2), (signals,), (signals, 5).
    """
    figure = new_figure(7.5, 5.5)
    axes = figure.subplots()
    x, y = places.T
    norm = LogNorm(max(observed.min(), 1e-2), min(observed.max(), 1e2))
    shown = axes.scatter(x, y, c=observed, norm=norm, cmap="viridis", s=26)
    figure.colorbar(shown, ax=axes, label="observed upper limit on the signal strength")
    contours: list[tuple[np.ndarray, dict[str, Any], str]] = [
        (expected[:, 1], {"colors": "0.45", "linestyles": ":"}, r"expected $\pm 1\sigma$"),
        (expected[:, 3], {"colors": "0.45", "linestyles": ":"}, ""),
        (expected[:, 2], {"colors": "black", "linestyles": "--"}, "expected"),
        (observed, {"colors": "#bd1f01", "linestyles": "-"}, "observed"),
    ]
    for heights, style, name in contours:
        logarithm = np.log(heights)
        if logarithm.min() < 0 < logarithm.max():  # limits are close to straight lines in their logarithm
            axes.tricontour(x, y, logarithm, levels=[0.0], linewidths=1.5, **style)
            if name:
                axes.plot([], [], color=style["colors"], ls=style["linestyles"], label=f"{name}, excluded at 1")
    axes.set_xlabel(labels[0], loc="right")
    axes.set_ylabel(labels[1], loc="top")
    axes.margins(0.05)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, fontsize=8.5)
    return figure
