"""Smoothing of the effect of a source over the bins as ROOT (353QH) and as statisticians (LOWESS) do it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from .shape import with_total_of


@dataclasses.dataclass(frozen=True)
class RunningMedians:
    """Smooth the relative effect by 353QH, twice, as ``TH1::Smooth`` does; for five bins and more.

    Running medians of 3, 5 and 3 bins, quadratic interpolation where three bins are equal (Q), running means (H), and
    the same of what is left over (J. Friedman, CERN 74-23). The effect on the total yield is kept. The derivative is
    that of the bins that are the medians.

    Attributes
    ----------
    times
        How often it is done.

    Raises
    ------
    ValueError
        When it is not positive.
    """

    times: int = 1

    def __post_init__(self) -> None:
        if self.times < 1:
            raise ValueError(f"smoothing is done at least once, got {self.times} times")

    def __call__(self, nominal: jax.Array, down: jax.Array, up: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the templates; the arguments are those of `Treatment`."""

        def smooth(effect: jax.Array) -> jax.Array:
            for _ in range(self.times if len(effect) >= 5 else 0):
                once = _353qh(effect)
                effect = once + _353qh(effect - once)
            return effect

        return of_effect(smooth, nominal, down), of_effect(smooth, nominal, up)


@dataclasses.dataclass(frozen=True)
class LocalRegression:
    """Smooth the relative effect by lines through the neighbouring bins (LOWESS), each with the weight of its yield.

    The value in a bin is that of the straight line that fits the nearest bins best, weighted with the nominal yield and
    the tricube ``(1 - (d / h)^3)^3`` of the distance d; h is the distance of the first bin that is left out
    (W. S. Cleveland, J. Am. Stat. Assoc. 74 (1979) 829, without its iterations against outliers). The effect on the
    total yield is kept.

    Attributes
    ----------
    bins
        How many bins a line is fitted to, at least 3.

    Raises
    ------
    ValueError
        When there are fewer.
    """

    bins: int = 5

    def __post_init__(self) -> None:
        if self.bins < 3:
            raise ValueError(f"a line is fitted to at least 3 bins, got {self.bins}")

    def __call__(self, nominal: jax.Array, down: jax.Array, up: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the templates; the arguments are those of `Treatment`."""
        place = jnp.arange(len(nominal), dtype=nominal.dtype)
        offset = place - place[:, None]
        distance = jnp.abs(offset)
        reach = jnp.sort(distance, axis=1)[:, min(self.bins, len(nominal)) - 1 :][:, :1] + 1
        kernel = nominal * jnp.maximum(1 - (distance / reach) ** 3, 0) ** 3
        zeroth, first, second = (jnp.sum(kernel * offset**k, axis=1) for k in range(3))
        determinant = zeroth * second - first**2
        is_line, some = determinant > 1e-6 * zeroth * second, zeroth > 0

        def smooth(effect: jax.Array) -> jax.Array:
            value, slope = kernel @ effect, jnp.sum(kernel * offset * effect, axis=1)
            line = (second * value - first * slope) / jnp.where(is_line, determinant, 1)
            mean = value / jnp.where(some, zeroth, 1)
            return jnp.where(is_line, line, jnp.where(some, mean, effect))

        return of_effect(smooth, nominal, down), of_effect(smooth, nominal, up)


def of_effect(smooth: Callable[[jax.Array], jax.Array], nominal: jax.Array, varied: jax.Array) -> jax.Array:
    """Return a template whose effect ``varied / nominal`` is smoothed, and whose total yield is kept."""
    some = nominal > 0
    effect = jnp.where(some, varied / jnp.where(some, nominal, 1), 1)
    return with_total_of(varied, jnp.maximum(nominal * smooth(effect), 0))


def _353qh(x: jax.Array) -> jax.Array:
    """Return one pass, in which every step sees what the one before has made."""
    found = _medians(x, 3)
    # an end is the median of itself, its neighbour and the line through the next two
    first = jnp.median(jnp.stack([x[0], found[1], 3 * found[1] - 2 * found[2]]))
    last = jnp.median(jnp.stack([x[-1], found[-2], 3 * found[-2] - 2 * found[-3]]))
    x = found.at[0].set(first).at[-1].set(last)
    x = _medians(x, 5).at[1].set(jnp.median(x[:3])).at[-2].set(jnp.median(x[-3:]))
    x = _parabolas(_medians(x, 3))
    return x.at[1:-1].set(x[:-2] / 4 + x[1:-1] / 2 + x[2:] / 4)


def _medians(x: jax.Array, width: int) -> jax.Array:
    """Return running medians; the ends stay."""
    half = width // 2
    windows = jnp.stack([x[i : len(x) - width + 1 + i] for i in range(width)])
    return x.at[half:-half].set(jnp.median(windows, axis=0))


def _parabolas(x: jax.Array) -> jax.Array:
    """Replace the tops and bottoms of three equal bins by parabolas, from the left as ROOT does."""

    def step(i: jax.Array, found: jax.Array) -> jax.Array:
        left, right = x[i - 2] - x[i], x[i + 2] - x[i]
        flat = (x[i - 1] == x[i]) & (x[i] == x[i + 1]) & (left * right > 0)
        side = jnp.where(jnp.abs(right) > jnp.abs(left), -1, 1)
        near, far = x[i + 2 * side], x[i - 2 * side]
        bent = found.at[i].set(-far / 2 + x[i] / 0.75 + near / 6).at[i + side].set((near - far) / 2 + x[i])
        return jnp.where(flat, bent, found)

    return jax.lax.fori_loop(2, len(x) - 2, step, x)
