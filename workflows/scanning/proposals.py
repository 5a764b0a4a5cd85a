"""Points for a scan: at random, on a grid, or from Optuna."""

from __future__ import annotations

import dataclasses
import itertools
import math
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.scipy.special import ndtri

from hepgrad.analysis import Parameters, Projection

from ..errors import InputError

# yields points between 0 and 1, shape (dimensions,), and is sent the objective of each, NaN for one that has none
Proposal: TypeAlias = Generator[np.ndarray, float, None]
# above, Optuna's estimators for each dimension on its own take longer than most evaluations
MANY_DIMENSIONS = 100


class Space(Protocol):
    """Where points are looked for, as a cube."""

    @property
    def dimensions(self) -> int:
        """How many numbers are varied."""

    def at(self, vector: np.ndarray) -> Any:
        """Return a point.

        ``vector`` is between 0 and 1, shape (dimensions,).
        """

    def numbers(self, point: Any) -> Mapping[str, float]:
        """Return what a table shows of a point."""


def normal(vector: np.ndarray) -> np.ndarray:
    """Return standard normal numbers where the given ones are uniform between 0 and 1: the quantiles.

    Examples
    --------
    >>> import numpy as np
    >>> from hepgrad.workflows.scanning.proposals import normal
    >>> print(normal(np.array([0.16, 0.5, 0.84])).round(2))
    [-0.99  0.    0.99]
    """
    tail = 1e-7  # float32 can tell it from 0 at both ends
    return np.asarray(ndtri(jnp.asarray(np.clip(vector, tail, 1 - tail))))


@dataclasses.dataclass(frozen=True)
class Box:
    """The free cut values inside their bounds, as a cube.

    Attributes
    ----------
    parameters
        Where values come from that are not scanned, and around which those without bounds lie.
    low, high
        Bounds of all free values in units of their scales.
    scanned
        Which of the values.
    """

    parameters: Parameters
    low: np.ndarray
    high: np.ndarray
    scanned: np.ndarray

    @classmethod
    def around(cls, parameters: Parameters, also: Sequence[str] = ()) -> Box:
        """Return the box of some parameters.

        ``also`` are names of parameters without bounds, edges or weights, that are scanned too: what the optimiser
        moves is normally distributed around its present value, with the parameter's scale as standard deviation. Raises
        `InputError` when nothing is scanned, or a name is not that of a free parameter.
        """
        if unknown := set(also) - set(parameters.free):
            raise InputError(f"cannot scan {sorted(unknown)}: the free parameters are {parameters.free}")
        low, high = (np.asarray(ravel_pytree(bound)[0], float) for bound in parameters.scaled_bounds())
        asked = {
            name: jax.tree.map(lambda x, n=name: np.full(x.shape, n in also), v)
            for name, v in parameters.scaled().items()
        }
        scanned = np.isfinite(high - low) | np.asarray(ravel_pytree(asked)[0])
        if not scanned.any():
            raise InputError(f"nothing to scan: none of the parameters {list(parameters)} is free and has bounds")
        return cls(parameters, low, high, scanned)

    @property
    def dimensions(self) -> int:
        """How many values are scanned."""
        return int(self.scanned.sum())

    def at(self, vector: np.ndarray) -> Parameters:
        """Return the parameters at a point.

        ``vector`` is between 0 (lowest) and 1 (highest), shape (dimensions,).
        """
        flat, unravel = ravel_pytree(self.parameters.scaled())
        values = np.array(flat)
        present, low, high = (each[self.scanned] for each in (values, self.low, self.high))
        bounded = np.isfinite(high - low)
        inside = np.where(bounded, low, 0) + vector * np.where(bounded, high - low, 0)
        values[self.scanned] = np.where(bounded, inside, present + normal(vector))
        return Projection().parameters(unravel(jnp.asarray(values, flat.dtype)), self.parameters)

    def numbers(self, point: Parameters) -> dict[str, float]:
        """Return the cut values, and edges element by element; the argument is a point."""
        return point.numbers()


def at_random(space: Space, number: int, seed: int) -> Proposal:
    """Draw points uniformly."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        yield rng.random(space.dimensions)


def on_a_grid(space: Space, number: int, seed: int) -> Proposal:
    """Take all combinations of as many equally spaced values of each parameter as possible, bounds included.

    Raises `InputError` when these are too few for two values of each.
    """
    each = next(k for k in itertools.count(1) if (k + 1) ** space.dimensions > number)
    if each < 2:
        raise InputError(
            f"a grid over {space.dimensions} parameters needs at least {2**space.dimensions + 1} trials, got "
            f"{number + 1}; take a random scan, or freeze some of them"
        )
    for point in itertools.product(np.linspace(0, 1, each), repeat=space.dimensions):
        yield np.array(point)


def from_optuna(space: Space, number: int, seed: int) -> Proposal:
    """Ask Optuna's tree-structured Parzen estimator (J. Bergstra et al., NeurIPS 24 (2011)).

    Raises `InputError` when Optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise InputError("Optuna is not installed; install hepgrad with its extra `scan`") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=space.dimensions > MANY_DIMENSIONS)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(number):
        trial = study.ask()
        objective = yield np.array([trial.suggest_float(str(i), 0, 1) for i in range(space.dimensions)])
        if math.isnan(objective):
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, objective)


PROPOSALS: dict[str, Callable[[Space, int, int], Any]] = {
    "random": at_random,
    "grid": on_a_grid,
    "optuna": from_optuna,
}
