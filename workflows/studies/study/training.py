"""Training a network, or anything else with a derivative, with many steps in one compiled call."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import optax

Trained = TypeVar("Trained")
Loss = Callable[[Any, Any], jax.Array]


@dataclasses.dataclass(frozen=True)
class Training:
    """Settings of a training with Adam.

    Attributes
    ----------
    steps
        How many.
    learning_rate
        It rises to this in the first tenth of the steps and falls like a cosine to a hundredth. Gradients longer than 1
        are shortened.
    batch
        Events of each sample in a batch, drawn with replacement; by default every step sees all events.
    """

    steps: int
    learning_rate: float
    batch: int | None = None

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """Adam with this schedule."""
        schedule = optax.warmup_cosine_decay_schedule(
            init_value=self.learning_rate / 10,
            peak_value=self.learning_rate,
            warmup_steps=max(self.steps // 10, 1),
            decay_steps=self.steps,
            end_value=self.learning_rate / 100,
        )
        return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))


def train(
    loss: Loss,
    weights: Trained,
    samples: Any,
    training: Training,
    *,
    key: jax.Array,
    reports: int = 10,
    watch: Callable[[int, float], None] = lambda step, loss: None,
) -> Trained:
    """Return the weights after training.

    Parameters
    ----------
    loss
        From weights and samples to a scalar; hashable, because programs are compiled for each.
    weights
        To start from.
    samples
        Pytree of arrays, in each of which the first axis is the event.
    training
        Settings.
    key
        Of the batches.
    reports
        How often to call `watch`, at most.
    watch
        Told the number of steps done, and the mean loss of the steps since the last report.

    Raises
    ------
    FloatingPointError
        When the loss becomes NaN or infinite.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from hepgrad.workflows.studies.study import Training, train
    >>> def distance(centre, sample):
    ...     return jnp.mean((sample - centre) ** 2)
    >>> sample = 5 + jax.random.normal(jax.random.key(0), (1000,))
    >>> training = Training(steps=200, learning_rate=0.1, batch=100)
    >>> print(train(distance, jnp.zeros(()), sample, training, key=jax.random.key(1)).round(1))
    5.0
    """
    state = training.optimizer.init(weights)
    chunk = -(-training.steps // reports)
    for start in range(0, training.steps, chunk):
        steps = jnp.arange(start, min(start + chunk, training.steps))
        weights, state, losses = _many_steps(loss, training, weights, state, samples, key, steps)
        done, mean = int(steps[-1]) + 1, float(jnp.mean(losses))
        if not math.isfinite(mean):
            raise FloatingPointError(
                f"the loss became {mean} before step {done}, which a fit that does not converge from any of its starts "
                f"makes it too; try another seed, or a learning rate below {training.learning_rate}"
            )
        watch(done, mean)
    return weights


@functools.partial(jax.jit, static_argnames=("loss", "training"))
def _many_steps(
    loss: Loss, training: Training, weights: Trained, state: Any, samples: Any, key: jax.Array, steps: jax.Array
) -> tuple[Trained, Any, jax.Array]:
    def one_step(carry: tuple[Trained, Any], step: jax.Array) -> tuple[tuple[Trained, Any], jax.Array]:
        weights, state = carry
        value, gradient = jax.value_and_grad(loss)(
            weights, _batch(samples, training.batch, jax.random.fold_in(key, step))
        )
        updates, state = training.optimizer.update(gradient, state)
        return (optax.apply_updates(weights, updates), state), value

    (weights, state), losses = jax.lax.scan(one_step, (weights, state), steps)
    return weights, state, losses


def _batch(samples: Any, size: int | None, key: jax.Array) -> Any:
    if size is None:
        return samples
    leaves, structure = jax.tree.flatten(samples)
    keys = jax.random.split(key, len(leaves))
    drawn = [
        leaf[jax.random.randint(each, (size,), 0, len(leaf), jnp.int32)]
        for each, leaf in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, drawn)
