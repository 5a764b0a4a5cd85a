"""How much data it takes to discover a signal."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp

from ..histfactory import Model
from ..inference.guards import poi_of, warn_if_single
from ..inference.profile import ProfilePoint, profile_point, starting_point
from ..inference.roots import Root, increasing_root, safe_sqrt
from .contract import Evaluation, Objective
from .floor import FLOOR, floored
from .presentation import Merit

_MOST = 1e6  # times the luminosity: more counts as this, the signal cannot be discovered


@dataclasses.dataclass(frozen=True)
class Luminosity(Objective):
    r"""Minus the logarithm of how many times the data are expected to discover a signal at a given significance.

    With L times the events in all bins, and the same relative uncertainties of all sources and of the simulation, the
    expected significance :math:`Z(L)` of `Discovery` grows with L towards what the systematic uncertainties allow; the
    value is :math:`-\ln L` at :math:`Z(L) = Z`. Derivatives are those of the implicit function.

    Attributes
    ----------
    significance
        Z, positive.
    luminosity
        Of the model, in ``unit``: the value is then the luminosity itself, not a multiple.
    unit
        For titles.
    floor
        Lowest background of a bin, in expected events, positive.

    Raises
    ------
    ValueError
        When a number is not positive.

    Notes
    -----
    More than a million times the luminosity, or never, counts as one million times with gradient 0.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.objectives import Luminosity
    >>> with jax.enable_x64(True):
    ...     samples = [FitSample("signal", [10.0], [NormFactor("mu")]), FitSample("background", [100.0])]
    ...     value = Luminosity()(Model([FitChannel("SR", samples)], parameter_of_interest="mu"))
    ...     print(f"{jax.numpy.exp(-value):.2f}")
    25.82
    """

    significance: float = 5.0
    _: dataclasses.KW_ONLY
    luminosity: float = 1.0
    unit: str = "times this one"
    floor: float = FLOOR

    def __post_init__(self) -> None:
        if not (self.significance > 0 and self.luminosity > 0):
            raise ValueError(f"numbers must be positive, got {self.significance} and {self.luminosity}")

    @property
    def merit(self) -> Merit:
        """How people are told the value."""
        title = f"Luminosity for a significance of {self.significance:g} [{self.unit}]"
        return Merit(title, "luminosity", logarithmic=True)

    def evaluate(self, model: Model) -> Evaluation:
        """Return minus the logarithm of the luminosity, and whether the fits converged."""
        warn_if_single("Luminosity")
        model = floored(model, self.floor, model.vector({poi_of(model): 0.0}))
        found = _search(jax.lax.stop_gradient(model), jnp.asarray(self.significance, model.initial.dtype))
        times = found.refined(_excess(model, found.x, found.carry.parameters, self.significance))
        sensible = found.reached & (times < _MOST)
        return Evaluation(
            -jnp.log(self.luminosity * jnp.where(sensible, times, _MOST)), found.converged & found.carry.converged
        )


def with_luminosity(model: Model, times: jax.Array) -> Model:
    """Return the model of so many times the data, with the same relative uncertainties.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.objectives.luminosity import with_luminosity
    >>> model = Model([FitChannel("SR", [FitSample("signal", [5.0], [NormFactor("mu")])])])
    >>> print(with_luminosity(model, 3.0).expected_data(model.initial))
    [15.]
    """
    t = model.templates
    scaled = dataclasses.replace(
        t.with_yields(lambda yields: times * yields),
        staterror_sumw2=times**2 * t.staterror_sumw2,
        shapesys_uncertainties=times * t.shapesys_uncertainties,
    )
    return Model.tree_unflatten(model.layout, (scaled,))


def _excess(model: Model, times: jax.Array, parameters: jax.Array, significance: float | jax.Array) -> jax.Array:
    """Return by how much the significance at a fit without signal exceeds the one that is wanted."""
    larger = with_luminosity(model, times)
    asimov = larger.expected_data(larger.vector({poi_of(model): 1.0}))
    return safe_sqrt(larger.deviance(parameters, asimov)) - significance


@jax.jit
def _search(model: Model, significance: jax.Array) -> Root:
    """Find the multiple of the luminosity at which the significance is reached."""
    index = model.layout.parameter_slices[poi_of(model)].start

    def function(times: jax.Array, last: ProfilePoint) -> tuple[jax.Array, jax.Array, ProfilePoint]:
        larger = with_luminosity(model, times)
        asimov = larger.expected_data(larger.vector({poi_of(model): 1.0}))
        point = profile_point(larger, asimov, index, 0.0, last, empty_bins=False)
        # by the envelope theorem at fixed nuisance parameters
        excess = functools.partial(_excess, model, parameters=point.parameters, significance=significance)
        value, slope = jax.value_and_grad(excess)(times)
        return value, slope, point

    begin = starting_point(model.vector({poi_of(model): 0.0}))
    now, *_ = function(jnp.ones((), significance.dtype), begin)
    reached = jnp.maximum(now + significance, 1e-3)
    start = jnp.clip((significance / reached) ** 2, 1e-3, 0.1 * _MOST)
    upper = jnp.asarray(_MOST, significance.dtype)
    return increasing_root(function, start, begin, upper=upper)
