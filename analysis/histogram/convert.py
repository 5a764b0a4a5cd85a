"""Histograms to and from `hist`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import hist
import jax.numpy as jnp
import numpy as np

from .axis import Axis, Flow, Regular, Variable
from .counts import Counts


def to_hist(counts: Counts, axis: Axis | tuple[Axis, ...], *, processes: Sequence[str] | None = None) -> hist.Hist[Any]:
    """Convert to a `hist.Hist` with `Weight` storage, under- and overflow included.

    Parameters
    ----------
    counts : Counts
        One histogram, shape ``(bins + 2,)`` or ``(bins + 2, bins + 2)``, or one for each of `processes`, as many along
        a first dimension.
    axis : Axis or tuple of Axis
        Its axis, or axes.
    processes : sequence of str, optional
        Names of the groups, for a first axis ``process`` of categories. Without it select a group (``counts[0]``).

    Returns
    -------
    hist.Hist
        Axes with the names and titles of `axis`; label, unit and flow are kept in the axes' metadata, so that
        `from_hist` gives back equal axes.

    Raises
    ------
    ValueError
        If the shape is another one.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.histogram import Regular, fill_hard, to_hist
    >>> axis = Regular(2, 0, 2, name="x")
    >>> to_hist(fill_hard(jnp.array([0.5, 0.6, 1.5]), 1.0, axis), axis).values().tolist()
    [2.0, 1.0]
    """
    axes = axis if isinstance(axis, tuple) else (axis,)
    expected = (*(() if processes is None else (len(processes),)), *(len(each.edges) + 1 for each in axes))
    if counts.sumw.shape != expected:
        raise ValueError(
            f"axis {', '.join(repr(each.name) for each in axes)}: expected a histogram of shape {expected}, got "
            f"{counts.sumw.shape}; select a group first, as in to_hist(counts[0], axis), or name all processes"
        )
    hist_axes: list[Any] = [_to_hist_axis(each) for each in axes]
    if processes is not None:
        hist_axes.insert(0, hist.axis.StrCategory(processes, name="process", overflow=False))
    result: hist.Hist[Any] = hist.Hist(*hist_axes, storage=hist.storage.Weight())
    view: Any = result.view(flow=True)
    view.value = np.asarray(counts.sumw)
    view.variance = np.asarray(counts.sumw2)
    return result


def from_hist(histogram: hist.Hist[Any]) -> tuple[Counts, Axis | tuple[Axis, ...]]:
    """Convert a `hist.Hist` of numbers.

    Parameters
    ----------
    histogram : hist.Hist
        With regular, variable or integer axes, after at most one axis of categories. Missing under- or overflow bins
        are taken as empty.

    Returns
    -------
    Counts
        Shape ``(bins + 2,)`` for one axis, ``(bins + 2, bins + 2)`` for two, and so on; after the number of categories
        if there are any. float32, or float64 if x64 is enabled.
    Axis or tuple of Axis
        `Regular` for a regular axis without transform, else `Variable`; a tuple unless there is a single one.

    Raises
    ------
    TypeError
        If an axis is circular, or has categories and is not the first of several.
    ValueError
        If entries are outside of all categories, or the storage has no variances (weighted fills of a `Double`
        storage).

    Examples
    --------
    >>> import hist
    >>> from hepgrad.analysis.histogram import from_hist
    >>> counts, axis = from_hist(hist.new.Reg(2, 0, 2, name="x").Weight().fill(x=[0.5, 0.6, 5.0]))
    >>> print(counts.sumw, axis.name)
    [0. 2. 0. 1.] x
    """
    values, variances = histogram.values(flow=True), histogram.variances(flow=True)
    names = ", ".join(repr(axis.name) for axis in histogram.axes)
    if variances is None:
        raise ValueError(
            f"axis {names}: the storage {histogram.storage_type.__name__} has no variances of weighted entries; fill a "
            "histogram with Weight storage"
        )
    first, *others = list(histogram.axes)
    has_categories = bool(others) and isinstance(first, hist.axis.StrCategory | hist.axis.IntCategory)
    numbers = others if has_categories else [first, *others]
    axes = tuple(map(_from_hist_axis, numbers))
    missing = [(0 if axis.traits.underflow else 1, 0 if axis.traits.overflow else 1) for axis in numbers]
    if has_categories:
        missing.insert(0, (0, 0))
        if first.traits.overflow:
            if values[-1].any():
                raise ValueError(f"axis {first.name!r}: there are entries outside of its categories {list(first)}")
            values, variances = values[:-1], variances[:-1]
    counts = Counts(jnp.asarray(np.pad(values, missing)), jnp.asarray(np.pad(variances, missing)))
    return counts, axes[0] if len(axes) == 1 else axes


def _to_hist_axis(axis: Axis) -> Any:
    metadata = {"label": axis.label, "unit": axis.unit, "flow": axis.flow}
    described: dict[str, Any] = {"name": axis.name, "label": axis.title, "metadata": metadata}
    if isinstance(axis, Regular):
        return hist.axis.Regular(axis.bins, axis.start, axis.stop, **described)
    return hist.axis.Variable(axis.edges, **described)


def _from_hist_axis(axis: Any) -> Axis:
    if (
        axis.traits.circular
        or not axis.traits.ordered
        or not isinstance(axis, hist.axis.Regular | hist.axis.Variable | hist.axis.Integer)
    ):
        raise TypeError(f"axis {axis.name!r}: expected a regular, variable or integer axis, got {axis!r}")
    described = {"name": axis.name, "label": axis.label, "unit": "", "flow": "separate"}
    if isinstance(axis.metadata, dict):
        described |= {key: axis.metadata[key] for key in ("label", "unit", "flow") if key in axis.metadata}
    elif axis.label == axis.name or (not axis.name and axis.label.startswith("Axis ")):  # hist's own default
        described["label"] = ""
    edges = np.asarray(axis.edges)
    flow = cast("Flow", described.pop("flow"))
    if isinstance(axis, hist.axis.Regular) and axis.transform is None:
        return Regular(len(edges) - 1, float(edges[0]), float(edges[-1]), flow=flow, **described)
    return Variable(edges, flow=flow, **described)
