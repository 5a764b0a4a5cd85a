"""Upper limits on the signal strength by CLs, observed and expected."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting.empty import any_empty
from ..histfactory import Model
from .asymptotics import BANDS, expected_threshold, log_pvalues
from .curvature import deviation, fisher_information, profiled_direction
from .guards import component, poi_of, require, warn_if_single
from .likelihood_ratios import likelihood_ratio, one_sided
from .profile import ProfilePoint, profile_point, starting_point
from .roots import Root, increasing_root, safe_sqrt

_FARTHEST = 1e3  # the search ends at this multiple of the limit that the curvature of the likelihood predicts


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class UpperLimit:
    """Upper limits on the parameter of interest.

    Attributes
    ----------
    observed
        Scalar.
    expected
        Of experiments without signal whose background fluctuates by (-2, -1, 0, 1, 2) standard deviations, shape (5,),
        increasing; the third is the median.
    converged
        Whether all fits and searches did, scalar bool.
    """

    observed: jax.Array
    expected: jax.Array
    converged: jax.Array


def upper_limit(
    model: Model,
    data: Any,
    *,
    level: float = 0.05,
    test_stat: Literal["q", "qtilde"] = "qtilde",
    empty_bins: bool | None = None,
) -> UpperLimit:
    r"""Return the signal strengths at which :math:`\text{CL}_s` falls to a level.

    The expected limits solve :math:`\sqrt{q_{\mu, A}} = \Phi^{-1}(1 - \alpha [1 - \Phi(N)]) - N`, the observed one
    :math:`\text{CL}_s(\mu) = \alpha`, by Newton steps inside a bracket. The last step is differentiated, so derivatives
    with respect to the templates and the data are those of the implicit function.

    Parameters
    ----------
    model
        With a parameter of interest.
    data
        Events and auxiliary data, as `Model.data` makes them. With ``asimov_data(model, 0.0)`` no data are unblinded:
        the observed limit is then the median expected one.
    level
        :math:`\alpha`, one minus the confidence level.
    test_stat
        ``"qtilde"`` or, for a parameter of interest that may be negative, ``"q"``.
    empty_bins
        Whether bins may be without events, as in `fit`.

    Returns
    -------
    UpperLimit

    Raises
    ------
    ValueError
        Without a parameter of interest, for a `level` outside (0, 1), or as `qmu`.
    FitError
        When a fit or a search does not converge, for instance because the signal has no effect on the data; inside
        `jit` see `UpperLimit.converged`.

    References
    ----------
    arXiv:1007.1727, section 4.3.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.inference import upper_limit
    >>> with jax.enable_x64(True):
    ...     samples = [FitSample("signal", [10.0], [NormFactor("mu")]), FitSample("background", [50.0])]
    ...     model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    ...     limit = upper_limit(model, [45.0])
    ...     print(limit.observed.round(3), limit.expected.round(3))
    1.188 [0.781 1.066 1.517 2.184 3.049]
    """
    warn_if_single("upper_limit")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1 (0.05 for 95 % confidence), got {level}")
    if test_stat not in _EXCESS:
        raise ValueError(f"test_stat must be 'q' or 'qtilde', got {test_stat!r}")
    poi = poi_of(model)
    data = jnp.asarray(data, model.templates.nominal.dtype)
    if empty_bins is None:
        empty_bins = any_empty(model.split(data)[0])
    ratio = likelihood_ratio(model, data, 0.0, test_stat, empty_bins=empty_bins)
    free, background = ratio.free, ratio.conditional
    asimov = model.expected_data(background.parameters)
    # the observed limit and the five expected ones share a program
    thresholds = jnp.asarray(expected_threshold(level, [0.0, *BANDS]), data.dtype)
    shared = math.log(level), free.deviance, free.parameters[model.index(poi)]
    settings = _Settings(
        np.arange(thresholds.size) == 0, thresholds, *(jnp.broadcast_to(x, thresholds.shape) for x in shared)
    )
    excess, both = _EXCESS[test_stat], jnp.stack([data, asimov])
    fixed = jax.lax.stop_gradient((model, both, background.parameters, thresholds, settings))
    roots = _searches(excess, *fixed, empty_bins=empty_bins)
    limits = jax.vmap(lambda root, settings: _refined(excess, model, both, root, settings))(roots, settings)
    converged = ratio.converged & (limits.converged & limits.reached).all()
    require(
        converged,
        f"no upper limit on {poi!r} was found: the fits or the search failed; does {poi!r} change the expected events?",
    )
    return UpperLimit(limits.value[0], limits.value[1:], converged)


class Crossing(NamedTuple):
    """Where a function of the signal strength reaches zero.

    Attributes
    ----------
    value
        The signal strength, scalar; differentiable in the templates and the data.
    reached
        Whether there is one before the search ends; otherwise `value` is where it ended. Scalar bool.
    converged
        Whether the fits and the search did, scalar bool.
    """

    value: jax.Array
    reached: jax.Array
    converged: jax.Array


def crossing(
    excess: Callable[[jax.Array, jax.Array, Any], jax.Array],
    model: Model,
    data: jax.Array,
    background: jax.Array,
    threshold: jax.Array,
    settings: Any,
    *,
    empty_bins: bool,
) -> Crossing:
    """Find where an increasing function of profile likelihoods reaches zero.

    ``excess`` goes from signal strength, deviances of the data sets and ``settings`` to a scalar, negative at signal
    strength 0. Data sets have shape (sets, bins + auxiliary data); fits start at ``background``, shape (parameters,),
    and the search at ``threshold`` expected standard deviations. The result is differentiable with respect to
    ``settings``, a pytree; ``empty_bins`` is as in `fit`.
    """
    fixed = jax.lax.stop_gradient((model, data, background, threshold, settings))
    return _refined(excess, model, data, _search(excess, *fixed, empty_bins=empty_bins), settings)


def _refined(
    excess: Callable[[jax.Array, jax.Array, Any], jax.Array], model: Model, data: jax.Array, root: Root, settings: Any
) -> Crossing:
    """Return the result of a search, with its derivatives."""
    deviances = jax.vmap(model.deviance)(root.carry.parameters, data)
    value = excess(root.x, deviances, settings)
    return Crossing(root.refined(value), root.reached, root.converged & root.carry.converged.all())


@functools.partial(jax.jit, static_argnums=0, static_argnames="empty_bins")
def _search(
    excess: Callable[[jax.Array, jax.Array, Any], jax.Array],
    model: Model,
    data: jax.Array,
    background: jax.Array,
    threshold: jax.Array,
    settings: Any,
    *,
    empty_bins: bool,
) -> Root:
    index = component(model, None)

    def function(mu: jax.Array, last: ProfilePoint) -> tuple[jax.Array, jax.Array, ProfilePoint]:
        point = functools.partial(profile_point, empty_bins=empty_bins)
        points = jax.vmap(lambda data, last: point(model, data, index, mu, last))(data, last)
        return *jax.jvp(lambda d: excess(mu, d, settings), (points.deviance,), (points.slope,)), points

    information = fisher_information(model, background)
    direction = profiled_direction(model.layout, information, index, free=~model.fixed)
    start = threshold * deviation(information, direction)
    begin = jax.tree.map(lambda x: jnp.stack([x] * len(data)), starting_point(background))
    return increasing_root(function, start, begin, upper=_FARTHEST * start)


@functools.partial(jax.jit, static_argnums=0, static_argnames="empty_bins")
def _searches(
    excess: Callable[[jax.Array, jax.Array, Any], jax.Array],
    model: Model,
    data: jax.Array,
    background: jax.Array,
    thresholds: jax.Array,
    settings: Any,
    *,
    empty_bins: bool,
) -> Root:
    """Search one after the other, because side by side each step takes as long as the longest one."""
    search = functools.partial(_search, excess, model, data, background, empty_bins=empty_bins)
    return jax.lax.map(lambda each: search(*each), (thresholds, settings))


def expected_excess(mu: jax.Array, deviances: jax.Array, threshold: jax.Array) -> jax.Array:
    r"""Return by how much :math:`\sqrt{q_\mu}` of the only data set, an Asimov one, exceeds a threshold."""
    return safe_sqrt(deviances[0]) - threshold


class _Settings(NamedTuple):
    """What tells the limits of one data set from each other, and what they share; scalars."""

    is_observed: Any
    threshold: Any
    log_level: Any
    free_deviance: Any
    best: Any


def _excess(test_stat: str, mu: jax.Array, deviances: jax.Array, settings: _Settings) -> jax.Array:
    """Return by how much the data, or the Asimov data, are beyond the limit."""
    q = one_sided(test_stat, mu, settings.best, deviances[0] - settings.free_deviance)
    log_clsb, log_clb = log_pvalues(q, deviances[1], test_stat=test_stat)
    expected = expected_excess(mu, deviances[1:], settings.threshold)
    return jnp.where(settings.is_observed, settings.log_level - (log_clsb - log_clb), expected)


_EXCESS = {test_stat: functools.partial(_excess, test_stat) for test_stat in ("q", "qtilde")}
