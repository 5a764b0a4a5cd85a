"""Pseudo-experiments, which show whether the asymptotic formulae hold."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr

from hepgrad.ragged.tracing import is_known

from ..fitting import fit
from ..fitting.empty import any_empty
from ..fitting.newton import Minimum, minimise
from ..fitting.restarts import from_several_starts
from ..histfactory import Model
from .asymptotics import BANDS
from .batches import fits_at_once, in_batches
from .guards import component, poi_of, require, warn_if_single
from .likelihood_ratios import SAME, likelihood_ratio, one_sided
from .profile import STEPS

_AT_ONCE = 64  # pseudo-experiments that are fitted side by side, at most
MOST_FAILED = 0.01  # part of the pseudo-experiments that may be missing without biasing probabilities much


def pseudo_data(model: Model, parameters: Any, key: jax.Array, number: int) -> jax.Array:
    """Return random data of pseudo-experiments: Poisson events, and auxiliary data from their distributions.

    Parameters
    ----------
    model
    parameters
        The truth, shape (parameters,).
    key
        Random key.
    number
        Of pseudo-experiments.

    Returns
    -------
    jax.Array
        Shape (number, bins + auxiliary data); each row in the layout of `Model.data`.

    Raises
    ------
    ValueError
        When the shape of `parameters` is wrong.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.inference import pseudo_data
    >>> model = Model([FitChannel("SR", [FitSample("signal", [100.0], [NormFactor("mu")])])])
    >>> data = pseudo_data(model, model.initial, jax.random.key(1), 1000)
    >>> print(data.shape, data.mean().round(), data.std().round())
    (1000, 1) 100.0 10.0
    """
    layout, constraints = model.layout, model.constraints
    expected = model.expected_data(parameters)
    counts = np.concatenate([np.ones(layout.bins, bool), layout.has_poisson_constraint])
    width = jnp.zeros_like(expected).at[layout.bins :].set(jnp.sqrt(constraints.variance[layout.constrained]))
    shape, (for_counts, for_normal) = (number, expected.size), jax.random.split(key)
    counted = jax.random.poisson(for_counts, jnp.where(counts, expected, 0), shape).astype(expected.dtype)
    return jnp.where(counts, counted, expected + width * jax.random.normal(for_normal, shape, expected.dtype))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ToyTest:
    """The test of a signal strength by pseudo-experiments.

    Attributes
    ----------
    observed
        Test statistic of the data, scalar.
    signal, background
        Test statistic of pseudo-experiments with and without the signal, shape (number,); NaN where a fit failed from
        all starts. These, one per cent at most, are left out of all probabilities.
    """

    observed: jax.Array
    signal: jax.Array
    background: jax.Array

    @property
    def CLsb_obs(self) -> jax.Array:
        """The fraction of the pseudo-experiments with signal whose test statistic is larger, scalar."""
        return _fraction(self.signal, self.observed)

    @property
    def CLb_obs(self) -> jax.Array:
        """The same without signal, scalar."""
        return _fraction(self.background, self.observed)

    @property
    def CLs_obs(self) -> jax.Array:
        r""":math:`\text{CL}_{s+b} / \text{CL}_b`, scalar."""
        return self.CLsb_obs / self.CLb_obs

    @property
    def CLs_exp(self) -> jax.Array:
        """CLs at the quantiles of the background, shape (5,); the order is that of `HypothesisTest.CLs_exp`."""
        return jax.vmap(lambda q: _fraction(self.signal, q) / _fraction(self.background, q))(
            jnp.nanquantile(self.background, ndtr(jnp.asarray(BANDS, self.background.dtype)))
        )

    @property
    def CLs_error(self) -> jax.Array:
        """Binomial standard deviation of `CLs_obs`, scalar."""
        parts = [
            (1 - p) / (p * jnp.sum(~jnp.isnan(q)))
            for p, q in ((self.CLsb_obs, self.signal), (self.CLb_obs, self.background))
        ]
        return self.CLs_obs * jnp.sqrt(parts[0] + parts[1])

    @property
    def failed(self) -> jax.Array:
        """Number of pseudo-experiments with a failed fit, scalar."""
        return jnp.sum(jnp.isnan(self.signal)) + jnp.sum(jnp.isnan(self.background))


def toy_hypotest(
    mu: Any,
    model: Model,
    data: Any,
    key: jax.Array,
    *,
    number: int = 1000,
    test_stat: Literal["q", "qtilde"] = "qtilde",
) -> ToyTest:
    """Test a signal strength by pseudo-experiments, without asymptotic formulae.

    Nuisance parameters take their conditional best fit to the data, with and without the signal, as is the custom at
    the LHC.

    Parameters
    ----------
    mu, model, data, test_stat
        As in `hypotest`.
    key
        Random key: the same key gives the same pseudo-experiments.
    number
        Of pseudo-experiments for each of the two hypotheses.

    Returns
    -------
    ToyTest

    Raises
    ------
    ValueError
        As `hypotest`.
    FitError
        When a fit to the data does not converge, or as `toy_statistics`.

    References
    ----------
    ATLAS and CMS, Procedure for the LHC Higgs boson search combination in Summer 2011, ATL-PHYS-PUB-2011-11.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.inference import hypotest, toy_hypotest
    >>> with jax.enable_x64(True):
    ...     samples = [FitSample("signal", [10.0], [NormFactor("mu")]), FitSample("background", [50.0])]
    ...     model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    ...     toys, formula = toy_hypotest(1.0, model, [45.0], jax.random.key(0)), hypotest(1.0, model, [45.0])
    ...     print(abs(toys.CLs_obs - formula.CLs_obs) < 3 * toys.CLs_error)
    True
    """
    warn_if_single("toy_hypotest")
    if test_stat not in ("q", "qtilde"):
        raise ValueError(f"test_stat must be 'q' or 'qtilde', got {test_stat!r}")
    poi = poi_of(model)
    data = jnp.asarray(data, model.templates.nominal.dtype)
    observed = likelihood_ratio(model, data, mu, test_stat)
    truths = observed.conditional.parameters, fit(model, data, fixed={poi: 0.0}).parameters
    return ToyTest(
        observed.value,
        *(
            toy_statistics(mu, model, truth, each, number=number, test_stat=test_stat)
            for truth, each in zip(truths, jax.random.split(key), strict=True)
        ),
    )


def toy_statistics(
    mu: Any,
    model: Model,
    parameters: Any,
    key: jax.Array,
    *,
    number: int = 1000,
    test_stat: Literal["q0", "q", "qtilde"] = "qtilde",
) -> jax.Array:
    """Return the test statistic of pseudo-experiments.

    Parameters
    ----------
    mu
        The tested value; 0 for ``"q0"``.
    model
        With a parameter of interest.
    parameters
        The truth, shape (parameters,).
    key
        Random key.
    number
        Of pseudo-experiments.
    test_stat
        ``"q0"``, ``"q"`` or ``"qtilde"``.

    Returns
    -------
    jax.Array
        Shape (number,); NaN where a fit failed, from all starts.

    Raises
    ------
    ValueError
        Without a parameter of interest, or for wrong parameters.
    FitError
        Outside `jit`, when more than one per cent of the fits failed: what is left would be biased.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.inference import toy_statistics
    >>> with jax.enable_x64(True):
    ...     samples = [FitSample("signal", [10.0], [NormFactor("mu")]), FitSample("background", [50.0])]
    ...     model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    ...     q = toy_statistics(1.0, model, model.initial, jax.random.key(0))
    ...     print(f"{(q > 1.6449**2).mean():.2f}")
    0.05
    """
    warn_if_single("toy_statistics")
    poi_of(model)
    toys = pseudo_data(model, parameters, key, number)
    empty_bins = any_empty(toys[:, : model.layout.bins])
    statistics = _statistics(model, toys, jnp.asarray(mu, toys.dtype), test_stat, empty_bins=empty_bins)
    failed = jnp.isnan(statistics)
    if is_known(failed):
        require(
            failed.mean() <= MOST_FAILED,
            f"the fits of {int(failed.sum())} of {number} pseudo-experiments failed: what is left would be biased. Fit "
            "one of them (`fit(model, pseudo_data(...)[i])` with the same key) to see which parameters are to blame",
        )
    return statistics


@functools.partial(jax.jit, static_argnames=("test_stat", "empty_bins"))
def _statistics(model: Model, toys: jax.Array, mu: jax.Array, test_stat: str, *, empty_bins: bool) -> jax.Array:
    index = component(model, None)
    free = jnp.stack([~model.fixed] * 2).at[1, index].set(False)
    start = jnp.stack([model.initial] * 2).at[1, index].set(mu)
    bounds = model.bounds
    inside = (mu >= bounds[index, 0]) & (mu <= bounds[index, 1])
    if test_stat == "qtilde":
        bounds = bounds.at[index, 0].set(jnp.maximum(bounds[index, 0], 0))

    def statistic(data: jax.Array) -> jax.Array:
        def fit_one(start: jax.Array, free: jax.Array) -> Minimum:
            def attempt(start: jax.Array) -> Minimum:
                start = jnp.where(free, jnp.clip(start, *bounds.T), start)
                return minimise(model, data, start, free, bounds, max_steps=STEPS, empty_bins=empty_bins)

            return from_several_starts(attempt, model, start, free)

        def fit_both(state: _Toy) -> _Toy:
            # both fits side by side: the program compiles once
            fits = jax.vmap(fit_one)(state.start, free)
            q = one_sided(test_stat, mu, fits.parameters[0, index], 2 * (fits.value[1] - fits.value[0]))
            # a free fit that ends above the conditional one has found another minimum: once more, from there
            above = inside & (fits.value[0] > fits.value[1] + SAME)
            again = state.start.at[0].set(fits.parameters[1])
            return _Toy(again, jnp.where(fits.converged.all() & ~above, q, jnp.nan), above, state.rounds + 1)

        begin = _Toy(start, jnp.zeros((), toys.dtype), jnp.array(True), jnp.array(0))
        return jax.lax.while_loop(lambda state: state.again & (state.rounds < 2), fit_both, begin).statistic

    return in_batches(statistic, toys, size=fits_at_once(model.layout, _AT_ONCE))


class _Toy(NamedTuple):
    start: jax.Array
    statistic: jax.Array
    again: jax.Array
    rounds: jax.Array


def _fraction(statistics: jax.Array, observed: jax.Array) -> jax.Array:
    return jnp.sum(statistics >= observed) / jnp.sum(~jnp.isnan(statistics))
