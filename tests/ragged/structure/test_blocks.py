"""Whole rows that move: reversed and appended, at any depth, with records and unused ends, forward and backward."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.ragged.array import RaggedArray, RecordArray

COUNTS = [2, 0, 3, 1, 0, 0, 4]


def nested(depth: int) -> ak.Array:
    counts = COUNTS
    levels = []
    for level in range(depth):
        levels.append(counts)
        counts = [(3 * i + level + 1) % 4 for i in range(sum(counts))]
    array = ak.Array(np.arange(sum(levels[-1]), dtype=np.float32))
    for counts in reversed(levels):
        array = ak.unflatten(array, counts)
    return array


ARRAYS = {
    "lists": nested(1),
    "lists of lists": nested(2),
    "depth 4": nested(3),
    "records": ak.zip({"a": nested(1), "b": -nested(1)}),
    "records with lists": ak.zip({"a": nested(1), "hits": nested(2)}, depth_limit=2),
    "no rows": nested(1)[:0],
    "empty rows": ak.Array([[], [], []]),
}


def assert_consistent(array: object) -> None:
    """The row ids say what the offsets say, at every depth."""
    if isinstance(array, RaggedArray):
        offsets = np.asarray(array.offsets)
        lengths = np.append(np.diff(offsets), array.capacity - offsets[-1])
        np.testing.assert_array_equal(array.row_ids, np.repeat(np.arange(array.rows + 1), lengths))
        assert_consistent(array.content)
    elif isinstance(array, RecordArray):
        for column in array.columns.values():
            assert_consistent(column)


reverse = jax.jit(lambda x: x[::-1])
append = jax.jit(lambda x, y: rg.concatenate([x, y, x]))


@pytest.mark.thorough
@pytest.mark.parametrize("capacity", [None, 60], ids=["exact", "slack"])
@pytest.mark.parametrize("name", ARRAYS)
def test_rows_are_reversed_and_appended(name, capacity):
    array = ARRAYS[name]
    x, y = (
        rg.from_awkward(a, capacity=capacity, max_length=None if capacity is None else 5) for a in (array, array[:4])
    )
    backwards, longer = reverse(x), append(x, y)
    assert_consistent(backwards)
    assert_consistent(longer)
    assert rg.to_list(backwards) == ak.to_list(array[::-1]) == rg.to_list(x[::-1])
    assert rg.to_list(longer) == ak.to_list(ak.concatenate([array, array[:4], array])) == rg.to_list(append(x, y))


def test_lists_around_traced_rows_are_reversed():
    array = ARRAYS["lists"][:6]
    backwards = jax.jit(lambda x: rg.unflatten(x, 2)[::-1])(rg.from_awkward(array))
    assert_consistent(backwards)
    assert rg.to_list(backwards) == ak.to_list(ak.unflatten(array, 2)[::-1])


def test_unused_ends_get_no_derivative():
    x = rg.from_awkward(ARRAYS["lists of lists"], capacity=40)
    poisoned = x.with_content(x.content.with_content(x.content.content.at[int(x.content.size) :].set(jnp.nan)))

    def weighted(x):
        both = rg.concatenate([x[::-1], x])
        return rg.sum(both**2 * rg.local_index(both, axis=0))

    gradient = jax.jit(rg.grad(weighted))(poisoned)
    rows = len(COUNTS)
    factor = 2 * (rows - 1 - np.arange(rows)) + 2 * (rows + np.arange(rows))
    expected = ak.to_list(ARRAYS["lists of lists"] * factor)
    assert rg.to_list(gradient) == expected
    assert not np.any(gradient.content.content[int(x.content.size) :])


def test_arrays_of_other_structure_are_not_appended():
    x = rg.from_awkward(ARRAYS["lists"])
    for other in ("lists of lists", "records"):
        with pytest.raises(rg.StructureError, match="concatenate"):
            append(x, rg.from_awkward(ARRAYS[other]))
        with pytest.raises(rg.StructureError, match="concatenate"):
            rg.concatenate([rg.from_awkward(ARRAYS[other]), x])
