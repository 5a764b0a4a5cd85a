"""The likelihood of cut values, and observed events as it takes them."""

from __future__ import annotations

from collections.abc import Mapping

import jax

from hepgrad.analysis import Analysis, Counts, Dataset, Model, Point


def model_at(point: Point, analysis: Analysis, about: Dataset) -> Model:
    """Return the likelihood of hard cuts on held-out events.

    ``about`` are held-out events, for their processes and typical weights. Raises `TypeError` when the model is no
    likelihood.
    """
    if analysis.model.likelihood is None:
        raise TypeError(f"a likelihood needs a TemplateModel, got {type(analysis.model).__name__}")
    axes = {channel.name: channel.axis for channel in analysis.channels}
    return analysis.model.likelihood(point.hard_held_out.histograms, axes, about.processes, about.typical_weight)


def observed_data(model: Model, analysis: Analysis, counts: Mapping[str, Counts]) -> jax.Array:
    """Return observed events as the data of a likelihood.

    Counts are by channel, of shape (bins + 2,); those of channels that are not fitted are left out.
    """
    fitted = model.layout.channel_slices
    return model.data({c.name: c.axis.select(counts[c.name].sumw) for c in analysis.channels if c.name in fitted})
