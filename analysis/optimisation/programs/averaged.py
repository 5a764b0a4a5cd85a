"""The mean of the last positions of a descent, which the noise of single steps moves less."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Averaged:
    """The state of `averaged`.

    Attributes
    ----------
    inner
        That of the optimiser whose steps are averaged.
    mean
        The weighted mean of the positions after each step, as large as the positions themselves.
    steps
        How many there were.
    """

    inner: Any
    mean: Any
    steps: jax.Array


def averaged(optimizer: optax.GradientTransformationExtraArgs, decay: float = 0.9) -> optax.GradientTransformation:
    r"""Return an optimiser of which the mean of the last positions is checked with hard cuts, and can be the result.

    The optimiser itself moves as ever. The mean is :math:`m_t \propto \sum_s d^{t - s} x_s` over the positions
    :math:`x_1, ..., x_t` (Polyak and Juditsky, SIAM J. Control Optim. 30 (1992) 838, with forgetting).

    Parameters
    ----------
    optimizer
        Any optax transformation.
    decay
        How much of the mean stays at each step, below 1: 0.9 is a mean over about ten steps.

    Raises
    ------
    ValueError
        When the decay is not in [0, 1).

    Examples
    --------
    >>> import jax.numpy as jnp, optax
    >>> from hepgrad.analysis import averaged
    >>> optimizer = averaged(optax.sgd(1.0), decay=0.5)
    >>> x = {"met": jnp.array(0.0)}
    >>> state = optimizer.init(x)
    >>> for slope in (-1.0, 2.0):
    ...     update, state = optimizer.update({"met": jnp.array(slope)}, state, x)
    ...     x = optax.apply_updates(x, update)
    >>> print(f"{x['met']:.2f} {state.mean['met']:.2f}")
    -1.00 -0.33
    """
    if not 0 <= decay < 1:
        raise ValueError(f"the decay must be in [0, 1), got {decay}")
    inner = optax.with_extra_args_support(optimizer)

    def init(position: Any) -> Averaged:
        return Averaged(inner.init(position), position, jnp.zeros((), jnp.int32))

    def update(slope: Any, state: Averaged, position: Any = None, **more: Any) -> tuple[Any, Averaged]:
        updates, next_inner = inner.update(slope, state.inner, position, **more)
        steps = state.steps + 1

        def mean(before: jax.Array, moved: jax.Array) -> jax.Array:
            # the share of the newest position in a mean whose weights add up to 1
            share = jnp.asarray((1 - decay) / (1 - decay ** steps.astype(moved.dtype)), moved.dtype)
            return before + share * (moved - before)

        means = jax.tree.map(mean, state.mean, optax.apply_updates(position, updates))
        return updates, Averaged(next_inner, means, steps)

    return optax.GradientTransformationExtraArgs(init, update)
