"""The expected discovery significance."""

from __future__ import annotations

import dataclasses

import jax

from ..fitting import fit
from ..histfactory import Model
from ..inference.guards import poi_of, warn_if_single
from ..inference.roots import safe_sqrt
from .contract import Evaluation, Objective
from .floor import FLOOR, floored
from .presentation import Merit


@dataclasses.dataclass(frozen=True)
class Discovery(Objective):
    r"""Median significance :math:`Z = \sqrt{q_0}` of the discovery of a signal, with profiled systematics.

    On Asimov data of signal and background the free fit is known, so one fit, without signal, is left. Its nuisance
    parameters minimise the likelihood, so the derivative of q_0 with respect to the templates is the one at fixed
    nuisance parameters (envelope theorem): the fit itself is not differentiated.

    Attributes
    ----------
    mu
        True value of the parameter of interest.
    floor
        Lowest background of a bin, in expected events, positive: a lower one counts as this. Without it the
        significance of a bin with signal and without background is infinite.

    Notes
    -----
    Z and its gradient are 0 without signal. The gradient is exact to first order; it must not be differentiated again.

    References
    ----------
    G. Cowan, K. Cranmer, E. Gross, O. Vitells, arXiv:1007.1727, section 4.2.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, NormSys
    >>> from hepgrad.analysis.statistics.objectives import Discovery
    >>> with jax.enable_x64(True):
    ...     background = FitSample("background", [100.0], [NormSys("xsec", hi=1.1, lo=0.9)])
    ...     samples = [FitSample("signal", [10.0], [NormFactor("mu")]), background]
    ...     print(f"{Discovery()(Model([FitChannel('SR', samples)], parameter_of_interest='mu')):.3f}")
    0.700
    """

    mu: float = 1.0
    floor: float = FLOOR

    @property
    def merit(self) -> Merit:
        """How people are told the value."""
        return Merit("Expected discovery significance", "significance")

    def evaluate(self, model: Model) -> Evaluation:
        """Return Z and whether the fit converged."""
        return self._fitted(model, search=False)

    def confirmed(self, model: Model) -> Evaluation:
        """Return Z and whether the fit converged, which looks for other maxima of the likelihood."""
        return self._fitted(model, search=True)

    def _fitted(self, model: Model, *, search: bool) -> Evaluation:
        warn_if_single("Discovery")
        poi = poi_of(model)
        model = floored(model, self.floor, model.vector({poi: 0.0}))
        asimov = model.expected_data(model.vector({poi: self.mu}))
        without_signal = fit(*jax.lax.stop_gradient((model, asimov)), fixed={poi: 0.0}, search=search, empty_bins=False)
        q0 = model.deviance(without_signal.parameters, asimov)
        return Evaluation(safe_sqrt(q0), without_signal.converged)
