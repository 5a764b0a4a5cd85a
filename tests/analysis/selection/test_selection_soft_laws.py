"""The laws of the soft reading: exact for independent passes, and the hard reading in the limit of vanishing widths.

Every quantity of a collection is computed from all outcomes by plain Python, and compared with the formulas.
"""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepgrad import ragged as rg
from hepgrad.analysis import Hard, Objects, Parameter, Parameters, Pass, Soft, StraightThrough, window

pytestmark = pytest.mark.usefixtures("quick_compilation")

FILL = -1.0
ROWS, LONGEST, CAPACITY = 4, 5, 21


def value_at(place, key=None, field=0):
    def truth(selected):
        ordered = sorted(selected, key=key) if key else selected
        return ordered[place - 1][field] if len(selected) >= place else FILL

    return truth


# by name: the quantity of a collection, and the same of a list of selected (x, y); x and y differ within an event
QUANTITIES = {
    "count": (lambda j: j.count(), len),
    "sum": (lambda j: j.sum("x"), lambda s: sum(x for x, _ in s)),
    "mean": (lambda j: j.mean("x", fill_value=FILL), lambda s: sum(x for x, _ in s) / len(s) if s else FILL),
    "max": (lambda j: j.max("y", fill_value=FILL), lambda s: max((y for _, y in s), default=FILL)),
    "min": (lambda j: j.min("y", fill_value=FILL), lambda s: min((y for _, y in s), default=FILL)),
    "leading": (lambda j: j.leading("x", fill_value=FILL), value_at(1)),
    "subleading": (lambda j: j.subleading("x", fill_value=FILL), value_at(2)),
    "third": (lambda j: j.nth("x", 3, fill_value=FILL), value_at(3)),
    "second by y": (lambda j: j.nth("x", 2, by="y", fill_value=FILL), value_at(2, key=lambda xy: -xy[1])),
    "none": (lambda j: j.none().probability, lambda s: not s),
    "at least 1": (lambda j: j.at_least(1).probability, lambda s: len(s) >= 1),
    "at least 3": (lambda j: j.at_least(3).probability, lambda s: len(s) >= 3),
    "at most 2": (lambda j: j.at_most(2).probability, lambda s: len(s) <= 2),
    "exactly 2": (lambda j: j.exactly(2).probability, lambda s: len(s) == 2),
    "any": (lambda j: j.any(j.y > 45.0).probability, lambda s: any(y > 45 for _, y in s)),
    "all": (lambda j: j.all(j.y > 45.0).probability, lambda s: all(y > 45 for _, y in s)),
    "pair sums": (lambda j: pair_sums(j), lambda s: sum(a[0] * b[0] for a, b in itertools.combinations(s, 2))),
}


def pair_sums(j):
    pairs = j.combinations(2, fields=["a", "b"])
    return pairs.with_field(product=pairs.a.x * pairs.b.x).sum("product")


def ragged(rows, columns, capacity=CAPACITY):
    """Return records of one capacity and one bound on the row, whatever the rows: one compiled program for all."""
    size = sum(map(len, rows))
    content = {}
    for i, name in enumerate(columns):
        values = np.full(capacity, np.nan)
        values[:size] = [item[i] for row in rows for item in row]
        content[name] = jnp.asarray(values, float)
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return rg.from_offsets(offsets, rg.RecordArray(content), max_length=LONGEST)


def expected(rows, probabilities, truth):
    """Return the mean of a quantity over all outcomes, for each event."""
    means = []
    for row, ps in zip(rows, probabilities, strict=True):
        mean = 0.0
        for outcome in itertools.product((0, 1), repeat=len(row)):
            chance = np.prod([p if passed else 1 - p for p, passed in zip(ps, outcome, strict=True)])
            mean += chance * truth([xy for xy, passed in zip(row, outcome, strict=True) if passed])
        means.append(mean)
    return np.array(means)


@jax.jit
def quantities(jets):
    return {name: quantity(jets) for name, (quantity, _) in QUANTITIES.items()}


EXAMPLE = [
    [(90.0, 12.0), (60.0, 85.0), (35.0, 47.0), (20.0, 31.0)],
    [],
    [(45.0, 40.0)],
    [(80.0, 66.0), (70.0, 20.0), (50.0, 50.0), (40.0, 90.0), (30.0, 10.0)],
]
PROBABILITIES = [[0.9, 0.4, 0.0, 0.7], [], [1.0], [0.5, 1.0, 0.2, 0.05, 0.8]]


def example_jets(content=None):
    array = ragged(EXAMPLE, ("x", "y"))
    if content is None:
        content = jnp.asarray([p for row in PROBABILITIES for p in row] + [0.5] * (CAPACITY - 10), float)
    return Objects(array, array.x.with_content(content))


def test_every_quantity_is_the_mean_over_all_outcomes():
    results = quantities(example_jets())
    for name, (_, truth) in QUANTITIES.items():
        exact = expected(EXAMPLE, PROBABILITIES, truth)
        np.testing.assert_allclose(results[name], exact, rtol=2e-6, atol=1e-6, err_msg=name)


def test_every_quantity_is_the_mean_of_sampled_passes():
    rng, samples = np.random.default_rng(7), 100_000
    drawn = [rng.random((samples, len(ps))) < ps for ps in PROBABILITIES]
    counted = [np.unique(passes, axis=0, return_counts=True) for passes in drawn]
    results = quantities(example_jets())
    for name, (_, truth) in QUANTITIES.items():
        for event, row in enumerate(EXAMPLE):
            outcomes, times = counted[event]
            values = [float(truth([xy for xy, o in zip(row, out, strict=True) if o])) for out in outcomes]
            mean = np.sum(times * values) / samples
            error = np.sqrt(np.sum(times * (values - mean) ** 2)) / samples
            assert abs(results[name][event] - mean) <= 5 * error + 1e-5 * abs(mean) + 1e-6, (name, event)


# objects lie at least 5 from any threshold, and differ in both fields within an event
numbers = st.permutations(range(15, 95, 10))
events = st.lists(
    st.tuples(st.integers(0, LONGEST), numbers, numbers).map(
        lambda drawn: [(float(x), float(y)) for x, y in zip(*drawn[1:], strict=True)][: drawn[0]]
    ),
    min_size=ROWS,
    max_size=ROWS,
)
thresholds = st.tuples(*[st.integers(2, 8).map(lambda n: 10.0 * n)] * 3)
CUTS = Parameters(
    x=Parameter(50.0, bounds=(10, 90), width=4.0),
    low=Parameter(20.0, bounds=(10, 90), width=3.0),
    high=Parameter(80.0, bounds=(10, 90), width=6.0),
)


@jax.jit
def selected(array, cuts, reading):
    cut, jets = cuts.cuts(reading), Objects.of(array)
    return quantities(jets.select((jets.x > cut.x) | window(jets.y, cut.low, cut.high)))


@pytest.mark.thorough
@settings(max_examples=25, deadline=None)
@given(events, thresholds)
def test_the_soft_reading_becomes_the_hard_one(rows, values):
    array = ragged(rows, ("x", "y"))
    cuts = CUTS.replace(**dict(zip(CUTS, values, strict=True)))
    soft, hard = (selected(array, cuts, reading) for reading in (Soft(1e-3), Hard()))
    c, low, high = values
    for name, (_, truth) in QUANTITIES.items():
        kept = [[(x, y) for x, y in row if x > c or low < y < high] for row in rows]
        np.testing.assert_allclose(hard[name], [float(truth(row)) for row in kept], rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(soft[name], hard[name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_without_a_fill_value_expectations_are_conditional():
    jets, field = example_jets(), "y"
    some = np.asarray(jets.at_least(1).probability)
    for method in ("mean", "max", "min", "leading"):
        filled = getattr(jets, method)(field, fill_value=0.0)
        conditional = getattr(jets, method)(field)
        np.testing.assert_allclose(conditional, filled / np.where(some > 0, some, 1), rtol=1e-5)
    assert example_jets().select(Pass(jets.probability * 0)).leading(field).tolist() == [0.0] * ROWS


def weighted(*results):
    return sum(jnp.sum(jnp.sin(1.0 + i + jnp.arange(ROWS)) * value) for i, value in enumerate(results))


def total(content):
    """Return one number that depends on each kind of formula once; the rest is made of these, or linear."""
    jets = example_jets(content)
    counts = (jets.none(), jets.at_least(3), jets.exactly(2))
    columns = (jets.mean("y"), jets.leading("x"), jets.nth("x", 2, by="y", fill_value=FILL))
    return weighted(*columns, *(passed.probability for passed in counts))


def conditional(content):
    jets = example_jets(content)
    return weighted(jets.mean("y"), jets.leading("x"))


DIRECTION = np.cos(np.arange(CAPACITY))


@jax.jit
def derivatives(content):
    """Return the value, the gradient, the derivative along a direction (forward mode), and a second derivative."""
    value, forward = jax.jvp(total, (content,), (DIRECTION,))
    slope, second = jax.jvp(jax.grad(conditional), (content,), (DIRECTION,))
    return value, jax.grad(total)(content), forward, slope, second


@pytest.mark.thorough
def test_derivatives_equal_differences(x64):
    content, h = jnp.asarray(np.random.default_rng(3).uniform(0.1, 0.9, CAPACITY)), 1e-5
    _, gradient, forward, _, second = derivatives(content)
    np.testing.assert_allclose(forward, gradient @ DIRECTION, rtol=1e-10)
    for i in (0, 3, 4, 7, 9):
        step = h * np.eye(CAPACITY)[i]
        difference = derivatives(content + step)[0] - derivatives(content - step)[0]
        np.testing.assert_allclose(gradient[i], difference / (2 * h), rtol=1e-6, atol=1e-6)
    difference = derivatives(content + h * DIRECTION)[3] - derivatives(content - h * DIRECTION)[3]
    np.testing.assert_allclose(second, difference / (2 * h), rtol=1e-5, atol=1e-5)


def test_derivatives_at_exactly_0_and_1(x64):
    content = jnp.asarray([1, 0, 1, 0, 1, 0, 1, 1, 0, 1] + [0.5] * (CAPACITY - 10), float)
    _, gradient, forward, _, second = derivatives(content)
    np.testing.assert_allclose(forward, gradient @ DIRECTION, rtol=1e-10)
    assert np.all(np.isfinite(second))
    for i in (0, 1, 4, 6, 8):
        step = np.where(content[i] == 0, 1e-4, -1e-4) * np.eye(CAPACITY)[i]
        f0, f1, f2 = (derivatives(content + n * step)[0] for n in range(3))
        inwards = (-3 * f0 + 4 * f1 - f2) / (2 * step[i])
        np.testing.assert_allclose(gradient[i], inwards, rtol=1e-5, atol=1e-5)


def test_straight_through_is_hard_with_soft_derivatives():
    array = ragged(EXAMPLE, ("x", "y"))

    def results(cuts, reading):
        cut, jets = cuts.cuts(reading), Objects.of(array)
        jets = jets.select((jets.x > cut.x) | window(jets.y, cut.low, cut.high))
        return jnp.stack([jets.mean("x"), jets.nth("x", 2), jets.at_least(2).probability])

    through, hard = (jax.jit(results)(CUTS, reading) for reading in (StraightThrough(), Hard()))
    np.testing.assert_array_equal(through, hard)
    slope = jax.jit(jax.grad(lambda cuts: results(cuts, StraightThrough()).sum()))(CUTS)
    assert all(np.isfinite(slope[name]) and slope[name] != 0 for name in CUTS)
