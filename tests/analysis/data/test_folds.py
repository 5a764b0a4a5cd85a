"""Folds: every event in one of them, and parts that stand for the whole."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepgrad.analysis import Dataset, fold_numbers, folds

N, K = 3_000, 4


@pytest.fixture(scope="module")
def given():
    rng = np.random.default_rng(1)
    numbers = {"signal": rng.permutation(N), "background": 10_000 + rng.permutation(N)}
    samples = {name: ak.zip({"x": n.astype(np.float64)}, depth_limit=1) for name, n in numbers.items()}
    return samples, {name: rng.normal(1.0, 0.7, N) for name in samples}, numbers


@pytest.fixture(scope="module")
def made(given):
    samples, weights, numbers = given
    return folds(samples, weights, numbers=numbers, k=K, block_size=1024)


def inside(data: Dataset, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and weights of the events of a process."""
    mine = np.asarray(data.process) == index
    return np.asarray(data.columns.x)[mine], np.asarray(data.weight)[mine]


def test_every_event_is_held_out_once_and_trains_otherwise(given, made):
    samples, weights, numbers = given
    parts = list(made)
    assert len(parts) == len(made) == K
    for index, name in enumerate(samples):
        known = dict(zip(numbers[name].astype(np.float32), weights[name], strict=True))
        held_out = [inside(part.held_out, index)[0] for part in parts]
        np.testing.assert_array_equal(np.sort(np.concatenate(held_out)), np.sort(numbers[name]).astype(np.float32))
        for fold, part in enumerate(parts):
            train, _ = inside(part.train, index)
            assert set(train) == set(known) - set(held_out[fold])
            np.testing.assert_array_equal(
                np.sort(held_out[fold]), np.sort(numbers[name][fold_numbers(numbers[name], K) == fold])
            )
            for data in (part.train, part.held_out):
                x, w = inside(data, index)
                np.testing.assert_allclose(w.sum(dtype=float), weights[name].sum(), rtol=1e-5)
                ratio = w / [known[each] for each in x]
                np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)
                typical = (w.astype(float) ** 2).sum() / w.sum(dtype=float)
                np.testing.assert_allclose(data.typical_weight[index], typical, rtol=1e-4)


def test_folds_alone_add_up_to_the_whole_with_their_own_weights(given, made):
    samples, weights, numbers = given
    for index, name in enumerate(samples):
        x, w = (np.concatenate(part) for part in zip(*(inside(made.alone(f), index) for f in range(K)), strict=True))
        order, expected = np.argsort(x), np.argsort(numbers[name])
        np.testing.assert_allclose(w[order], weights[name][expected].astype(np.float32))
    np.testing.assert_array_equal(made.alone(0).typical_weight, made.data.typical_weight)


def test_folds_are_of_similar_size_and_the_same_in_any_order():
    numbers = np.arange(50_000)
    of = fold_numbers(numbers, 5)
    counts = np.bincount(of)
    # five standard deviations of a binomial
    assert len(counts) == 5
    assert np.all(abs(counts - 10_000) < 5 * np.sqrt(50_000 * 0.2 * 0.8))
    np.testing.assert_array_equal(fold_numbers(numbers[::-1], 5)[::-1], of)


def test_what_cannot_be_divided(given):
    samples, weights, numbers = given
    with pytest.raises(ValueError, match="at least two folds, got k=1"):
        folds(samples, weights, numbers=numbers, k=1)
    with pytest.raises(ValueError, match="'background' needs 3000 integer event numbers"):
        folds(samples, weights, numbers={"signal": numbers["signal"], "background": np.ones(N)})
    negative = {**weights, "signal": np.where(fold_numbers(numbers["signal"], 3) == 1, -1.0, 1.0)}
    with pytest.raises(ValueError, match=r"'signal': the \d+ events of fold 2 of 3 have a sum of weights of -\d+"):
        folds(samples, negative, numbers=numbers, k=3)
