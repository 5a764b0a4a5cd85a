"""Points for a scan: at random, on a grid, or from Optuna."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Generator
from typing import Any, TypeAlias

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from hepgrad.analysis import Parameters, Projection

from .errors import InputError

# yields points between 0 and 1, shape (dimensions,), and is sent the objective of each
Proposal: TypeAlias = Generator[np.ndarray, float, None]


@dataclasses.dataclass(frozen=True)
class Box:
    """The free cut values inside their bounds, as a cube.

    Attributes
    ----------
    parameters
        Where values come from that have no bounds.
    low, high
        Bounds of all free values in units of their scales; infinite ones are not scanned.
    """

    parameters: Parameters
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def around(cls, parameters: Parameters) -> Box:
        """Return the box of some parameters.

        Parameters
        ----------
        parameters
            Values and bounds.

        Raises
        ------
        InputError
            When no free parameter has bounds.
        """
        low, high = (np.asarray(ravel_pytree(bound)[0], float) for bound in parameters.scaled_bounds())
        if not np.isfinite(high - low).any():
            raise InputError(f"nothing to scan: none of the parameters {list(parameters)} is free and has bounds")
        return cls(parameters, low, high)

    @property
    def dimensions(self) -> int:
        """How many values are scanned."""
        return int(np.isfinite(self.high - self.low).sum())

    def at(self, vector: np.ndarray) -> Parameters:
        """Return the parameters at a point.

        Parameters
        ----------
        vector
            Between 0 (lowest) and 1 (highest), shape (dimensions,).
        """
        flat, unravel = ravel_pytree(self.parameters.scaled())
        scanned = np.isfinite(self.high - self.low)
        values = np.array(flat)
        values[scanned] = self.low[scanned] + vector * (self.high - self.low)[scanned]
        return Projection().parameters(unravel(jax.numpy.asarray(values, flat.dtype)), self.parameters)


def at_random(box: Box, number: int, seed: int) -> Proposal:
    """Draw points uniformly.

    Parameters
    ----------
    box
        Where.
    number
        How many.
    seed
        Of the random numbers.
    """
    rng = np.random.default_rng(seed)
    for _ in range(number):
        yield rng.random(box.dimensions)


def on_a_grid(box: Box, number: int, seed: int) -> Proposal:
    """Take all combinations of as many equally spaced values of each parameter as possible, bounds included.

    Parameters
    ----------
    box
        Where.
    number
        How many points at most.
    seed
        Not used.

    Raises
    ------
    InputError
        When these are too few for two values of each.
    """
    each = next(k for k in itertools.count(1) if (k + 1) ** box.dimensions > number)
    if each < 2:
        raise InputError(
            f"a grid over {box.dimensions} parameters needs at least {2**box.dimensions + 1} trials, got {number + 1}; "
            "take a random scan, or freeze some of them"
        )
    for point in itertools.product(np.linspace(0, 1, each), repeat=box.dimensions):
        yield np.array(point)


def from_optuna(box: Box, number: int, seed: int) -> Proposal:
    """Ask Optuna's tree-structured Parzen estimator (J. Bergstra et al., NeurIPS 24 (2011)).

    Parameters
    ----------
    box
        Where.
    number
        How many points.
    seed
        Of the random numbers.

    Raises
    ------
    InputError
        When Optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise InputError("Optuna is not installed; install hepgrad with its extra `scan`") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    for _ in range(number):
        trial = study.ask()
        study.tell(trial, (yield np.array([trial.suggest_float(str(i), 0, 1) for i in range(box.dimensions)])))


PROPOSALS: dict[str, Callable[[Box, int, int], Any]] = {
    "random": at_random,
    "grid": on_a_grid,
    "optuna": from_optuna,
}
