"""Checkpoints: what an optimisation needs to go on as if it had never stopped."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import optax

from ..analysis import Analysis
from ..cut import Hard
from ..dataset import Dataset
from ..parameters import Parameters
from .result import Record


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The state between two steps.

    Attributes
    ----------
    scaled
        The free values in units of their scales.
    state
        The optimiser's state, a pytree of arrays.
    best
        The best point so far, in the hard reading on the training events.
    best_value
        The objective there.
    history
        One record for each step that was made.
    """

    scaled: dict[str, jax.Array]
    state: Any
    best: Parameters
    best_value: float
    history: tuple[Record, ...]

    @classmethod
    def start(
        cls, analysis: Analysis, train: Dataset, parameters: Parameters, optimizer: optax.GradientTransformation
    ) -> Checkpoint:
        """Return the state before the first step.

        Parameters
        ----------
        analysis
            What is optimised.
        train
            The training events.
        parameters
            Where to start.
        optimizer
            The optax transformation.
        """
        scaled = parameters.scaled()
        value = float(analysis.evaluate(train, parameters, Hard()))
        return cls(scaled, optimizer.init(scaled), parameters, value, ())
