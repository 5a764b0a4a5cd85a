"""Scores of models that are no part of the compiled program: evaluated once, as a column of the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from ...data.dataset import Dataset
from ...parameters.parameters import Parameters
from ...selection.cut import Hard
from ...selection.events import Events
from ..expression import take
from ..networks.score import Score


def scored_once(
    data: Dataset,
    column: str,
    model: Callable[[np.ndarray], np.ndarray],
    features: Sequence[str],
    collection: str = "",
) -> Dataset:
    """Return the data with one more column: the score of any model, evaluated now and never again.

    For what cannot be part of a compiled program, and what has no derivative anyway. The score follows neither cuts nor
    shifted objects: sources that shift what it looks at do not change it.

    Parameters
    ----------
    data
        The events, before any selection.
    column
        Name of the new column, or of the field of the collection.
    model
        From features, NumPy of shape (n, features), to n scores: ``session.run`` of ONNX Runtime, ``predict`` of trees.
    features
        Expressions of events, or of the objects of the collection, see `parse`; without parameters.
    collection
        Whose objects are scored; by default events are.

    Raises
    ------
    ValueError
        When the model does not return one number for each row.

    Examples
    --------
    >>> import awkward as ak, numpy as np
    >>> from hepgrad.analysis import Dataset
    >>> from hepgrad.analysis.stages import scored_once
    >>> data = Dataset.from_awkward({"s": ak.Array({"x": [1.0, 2.0], "y": [0.5, 0.0]})}, {"s": np.ones(2)})
    >>> scored_once(data, "score", lambda features: features.sum(axis=1), ["x", "y"]).columns["score"][0, :2]
    Array([1.5, 2. ], dtype=float32)
    """
    score, cut = Score(column, _Outside(model), features, collection), Parameters().cuts(Hard())
    made = []
    for block in range(data.blocks):
        columns, weight = jax.tree.map(lambda x, b=block: x[b], (data.columns, data.weight))
        events = score(Events.of(columns, weight), cut)
        made.append(take(events, collection).array if collection else getattr(events, column))
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *made)
    columns = {name: data.columns[name] for name in data.columns.fields} | {collection or column: stacked}
    return dataclasses.replace(data, columns=rg.RecordArray(columns))


@dataclasses.dataclass(frozen=True)
class _Outside:
    """A model of another library as a network without weights."""

    model: Callable[[np.ndarray], np.ndarray]
    weights: tuple[()] = ()

    def __call__(self, weights: Any, features: jax.Array) -> jax.Array:
        return jnp.asarray(np.asarray(self.model(np.asarray(features))), features.dtype)
