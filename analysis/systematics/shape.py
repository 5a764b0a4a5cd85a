"""What may be done to the templates of a source before they enter a model; all of it inside the gradient."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import jax
import jax.numpy as jnp


class Treatment(Protocol):
    """A function of templates that returns templates; hashable."""

    def __call__(self, nominal: jax.Array, down: jax.Array, up: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the templates at minus and at plus one standard deviation.

        Parameters
        ----------
        nominal, down, up
            Yields of one process in one channel, shape (bins,).
        """


def with_total_of(varied: jax.Array, smoothed: jax.Array) -> jax.Array:
    """Return a smoothed template with the total yield of the one that it was made of."""
    total = jnp.sum(smoothed)
    return smoothed * jnp.where(total > 0, jnp.sum(varied) / jnp.where(total > 0, total, 1), 1)


def mirrored(nominal: jax.Array, up: jax.Array) -> jax.Array:
    """Return the template opposite to a one-sided one, ``2 nominal - up``; negative yields become 0.

    Parameters
    ----------
    nominal, up
        Yields, shape (bins,).
    """
    return jnp.maximum(2 * nominal - up, 0)


@dataclasses.dataclass(frozen=True)
class Symmetrisation:
    """Move both templates by half of their difference: ``nominal +- (up - down) / 2``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.systematics import Symmetrisation
    >>> down, up = Symmetrisation()(jnp.array([10.0]), jnp.array([9.0]), jnp.array([13.0]))
    >>> print(down, up)
    [8.] [12.]
    """

    def __call__(self, nominal: jax.Array, down: jax.Array, up: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the templates; the arguments are those of `Treatment`."""
        half = (up - down) / 2
        return jnp.maximum(nominal - half, 0), jnp.maximum(nominal + half, 0)


@dataclasses.dataclass(frozen=True)
class Smoothing:
    """Smoothing the relative effect over neighbouring bins, each bin with the weight of its nominal yield.

    Statistical fluctuations of the simulation are not systematic effects. The effect ``r = up / nominal`` becomes
    ``sum_j k_ij n_j r_j / sum_j k_ij n_j`` with a Gaussian kernel ``k`` of the given range; the effect on the total
    yield is kept.

    Attributes
    ----------
    bins
        The kernel's standard deviation, in bins.

    Raises
    ------
    ValueError
        When the range is not positive.
    """

    bins: float = 1.0

    def __post_init__(self) -> None:
        if not self.bins > 0:
            raise ValueError(f"the range of smoothing must be positive, got {self.bins} bins")

    def __call__(self, nominal: jax.Array, down: jax.Array, up: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the templates; the arguments are those of `Treatment`."""
        position = jnp.arange(nominal.shape[0])
        kernel = jnp.exp(-0.5 * ((position[:, None] - position) / self.bins) ** 2).astype(nominal.dtype)
        norm = kernel @ nominal
        some = norm > 0

        def smooth(varied: jax.Array) -> jax.Array:
            ratio = jnp.where(some, (kernel @ varied) / jnp.where(some, norm, 1), 1)
            return with_total_of(varied, nominal * ratio)

        return smooth(down), smooth(up)


@dataclasses.dataclass(frozen=True)
class Pruning:
    """Drop an effect that is nowhere larger than a threshold: the templates become the nominal ones.

    Attributes
    ----------
    threshold
        Relative effect, for instance 0.005 for half a per cent.

    Raises
    ------
    ValueError
        When the threshold is not positive.
    """

    threshold: float

    def __post_init__(self) -> None:
        if not self.threshold > 0:
            raise ValueError(f"the threshold must be positive, got {self.threshold}")

    def __call__(self, nominal: jax.Array, down: jax.Array, up: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the templates; the arguments are those of `Treatment`."""
        effect = jnp.maximum(jnp.abs(up - nominal), jnp.abs(down - nominal))
        matters = jnp.any(effect > self.threshold * nominal)
        return jnp.where(matters, down, nominal), jnp.where(matters, up, nominal)
