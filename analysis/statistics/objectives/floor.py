"""A lowest expectation of every bin, because an empty bin would count for an infinite significance."""

from __future__ import annotations

import jax

from ..histfactory import Model

FLOOR = 1e-3  # events


def floored(model: Model, floor: float, parameters: jax.Array) -> Model:
    """Return the model with a constant sample in the bins where less than the floor is expected.

    ``floor`` is the lowest expectation, in events, at ``parameters``.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.objectives.floor import floored
    >>> signal = FitSample("signal", [1.0, 2.0], [NormFactor("mu")])
    >>> model = Model([FitChannel("SR", [signal])], parameter_of_interest="mu")
    >>> print(floored(model, 0.5, model.vector({"mu": 0.0})).expected_data(model.initial))
    [1.5 2.5]
    """
    missing = jax.nn.relu(floor - model.expected_actualdata(parameters))
    return model.with_constant(missing)
