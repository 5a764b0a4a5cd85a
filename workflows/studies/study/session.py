"""The trainings of one study: each is told as it goes, timed, and written down."""

from __future__ import annotations

import dataclasses
import time
from typing import TypeVar

import jax
from rich.console import Console

from .training import Loss, Training, train

Trained = TypeVar("Trained")


@dataclasses.dataclass(frozen=True)
class Session:
    """The trainings of one study.

    Attributes
    ----------
    console
        Where progress is told.
    training
        Settings of all trainings.
    history
        One row for each report: name of the training, step, mean loss since the last report.
    seconds
        By name, how long a training took, with compilation.
    seconds_per_step
        By name, without compilation.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from rich.console import Console
    >>> from hepgrad.workflows.studies.study import Session, Training
    >>> def parabola(x, samples):
    ...     return x**2
    >>> session = Session(Console(quiet=True), Training(steps=20, learning_rate=0.1))
    >>> minimum = session.train("parabola", parabola, jnp.ones(()), None, key=jax.random.key(0))
    >>> session.history[-1]["step"]
    20
    """

    console: Console
    training: Training
    history: list[dict[str, str | float]] = dataclasses.field(default_factory=list)
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    seconds_per_step: dict[str, float] = dataclasses.field(default_factory=dict)

    def train(self, name: str, loss: Loss, weights: Trained, samples: object, *, key: jax.Array) -> Trained:
        """Train as `train` does.

        Parameters
        ----------
        name
            What is trained.
        loss, weights, samples, key
            As for `train`.
        """
        started = time.monotonic()
        reported: list[tuple[int, float]] = []

        def watch(step: int, value: float) -> None:
            reported.append((step, time.monotonic()))
            self.history.append({"training": name, "step": step, "loss": value})
            text = f"{name}: step {step} of {self.training.steps}, loss {value:.4f}"
            self.console.print(text, highlight=False, markup=False)

        weights = train(loss, weights, samples, self.training, key=key, watch=watch)
        (first, first_time), (last, last_time) = reported[0], reported[-1]
        self.seconds[name] = round(last_time - started, 1)
        # the first report comes after compilation
        self.seconds_per_step[name] = (last_time - first_time) / max(last - first, 1)
        return weights
