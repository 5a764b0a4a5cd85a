"""Legends that lie over nothing: they move below what is written beside them, and the axis grows above the data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patches import StepPatch
from matplotlib.transforms import Bbox

from ..messages.terminal import visible

# shares of the height of the axes: between things that must not touch, and the least that is left for the data
GAP, LEAST = 0.02, 0.4
# points; smaller letters cannot be read
SMALLEST = 6.0


def clear_legends(figure: Figure) -> None:
    """Move the legends within the axes of a figure off what is written there, and the data from below both.

    The figure has to be laid out, and is to keep its layout. A legend without room gets another number of columns, and
    then smaller letters. What lies over nothing stays where it is.

    Examples
    --------
    >>> from hepgrad.workflows.reporting.legends import clear_legends
    >>> from hepgrad.workflows.reporting.style import new_figure
    >>> figure = new_figure(4, 3)
    >>> axes = figure.subplots()
    >>> stairs, legend = axes.stairs([1.0, 1.0], [0, 1, 2], label="flat"), axes.legend(loc="upper right")
    >>> figure.draw_without_rendering()
    >>> clear_legends(figure)
    >>> bool(axes.get_ylim()[1] > 1.1)
    True
    """
    for axes in figure.axes:
        legend = axes.get_legend()
        texts = [box for box in _texts(axes) if _is_within(box)]
        if legend is not None and _is_within(_extent(axes, legend)):
            texts = [_placed(axes, legend, texts), *texts]
        _grow(axes, texts)


def leave_room_to_axes(figure: Figure) -> None:
    """Keep legends within axes out of the layout of a figure: a long name would leave their axes no width."""
    for axes in figure.axes:
        legend = axes.get_legend()
        if legend is not None:
            anchor = legend.get_bbox_to_anchor().transformed(axes.transAxes.inverted())
            legend.set_in_layout(bool(anchor.y0 >= 1))


def _extent(axes: Axes, artist: Legend) -> Bbox:
    """Return where something is, in shares of the axes."""
    return artist.get_window_extent().transformed(axes.transAxes.inverted())


def _texts(axes: Axes) -> Iterator[Bbox]:
    for text in axes.texts:
        # others mark a place among the data
        if text.get_text() and text.get_transform() == axes.transAxes:
            yield text.get_window_extent().transformed(axes.transAxes.inverted())


def _is_within(box: Bbox) -> bool:
    return bool(GAP < (box.y0 + box.y1) / 2 < 1 and 0 < (box.x0 + box.x1) / 2 < 1)


def _placed(axes: Axes, legend: Legend, texts: list[Bbox]) -> Bbox:
    """Return where the legend is when it is over no text, within the axes, and leaves room for the data."""
    box = _extent(axes, legend)
    is_low = (box.y0 + box.y1) / 2 < 0.5
    is_free = not any(box.overlaps(text) for text in texts) and box.x0 > -GAP and box.x1 < 1 + GAP
    if is_free and (not _covers(axes, box) if is_low else box.y0 >= LEAST):
        return box
    is_right = (box.x0 + box.x1) / 2 > 0.5
    entries = _entries(axes, legend)
    size = legend.get_texts()[0].get_fontsize()
    columns = (2, 3, 1)
    sizes = np.arange(size, SMALLEST - 0.1, -1.0)
    for smaller, number in itertools.product(sizes, columns):
        made = _drawn(axes, entries, number, float(smaller), is_right, 1 - 2 * GAP)
        box = _extent(axes, made)
        beside = [text.y0 for text in texts if box.overlaps(Bbox([[text.x0 - GAP, text.y0], [text.x1 + GAP, 1]]))]
        if beside:
            made = _drawn(axes, entries, number, float(smaller), is_right, min(beside) - GAP)
            box = _extent(axes, made)
        if box.width < 1 - GAP and box.y0 >= LEAST:
            break
    return box


def _entries(axes: Axes, legend: Legend) -> list[tuple[Any, str, bool]]:
    """Return what a legend shows: handle, text, and whether that is TeX."""
    handles = {visible(str(label)): handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    return [
        (handles.get(text.get_text(), drawn), text.get_text(), text.get_parse_math())
        for text, drawn in zip(legend.get_texts(), legend.legend_handles, strict=True)
    ]


def _drawn(
    axes: Axes, entries: list[tuple[Any, str, bool]], columns: int, size: float, is_right: bool, top: float
) -> Legend:
    handles, labels, math_texts = zip(*entries, strict=True)
    style: dict[str, Any] = {"ncols": columns, "fontsize": size, "borderaxespad": 0.0}
    style |= {"columnspacing": 1.0, "handlelength": 1.4, "bbox_to_anchor": (1 - GAP if is_right else GAP, top)}
    legend = axes.legend(list(handles), list(labels), loc="upper right" if is_right else "upper left", **style)
    for text, is_math in zip(legend.get_texts(), math_texts, strict=True):
        text.set_parse_math(is_math)
    return legend


def _grow(axes: Axes, boxes: list[Bbox]) -> None:
    """Raise the upper end of the vertical axis, so that no data are behind what is written in its upper half."""
    low, high = axes.get_ylim()
    is_log = axes.get_yscale() == "log"
    if not low < high or (is_log and low <= 0):
        return
    wanted = high
    for box in boxes:
        if (box.y0 + box.y1) / 2 < 0.5:
            continue
        left, right = (
            axes.transData.inverted().transform(axes.transAxes.transform((x, 0)))[0] for x in (box.x0, box.x1)
        )
        top = max((y for y in _tops(axes, left, right) if math.isfinite(y) and y > low), default=low)
        share = max(box.y0 - GAP, 0.2)
        wanted = max(wanted, low * (top / low) ** (1 / share) if is_log else low + (top - low) / share)
    if wanted > high and math.isfinite(wanted):
        axes.set_ylim(low, wanted)


def _tops(axes: Axes, left: float, right: float) -> Iterator[float]:
    """Yield how high the data reach between two places of the horizontal axis."""
    for patch in axes.patches:
        if isinstance(patch, StepPatch):
            values, edges, _ = patch.get_data()
            yield from np.asarray(values)[(edges[1:] > left) & (edges[:-1] < right)].tolist()
    for line in axes.lines:
        x, y = (np.asarray(each, float) for each in line.get_data())
        if line.get_transform().contains_branch(axes.transData) and len(x):
            between = (x >= left) & (x <= right)
            # with a neighbour on either side, because lines are drawn in between
            yield from y[between | np.append(between[1:], False) | np.append(False, between[:-1])].tolist()
        elif len(y):
            yield float(y.max())
    for collection in axes.collections:
        if isinstance(collection, LineCollection | PolyCollection):
            for path in collection.get_paths():
                corners = np.asarray(path.vertices)
                yield from corners[(corners[:, 0] >= left) & (corners[:, 0] <= right), 1].tolist()


def _covers(axes: Axes, box: Bbox) -> bool:
    """Return whether points of the data are behind something."""
    for line in axes.lines:
        if line.get_transform().contains_branch(axes.transData):
            points = np.column_stack([np.asarray(each, float) for each in line.get_data()])
            shares = axes.transAxes.inverted().transform(axes.transData.transform(points))
            if any(box.contains(*share) for share in shares[np.isfinite(shares).all(axis=1)]):
                return True
    return False
