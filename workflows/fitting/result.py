"""What a fit found: frozen numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from hepgrad.analysis import FitResult, Model
from hepgrad.analysis.statistics.inference import Impacts, correlation
from hepgrad.analysis.statistics.measurement import ExpectedYields, GoodnessOfFit, Scan, ToyGoodness


@dataclasses.dataclass(frozen=True)
class Significance:
    """How little the data look like background.

    ``observed`` and ``expected`` are in standard deviations: of the data, and the median for a signal of strength 1.
    ``p0`` is the probability of such an excess without signal.
    """

    observed: float
    expected: float
    p0: float


@dataclasses.dataclass(frozen=True)
class LimitCurve:
    """Upper limits on the parameter of interest, and the curves that they are read from.

    Attributes
    ----------
    level
        CLs at the limit.
    observed
        Limit.
    expected
        Limits for a background that fluctuates by (-2, -1, 0, 1, 2) standard deviations, shape (5,).
    values
        Of the parameter, shape (points,).
    cls_observed, cls_expected
        CLs there, shapes (points,) and (points, 5); NaN where a fit failed.
    """

    level: float
    observed: float
    expected: np.ndarray
    values: np.ndarray
    cls_observed: np.ndarray
    cls_expected: np.ndarray


@dataclasses.dataclass(frozen=True)
class FitNumbers:
    """A fit, and what was asked beside it: the numbers.

    Attributes
    ----------
    source
        Where the likelihood was read; empty when it was not.
    fitted
        ``"observed"`` or ``"asimov"`` data.
    model
        What was fitted.
    counts
        Events in the bins of all channels that it was fitted to, shape (bins,).
    estimates, uncertainties
        Best values and standard deviations of all components, shape (parameters,). The uncertainty of one that is at
        its bound is one-sided (see `hepgrad.analysis.FitResult`), that of one that is held is 0.
    states
        ``"free"``, ``"fixed"`` or ``"at its bound"``, of each component.
    correlation
        Shape (parameters, parameters); 0 for parameters that are held or at a bound.
    twice_nll, deviance
        Twice the negative logarithm of the likelihood, and the same less that of the saturated model.
    fixed
        Parameters that the user held.
    impacts, significance, limit, scan, goodness, toy_goodness, yields
        What was asked for; None otherwise. `yields` are those before and after the fit.
    failed
        By quantity, why it is missing, or how many of its fits failed.
    """

    source: str
    fitted: str
    model: Model
    counts: np.ndarray
    estimates: np.ndarray
    uncertainties: np.ndarray
    states: tuple[str, ...]
    correlation: np.ndarray
    twice_nll: float
    deviance: float
    fixed: Mapping[str, Any]
    impacts: Impacts | None = None
    significance: Significance | None = None
    limit: LimitCurve | None = None
    scan: Scan | None = None
    goodness: GoodnessOfFit | None = None
    toy_goodness: ToyGoodness | None = None
    yields: tuple[ExpectedYields, ExpectedYields] | None = None
    failed: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, source: str, fitted: str, model: Model, data: Any, best: FitResult, fixed: Mapping[str, Any]) -> Self:
        """Return the numbers of a fit, as NumPy arrays: they keep their precision whatever JAX is set to.

        Parameters
        ----------
        source, fitted, model, fixed
            Attributes.
        data
            As `Model.data` makes them.
        best
            Of `hepgrad.analysis.fit`.
        """
        covariance = np.asarray(best.covariance)
        return cls(
            source=source,
            fitted=fitted,
            model=model,
            counts=np.asarray(model.split(data)[0]),
            estimates=np.asarray(best.parameters),
            uncertainties=np.asarray(best.uncertainties),
            states=best.states,
            correlation=np.asarray(correlation(np.where(np.isfinite(covariance), covariance, 0))),
            twice_nll=2 * float(best.nll),
            deviance=float(best.deviance),
            fixed=fixed,
        )

    @property
    def parameter_of_interest(self) -> str | None:
        """Its name, or None."""
        return self.model.parameter_of_interest

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the components of all parameters, shape (parameters,)."""
        return self.model.parameter_names
