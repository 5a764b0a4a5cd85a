"""Many equal computations, side by side in batches that fit into memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..fitting.incidence import arrangement
from ..histfactory.layout import ModelLayout
from ..histfactory.structure import pairs, slots

_NUMBERS = 2e7  # that the fits of a batch may hold in memory


def fits_at_once(layout: ModelLayout, most: int) -> int:
    """Return how many fits of a model to run side by side: fewer the larger the model.

    ``most`` are those of a small model.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.inference.batches import fits_at_once
    >>> fits_at_once(Model([FitChannel("SR", [FitSample("signal", [4.0], [NormFactor("mu")])])]).layout, 64)
    64
    """
    weights = 1 + len(slots(layout).parameter)
    rows = pairs(layout, "histosys").size + 2 * arrangement(layout).scalars.size
    rest = arrangement(layout).rest.size
    each = rows * weights * layout.bins + 8 * rest * (rest + arrangement(layout).local.size)
    return max(1, min(most, int(_NUMBERS / (1 + each))))


def in_batches(function: Callable[..., Any], jobs: Any, *, size: int) -> Any:
    """Apply a function along the first axis, as `jax.vmap` does, but to a limited number of elements at a time.

    ``jobs`` is a pytree of arrays with equal first axes, not empty; results are stacked. (`jax.lax.map` would compile
    the function twice, for a last smaller batch.)

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.statistics.inference.batches import in_batches
    >>> print(in_batches(lambda x: x**2, jnp.arange(5), size=2))
    [ 0  1  4  9 16]
    """
    jobs = jax.tree.map(jnp.asarray, jobs)
    number = len(jax.tree.leaves(jobs)[0])
    batches = math.ceil(number / size)
    index = jnp.arange(batches * math.ceil(number / batches)).reshape(batches, -1) % number
    results = jax.lax.map(lambda batch: jax.vmap(function)(jax.tree.map(lambda x: x[batch], jobs)), index)
    return jax.tree.map(lambda x: x.reshape(index.size, *x.shape[2:])[:number], results)
