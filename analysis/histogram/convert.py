"""Histograms to and from `hist`."""

from __future__ import annotations

from typing import Any, cast

import hist
import jax.numpy as jnp
import numpy as np

from .axis import Axis, Flow, Regular, Variable
from .counts import Counts


def to_hist(counts: Counts, axis: Axis) -> hist.Hist[Any]:
    """Convert to a `hist.Hist` with `Weight` storage, under- and overflow included.

    Parameters
    ----------
    counts : Counts
        One histogram, shape ``(bins + 2,)``; select a group first (``counts[0]``).
    axis : Axis
        Its axis.

    Returns
    -------
    hist.Hist
        One axis with the name and title of `axis`; label, unit and flow are kept in the axis metadata, so that
        `from_hist` gives back an equal axis.

    Raises
    ------
    ValueError
        If the shape is not ``(bins + 2,)``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.histogram import Regular, fill_hard, to_hist
    >>> axis = Regular(2, 0, 2, name="x")
    >>> to_hist(fill_hard(jnp.array([0.5, 0.6, 1.5]), 1.0, axis), axis).values().tolist()
    [2.0, 1.0]
    """
    edges = axis.edges
    if counts.sumw.shape != (len(edges) + 1,):
        raise ValueError(
            f"axis {axis.name!r}: expected one histogram of shape ({len(edges) + 1},), got {counts.sumw.shape}; "
            "select a group first, as in to_hist(counts[0], axis)"
        )
    metadata = {"label": axis.label, "unit": axis.unit, "flow": axis.flow}
    described: dict[str, Any] = {"name": axis.name, "label": axis.title, "metadata": metadata}
    if isinstance(axis, Regular):
        hist_axis: Any = hist.axis.Regular(axis.bins, axis.start, axis.stop, **described)
    else:
        hist_axis = hist.axis.Variable(edges, **described)
    result: hist.Hist[Any] = hist.Hist(hist_axis, storage=hist.storage.Weight())
    view: Any = result.view(flow=True)
    view.value = np.asarray(counts.sumw)
    view.variance = np.asarray(counts.sumw2)
    return result


def from_hist(histogram: hist.Hist[Any]) -> tuple[Counts, Axis]:
    """Convert a one-dimensional `hist.Hist` of numbers.

    Parameters
    ----------
    histogram : hist.Hist
        With one regular, variable or integer axis. Missing under- or overflow bins are taken as empty.

    Returns
    -------
    Counts
        Shape ``(bins + 2,)``, float32, or float64 if x64 is enabled.
    Axis
        `Regular` for a regular axis without transform, else `Variable`.

    Raises
    ------
    TypeError
        If the axis is circular or has categories.
    ValueError
        If there is not exactly one axis, or the storage has no variances (weighted fills of a `Double` storage).

    Examples
    --------
    >>> import hist
    >>> from hepgrad.analysis.histogram import from_hist
    >>> counts, axis = from_hist(hist.new.Reg(2, 0, 2, name="x").Weight().fill(x=[0.5, 0.6, 5.0]))
    >>> print(counts.sumw, axis.name)
    [0. 2. 0. 1.] x
    """
    if len(histogram.axes) != 1:
        raise ValueError(f"expected a histogram with one axis, got {len(histogram.axes)}; project it first")
    hist_axis: Any = histogram.axes[0]
    traits = hist_axis.traits
    if (
        traits.circular
        or not traits.ordered
        or not isinstance(hist_axis, hist.axis.Regular | hist.axis.Variable | hist.axis.Integer)
    ):
        raise TypeError(f"axis {hist_axis.name!r}: expected a regular, variable or integer axis, got {hist_axis!r}")
    values, variances = histogram.values(flow=True), histogram.variances(flow=True)
    if variances is None:
        raise ValueError(
            f"axis {hist_axis.name!r}: the storage {histogram.storage_type.__name__} has no variances of weighted "
            "entries; fill a histogram with Weight storage"
        )
    missing = (0 if traits.underflow else 1, 0 if traits.overflow else 1)
    counts = Counts(jnp.asarray(np.pad(values, missing)), jnp.asarray(np.pad(variances, missing)))
    return counts, _axis_of(hist_axis, regular=isinstance(hist_axis, hist.axis.Regular))


def _axis_of(hist_axis: Any, *, regular: bool) -> Axis:
    described = {"name": hist_axis.name, "label": hist_axis.label, "unit": "", "flow": "separate"}
    if isinstance(hist_axis.metadata, dict):
        described |= {key: hist_axis.metadata[key] for key in ("label", "unit", "flow") if key in hist_axis.metadata}
    elif hist_axis.label in (hist_axis.name, "Axis 0"):  # what hist writes for an axis without a label
        described["label"] = ""
    edges = np.asarray(hist_axis.edges)
    flow = cast("Flow", described.pop("flow"))
    if regular and hist_axis.transform is None:
        return Regular(len(edges) - 1, float(edges[0]), float(edges[-1]), flow=flow, **described)
    return Variable(edges, flow=flow, **described)
