"""What an optimiser maximises."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..histfactory import Model


class Evaluation(NamedTuple):
    """The value of an objective, and whether to believe it.

    Attributes
    ----------
    value
        Scalar; larger is better. Finite, and so is its gradient.
    converged
        Whether the fits behind it converged, scalar bool. Where they did not, `value` belongs to the parameters that
        they reached.
    """

    value: jax.Array
    converged: jax.Array


class Objective(abc.ABC):
    """A figure of merit of a statistical model; larger is better.

    Objectives are functions of the model's templates only: data enter as Asimov data, so nothing is unblinded. They
    work inside `jit` and under `value_and_grad` with respect to the model. A fit that fails cannot raise an error
    there, nor may it spoil the parameters of the optimiser with NaN: `evaluate` returns a flag with the value, for the
    optimiser to act on. Calling the objective returns the value alone.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, Model, NormFactor, Sample
    >>> from hepgrad.analysis.statistics.objectives import objective
    >>> with jax.enable_x64(True):
    ...     samples = [Sample("signal", [10.0], [NormFactor("mu")]), Sample("background", [100.0])]
    ...     model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    ...     value, gradient = jax.value_and_grad(objective("discovery"))(model)
    ...     print(f"{value:.3f}", gradient.templates.nominal[:, 0].round(4))
    0.984 [-0.0048  0.0969]
    """

    @abc.abstractmethod
    def evaluate(self, model: Model) -> Evaluation:
        """Return value and flag.

        Parameters
        ----------
        model
            Built from the histograms under optimisation.
        """

    def __call__(self, model: Model) -> jax.Array:
        """Return the value alone, scalar."""
        return self.evaluate(model).value


@dataclasses.dataclass(frozen=True)
class UserObjective(Objective):
    """An objective from a function of the user.

    Attributes
    ----------
    function
        From a model to a scalar, larger is better; differentiable by JAX.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, Model, NormFactor, Sample
    >>> from hepgrad.analysis.statistics.objectives import UserObjective
    >>> model = Model([FitChannel("SR", [Sample("signal", [10.0], [NormFactor("mu")])])])
    >>> print(UserObjective(lambda model: model.expected_data(model.initial).sum())(model))
    10.0
    """

    function: Callable[[Model], jax.Array]

    def evaluate(self, model: Model) -> Evaluation:
        """Return the value of the function; the flag is whether it is finite."""
        value = self.function(model)
        if jnp.shape(value) != ():
            raise ValueError(f"an objective must return one number, got an array of shape {jnp.shape(value)}")
        return Evaluation(value, jnp.isfinite(value))
