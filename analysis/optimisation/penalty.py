"""Penalties: what is taken off the objective where a result would be useless, however significant."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from ..analysis import Analysis
from ..histogram import Counts
from ..parameters.parameters import Parameters
from ..printing import as_names
from ..systematics import ABCD


class Penalty(Protocol):
    """What `optimize` subtracts from the objective, in the soft reading as in the hard one.

    `MinimumYield`, `MaximumChange` and `NonClosure` are three; any function of this form that JAX can differentiate is
    another.
    """

    def __call__(
        self, analysis: Analysis, processes: Sequence[str], histograms: Mapping[str, Counts], parameters: Parameters
    ) -> jax.Array:
        """Return the penalty, in units of the objective: 0 where all is well, positive elsewhere.

        Parameters
        ----------
        analysis
            For the axes of its channels.
        processes
            The names of the histograms' rows.
        histograms
            By channel, `Counts` of shape (processes, bins + 2).
        parameters
            The cut values.
        """


@dataclasses.dataclass(frozen=True)
class MinimumYield:
    r"""Ask for a minimum of expected events in every bin of every channel.

    .. math:: \text{strength} \sum_\text{bins} \max(0, 1 - n / \text{minimum})^2

    has a continuous derivative and is 0 where every bin has enough, so that it moves no optimum that respects it. A
    bin that would gain from being emptier ends slightly below the minimum: the closer, the larger the strength.

    Attributes
    ----------
    minimum
        Expected events, positive.
    processes
        Which processes count; all by default. Name the backgrounds to keep their expectation trustworthy.
    strength
        What an empty bin costs, in units of the objective.

    Raises
    ------
    ValueError
        When a number is not positive, or (when it is used) there is no such process.

    Examples
    --------
    >>> from hepgrad.analysis import MinimumYield
    >>> MinimumYield(3.0, processes=("ttbar", "wjets"))
    MinimumYield(minimum=3.0, processes=('ttbar', 'wjets'), strength=10.0)
    """

    minimum: float
    _: dataclasses.KW_ONLY
    processes: Sequence[str] = ()
    strength: float = 10.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "processes", as_names(self.processes))
        _check_positive(minimum=self.minimum, strength=self.strength)

    def __call__(
        self, analysis: Analysis, processes: Sequence[str], histograms: Mapping[str, Counts], parameters: Parameters
    ) -> jax.Array:
        """Return the penalty; the arguments are those of `Penalty`."""
        unknown = [name for name in self.processes if name not in processes]
        if unknown:
            raise ValueError(f"there is no process {unknown[0]!r}; the processes are {list(processes)}")
        rows = np.array([name in (self.processes or processes) for name in processes])
        expected = [c.axis.select(histograms[c.name].sumw[rows].sum(axis=0)) for c in analysis.channels]
        missing = jnp.maximum(0, 1 - jnp.concatenate(expected) / self.minimum)
        return self.strength * jnp.sum(missing**2)


@dataclasses.dataclass(frozen=True)
class MaximumChange:
    r"""Keep some parameters near values that are known to work.

    .. math:: \text{strength} \sum \max\left(0, \frac{|\theta / \theta_0 - 1|}{\text{share}} - 1\right)^2

    over the named parameters and their elements: free within the share, and then ever more expensive.

    Attributes
    ----------
    values
        By parameter, the value :math:`\theta_0` to stay near, not 0.
    share
        The largest relative change, positive: 0.2 is 20 %.
    strength
        What twice that change costs, in units of the objective.

    Raises
    ------
    ValueError
        When a number is not positive or a value is 0.

    Examples
    --------
    >>> from hepgrad.analysis import MaximumChange, Parameter, Parameters
    >>> cuts = Parameters(met=Parameter(65.0, bounds=(20, 150)))
    >>> print(f"{MaximumChange({'met': 50.0}, share=0.2)(None, (), {}, cuts):.2f}")
    2.50
    """

    values: Mapping[str, Any]
    _: dataclasses.KW_ONLY
    share: float = 0.2
    strength: float = 10.0

    def __post_init__(self) -> None:
        _check_positive(share=self.share, strength=self.strength)
        zero = [name for name, value in self.values.items() if not np.all(np.asarray(value))]
        if zero:
            raise ValueError(f"a relative change needs values other than 0; got 0 for {zero}")

    def __call__(
        self,
        analysis: Analysis | None,
        processes: Sequence[str],
        histograms: Mapping[str, Counts],
        parameters: Parameters,
    ) -> jax.Array:
        """Return the penalty; the arguments are those of `Penalty`."""
        changes = {name: jnp.abs(parameters[name] / jnp.asarray(value) - 1) for name, value in self.values.items()}
        beyond = (jnp.maximum(0, change / self.share - 1) for change in changes.values())
        return self.strength * sum((jnp.sum(excess**2) for excess in beyond), jnp.zeros(()))


@dataclasses.dataclass(frozen=True)
class NonClosure:
    r"""Keep the cuts where a background can be foretold from its control regions.

    .. math:: \text{strength} \sum \max\left(0, \frac{|A D / (B C) - 1|}{\text{share}} - 1\right)^2

    over the fours of channels in which the closure of the background is measured.

    Attributes
    ----------
    source
        The background, with `ABCD.closure`.
    share
        The largest relative non-closure that costs nothing, positive: 0.1 is 10 %.
    strength
        What twice that costs, in units of the objective.

    Raises
    ------
    ValueError
        When a number is not positive, or the closure is measured nowhere.

    Examples
    --------
    >>> from hepgrad.analysis import ABCD
    >>> from hepgrad.analysis.optimisation import NonClosure
    >>> NonClosure(ABCD("multijet", closure=[("VA", "VB", "VC", "VD")]), share=0.2).strength
    10.0
    """

    source: ABCD
    _: dataclasses.KW_ONLY
    share: float = 0.1
    strength: float = 10.0

    def __post_init__(self) -> None:
        _check_positive(share=self.share, strength=self.strength)
        if not self.source.closure:
            raise ValueError(f"{self.source.name}: say in which channels its closure is measured, in `closure`")

    def __call__(
        self, analysis: Analysis, processes: Sequence[str], histograms: Mapping[str, Counts], parameters: Parameters
    ) -> jax.Array:
        """Return the penalty; the arguments are those of `Penalty`."""
        axes = {channel.name: channel.axis for channel in analysis.channels}
        factors = [each.factor for each in self.source.measured(histograms, axes, processes)]
        beyond = jnp.maximum(0, jnp.abs(jnp.stack(factors) - 1) / self.share - 1)
        return self.strength * jnp.sum(beyond**2)


def _check_positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if not number > 0:
            raise ValueError(f"{name} must be positive, got {number}")
