"""Kernels: the shapes that an entry can be smeared with."""

from __future__ import annotations

import abc
import dataclasses
import functools
import math
import statistics
from typing import Any, ClassVar

import jax
import jax.numpy as jnp


class Kernel(abc.ABC):
    """A symmetric density; see `Biweight` and `Gaussian`.

    Kernels are static (hashable). Their formulas are in terms of u, the distance from the centre in a unit of the
    kernel's own. The bandwidth of `fill_soft` is the standard deviation for all kernels, so that one can take
    another's place.

    Attributes
    ----------
    unit : float
        The unit of u, in standard deviations.
    extent : float
        Where the density is zero, also in rounded numbers, and `below` is zero or one.
    """

    unit: ClassVar[float]
    extent: ClassVar[float]

    @abc.abstractmethod
    def reach(self, precision: float) -> float:
        """Return the distance u at and beyond which there is nothing that matters.

        Parameters
        ----------
        precision : float
            Relative precision of the numbers that are used.
        """

    @abc.abstractmethod
    def below(self, u: jax.Array) -> jax.Array:
        """Return the part of the kernel below u, which lies within `extent`."""

    @abc.abstractmethod
    def density(self, u: jax.Array) -> jax.Array:
        """Return the derivative of `below`."""


@dataclasses.dataclass(frozen=True)
class Biweight(Kernel):
    r"""The biweight or quartic kernel: a smooth bump that ends at :math:`\sqrt 7` standard deviations.

    .. math:: K(u) = \frac{15}{16} \left(1 - u^2\right)^2, \qquad |u| < 1.

    With a bandwidth of half a bin it touches four bins at most. The density is continuously differentiable. See
    B. W. Silverman, Density Estimation for Statistics and Data Analysis (1986), section 3.3.

    Examples
    --------
    >>> from hepgrad.analysis.histogram import Biweight
    >>> [Biweight().below(u) for u in (-1, 0, 1)]
    [0.0, 0.5, 1.0]
    """

    unit: ClassVar[float] = math.sqrt(7)
    extent: ClassVar[float] = 1.0

    def reach(self, precision: float) -> float:
        """Return 1: the kernel ends there."""
        return 1.0

    def below(self, u: jax.Array) -> jax.Array:
        """Return the distribution function, a quintic."""
        return 0.5 + u * (15 / 16 + u * u * (-10 / 16 + u * u * (3 / 16)))

    def density(self, u: jax.Array) -> jax.Array:
        """Return the density, a quartic."""
        return 15 / 16 * (1 - u * u) ** 2


@dataclasses.dataclass(frozen=True)
class Gaussian(Kernel):
    """The normal distribution.

    With a bandwidth of half a bin it touches six bins at most (in float32; nine in float64).

    Examples
    --------
    >>> from hepgrad.analysis.histogram import Gaussian
    >>> round(Gaussian().reach(1.2e-7), 2)
    4.96
    """

    unit: ClassVar[float] = 1.0
    extent: ClassVar[float] = 40.0

    def reach(self, precision: float) -> float:
        """Return how many standard deviations leave out three times the precision on either side."""
        return -statistics.NormalDist().inv_cdf(3 * precision)

    def below(self, u: jax.Array) -> jax.Array:
        """Return the distribution function."""
        return 0.5 + 0.5 * jax.lax.erf(u * math.sqrt(0.5))

    def density(self, u: jax.Array) -> jax.Array:
        """Return the density."""
        return jnp.exp(-0.5 * u * u) * (1 / math.sqrt(2 * math.pi))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def part_below(kernel: Kernel, size: jax.Array, distance: jax.Array) -> jax.Array:
    """Return the part of a kernel below a distance from its centre.

    Neither infinite distances nor tiny kernels make a derivative NaN. ``size`` is the kernel's own unit, in the unit of
    the axis, a scalar; the result has the shape of ``distance``.
    """
    return kernel.below(_scaled(kernel, size, distance))


@part_below.defjvp
def _part_below_jvp(
    kernel: Kernel, primals: tuple[jax.Array, jax.Array], tangents: tuple[Any, Any]
) -> tuple[jax.Array, jax.Array]:
    size, distance = primals
    d_size, d_distance = tangents
    u = _scaled(kernel, size, distance)
    return kernel.below(u), kernel.density(u) * (1 / size) * (d_distance - u * d_size)


def _scaled(kernel: Kernel, size: jax.Array, distance: jax.Array) -> jax.Array:
    # Clipped twice: infinities before they meet a zero in a derivative, and what rounding leaves beyond the extent.
    limit = 2 * kernel.extent * size
    return jnp.clip(jnp.clip(distance, -limit, limit) * (1 / size), -kernel.extent, kernel.extent)
