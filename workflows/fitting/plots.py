"""Plots of a fit: pulls and impacts, correlations, scan, CLs with its bands, goodness, yields before and after."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

import mplhep
import numpy as np
from jax.scipy.special import gammainc
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hepgrad.analysis.statistics.inference import Impacts
from hepgrad.analysis.statistics.measurement import GoodnessOfFit, Scan, ToyGoodness

from ..reporting.style import BACKGROUND_COLORS, SIGNAL_COLORS, Plot, new_figure
from .result import FitNumbers, LimitCurve

# the colours of "Brazil": one and two standard deviations
ONE_SIGMA, TWO_SIGMA = "#00cc00", "#ffcc00"
UP, DOWN = "#bd1f01", "#3f90da"
# more parameters than these are in the tables alone
RANKED, CORRELATED = 25, 30
FREE = "free"


def plots(result: FitNumbers) -> Iterator[Plot]:
    """Yield the plots of what was found."""
    poi = str(result.parameter_of_interest)
    if (found := result.impacts) is not None and found.ranking():
        yield Plot("impacts", "Pulls and impacts.", lambda: plot_impacts(found, poi))
    if result.states.count(FREE) > 1:
        yield Plot("correlation", "Correlations.", lambda: plot_correlation(result))
    if (curve := result.scan) is not None:
        yield Plot("scan", "Profile likelihood.", lambda: plot_scan(curve))
    if (limit := result.limit) is not None:
        yield Plot("limit", "CLs.", lambda: plot_limit(limit, poi))
    if (toys := result.toy_goodness) is not None:
        yield Plot("goodness", "Goodness of fit.", lambda: plot_goodness(toys, result.goodness))
    if result.yields is not None:
        for channel in result.yields[0].channels:
            yield Plot(_file_name(channel, result), "Yields.", functools.partial(plot_yields, result, channel))


def plot_impacts(found: Impacts, poi: str) -> Figure:
    """Draw the impacts on the parameter of interest, and the pulls beside them, the largest impact on top."""
    names = found.ranking()[:RANKED]
    rows = [found.names.index(name) for name in names]
    places = np.arange(len(names))[::-1]
    arrays = {
        name: np.asarray(getattr(found, name))[rows]
        for name in ("pull", "constraint", "prefit_up", "prefit_down", "postfit_up", "postfit_down")
    }
    figure = new_figure(9, 1.9 + 0.3 * len(names))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1))
    pulled = arrays["constraint"] > 0
    left.axvspan(-1, 1, color="0.92", lw=0)
    left.axvline(0, color="0.5", lw=0.9)
    left.errorbar(
        arrays["pull"][pulled],
        places[pulled],
        xerr=arrays["constraint"][pulled],
        fmt="o",
        ms=4,
        color="black",
        elinewidth=1.2,
    )
    reach = max(1.5, 1.15 * np.max(np.abs(arrays["pull"]) + arrays["constraint"], initial=0))
    left.set_xlim(-reach, reach)
    left.set_xlabel("pull", loc="right")
    left.set_yticks(places, names, fontsize=9)
    left.set_ylim(-0.7, len(names) - 0.3)
    right.axvline(0, color="0.5", lw=0.9)
    for direction, color, sign in (("up", UP, r"+1$\sigma$"), ("down", DOWN, r"-1$\sigma$")):
        right.barh(places, arrays[f"postfit_{direction}"], 0.7, color=color, alpha=0.75, label=f"{sign} after")
        outline: dict[str, Any] = {"facecolor": "none", "edgecolor": color, "linewidth": 1}
        right.barh(places, arrays[f"prefit_{direction}"], 0.7, label=f"{sign} before", **outline)
    widest = max(float(np.max(np.abs(arrays[key]))) for key in arrays if "fit" in key)
    right.set_xlim(-1.15 * widest, 1.15 * widest)
    right.set_xlabel(f"change of {_plain(poi)}", loc="right")
    for axes in (left, right):
        axes.tick_params(axis="y", which="minor", left=False, right=False)
    figure.legend(*right.get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=9)
    return figure


def plot_correlation(result: FitNumbers) -> Figure:
    """Draw the correlations of the parameters that have the largest ones."""
    matrix = result.correlation
    free = np.flatnonzero(np.array(result.states) == FREE)
    strength = np.abs(matrix[np.ix_(free, free)] - np.eye(len(free))).max(axis=1)
    kept = np.sort(free[np.argsort(-strength, kind="stable")[:CORRELATED]])
    names = [result.names[i] for i in kept]
    size = 2.8 + 0.34 * len(kept)
    figure = new_figure(size + 0.8, size)
    axes = figure.subplots()
    shown = matrix[np.ix_(kept, kept)]
    image = axes.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1)
    for i, j in np.ndindex(shown.shape):
        if i != j and abs(shown[i, j]) >= 0.005 and len(kept) <= 20:
            color = "white" if abs(shown[i, j]) > 0.6 else "black"
            axes.text(j, i, f"{shown[i, j]:.2f}", ha="center", va="center", fontsize=7, color=color)
    axes.set_xticks(range(len(kept)), names, rotation=90, fontsize=9)
    axes.set_yticks(range(len(kept)), names, fontsize=9)
    axes.tick_params(which="both", top=False, right=False)
    axes.tick_params(which="minor", left=False, bottom=False)
    figure.colorbar(image, ax=axes, label="correlation", shrink=0.8)
    return figure


def plot_scan(curve: Scan) -> Figure:
    """Draw the profile likelihood of one parameter."""
    figure = new_figure(7, 5)
    axes = figure.subplots()
    good = curve.converged
    axes.plot(curve.values[good], curve.twice_delta_nll[good], "o-", ms=3.5, color="black")
    highest = max(4.5, 1.1 * float(np.nanmax(curve.twice_delta_nll[good], initial=0)))
    for height, label in ((1, r"1$\sigma$"), (4, r"2$\sigma$"), (9, r"3$\sigma$")):
        if height < highest:
            axes.axhline(height, color="0.6", lw=0.9, ls="--")
            axes.text(0.99, height, label, transform=axes.get_yaxis_transform(), ha="right", va="bottom", fontsize=9)
    axes.axvline(curve.estimate, color="0.6", lw=0.9)
    axes.set_ylim(0, highest)
    axes.set_xlabel(_plain(curve.parameter), loc="right")
    axes.set_ylabel(r"$-2\,\Delta\ln L$", loc="top")
    _mark_failures(axes, curve.values[~good])
    return figure


def plot_limit(limit: LimitCurve, poi: str) -> Figure:
    """Draw CLs against the parameter of interest, with the bands that are expected without signal."""
    figure = new_figure(7, 5)
    axes = figure.subplots()
    x, bands = limit.values, limit.cls_expected
    axes.fill_between(x, bands[:, 0], bands[:, 4], color=TWO_SIGMA, lw=0, label=r"expected $\pm 2\sigma$")
    axes.fill_between(x, bands[:, 1], bands[:, 3], color=ONE_SIGMA, lw=0, label=r"expected $\pm 1\sigma$")
    axes.plot(x, bands[:, 2], "k--", label="expected")
    axes.plot(x, limit.cls_observed, "ko-", ms=3.5, label="observed")
    axes.axhline(limit.level, color="#bd1f01", lw=1.2)
    axes.text(
        0.99,
        limit.level,
        f"{limit.level:g}",
        color="#bd1f01",
        transform=axes.get_yaxis_transform(),
        ha="right",
        va="bottom",
    )
    axes.axvline(limit.observed, color="0.5", lw=0.9, ls=":")
    axes.set_yscale("log")
    axes.set_ylim(max(1e-4, 0.5 * float(np.nanmin(bands[:, 2]))), 1.5)
    axes.set_xlim(0, x[-1])
    axes.set_xlabel(_plain(poi), loc="right")
    axes.set_ylabel(r"$\mathrm{CL}_s$", loc="top")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="upper right")
    _mark_failures(axes, x[np.isnan(limit.cls_observed)])
    return figure


def plot_goodness(toys: ToyGoodness, formula: GoodnessOfFit | None) -> Figure:
    """Draw the statistic of the pseudo-experiments, what the asymptotic formula expects of it, and that of the data."""
    found, observed = np.asarray(toys.toys), float(toys.chi2)
    good = found[~np.isnan(found)]
    figure = new_figure(7, 5)
    axes = figure.subplots()
    low, high = np.min(good, initial=observed), np.max(good, initial=observed)
    margin = 0.05 * max(high - low, 1e-3)
    edges = np.linspace(max(0.0, low - margin), high + margin, min(60, max(10, good.size // 20)) + 1)
    counts, _ = np.histogram(good, edges)
    told = f"{good.size} pseudo-experiments"
    mplhep.histplot(counts, edges, ax=axes, histtype="fill", color="#92dadd", label=told)
    if formula is not None and formula.ndof > 0:
        expected = good.size * np.diff(gammainc(0.5 * formula.ndof, 0.5 * edges))
        axes.stairs(
            expected, edges, color="0.3", lw=1.4, ls="--", label=rf"$\chi^2$, {formula.ndof} degrees of freedom"
        )
    label = f"observed, p = {float(toys.p_value):.3g}"
    axes.axvline(observed, color=UP, lw=1.6, label=label)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.35 * max(1, counts.max()))
    axes.set_xlabel(r"$-2\,\ln L/L_\mathrm{saturated}$", loc="right")
    axes.set_ylabel("pseudo-experiments", loc="top")
    axes.legend(loc="upper right", fontsize=10)
    if failed := int(toys.failed):
        axes.set_title(f"{failed} fits failed", loc="left", fontsize=9, color=UP)
    return figure


def plot_yields(result: FitNumbers, channel: str) -> Figure:
    """Draw the expected events of a channel before and after the fit, with their uncertainty, and the data."""
    assert result.yields is not None
    start, stop = result.yields[0].slices[result.yields[0].channels.index(channel)]
    data = result.counts[start:stop]
    edges = np.arange(stop - start + 1) - 0.5
    figure = new_figure(11, 5.5)
    panels = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3, 1))
    names = [*result.yields[0].samples]
    signal = _signals(result)
    totals, spread = [], []
    for column, (title, yields) in enumerate(zip(("before the fit", "after the fit"), result.yields, strict=True)):
        upper, lower = panels[:, column]
        events, uncertainties = (np.asarray(array) for array in yields.of(channel))
        order = [i for i in np.argsort(events[:-1].sum(axis=1)).tolist() if events[i].any()]
        order.sort(key=lambda i: names[i] in signal)
        backgrounds = [name for name in names if name not in signal]
        colors = [
            SIGNAL_COLORS[signal.index(names[i]) % 3]
            if names[i] in signal
            else BACKGROUND_COLORS[backgrounds.index(names[i]) % len(BACKGROUND_COLORS)]
            for i in order
        ]
        drawn: dict[str, Any] = {"stack": True, "histtype": "fill", "color": colors, "ax": upper}
        mplhep.histplot([events[i] for i in order], edges, label=[_plain(names[i]) for i in order], **drawn)
        total, uncertainty = events[-1], uncertainties[-1]
        band: dict[str, Any] = {"facecolor": "none", "edgecolor": "0.35", "hatch": "////", "linewidth": 0}
        upper.stairs(total + uncertainty, edges, baseline=total - uncertainty, fill=True, label="uncertainty", **band)
        centres = 0.5 * (edges[1:] + edges[:-1])
        points: dict[str, Any] = {"fmt": "o", "ms": 4, "color": "black", "elinewidth": 1.2}
        upper.errorbar(centres, data, yerr=np.sqrt(data), label=result.fitted, **points)
        safe = np.where(total > 0, total, np.nan)
        lower.stairs(1 + uncertainty / safe, edges, baseline=1 - uncertainty / safe, fill=True, **band)
        lower.errorbar(centres, data / safe, yerr=np.sqrt(data) / safe, **points)
        lower.axhline(1, color="0.5", lw=0.9)
        upper.set_title(title, loc="left")
        lower.set_xlabel(f"bin of {_plain(channel)}", loc="right")
        totals.append(np.max(np.maximum(total + uncertainty, data + np.sqrt(data))))
        ratios = np.concatenate([(data + np.sqrt(data)) / safe, (data - np.sqrt(data)) / safe, 1 + uncertainty / safe])
        spread.append(np.nanmax(np.abs(ratios - 1), initial=0.05))
    reach = min(1.2 * max(spread), 1.0)
    panels[0, 0].set_ylim(0, 1.45 * max(totals))
    panels[1, 0].set_ylim(1 - reach, 1 + reach)
    panels[0, 0].set_xlim(edges[0], edges[-1])
    panels[0, 0].set_ylabel("events", loc="top")
    panels[1, 0].set_ylabel("ratio", loc="center")
    for axes in panels.flat:
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.tick_params(axis="x", which="minor", bottom=False, top=False)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    panels[0, 1].legend(handles[::-1], labels[::-1], loc="upper right", ncols=2, fontsize=9)
    return figure


def _signals(result: FitNumbers) -> list[str]:
    """Return the samples that the parameter of interest scales."""
    poi = result.parameter_of_interest
    found = {
        sample.name
        for channel in result.model.channels
        for sample in channel.samples
        if any(modifier.name == poi for modifier in sample.modifiers)
    }
    return sorted(found)


def _mark_failures(axes: Axes, values: np.ndarray) -> None:
    """Say in a plot where fits failed."""
    if values.size:
        told = ", ".join(f"{value:.3g}" for value in values[:5])
        axes.set_title(f"{values.size} fits failed, at {told}", loc="left", fontsize=9, color="#bd1f01")


def _plain(name: str) -> str:
    """Return a name that matplotlib does not read as mathematics."""
    return name.replace("$", r"\$")


def _file_name(channel: str, result: FitNumbers) -> str:
    """Return the name of the file of a channel's plot: letters that every file system has, and no two the same."""
    assert result.yields is not None
    plain = [re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:60] for name in result.yields[0].channels]
    index = result.yields[0].channels.index(channel)
    return f"yields_{plain[index]}" + (f"_{index}" if plain.count(plain[index]) > 1 else "")
