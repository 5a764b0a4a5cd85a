"""Checkpoints: what an optimisation needs to go on as if it had never stopped."""

from __future__ import annotations

import dataclasses

from .attempt import Attempt
from .steps import Position


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The state between two steps.

    Attributes
    ----------
    position
        Coordinates and the optimiser's state.
    attempt
        The present descent.
    finished
        Descents from earlier starts.
    folds
        Of a cross-fit, the descents of each fold that is done.
    """

    position: Position
    attempt: Attempt
    finished: tuple[Attempt, ...] = ()
    folds: tuple[tuple[Attempt, ...], ...] = ()
