"""Between the inputs as Awkward arrays and as ragged arrays."""

from __future__ import annotations

import dataclasses

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

# what the unused ends hold: it must never matter
POISON = {"f": np.nan, "i": 77, "b": True}
CONVERTED: dict[tuple, tuple] = {}


def to_ragged(inputs: dict, uses: tuple[str, ...], *, slack: int = 0) -> dict:
    """Convert the inputs that an expression uses; each level gets ``slack`` (and a little more) unused places."""
    return {name: _converted(inputs[name], slack + (name in "ykr") if slack else 0) for name in uses}


def _converted(array: object, slack: int) -> object:
    """Convert an array once for all expressions that use it; it is kept as well, so that its id stays its own."""
    key = id(array), slack, jnp.result_type(float)
    if len(CONVERTED) > 5000:
        CONVERTED.clear()
    if key not in CONVERTED:
        CONVERTED[key] = array, _to_ragged(array, slack)
    return CONVERTED[key][1]


def _to_ragged(array: object, slack: int) -> object:
    if not isinstance(array, ak.Array):
        return jnp.asarray(array)
    if not slack or array.layout.minmax_depth[1] == 1:
        return rg.from_awkward(array)
    sizes = [len(ak.flatten(_deepest(array), axis=None))]
    if _deepest(array).ndim == 3:
        sizes.insert(0, len(ak.flatten(_deepest(array), axis=1)))
    longest = int(ak.max(ak.num(array), mask_identity=False, initial=0))
    padded = rg.from_awkward(array, capacity=[size + slack for size in sizes], max_length=longest + 1)
    return _poisoned(padded, None)


def _deepest(array: ak.Array) -> ak.Array:
    while array.fields:
        array = array[array.fields[-1]]
    return array


def _poisoned(array: object, size: int | None) -> object:
    if isinstance(array, rg.RaggedArray):
        if size is not None:  # an inner level, for which from_awkward takes no max_length
            array = dataclasses.replace(array, max_length=array.longest + 1)
        return array.with_content(_poisoned(array.content, int(array.size)))
    if isinstance(array, rg.RecordArray):
        return rg.RecordArray({name: _poisoned(column, size) for name, column in array.columns.items()})
    return array if size is None else array.at[size:].set(POISON[array.dtype.kind])


def moved(inputs: dict, direction: dict, step: float) -> dict:
    """Return the inputs with ``step * direction`` added to everything that is a float."""
    return {name: _moved(inputs[name], direction[name], step) for name in inputs}


def _moved(array: object, direction: object, step: float) -> object:
    if isinstance(array, ak.Array) and array.fields:
        for field in array.fields:
            array = ak.with_field(array, _moved(array[field], direction[field], step), field)
        return array
    if isinstance(array, ak.Array):
        kind = "float" in str(array.type)
        return array + step * direction if kind else array
    return array + step * direction


def cotangent_for(value: object) -> object:
    """Return a cotangent without any symmetry; 0 where the value is not finite."""

    def one(leaf: jax.Array) -> jax.Array:
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            return leaf
        return jnp.where(jnp.isfinite(leaf), jnp.cos(1 + 1.3 * jnp.arange(leaf.size)).reshape(leaf.shape), 0)

    return jax.tree.map(one, value)
