"""Which uncertainties make up the uncertainty of a parameter."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting import FitResult, fit
from ..histfactory import Model
from .curvature import deviation, profiled_direction
from .guards import component, warn_if_single
from .roots import safe_sqrt


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Breakdown:
    """The uncertainty of one parameter and its parts; all scalars.

    Attributes
    ----------
    estimate
        Best fit.
    total
        Uncertainty when all parameters are fitted.
    statistical
        Uncertainty when all parameters with an auxiliary measurement are held.
    groups
        By name of the group, the part that vanishes (in quadrature) when its parameters are held. Parts add up to the
        total only where the groups are not correlated.
    converged
        Whether the fit did, bool.
    """

    estimate: jax.Array
    total: jax.Array
    statistical: jax.Array
    groups: dict[str, jax.Array]
    converged: jax.Array


def breakdown(
    model: Model, data: Any, groups: Mapping[str, Sequence[str]], *, parameter: str | None = None
) -> Breakdown:
    r"""Split the uncertainty of a parameter into groups of systematic uncertainties.

    A group contributes :math:`\sqrt{\sigma^2 - \sigma_\text{held}^2}`, where :math:`\sigma_\text{held}` is the
    uncertainty with the parameters of the group held at their best fit.

    Parameters
    ----------
    model, data
        Data as `Model.data` makes them.
    groups
        By name of the group, names of parameters (all components of each).
    parameter
        Whose uncertainty is split; by default the parameter of interest.

    Returns
    -------
    Breakdown
        Differentiable in the templates and the data.

    Raises
    ------
    ValueError
        When there is no such parameter, or a group names none or the one of interest.
    FitError
        When the fit does not converge; inside `jit` see `Breakdown.converged`.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, NormSys
    >>> from hepgrad.analysis.statistics.inference import breakdown
    >>> with jax.enable_x64(True):
    ...     background = FitSample("background", [50.0], [NormSys("xsec", hi=1.1, lo=0.9)])
    ...     samples = [FitSample("signal", [10.0], [NormFactor("mu")]), background]
    ...     model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    ...     parts = breakdown(model, [60.0, 0.0], {"theory": ["xsec"]})
    ...     print(f"{parts.total:.3f} = {parts.statistical:.3f} + {parts.groups['theory']:.3f}")
    0.922 = 0.775 + 0.501
    """
    warn_if_single("breakdown")
    index = component(model, parameter)
    masks = {group: _mask(model, group, names, index) for group, names in groups.items()}
    nothing, constrained = np.zeros((2, model.layout.size), bool)
    constrained[model.layout.constrained] = True
    best = fit(model, data)
    total, statistical, *held = _uncertainties(best, jnp.array([nothing, constrained, *masks.values()]), index)
    parts = {group: safe_sqrt(total**2 - each**2) for group, each in zip(masks, held, strict=True)}
    return Breakdown(best.parameters[index], total, statistical, parts, best.converged)


@jax.jit
def _uncertainties(best: FitResult, held: jax.Array, index: int | jax.Array) -> jax.Array:
    """Return the uncertainty of a parameter for each set of held ones, shape (sets,), from shape (sets, parameters)."""

    def uncertainty(held: jax.Array) -> jax.Array:
        direction = profiled_direction(best.layout, best.hessian, index, free=best.inner & ~held)
        return deviation(best.hessian, direction)

    return jax.vmap(uncertainty)(held)


def _mask(model: Model, group: str, names: Sequence[str], index: int) -> np.ndarray:
    mask = np.zeros(model.layout.size, bool)
    for name in names:
        if name not in model.layout.parameter_slices:
            known = list(model.layout.parameter_slices)
            raise ValueError(f"the group {group!r} names {name!r}, which is none of the parameters {known}")
        mask[model.layout.parameter_slices[name]] = True
    if mask[index]:
        raise ValueError(
            f"the group {group!r} holds {model.parameter_names[index]!r}, whose uncertainty is to be split"
        )
    return mask
