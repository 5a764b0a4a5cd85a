"""The data set in which every parameter is estimated at its true value."""

from __future__ import annotations

from typing import Any

import jax

from ..fitting import fit
from ..histfactory import Model
from .guards import poi_of, warn_if_single


def asimov_data(model: Model, mu: Any, data: Any = None) -> jax.Array:
    """Return the Asimov data of a hypothesis: the expected events and auxiliary data.

    Parameters
    ----------
    model
        With a parameter of interest.
    mu
        Its true value.
    data
        Observed data, to which the other parameters are fitted (as in pyhf). Without data they take their start values:
        nothing is unblinded.

    Returns
    -------
    jax.Array
        In the layout of `Model.data`; differentiable in `mu`, the templates and the data.

    Raises
    ------
    ValueError
        Without a parameter of interest.
    FitError
        When the fit does not converge (outside `jit`).

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.inference import asimov_data
    >>> with jax.enable_x64(True):
    ...     background = FitSample("background", [50.0], [NormFactor("k")])
    ...     samples = [FitSample("signal", [10.0], [NormFactor("mu")]), background]
    ...     model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    ...     print(asimov_data(model, 2.0), asimov_data(model, 0.0, [65.0]).round(6))
    [70.] [65.]
    """
    poi = poi_of(model)
    if data is None:
        return model.expected_data(model.vector({poi: mu}))
    warn_if_single("asimov_data")
    return model.expected_data(fit(model, data, fixed={poi: mu}).parameters)
