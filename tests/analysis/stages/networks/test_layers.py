"""Fully connected layers against NumPy, and their plain twin in exported scripts."""

from __future__ import annotations

import jax
import numpy as np

from hepgrad.analysis.stages import feed_forward
from hepgrad.analysis.stages.networks.layers import random_layers
from hepgrad.workflows.export.runtime import functions as plain


def test_layers_are_matrices_with_a_function_between(x64):
    rng = np.random.default_rng(1)
    (a, b), (c, d), (e, f) = layers = [
        (rng.normal(size=(n, m)), rng.normal(size=m)) for n, m in ((3, 4), (4, 5), (5, 2))
    ]
    x, start = rng.normal(size=(6, 3)), rng.normal(size=2)
    by_hand = start + np.tanh(np.tanh(x @ a + b) @ c + d) @ e + f
    np.testing.assert_allclose(feed_forward(layers, x, start=start), by_hand, rtol=1e-12)
    np.testing.assert_allclose(plain.feed_forward(layers, x, start=start), by_hand, rtol=1e-12)
    without_hidden = feed_forward([(a, b)], x, between=lambda nodes: nodes / 0)
    np.testing.assert_allclose(without_hidden, x @ a + b, rtol=1e-12)


def test_a_single_output_needs_no_axis():
    assert feed_forward([(np.ones(3), np.zeros(()))], np.ones((2, 5, 3))).shape == (2, 5)


def test_layers_are_drawn_one_by_one():
    first, second = random_layers(jax.random.key(0), (2, 300, 1), jax.nn.initializers.he_normal())
    assert [(weight.shape, bias.shape) for weight, bias in (first, second)] == [((2, 300), (300,)), ((300, 1), (1,))]
    np.testing.assert_allclose([first[0].std(), second[0].std()], [1.0, (2 / 300) ** 0.5], rtol=0.1)
    assert not first[1].any()
