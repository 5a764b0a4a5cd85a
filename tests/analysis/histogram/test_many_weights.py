"""Filling with many weights: the histogram of each of them, as if it were filled alone, and its derivative."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis.histogram import Regular, Variable, fill_hard, fill_soft
from hepgrad.analysis.histogram.kernel import Biweight
from hepgrad.analysis.histogram.many_weights import fill_hard_many, fill_soft_many
from hepgrad.analysis.histogram.several import Observables

AXES = [Regular(5, 0, 10), Variable([0.0, 1.0, 4.0, 12.0])]
RNG = np.random.default_rng(1)
NUMBER, GROUPS = 60, 3
VALUES = jnp.asarray(RNG.uniform(-1, 13, (2, NUMBER)), jnp.float32)
FACTORS = jnp.asarray(RNG.normal(1, 0.3, (4, NUMBER)), jnp.float32)
PROBABILITY = jnp.asarray(RNG.uniform(0, 1, (2, NUMBER)), jnp.float32)
WEIGHT = jnp.asarray(RNG.uniform(0.5, 2, NUMBER), jnp.float32)
# of the last events nobody asks for the group
OF_EVENTS = jnp.asarray(np.append(RNG.integers(0, GROUPS, NUMBER - 5), [GROUPS] * 5), jnp.int32)
MORE = {"groups": OF_EVENTS, "num_groups": GROUPS}


def observables(values=VALUES, weight=WEIGHT):
    return Observables(values, PROBABILITY, weight, OF_EVENTS, GROUPS)


def soft(values=VALUES, factors=FACTORS):
    return fill_soft_many(observables(values), factors, AXES, bandwidths=[0.7, 0.3], kernel=Biweight())


def test_each_is_that_of_its_own_weights():
    hard = fill_hard_many(observables(), FACTORS, AXES)
    smeared = soft()
    for k, factor in enumerate(FACTORS):
        for axis, h, p, x, *found in zip(AXES, (0.7, 0.3), PROBABILITY, VALUES, hard, smeared, strict=True):
            alone = (
                fill_hard(x, WEIGHT * factor, axis, probability=p, **MORE),
                fill_soft(x, WEIGHT * factor, axis, bandwidth=h, probability=p, **MORE),
            )
            for mine, wanted in zip(found, alone, strict=True):
                np.testing.assert_allclose(mine.sumw[k], wanted.sumw, rtol=2e-5, atol=1e-5)
                np.testing.assert_allclose(mine.sumw2[k], wanted.sumw2, rtol=2e-5, atol=1e-5)


@pytest.mark.thorough
def test_derivatives():
    with jax.enable_x64(True):
        values, factors = VALUES.astype(float), FACTORS.astype(float)
        turn = [jnp.asarray(RNG.normal(size=counts.sumw.shape)) for counts in soft(values, factors)]

        @jax.jit
        def total(shift, scale):
            counts = soft(values + shift, factors**scale)
            return sum(jnp.sum(a * (c.sumw + c.sumw2)) for a, c in zip(turn, counts, strict=True))

        slopes = jax.grad(total, (0, 1))(0.0, 1.0)
        for i, slope in enumerate(slopes):
            step = np.eye(2)[i] * 1e-5
            numeric = (total(step[0], 1 + step[1]) - total(-step[0], 1 - step[1])) / 2e-5
            np.testing.assert_allclose(slope, numeric, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_spoils_its_own_bins_only(bad):
    (alone, _), (spoilt, _) = (
        fill_hard_many(observables(), factors, AXES) for factors in (FACTORS, FACTORS.at[1, 0].set(bad))
    )
    wrong = ~np.isfinite(np.asarray(spoilt.sumw))
    assert wrong.sum() == 1 and wrong[1, OF_EVENTS[0]].any()
    np.testing.assert_allclose(spoilt.sumw[~wrong], alone.sumw[~wrong], rtol=1e-6)
