"""Figures of merit that count events in bins, without a fit."""

from __future__ import annotations

import abc
import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..asimov import asimov_z
from ..fitting.hessian import variances
from ..histfactory import Model
from ..inference.guards import poi_of
from ..inference.roots import safe_sqrt
from .contract import Evaluation, Objective
from .floor import FLOOR, floored
from .presentation import Merit


class ExpectedCounts(NamedTuple):
    """What is expected in each bin, shape (bins,) each.

    The variance is the squared uncertainty of the background.
    """

    signal: jax.Array
    background: jax.Array
    variance: jax.Array


@dataclasses.dataclass(frozen=True)
class CountingObjective(Objective):
    r"""Base of the figures of merit that add up bins in quadrature, :math:`Z^2 = \sum_b Z_b^2`.

    The signal is the difference that the parameter of interest makes between 0 and 1; the background's variance adds up
    all auxiliary measurements before the fit, :math:`\sum_p (\partial b / \partial \theta_p)^2 \sigma_p^2`. Bins count
    as independent measurements, so a systematic uncertainty that is common to all bins is underestimated, and nothing
    is constrained by the data: good for a start, not for the result, which `Discovery` gives.

    Attributes
    ----------
    floor
        Lowest background of a bin, in expected events, positive.
    """

    floor: float = FLOOR

    @property
    def merit(self) -> Merit:
        """How people are told the value."""
        return Merit("Expected significance from counts", "significance")

    def evaluate(self, model: Model) -> Evaluation:
        """Return Z; there is nothing to converge."""
        z2 = self.squared_significance(counts(model, self.floor))
        return Evaluation(safe_sqrt(jnp.sum(z2)), jnp.array(True))

    @abc.abstractmethod
    def squared_significance(self, counts: ExpectedCounts) -> jax.Array:
        """Return the square of each bin's significance, shape (bins,)."""


@dataclasses.dataclass(frozen=True)
class AsimovZ(CountingObjective):
    """The Asimov significance of counting experiments with background uncertainty, `asimov_z`.

    Attributes
    ----------
    floor
        Lowest background of a bin, in expected events, positive.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, NormSys
    >>> from hepgrad.analysis.statistics.objectives import AsimovZ
    >>> background = FitSample("background", [100.0], [NormSys("xsec", hi=1.1, lo=0.9)])
    >>> samples = [FitSample("signal", [10.0], [NormFactor("mu")]), background]
    >>> print(f"{AsimovZ()(Model([FitChannel('SR', samples)], parameter_of_interest='mu')):.3f}")
    0.690
    """

    def squared_significance(self, counts: ExpectedCounts) -> jax.Array:
        """Return the square of each bin's significance, shape (bins,)."""
        return asimov_z(counts.signal, counts.background, safe_sqrt(counts.variance), background_floor=self.floor) ** 2


@dataclasses.dataclass(frozen=True)
class SOverSqrtB(CountingObjective):
    r""":math:`s / \sqrt b` of each bin.

    Attributes
    ----------
    floor
        Lowest background of a bin, in expected events, positive.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.objectives import SOverSqrtB
    >>> samples = [FitSample("signal", [10.0], [NormFactor("mu")]), FitSample("background", [100.0])]
    >>> print(SOverSqrtB()(Model([FitChannel("SR", samples)], parameter_of_interest="mu")))
    1.0
    """

    def squared_significance(self, counts: ExpectedCounts) -> jax.Array:
        """Return the square of each bin's significance, shape (bins,)."""
        return counts.signal**2 / counts.background


@dataclasses.dataclass(frozen=True)
class SOverSqrtSPlusB(CountingObjective):
    r""":math:`s / \sqrt{s + b}` of each bin, the inverse relative uncertainty of a measured signal.

    Attributes
    ----------
    floor
        Lowest background of a bin, in expected events, positive.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.objectives import SOverSqrtSPlusB
    >>> samples = [FitSample("signal", [10.0], [NormFactor("mu")]), FitSample("background", [90.0])]
    >>> print(SOverSqrtSPlusB()(Model([FitChannel("SR", samples)], parameter_of_interest="mu")))
    1.0
    """

    def squared_significance(self, counts: ExpectedCounts) -> jax.Array:
        """Return the square of each bin's significance, shape (bins,)."""
        return counts.signal**2 / (jnp.maximum(counts.signal, 0) + counts.background)


@dataclasses.dataclass(frozen=True)
class SOverSqrtBPlusVariance(CountingObjective):
    r""":math:`s / \sqrt{b + \sigma_b^2}` of each bin, with the uncertainty of the background.

    Attributes
    ----------
    floor
        Lowest background of a bin, in expected events, positive.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, ShapeSys
    >>> from hepgrad.analysis.statistics.objectives import SOverSqrtBPlusVariance
    >>> background = FitSample("background", [64.0], [ShapeSys("model", uncertainties=[6.0])])
    >>> samples = [FitSample("signal", [10.0], [NormFactor("mu")]), background]
    >>> print(SOverSqrtBPlusVariance()(Model([FitChannel("SR", samples)], parameter_of_interest="mu")))
    1.0
    """

    def squared_significance(self, counts: ExpectedCounts) -> jax.Array:
        """Return the square of each bin's significance, shape (bins,)."""
        return counts.signal**2 / (counts.background + counts.variance)


@jax.jit
def counts(model: Model, floor: float) -> ExpectedCounts:
    """Return signal, background and its variance of each bin, at the start values of the nuisance parameters.

    ``floor`` is the lowest background, in expected events.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, StatError
    >>> from hepgrad.analysis.statistics.objectives.event_counts import counts
    >>> background = FitSample("background", [64.0, 20.0], [StatError("mc", sumw2=[36.0, 4.0])])
    >>> samples = [FitSample("signal", [10.0, 0.0], [NormFactor("mu")]), background]
    >>> print(*counts(Model([FitChannel("SR", samples)], parameter_of_interest="mu"), 1e-3))
    [10.  0.] [64. 20.] [36.  4.]
    """
    poi = poi_of(model)
    without_signal = model.vector({poi: 0.0})
    model = floored(model, floor, without_signal)
    background = model.expected_actualdata(without_signal)
    signal = model.expected_actualdata(model.vector({poi: 1.0})) - background
    return ExpectedCounts(signal, background, variances(model, without_signal, _deviations(model)))


def _deviations(model: Model) -> jax.Array:
    """Return the uncertainty of each auxiliary measurement, 0 for other and fixed parameters, shape (parameters,)."""
    constraints = model.constraints
    information = constraints.information(model.initial)
    known = (information > 0) & ~constraints.fixed
    return jnp.where(known, jax.lax.rsqrt(jnp.where(known, information, 1)), 0)
