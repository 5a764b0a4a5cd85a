"""What an optimiser maximises."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from ..histfactory import Model
from .presentation import Merit


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

    @property
    def believed(self) -> jax.Array:
        """The value, or NaN where a fit behind it did not converge: what may be told without the flag."""
        return jnp.where(self.converged, self.value, jnp.nan)

    @classmethod
    def of(cls, result: Judgement) -> Evaluation:
        """Return what a function of the user returned, with the flag that it had, or else whether it is finite.

        Parameters
        ----------
        result
            A value, or an evaluation, which is not to be believed either unless it is finite.

        Raises
        ------
        ValueError
            When the value is not one number.

        Examples
        --------
        >>> import jax.numpy as jnp
        >>> from hepgrad.analysis.statistics.objectives import Evaluation
        >>> [bool(Evaluation.of(value).converged) for value in (jnp.array(2.0), jnp.array(jnp.nan))]
        [True, False]
        """
        value, converged = result if isinstance(result, Evaluation) else Evaluation(result, jnp.asarray(True))
        if jnp.shape(value) != ():
            raise ValueError(f"an objective must return one number, got an array of shape {jnp.shape(value)}")
        return cls(jnp.asarray(value), jnp.isfinite(value) & converged)


# what a function of the user may return
Judgement: TypeAlias = jax.Array | Evaluation


class Objective(abc.ABC):
    """A figure of merit of a statistical model; larger is better.

    Objectives are functions of the model's templates only: data enter as Asimov data, so nothing is unblinded. They
    work inside `jit` and under `value_and_grad` with respect to the model. A fit that fails cannot raise an error
    there, nor may it spoil the parameters of the optimiser with NaN: `evaluate` returns a flag with the value, for the
    optimiser to act on. Calling the objective returns the value alone, NaN where the flag is false.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.objectives import objective
    >>> with jax.enable_x64(True):
    ...     samples = [FitSample("signal", [10.0], [NormFactor("mu")]), FitSample("background", [100.0])]
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

    def confirmed(self, model: Model) -> Evaluation:
        """Return value and flag with fits that look for other maxima of the likelihood, from several starts.

        A fit that stops at a lower maximum makes a figure of merit too good: what is compared with others and told to
        people is confirmed. An objective that makes no such fits has nothing to confirm.

        Parameters
        ----------
        model
            As for `evaluate`.
        """
        return self.evaluate(model)

    @property
    def merit(self) -> Merit:
        """How people are told the value."""
        return Merit("Objective", "objective")

    def __call__(self, model: Model) -> jax.Array:
        """Return the value alone, scalar; NaN where a fit did not converge."""
        return self.evaluate(model).believed


@dataclasses.dataclass(frozen=True)
class UserObjective(Objective):
    """An objective from a function of the user.

    Attributes
    ----------
    function
        From a model to a scalar, larger is better, or to an `Evaluation`, the scalar and whether to believe it;
        differentiable by JAX.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.objectives import UserObjective
    >>> model = Model([FitChannel("SR", [FitSample("signal", [10.0], [NormFactor("mu")])])])
    >>> print(UserObjective(lambda model: model.expected_data(model.initial).sum())(model))
    10.0
    """

    function: Callable[[Model], Judgement]

    def evaluate(self, model: Model) -> Evaluation:
        """Return the value of the function; the flag is its own, or else whether the value is finite."""
        return Evaluation.of(self.function(model))
