"""What is unknown in each of the five published benchmarks, and from there the uncertainty on the signal."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from .problem import PARAMETERS


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A choice of free parameters; the others are known.

    Attributes
    ----------
    name
        As published, shortened.
    free
        The free parameters, the signal first.
    constraints
        Width of the normal constraint of each parameter that has one.
    """

    name: str
    free: tuple[str, ...]
    constraints: tuple[tuple[str, float], ...] = ()

    @functools.partial(jax.jit, static_argnames="self")
    def covariance(self, information: jax.Array | np.ndarray) -> jax.Array:
        """Return the covariance of the free parameters: the inverse of their information, constraints added.

        ``information`` is what events tell of all parameters, shape (4, 4). The result has shape (free, free); NaN or
        infinite when the events do not determine all of them.

        Examples
        --------
        >>> from hepgrad.workflows.studies.inferno.benchmarks import BENCHMARKS
        >>> from hepgrad.workflows.studies.inferno.exact import exact_information
        >>> [f"{benchmark.covariance(exact_information())[0, 0]**0.5:.2f}" for benchmark in BENCHMARKS]
        ['14.70', '15.50', '15.63', '15.61', '16.88']
        """
        widths = dict(self.constraints)
        constraints = np.diag([widths.get(name, np.inf) ** -2.0 for name in PARAMETERS])
        index = np.array([PARAMETERS.index(name) for name in self.free])
        matrix = (jnp.asarray(information) + constraints)[np.ix_(index, index)]
        # the parameters differ by orders of magnitude, which float32 would not survive
        scale = jnp.sqrt(jnp.diag(matrix))
        return jnp.linalg.inv(matrix / scale / scale[:, None]) / scale / scale[:, None]

    def sigma(self, information: jax.Array | np.ndarray) -> float:
        """Return the uncertainty on the expected number of signal events."""
        return float(jnp.sqrt(self.covariance(information)[0, 0]))


_CONSTRAINTS = (("r", 0.4), ("lambda", 1.0))

BENCHMARKS = (
    Benchmark("BM0", ("s",)),
    Benchmark("BM1", ("s", "r")),
    Benchmark("BM2", ("s", "r", "lambda")),
    Benchmark("BM3", ("s", "r", "lambda"), _CONSTRAINTS),
    Benchmark("BM4", ("s", "r", "lambda", "b"), (*_CONSTRAINTS, ("b", 100.0))),
)
