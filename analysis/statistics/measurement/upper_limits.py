"""Upper limits on many signals at once."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting.empty import any_empty
from ..histfactory import Model
from ..inference import UpperLimit, upper_limit
from ..inference.guards import warn_if_single


def limits(
    models: Sequence[Model],
    data: Sequence[Any],
    *,
    level: float = 0.05,
    test_stat: Literal["q", "qtilde"] = "qtilde",
    at_once: int = 8,
) -> UpperLimit:
    """Return the upper limits on many signals, as `upper_limit` does on one.

    Models of one structure (names of channels, samples and modifiers; `hepgrad.analysis.statistics.exchange.alike`
    gives the signals of a patch set one name) share one compiled program.

    Parameters
    ----------
    models
        Each with a parameter of interest.
    data
        Of each, as `Model.data` makes them.
    level, test_stat
        As in `upper_limit`.
    at_once
        How many one call of the program takes. The last batch is filled up.

    Returns
    -------
    UpperLimit
        With one more axis in front: observed (models,), expected (models, 5), converged (models,). A limit whose fits
        fail is marked there, and not an error.

    Raises
    ------
    ValueError
        When there is not one data set for each model, or as `upper_limit`.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis.statistics import FitChannel, FitSample, Model, NormFactor
    >>> from hepgrad.analysis.statistics.measurement import limits
    >>> def search(events):
    ...     samples = [FitSample("signal", [events], [NormFactor("mu")]), FitSample("background", [50.0])]
    ...     return Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    >>> with jax.enable_x64(True):
    ...     print(limits([search(10.0), search(20.0)], [[45.0], [45.0]]).observed.round(3))
    [1.188 0.594]
    """
    warn_if_single("limits")
    if len(models) != len(data):
        raise ValueError(f"each model needs its data: got {len(models)} models and {len(data)} data sets")
    groups: dict[Any, list[int]] = {}
    for i, model in enumerate(models):
        groups.setdefault(jax.tree.structure(model), []).append(i)
    found: dict[int, UpperLimit] = {}
    for members in groups.values():
        # whether bins may be without events, so that the program of a batch, where data are not known, can be without
        empty = any(any_empty(models[i].split(jnp.asarray(data[i]))[0]) for i in members)
        size = min(at_once, len(members))
        for first in range(0, len(members), size):
            batch = members[first : first + size]
            # filled up with the last one, so that the program is compiled for one size
            filled = [*batch, *batch[-1:] * (size - len(batch))]
            stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(models[i] for i in filled))
            rows = jnp.stack([jnp.asarray(data[i]) for i in filled])
            result = _limits(stacked, rows, level, test_stat, empty_bins=empty)
            found |= {i: jax.tree.map(lambda leaf, row=row: leaf[row], result) for row, i in enumerate(batch)}
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *(found[i] for i in np.arange(len(models)).tolist()))


@functools.partial(jax.jit, static_argnums=(2, 3), static_argnames="empty_bins")
def _limits(
    models: Model, data: jax.Array, level: float, test_stat: Literal["q", "qtilde"], *, empty_bins: bool
) -> UpperLimit:
    limit = functools.partial(upper_limit, level=level, test_stat=test_stat, empty_bins=empty_bins)
    # one after the other, because side by side each step of a fit takes as long as the longest one
    return jax.lax.map(lambda each: limit(*each), (models, data))
