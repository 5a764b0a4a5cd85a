"""A lowest expectation of every bin, because an empty bin would count for an infinite significance."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp

from ..histfactory import Model
from ..histfactory.layout import ModelLayout, SampleLayout

FLOOR = 1e-3  # events


def floored(model: Model, floor: float, parameters: jax.Array) -> Model:
    """Return the model with a constant sample in the bins where less than the floor is expected.

    ``floor`` is the lowest expectation, in events, at ``parameters``.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, Model, NormFactor, Sample
    >>> from hepgrad.analysis.statistics.objectives.floor import floored
    >>> signal = Sample("signal", [1.0, 2.0], [NormFactor("mu")])
    >>> model = Model([FitChannel("SR", [signal])], parameter_of_interest="mu")
    >>> print(floored(model, 0.5, model.vector({"mu": 0.0})).expected_data(model.initial))
    [1.5 2.5]
    """
    missing = jax.nn.relu(floor - model.expected_actualdata(parameters))
    # no modifier varies the constant sample, the last: the varied templates need no entries for it
    nominal = jnp.concatenate([model.templates.nominal, missing[None]])
    extended = dataclasses.replace(model.templates, nominal=nominal)
    return Model.tree_unflatten(_with_constant(model.layout), (extended,))


@functools.lru_cache(maxsize=64)
def _with_constant(layout: ModelLayout) -> ModelLayout:
    """Return the layout with one more sample in every channel, the last by name and without modifiers."""
    constant = SampleLayout(layout.sample_names[-1] + "_", ())
    channels = tuple(dataclasses.replace(channel, samples=(*channel.samples, constant)) for channel in layout.channels)
    return dataclasses.replace(layout, channels=channels)
