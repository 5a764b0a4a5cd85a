"""The expected exclusion of a signal: its CLs, and the upper limit on its strength."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from ..fitting import fit
from ..histfactory import Model
from ..inference.asymptotics import expected_threshold, log_expected_cls
from ..inference.guards import poi_of, warn_if_single
from ..inference.limits import crossing, expected_excess
from .contract import Evaluation, Objective
from .floor import FLOOR, floored
from .presentation import Merit

_WORST = 1e6  # a limit above counts as this: the signal has no effect


@dataclasses.dataclass(frozen=True)
class CLs(Objective):
    r"""Minus the logarithm of the CLs that is expected without signal, with profiled systematics.

    As `Discovery` one fit, with the signal, to Asimov data without it, and the envelope theorem.

    Attributes
    ----------
    mu
        Tested value of the parameter of interest.
    band
        Fluctuation of the background in standard deviations, upward positive; 0 is the median.
    floor
        Lowest background of a bin, in expected events, positive.

    References
    ----------
    G. Cowan, K. Cranmer, E. Gross, O. Vitells, arXiv:1007.1727, section 4.3.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.objectives import CLs
    >>> with jax.enable_x64(True):
    ...     samples = [FitSample("signal", [20.0], [NormFactor("mu")]), FitSample("background", [100.0])]
    ...     value = CLs()(Model([FitChannel("SR", samples)], parameter_of_interest="mu"))
    ...     print(f"{jax.numpy.exp(-value):.4f}")
    0.0601
    """

    mu: float = 1.0
    band: float = 0.0
    floor: float = FLOOR

    @property
    def merit(self) -> Merit:
        """How people are told the value."""
        return Merit("Expected CLs", "CLs", logarithmic=True)

    def evaluate(self, model: Model) -> Evaluation:
        """Return minus the logarithm of CLs and whether the fit converged."""
        return self._fitted(model, search=False)

    def confirmed(self, model: Model) -> Evaluation:
        """Return the same with a fit that looks for other maxima of the likelihood."""
        return self._fitted(model, search=True)

    def _fitted(self, model: Model, *, search: bool) -> Evaluation:
        warn_if_single("CLs")
        poi = poi_of(model)
        background = model.vector({poi: 0.0})
        model = floored(model, self.floor, background)
        asimov = model.expected_data(background)
        with_signal = fit(
            *jax.lax.stop_gradient((model, asimov)), fixed={poi: self.mu}, search=search, empty_bins=False
        )
        q = model.deviance(with_signal.parameters, asimov)
        return Evaluation(-log_expected_cls(q, [-self.band])[0], with_signal.converged)


@dataclasses.dataclass(frozen=True)
class Limit(Objective):
    r"""Minus the logarithm of the upper limit that is expected without signal, with profiled systematics.

    Attributes
    ----------
    level
        One minus the confidence level.
    band
        Fluctuation of the background in standard deviations, upward positive; 0 is the median.
    floor
        Lowest background of a bin, in expected events, positive.
    cross_section
        Of the signal with strength 1, in ``unit``: the limit is then one on the cross-section, not on the strength.
        Leave its theoretical uncertainties out of the sources.
    unit
        Of the cross-section.

    Raises
    ------
    ValueError
        When the level is not between 0 and 1, or the cross-section not positive.

    Notes
    -----
    A limit above one million, or none at all, counts as one million with gradient 0.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.objectives import Limit
    >>> with jax.enable_x64(True):
    ...     samples = [FitSample("signal", [20.0], [NormFactor("mu")]), FitSample("background", [100.0])]
    ...     value = Limit()(Model([FitChannel("SR", samples)], parameter_of_interest="mu"))
    ...     print(f"{jax.numpy.exp(-value):.3f}")
    1.045
    """

    level: float = 0.05
    band: float = 0.0
    floor: float = FLOOR
    cross_section: float | None = None
    unit: str = "pb"

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"level must lie between 0 and 1 (0.05 for 95 % confidence), got {self.level}")
        if self.cross_section is not None and not self.cross_section > 0:
            raise ValueError(f"the cross-section must be positive, got {self.cross_section}")

    @property
    def merit(self) -> Merit:
        """How people are told the value."""
        confidence = f"({1 - self.level:.0%} CL)"
        if self.cross_section is None:
            return Merit(f"Expected upper limit on the signal strength {confidence}", "upper limit", logarithmic=True)
        return Merit(f"Expected upper limit on the cross-section {confidence} [{self.unit}]", "upper limit", True)

    def evaluate(self, model: Model) -> Evaluation:
        """Return minus the logarithm of the limit and whether the fits converged."""
        warn_if_single("Limit")
        background = model.vector({poi_of(model): 0.0})
        model = floored(model, self.floor, background)
        asimov = model.expected_data(background)
        threshold = jnp.asarray(expected_threshold(self.level, [-self.band])[0], asimov.dtype)
        limit = crossing(expected_excess, model, asimov[None], background, threshold, threshold, empty_bins=False)
        sensible = limit.reached & (limit.value < _WORST)
        value = jnp.where(sensible, limit.value, _WORST) * (self.cross_section or 1.0)
        return Evaluation(-jnp.log(value), limit.converged)
