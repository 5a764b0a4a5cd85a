"""What to tell the user about a fit that failed."""

from __future__ import annotations

import jax
import numpy as np

from ..histfactory.model import Model
from .newton import Minimum


class FitError(RuntimeError):
    """A fit that did not find a minimum; the message says which parameters or bins are to blame, and what to do.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.fitting import FitError, fit
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> model = Model([FitChannel("SR", [FitSample("signal", [5.0, 0.0], [NormFactor("mu")])])])
    >>> try:
    ...     fit(model, model.data({"SR": [5.0, 1.0]}))
    ... except FitError as error:
    ...     print(error)
    the fit cannot start: 1.0 events are observed in bin 1 of channel 'SR', where 0.0 are expected; ...
    """


def explanation(model: Model, data: jax.Array, minimum: Minimum) -> str:
    """Return why a fit did not converge."""
    if not np.isfinite(minimum.value):
        return _impossible_start(model, data, minimum.parameters)
    inner = np.flatnonzero(minimum.inner if np.any(minimum.inner) else np.ones_like(minimum.inner))
    gradient, hessian = np.asarray(minimum.gradient)[inner], np.asarray(minimum.hessian.matrix)[np.ix_(inner, inner)]
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(hessian)), np.finfo(hessian.dtype).tiny))
    curvatures, axes = np.linalg.eigh(scale[:, None] * hessian * scale)
    if curvatures[0] < 0:
        reason = "the likelihood has no maximum there, it rises on both sides along"
        size = np.abs(axes[:, 0])
    else:
        reason = f"the estimated distance to the minimum is {float(minimum.edm):.1e}, with the largest slopes along"
        size = np.abs(gradient * scale)
    worst = inner[np.argsort(-size)[:3]]
    names = ", ".join(f"{model.parameter_names[i]} = {minimum.parameters[i]:.4g}" for i in worst)
    return (
        f"the fit did not converge in {int(minimum.steps)} steps: {reason} {names}. Start elsewhere (`init`), hold "
        "parameters that the data cannot determine (`fixed`), or allow more steps (`max_steps`)"
    )


def _impossible_start(model: Model, data: jax.Array, parameters: jax.Array) -> str:
    observed, expected = np.asarray(model.split(data)[0]), np.asarray(model.expected_actualdata(parameters))
    impossible = np.flatnonzero(~((expected > 0) | ((expected == 0) & (observed == 0))))
    if not impossible.size:
        return "the fit cannot start: a constraint has probability 0 at the start; check the auxiliary data and `init`"
    names = [(channel.name, i) for channel in model.layout.ordered_channels for i in range(channel.bins)]
    channel, i = names[impossible[0]]
    return (
        f"the fit cannot start: {observed[impossible[0]]} events are observed in bin {i} of channel {channel!r}, where "
        f"{expected[impossible[0]]} are expected; merge the bin with a neighbour, add a background, or start elsewhere "
        "(`init`)"
    )
