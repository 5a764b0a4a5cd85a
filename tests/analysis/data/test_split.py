"""Events divided by their numbers: which part an event belongs to, and what its weight becomes."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepgrad.analysis import split

N = 20_000


def process(seed: int, number: int = N):
    """Events whose column `x` is their number, and weights of both signs."""
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(number) + 1_000_000 * seed
    weights = rng.normal(1.0, 0.7, number)
    return ak.zip({"x": numbers.astype(np.float64)}, depth_limit=1), weights, numbers


@pytest.fixture(scope="module")
def both():
    parts = {"signal": process(1), "background": process(2)}
    return tuple({name: part[i] for name, part in parts.items()} for i in range(3))


def events_of(data, index):
    """The numbers of the events of a process in a part."""
    mine = np.asarray(data.process) == index
    return np.asarray(data.columns.x)[mine]


def test_parts_are_disjoint_and_complete(both):
    samples, weights, numbers = both
    parts = split(samples, weights, numbers=numbers, validation=0.2, held_out=0.3)
    for index, name in enumerate(samples):
        pieces = [events_of(part, index) for part in (parts.train, parts.validation, parts.held_out)]
        np.testing.assert_array_equal(np.sort(np.concatenate(pieces)), np.sort(numbers[name]).astype(np.float32))
        # five standard deviations of a binomial
        for piece, share in zip(pieces, (0.5, 0.2, 0.3), strict=True):
            assert abs(len(piece) - share * N) < 5 * np.sqrt(share * (1 - share) * N)


def test_each_part_stands_for_the_whole(both):
    """The sum of weights of every process is that of the whole in every part; ratios of weights are unchanged."""
    samples, weights, numbers = both
    parts = split(samples, weights, numbers=numbers, validation=0.2, held_out=0.3)
    for part in (parts.train, parts.validation, parts.held_out):
        for index, name in enumerate(samples):
            mine = np.asarray(part.process) == index
            np.testing.assert_allclose(np.asarray(part.weight)[mine].sum(dtype=float), weights[name].sum(), rtol=1e-5)
            original = dict(zip(numbers[name].astype(np.float32), weights[name], strict=True))
            factors = np.asarray(part.weight)[mine] / [original[x] for x in np.asarray(part.columns.x)[mine]]
            np.testing.assert_allclose(factors, factors[0], rtol=1e-4)


def test_an_event_goes_where_its_number_says(both):
    """In another order, with events missing, or with shifted columns: the same numbers, the same part."""
    samples, weights, numbers = both
    whole = split(samples, weights, numbers=numbers)
    assert whole.validation is None
    assert whole.choosing is whole.train
    rows = np.random.default_rng(3).permutation(N)[:5000]
    some = split(
        {k: s[rows] for k, s in samples.items()},
        {k: w[rows] for k, w in weights.items()},
        numbers={k: n[rows].astype(np.uint64) for k, n in numbers.items()},
    )
    assert set(events_of(some.train, 0)) <= set(events_of(whole.train, 0))
    assert set(events_of(some.held_out, 1)) <= set(events_of(whole.held_out, 1))


def test_neighbouring_numbers_are_independent():
    """Even numbers, as from a generator that writes every second event, fill both parts alike."""
    numbers = np.arange(0, 2 * N, 2)
    samples = {"a": ak.zip({"x": numbers.astype(np.float64)}, depth_limit=1)}
    train = events_of(split(samples, {"a": np.ones(N)}, numbers={"a": numbers}).train, 0)
    assert abs(len(train) - N / 2) < 5 * np.sqrt(N / 4)
    follows = np.isin(train + 2, train).mean()
    assert abs(follows - 0.5) < 5 * np.sqrt(0.25 / len(train))


def test_errors(both):
    samples, weights, numbers = both
    with pytest.raises(ValueError, match=r"got validation=0\.5 and held_out=0\.5"):
        split(samples, weights, numbers=numbers, validation=0.5)
    with pytest.raises(ValueError, match="process 'signal' needs 20000 integer event numbers, got float64"):
        split(samples, weights, numbers={k: n.astype(float) for k, n in numbers.items()})
    with pytest.raises(
        ValueError, match=r"process 'signal' needs 20000 integer event numbers, got object of shape \(\)"
    ):
        split(samples, weights, numbers={})
    negative = {**weights, "background": -np.abs(weights["background"])}
    with pytest.raises(
        ValueError, match=r"process 'background': the .* events of the part 'train' have a sum of weights"
    ):
        split(samples, negative, numbers=numbers)
