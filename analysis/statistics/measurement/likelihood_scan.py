"""The likelihood along one parameter."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..fitting import FitError, FitResult, fit
from ..histfactory import Model
from ..inference.guards import poi_of, warn_if_single


@dataclasses.dataclass(frozen=True)
class Scan:
    """The profile likelihood at values of a parameter.

    Attributes
    ----------
    parameter
        Its name.
    estimate
        Best fit.
    values
        Of the parameter, increasing, shape (points,).
    twice_delta_nll
        Twice the negative log-likelihood less that of the best fit, shape (points,); NaN where the fit failed.
    parameters
        Of the conditional fits, shape (points, parameters).
    converged
        Whether each fit did, shape (points,), bool.
    """

    parameter: str
    estimate: float
    values: np.ndarray
    twice_delta_nll: np.ndarray
    parameters: np.ndarray
    converged: np.ndarray


def scan(
    model: Model,
    data: Any,
    parameter: str | None = None,
    values: Any = None,
    *,
    best: FitResult | None = None,
    points: int = 21,
    watch: Callable[[int, int], None] | None = None,
) -> Scan:
    r"""Fit all other parameters at values of one; outside `jit`.

    .. math:: -2 \ln \frac{L(x, \hat{\hat\theta})}{L(\hat x, \hat\theta)}

    Every fit runs the compiled program of `fit`, and starts at the one before, from the best fit outwards.

    Parameters
    ----------
    model, data
        Data as `Model.data` makes them.
    parameter
        Name of a scalar parameter; by default the parameter of interest.
    values
        Where; by default `points` of them within three standard deviations of the best fit, and within the bounds.
    best
        The fit of all parameters, if it is known.
    points
        How many, when no `values` are given.
    watch
        Called after each fit with the number that are done, and of all.

    Returns
    -------
    Scan
        Fits that fail are marked, and not an error.

    Raises
    ------
    ValueError
        When there is no such parameter, or it has several components.
    FitError
        When the fit of all parameters does not converge.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.measurement import scan
    >>> with jax.enable_x64(True):
    ...     model = Model([FitChannel("SR", [FitSample("signal", [10.0], [NormFactor("mu")])])])
    ...     print(scan(model, [10.0], "mu", [0.5, 1.0, 1.5]).twice_delta_nll.round(3))
    [3.863 0.    1.891]
    """
    warn_if_single("scan")
    name = poi_of(model) if parameter is None else parameter
    scalars = [parameters.name for parameters in model.layout.parameter_sets if parameters.is_scalar]
    if name not in scalars:
        raise ValueError(f"a scan needs a parameter with one component, one of {scalars}; got {name!r}")
    index = model.index(name)
    best = fit(model, data) if best is None else best
    estimate, sigma = float(best.parameters[index]), float(best.uncertainties[index])
    low, high = (float(bound) for bound in model.bounds[index])
    if values is None:
        reach = 3 * sigma if 0 < sigma < np.inf else 0.5 * (high - low)
        values = np.linspace(max(estimate - reach, low), min(estimate + reach, high), points)
    order = np.sort(np.asarray(values, float).reshape(-1))
    found: dict[int, tuple[float, Any, bool]] = {}
    above = int(np.searchsorted(order, estimate))
    for outwards in (range(above, order.size), range(above - 1, -1, -1)):
        start = best.parameters
        for i in outwards:
            try:
                at = fit(model, data, fixed={name: order[i]}, init=start)
            except FitError:
                found[i] = np.nan, np.full(start.shape, np.nan), False
            else:
                start = at.parameters
                found[i] = float(at.deviance - best.deviance), np.asarray(at.parameters), True
            if watch is not None:
                watch(len(found), order.size)
    rows = [found[i] for i in range(order.size)]
    return Scan(
        parameter=name,
        estimate=estimate,
        values=order,
        twice_delta_nll=np.array([row[0] for row in rows]),
        parameters=np.asarray(jnp.stack([row[1] for row in rows])),
        converged=np.array([row[2] for row in rows]),
    )
