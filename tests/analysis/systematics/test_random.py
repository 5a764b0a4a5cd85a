"""Random numbers by event: standard normal, independent, and the same whatever the order."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from hepgrad import ragged as rg
from hepgrad.analysis.systematics import normal_by_event

pytestmark = pytest.mark.usefixtures("quick_compilation")

NUMBERS = np.arange(40_000, dtype=np.int32)
ROWS = rg.from_offsets(np.arange(0, 120_001, 3), np.zeros(120_000, np.float32))


def draw(event=NUMBERS, rows=ROWS, **options):
    return np.asarray(normal_by_event(jnp.asarray(event), rows, **{"seed": 1, **options}).content)


def test_standard_normal():
    assert scipy.stats.kstest(draw(), "norm").pvalue > 0.01
    assert np.isfinite(draw()).all()


def test_objects_streams_seeds_and_neighbouring_events_are_independent():
    first = draw()
    by_event = first.reshape(-1, 3)
    others = [draw(seed=2), draw(stream=1), np.roll(first, 3)]
    correlations = [np.corrcoef(first, other)[0, 1] for other in others]
    correlations += [np.corrcoef(by_event[:, 0], by_event[:, 1])[0, 1]]
    np.testing.assert_allclose(correlations, 0, atol=0.03)


def test_the_order_of_events_does_not_matter():
    counts = np.array([2, 0, 3, 1])
    numbers = np.array([11, 5, 7, 2**31 - 1], np.int32)
    order = np.array([2, 0, 3, 1])

    def rows(counts):
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return rg.from_offsets(offsets, np.zeros(offsets[-1], np.float32))

    there = normal_by_event(jnp.asarray(numbers), rows(counts), seed=3).to_list()
    shuffled = normal_by_event(jnp.asarray(numbers[order]), rows(counts[order]), seed=3).to_list()
    assert shuffled == [there[i] for i in order]


def test_event_numbers_are_integers():
    with pytest.raises(TypeError, match="event numbers must be integers, got float32"):
        draw(event=NUMBERS.astype(np.float32))
