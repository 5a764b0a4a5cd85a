"""Expected discovery significance from the Asimov data set."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.ragged.tracing import is_known

_NOTHING = 1e-18  # events: not zero, because yields divide, and its square is still a float32 number
_GRID = 17  # points of the scan that brackets the minimum
_STEPS = 12  # of Newton's method; yields over eight orders of magnitude need six


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class BackgroundOnlyFit:
    """The fit of the background-only hypothesis to the Asimov data of signal plus background.

    Attributes
    ----------
    q0 : jax.Array
        Test statistic, twice the difference in negative log-likelihood to the (perfect) free fit, scalar.
    alpha : jax.Array
        Pull of the background normalisation, in standard deviations, scalar.
    gamma : jax.Array
        Scale factor of the background in each bin, within the uncertainty of the simulation, shape of the yields.
    converged : jax.Array
        Whether `alpha` solves its equation to rounding accuracy, scalar bool.
    """

    q0: jax.Array
    alpha: jax.Array
    gamma: jax.Array
    converged: jax.Array

    @property
    def significance(self) -> jax.Array:
        """The square root of `q0`, scalar; its derivative at 0 is 0."""
        return _safe_sqrt(self.q0)


def discovery_significance(
    signal: jax.Array,
    background: jax.Array,
    *,
    background_uncertainty: jax.Array | float = 0.0,
    background_variance: jax.Array | None = None,
    background_floor: float = 1e-3,
) -> jax.Array:
    r"""Median significance with which an experiment would discover the signal.

    :math:`Z = \sqrt{q_0}` on the Asimov data :math:`n_i = s_i + b_i` of the binned model

    .. math:: n_i \sim \text{Poisson}(\mu s_i + \gamma_i b_i (1 + u)^\alpha), \quad \alpha \sim N(0, 1), \quad
              \gamma_i \sim N(1, \sqrt{v_i} / b_i),

    with one normalisation uncertainty :math:`u` (HistFactory ``normsys``, code 1, ``hi = 1 + u``, ``lo = 1 / hi``)
    and the uncertainty of the simulated background (``staterror``). The free fit is known, so one fit at
    :math:`\mu = 0` is left: each :math:`\gamma_i` has a closed form and :math:`\alpha` takes a fixed number of
    Newton steps. First and second derivatives are exact: the last Newton step is differentiated.

    Conventions at the edges: the significance of a bin with signal and without background is infinite, so a
    background below `background_floor` counts as the floor, which can only lower Z. Bins with background
    only constrain :math:`\alpha`; empty bins do nothing. A background below zero counts as zero, a signal below
    minus the background as minus the background. Z and its gradient are 0 without signal.

    Parameters
    ----------
    signal, background : jax.Array
        Expected yields, same shape, every element a bin (concatenate channels).
    background_uncertainty : jax.Array or float
        Relative uncertainty u >= 0 of the background normalisation, common to all bins: 0.1 means 10 %.
    background_variance : jax.Array, optional
        Variance of `background` due to the finite simulation (``sumw2``), same shape. Zero by default.
    background_floor : float
        Smallest background of a bin, in expected events, positive.

    Returns
    -------
    jax.Array
        Z, scalar; float32, or float64 if an input is.

    Raises
    ------
    ValueError
        If shapes do not fit, the uncertainty or the variance is negative, or (outside `jit`) all yields are zero.

    References
    ----------
    G. Cowan, K. Cranmer, E. Gross, O. Vitells, Asymptotic formulae for likelihood-based tests of new physics,
    arXiv:1007.1727. J. S. Conway, Incorporating nuisance parameters in likelihoods for multisource spectra,
    arXiv:1103.0354 (one gamma per bin).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics import discovery_significance
    >>> s, b = jnp.array([5.0, 10.0]), jnp.array([50.0, 20.0])
    >>> print(f"{discovery_significance(s, b):.3f}")
    2.194
    >>> print(f"{discovery_significance(s, b, background_uncertainty=0.1, background_variance=b):.3f}")
    1.406
    """
    fit = background_only_fit(
        signal,
        background,
        background_uncertainty=background_uncertainty,
        background_variance=background_variance,
        background_floor=background_floor,
    )
    return fit.significance


def background_only_fit(
    signal: jax.Array,
    background: jax.Array,
    *,
    background_uncertainty: jax.Array | float = 0.0,
    background_variance: jax.Array | None = None,
    background_floor: float = 1e-3,
) -> BackgroundOnlyFit:
    """Fit the background-only hypothesis to the Asimov data of `discovery_significance`.

    Parameters
    ----------
    signal, background, background_uncertainty, background_variance, background_floor
        As in `discovery_significance`.

    Returns
    -------
    BackgroundOnlyFit
        Test statistic, fitted nuisance parameters and a flag of convergence. Derivatives are exact to second order
        for ``q0`` and to first order for ``alpha`` and ``gamma``.

    Raises
    ------
    ValueError
        As `discovery_significance`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics import background_only_fit
    >>> fit = background_only_fit(jnp.array([10.0]), jnp.array([100.0]), background_uncertainty=0.1)
    >>> print(f"{fit.alpha:.2f}", fit.gamma, fit.converged)
    0.49 [1.] True
    """
    _check_yields(signal, background, background_uncertainty, background_variance, background_floor)
    variance = 0.0 if background_variance is None else background_variance
    arrays = (signal, background, variance, background_uncertainty)
    dtype = jnp.promote_types(jnp.result_type(*arrays), jnp.float32)
    s, b, v, u = (jnp.asarray(array, dtype) for array in arrays)
    # Bins with neither signal nor background must not count at all: not even as a floor that kappa can magnify.
    empty = (s <= 0) & (b <= 0)
    b = jnp.where(empty, _NOTHING, jnp.maximum(b, jnp.asarray(background_floor, dtype)))
    s = jnp.where(empty, 0, jnp.maximum(s, -b))
    v = jnp.where(empty, 0, v)
    return _fit(_Model(s, b, v, jnp.log1p(u)))


def asimov_z(
    signal: jax.Array | float,
    background: jax.Array | float,
    background_sigma: jax.Array | float = 0.0,
    *,
    background_floor: float = 1e-3,
) -> jax.Array:
    r"""Median discovery significance of one counting experiment, in closed form.

    With :math:`n = s + b`, :math:`\tau = b / \sigma^2` and :math:`\hat b = (n + \tau b) / (1 + \tau)`,

    .. math:: Z = \sqrt{2 \left[ n \ln \frac{n}{\hat b} + \tau b \ln \frac{b}{\hat b} \right]}

    and without background uncertainty :math:`Z = \sqrt{2 [(s + b) \ln(1 + s / b) - s]}`; it is evaluated without
    cancellation, so it holds down to :math:`Z \to s / \sqrt{b + \sigma^2}` for a small signal. Here the uncertainty
    comes from a Poisson-distributed control measurement, in `discovery_significance` from a log-normal factor.

    Parameters
    ----------
    signal, background : jax.Array or float
        Expected yields; any shapes that broadcast. A background below `background_floor` counts as the floor, a
        signal below minus the background as minus the background; a negative signal gives a negative Z.
    background_sigma : jax.Array or float
        Absolute uncertainty of the background, in events.
    background_floor : float
        Smallest background, in expected events, positive.

    Returns
    -------
    jax.Array
        Z of each element; float32, or float64 if an input is.

    References
    ----------
    G. Cowan, Discovery sensitivity for a counting experiment with background uncertainty (2012), eqs. 19 and 20.

    Examples
    --------
    >>> from hepgrad.analysis.statistics import asimov_z
    >>> print(f"{asimov_z(10.0, 100.0):.4f} {asimov_z(10.0, 100.0, 10.0):.4f}")
    0.9840 0.6902
    """
    dtype = jnp.promote_types(jnp.result_type(signal, background, background_sigma), jnp.float32)
    b = jnp.maximum(jnp.asarray(background, dtype), jnp.asarray(background_floor, dtype))
    s = jnp.maximum(jnp.asarray(signal, dtype), -b)
    variance = jnp.asarray(background_sigma, dtype) ** 2
    share = b / (b + variance)  # of the signal, that the refitted background cannot absorb
    excess = s * share
    # b * mu, with mu / variance the refitted yield of the control measurement: finite when the variance is zero
    control = b**2 + excess * variance
    terms = _deviance_ratio(excess / (b + s - excess)) / (b + s - excess)
    terms += _deviance_ratio(-excess * variance / control) * variance / control
    return excess * jnp.sqrt(2 * terms)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Model:
    """The likelihood at mu = 0, on Asimov data, as a function of alpha only.

    With kappa = (1 + u)**alpha the background y = gamma b of a bin minimises
    2 (kappa y - n ln(kappa y)) + (y - b)**2 / v, which is a quadratic equation in y.
    """

    signal: jax.Array
    background: jax.Array
    variance: jax.Array
    log_hi: jax.Array

    def _bin_terms(self, alpha: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """Return kappa, y - b, excess n - kappa y, and the relative excess (n - kappa y) / (kappa y)."""
        s, b, v = self.signal, self.background, self.variance
        kappa = jnp.exp(alpha * self.log_hi)
        unfitted = s - b * jnp.expm1(alpha * self.log_hi)  # n - kappa b, without cancellation
        root = _safe_sqrt((b - kappa * v) ** 2 + 4 * (s + b) * v)
        denominator = b + kappa * v + root
        shift = 2 * v * unfitted / denominator
        return kappa, shift, 2 * (b + shift) * unfitted / denominator, 2 * unfitted / (kappa * denominator)

    def profiled_background(self, alpha: jax.Array) -> jax.Array:
        return self.background + self._bin_terms(alpha)[1]

    def slope_and_curvature(self, alpha: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Half the first and second derivative of the profiled -2 ln L with respect to alpha."""
        kappa, shift, excess, _ = self._bin_terms(alpha)
        y = self.background + shift
        response = (
            kappa
            * (y + shift)
            * y**2
            / jnp.maximum(y**2 + (self.signal + self.background) * self.variance, np.finfo(y.dtype).tiny)
        )
        return alpha - self.log_hi * jnp.sum(excess), 1 + self.log_hi**2 * jnp.sum(response)

    def slope_scale(self, alpha: jax.Array) -> jax.Array:
        """Size of the terms that cancel in the slope."""
        pull = jnp.abs(jnp.expm1(alpha * self.log_hi))
        return self.log_hi * jnp.sum(jnp.abs(self.signal) + self.background * pull)

    def q0(self, alpha: jax.Array) -> jax.Array:
        kappa, _, excess, relative = self._bin_terms(alpha)
        # (y - b)**2 / v is v (kappa relative)**2, without the division
        return jnp.sum(2 * excess * relative * _deviance_ratio(relative) + self.variance * (kappa * relative) ** 2) + (
            alpha**2
        )

    def solve(self) -> jax.Array:
        """Find alpha by Newton steps that stay inside a shrinking bracket around the global minimum."""
        ratio = jnp.log1p(self.signal / self.background)
        # kappa lies between the extremes of n / b, and alpha**2 alone may not exceed q0 at alpha = 0
        reach = jnp.sqrt(self.q0(jnp.zeros_like(self.log_hi)))
        scale = jnp.where(self.log_hi > 0, self.log_hi, 1)
        lower = -jnp.minimum(reach, -jnp.min(ratio, initial=0.0) / scale)
        upper = jnp.minimum(reach, jnp.max(ratio, initial=0.0) / scale)
        # Far from zero the profile can have a second minimum, where the simulation's Gaussian gives up on a bin.
        grid = lower + (upper - lower) * jnp.linspace(0, 1, _GRID, dtype=ratio.dtype)
        best = jnp.argmin(jax.vmap(self.q0)(grid))
        bracket = grid[jnp.maximum(best - 1, 0)], grid[jnp.minimum(best + 1, _GRID - 1)]

        def step(_: int, state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
            alpha, lower, upper = state
            slope, curvature = self.slope_and_curvature(alpha)
            lower, upper = jnp.where(slope <= 0, alpha, lower), jnp.where(slope >= 0, alpha, upper)
            newton = alpha - slope / jnp.where(curvature > 0, curvature, 1)
            inside = (curvature > 0) & (newton >= lower) & (newton <= upper)
            return jnp.where(inside, newton, 0.5 * (lower + upper)), lower, upper

        alpha: jax.Array = jax.lax.fori_loop(0, _STEPS, step, (grid[best], *bracket))[0]
        return jnp.where(self.log_hi > 0, alpha, 0)


# Compiled on its own, so that a call outside `jit` compiles once for each number of bins.
@jax.jit
def _fit(model: _Model) -> BackgroundOnlyFit:
    fitted = jax.lax.stop_gradient(model)
    alpha = fitted.solve()
    slope, curvature = fitted.slope_and_curvature(alpha)
    # The differentiable slope gives alpha its derivative (implicit function theorem); its value is zero to rounding.
    alpha = alpha - model.slope_and_curvature(alpha)[0] / curvature
    return BackgroundOnlyFit(
        q0=model.q0(alpha),
        alpha=alpha,
        gamma=model.profiled_background(alpha) / model.background,
        converged=jnp.abs(slope) <= 100 * np.finfo(slope.dtype).eps * (1 + fitted.slope_scale(alpha)),
    )


def _deviance_ratio(r: jax.Array) -> jax.Array:
    """Return ((1 + r) ln(1 + r) - r) / r**2 for r >= -1, accurate at r = 0, where it is 1/2.

    With r = 2 t / (1 - t) the logarithm is 2 atanh(t), whose series leaves nothing to cancel.
    """
    small = jnp.abs(r) < 0.25
    t = jnp.where(small, r, 0) / (2 + jnp.where(small, r, 0))
    series = jnp.polyval(jnp.asarray([1 / k for k in range(19, 1, -2)], r.dtype), t**2)
    near = (1 - t) * (1 + t * (1 + t) * series) / 2
    far = jnp.where(small, 1, jnp.maximum(r, -1))
    empty = far <= -1
    logarithm = jnp.log1p(jnp.where(empty, 1, far))
    product = jnp.where(empty, 0, (1 + far) * logarithm)
    return jnp.where(small, near, (product - far) / far**2)


def _safe_sqrt(x: jax.Array) -> jax.Array:
    """Return the square root with gradient 0, not infinity, at 0; NaN stays NaN."""
    return jnp.where(x <= 0, 0, jnp.sqrt(jnp.where(x <= 0, 1, x)))


def _check_yields(
    signal: jax.Array,
    background: jax.Array,
    uncertainty: jax.Array | float,
    variance: jax.Array | None,
    floor: float,
) -> None:
    shape = jnp.shape(signal)
    if jnp.shape(background) != shape:
        raise ValueError(f"signal and background need one shape, got {shape} and {jnp.shape(background)}")
    if variance is not None and jnp.shape(variance) not in (shape, ()):
        raise ValueError(f"background_variance must have the shape of background, {shape}, got {jnp.shape(variance)}")
    if jnp.ndim(uncertainty) != 0:
        raise ValueError(
            "background_uncertainty is one relative uncertainty, common to all bins; "
            f"got an array of shape {jnp.shape(uncertainty)}"
        )
    if not floor > 0:
        raise ValueError(f"background_floor must be positive, got {floor}")
    if is_known(uncertainty) and uncertainty < 0:
        raise ValueError(f"background_uncertainty must not be negative, got {uncertainty}")
    if variance is not None and is_known(variance) and (np.asarray(variance) < 0).any():
        raise ValueError(f"background_variance must not be negative, got {np.asarray(variance).min()}")
    if is_known(signal) and is_known(background) and not (np.any(signal) or np.any(background)):
        raise ValueError("all signal and background yields are zero: the selection leaves nothing to count")
