"""Running totals of integers, of all lengths that take another way."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.ragged.running import BLOCK, SHORT, running_total, starts_from_counts


@pytest.mark.parametrize("length", [0, 1, 5, SHORT - 1, SHORT, BLOCK * SHORT + 1])
def test_totals_are_those_of_numpy(length):
    numbers = np.random.default_rng(1).integers(-3, 4, length).astype(np.int32)
    np.testing.assert_array_equal(jax.jit(running_total)(jnp.asarray(numbers)), np.cumsum(numbers))
    np.testing.assert_array_equal(running_total(jnp.asarray(numbers > 0)), np.cumsum(numbers > 0))
    np.testing.assert_array_equal(starts_from_counts(jnp.asarray(numbers)), [0, *np.cumsum(numbers)])


def test_totals_under_vmap_and_beyond_32_bits():
    counts = jnp.full((2, SHORT), 2**20, jnp.int32)
    # as a sum of 32-bit integers: what has no room is found by its sign
    expected = np.cumsum(np.asarray(counts, np.int64), axis=1).astype(np.int32)
    np.testing.assert_array_equal(jax.vmap(running_total)(counts), expected)
    assert (expected < 0).any()
