"""How each nuisance parameter moves the parameter of interest, and what the data say about it."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from ..fitting import FitResult, fit
from ..fitting.empty import any_empty
from ..histfactory import Model
from .batches import fits_at_once, in_batches
from .guards import component, require, warn_if_single
from .profile import profile_point, starting_point

_AT_ONCE = 32  # fits that run side by side, at most


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Impacts:
    """Pulls of the parameters and their impacts on the parameter of interest; arrays of shape (parameters,).

    The entries of the parameter of interest and of parameters that fits hold are 0.

    Attributes
    ----------
    names
        Of the components, as in `Model.parameter_names` (static).
    best
        The fit of all parameters.
    pull
        Best fit less the auxiliary measurement, in units of the latter's uncertainty; 0 without one.
    constraint
        Uncertainty of the fit, in units of that of the auxiliary measurement (the length of the pull's error bar); 0
        without one.
    prefit_up, prefit_down
        Change of the parameter of interest when a parameter is held one auxiliary uncertainty above or below its best
        fit, and the others are fitted; 0 without auxiliary measurement.
    postfit_up, postfit_down
        The same for the uncertainty of the fit.
    converged
        Whether all fits of a parameter did, bool.
    """

    names: tuple[str, ...] = dataclasses.field(metadata={"static": True})
    best: FitResult
    pull: jax.Array
    constraint: jax.Array
    prefit_up: jax.Array
    prefit_down: jax.Array
    postfit_up: jax.Array
    postfit_down: jax.Array
    converged: jax.Array

    def ranking(self) -> list[str]:
        """Return the names by the size of the post-fit impact, largest first; outside `jit`."""
        size = jnp.maximum(jnp.abs(self.postfit_up), jnp.abs(self.postfit_down))
        return [self.names[index] for index in jnp.argsort(-size).tolist() if size[index] > 0]


def impacts(model: Model, data: Any, parameter: str | None = None) -> Impacts:
    """Return pulls and impacts of all parameters.

    Parameters
    ----------
    model, data
        Data as `Model.data` makes them.
    parameter
        Whose changes are reported; by default the parameter of interest.

    Returns
    -------
    Impacts

    Raises
    ------
    ValueError
        When there is no such parameter.
    FitError
        When a fit does not converge; inside `jit` see `Impacts.converged`.

    Notes
    -----
    Each of the four numbers is the result of a fit of all other parameters, as in ATLAS' ranking plots; it includes the
    sign of the correlation.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, NormSys
    >>> from hepgrad.analysis.statistics.inference import impacts
    >>> with jax.enable_x64(True):
    ...     background = FitSample("background", [50.0], [NormSys("xsec", hi=1.1, lo=0.9)])
    ...     samples = [FitSample("signal", [10.0], [NormFactor("mu")]), background]
    ...     model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    ...     result = impacts(model, [60.0, 0.0])
    ...     print(result.ranking(), result.postfit_up.round(3), result.constraint.round(3))
    ['xsec'] [ 0.  -0.5] [0. 1.]
    """
    result = impacts_at(model, data, fit(model, data), parameter)
    require(result.converged, "the fits for the impacts of some parameters did not converge")
    return result


def impacts_at(model: Model, data: Any, best: FitResult, parameter: str | None = None) -> Impacts:
    """Return pulls and impacts around a fit of all parameters; `Impacts.converged` tells which fits to believe."""
    warn_if_single("impacts")
    data = jnp.asarray(data, model.templates.nominal.dtype)
    empty_bins = any_empty(model.split(data)[0])
    return _impacts(model, data, best, component(model, parameter), empty_bins=empty_bins)


@functools.partial(jax.jit, static_argnames="empty_bins")
def _impacts(model: Model, data: jax.Array, best: FitResult, index: int | jax.Array, *, empty_bins: bool) -> Impacts:
    estimate, matrix = best.parameters, best.covariance
    moves = best.inner & (jnp.arange(estimate.size) != index)
    constrained, constraints = model.layout.constrained, model.constraints
    central = estimate.at[constrained].set(model.split(data)[1] / constraints.factor[constrained])
    information = constraints.information(central)
    prefit = jnp.where(moves & (information > 0), jax.lax.rsqrt(jnp.where(information > 0, information, 1)), 0)
    postfit = jnp.where(moves, jnp.sqrt(jnp.where(moves, jnp.diag(matrix), 0)), 0)

    def change(job: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        which, shift = job
        variance = matrix[which, which]
        along = matrix[which] / jnp.where(variance > 0, variance, 1)
        nearby = jnp.where(best.inner, jnp.clip(estimate + shift * along, *model.bounds.T), estimate)
        value = estimate[which] + shift
        point = profile_point(model, data, which, value, starting_point(nearby), empty_bins=empty_bins)
        return point.parameters[index] - estimate[index], point.converged

    shifts = jnp.stack([prefit, -prefit, postfit, -postfit])
    which = jnp.broadcast_to(jnp.arange(estimate.size), shifts.shape)
    moved, converged = in_batches(change, (which.ravel(), shifts.ravel()), size=fits_at_once(model.layout, _AT_ONCE))
    moved = jnp.where(moves, moved.reshape(shifts.shape), 0)
    unit = jnp.where(prefit > 0, prefit, 1)
    return Impacts(
        model.parameter_names,
        best,
        jnp.where(prefit > 0, (estimate - central) / unit, 0),
        postfit * (prefit > 0) / unit,
        moved[0],
        moved[1],
        moved[2],
        moved[3],
        best.converged & converged.reshape(shifts.shape).all(axis=0),
    )
