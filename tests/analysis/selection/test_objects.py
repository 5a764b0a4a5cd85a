"""Collections: selection, order, combinations, overlap, and advice for what they cannot do."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Hard, Objects, Parameter, Parameters, Pass, Soft

pytestmark = pytest.mark.usefixtures("quick_compilation")

JETS = ak.zip({"pt": [[90.0, 60.0, 35.0, 20.0], [], [45.0, 30.0]], "eta": [[0.1, 1.0, -2.0, 0.5], [], [2.0, -1.0]]})
PROBABILITY = [[0.9, 0.4, 0.0, 0.7], [], [1.0, 0.25]]


def jets(probability=PROBABILITY) -> Objects:
    return Objects(rg.from_awkward(JETS), rg.from_lists(probability))


def test_hard_selections_equal_awkward():
    j = Objects.of(rg.from_awkward(JETS))
    j = j.select((j.pt > 25.0) & (abs(j.eta) < 1.5))
    kept = JETS[(JETS.pt > 25) & (abs(JETS.eta) < 1.5)]
    assert j.count().tolist() == ak.num(kept).to_list()
    assert j.sum("pt").tolist() == ak.sum(kept.pt, axis=1).to_list()
    assert j.leading("pt", fill_value=0.0).tolist() == ak.fill_none(ak.firsts(kept.pt), 0.0).to_list()
    assert j.max("eta", fill_value=9.0).tolist() == ak.fill_none(ak.max(kept.eta, axis=1), 9.0).to_list()
    assert j.at_least(2).probability.tolist() == (ak.num(kept) >= 2).to_list()


def test_at_least_one_covers_the_whole_range():
    """The exact form goes to 0 and 1; sigmoid(10 * soft count) never falls below one half."""
    none, sure = (jets([[p] * 4, [], [p] * 2]).at_least(1).probability for p in (0.0, 1.0))
    assert none.tolist() == [0, 0, 0]
    assert sure.tolist() == [1, 0, 1]


def test_select_multiplies_and_keeps_the_size():
    j = jets().select(Pass(rg.from_lists([[0.5] * 4, [], [0.5] * 2])))
    np.testing.assert_allclose(j.probability.content, 0.5 * np.array([0.9, 0.4, 0.0, 0.7, 1.0, 0.25]), rtol=1e-6)


def test_a_conditional_expectation_outlives_tiny_probabilities():
    """Its derivatives stay finite, to the second order in float32, down to where the event counts for nothing."""

    def leading(scale):
        j = jets()
        return jnp.sum(j.select(Pass(j.probability * 0 + scale)).leading("pt"))

    derivatives = jax.jit(lambda s: jax.jvp(jax.value_and_grad(leading), (s,), (1.0,)))
    for scale in (1e-3, 1e-9, 1e-20, 1e-38, 0.0):
        assert np.all(np.isfinite(derivatives(scale)))


def test_what_is_masked_away_may_be_missing():
    array = rg.from_lists([[{"pt": 50.0, "score": np.nan}, {"pt": 30.0, "score": 0.5}]])
    j = Objects.of(array).select(array.score > 0.0)
    for value in (j.sum("score"), j.mean("score"), j.leading("score"), j.max("score")):
        assert value.tolist() == [0.5]


def test_order_and_nth():
    j = jets().ordered_by("eta")
    assert rg.to_list(j.pt) == [[60.0, 20.0, 90.0, 35.0], [], [45.0, 30.0]]
    np.testing.assert_allclose(j.probability.content, [0.4, 0.7, 0.9, 0.0, 1.0, 0.25])
    for n in (1, 2):
        np.testing.assert_allclose(j.nth("pt", n), jets().nth("pt", n, by="eta"), rtol=1e-6)
    assert rg.to_list(jets().ordered_by("pt", ascending=True).pt)[0] == [20.0, 35.0, 60.0, 90.0]


def test_combinations_pass_with_the_product():
    pairs = jets().combinations(2)
    assert pairs.fields == ["0", "1"]
    np.testing.assert_allclose(pairs.probability.content, [0.36, 0, 0.63, 0, 0.28, 0, 0.25], rtol=1e-6)
    assert rg.to_list(pairs["0"].pt + pairs["1"].pt)[2] == [75.0]
    triplets = jets().combinations(3, fields=["a", "b", "c"], capacity=10)
    np.testing.assert_allclose(triplets.count(), [0.9 * 0.4 * 0.7, 0, 0], rtol=1e-6)


def test_concatenate_keeps_named_fields():
    muons = Objects.of(rg.from_lists([[{"pt": 70.0, "iso": 0.1}], [{"pt": 10.0, "iso": 0.2}], []]))
    both = Objects.concatenate([jets(), muons], fields=["pt"])
    assert rg.to_list(both.pt) == [[90.0, 60.0, 35.0, 20.0, 70.0], [10.0], [45.0, 30.0]]
    np.testing.assert_allclose(rg.to_list(both.probability)[0], [0.9, 0.4, 0, 0.7, 1], rtol=1e-6)
    assert both.fields == ["pt"]
    with pytest.raises(KeyError, match="no field 'eta'; the fields are"):
        Objects.concatenate([jets(), muons])


def test_fields_by_item_and_unknown_ones():
    assert rg.to_list(jets()["pt"]) == JETS.pt.to_list()
    with pytest.raises(AttributeError, match=r"no field 'phi' in this collection; the fields are \['pt', 'eta'\]"):
        _ = jets().phi
    with pytest.raises(TypeError, match="a collection needs records in rows"):
        Objects.of(rg.from_lists([[1.0]]))


@pytest.mark.parametrize("method", ["at_least", "at_most", "exactly"])
def test_numbers_of_objects_are_no_parameters(method):
    count = getattr(jets(), method)
    cut = Parameters(njets=Parameter(4.0, bounds=(2, 8))).cuts(Soft())
    with pytest.raises(TypeError, match=rf"{method}: a number of objects cannot be a parameter.*compare the optimised"):
        count(cut.njets)
    for wrong in (2.5, True, "2", None):
        with pytest.raises(TypeError, match=f"{method}: needs a whole number"):
            count(wrong)
    with pytest.raises(TypeError, match=f"{method}: needs a whole number known before the program runs"):
        jax.jit(lambda n: count(n).probability)(2)
    assert count(np.int64(1)).probability.shape == (3,)


def test_places_count_from_one():
    with pytest.raises(ValueError, match="nth: places count from 1, the leading object's, got 0"):
        jets().nth("pt", 0)


# overlap -------------------------------------------------------------------------------------------------------------


def directions(rng, mean):
    """Return collections of random directions, some of them back to back across the cut in phi."""
    rows = [
        [{"eta": rng.normal(0, 0.5), "phi": rng.uniform(-np.pi, np.pi)} for _ in range(min(rng.poisson(mean), 5))]
        for _ in range(60)
    ]
    size = sum(map(len, rows))
    offsets = np.cumsum([0, *map(len, rows)])
    columns = {k: jnp.asarray([o[k] for row in rows for o in row] + [np.nan] * 4, float) for k in ("eta", "phi")}
    array = rg.from_offsets(offsets, rg.RecordArray(columns), max_length=5)
    content = jnp.asarray([*rng.choice([0.0, 0.3, 0.8, 1.0], size), *[0.5] * 4], float)
    return rows, Objects(array, array.eta.with_content(content))


def pairwise(jet_rows, muon_rows):
    """Return for each event the matrix of distances between jets and muons."""
    for a, b in zip(jet_rows, muon_rows, strict=True):
        eta = np.subtract.outer([x["eta"] for x in a], [x["eta"] for x in b])
        phi = abs(np.subtract.outer([x["phi"] for x in a], [x["phi"] for x in b]))
        yield np.hypot(eta, np.minimum(phi, 2 * np.pi - phi)).reshape(len(a), len(b))


def rows_of(objects):
    return [np.asarray(row) for row in rg.to_list(objects.probability)]


def test_overlap_is_the_chance_of_no_selected_one_nearby(x64):
    rng = np.random.default_rng(11)
    (jet_rows, some_jets), (muon_rows, muons) = directions(rng, 3), directions(rng, 1.5)
    cut = Parameters(radius=Parameter(0.4, bounds=(0.1, 1.0), width=0.05))

    @jax.jit
    def survive(jets, muons, radius, reading):
        return jets.without_overlap(muons, cut.replace(radius=radius).cuts(reading).radius)

    number = jax.jit(lambda jets, muons: jets.without_overlap(muons, 0.4))(some_jets, muons)
    results = {
        "soft": (survive(some_jets, muons, 0.4, Soft()), lambda d: 1 / (1 + np.exp((d - 0.4) / 0.05))),
        "narrow": (survive(some_jets, muons, 0.4, Soft(1e-6)), lambda d: d < 0.4),
        "hard": (survive(some_jets, muons, 0.4, Hard()), lambda d: d < 0.4),
        "number": (number, lambda d: d < 0.4),
    }
    samples = 100_000
    for name, (result, near) in results.items():
        for event, distance in enumerate(pairwise(jet_rows, muon_rows)):
            p, m, q = rows_of(some_jets)[event], rows_of(muons)[event], near(distance)
            np.testing.assert_allclose(rows_of(result)[event], p * np.prod(1 - m * q, axis=1), atol=1e-9, err_msg=name)
            if name == "soft" and event < 10:
                there, present, close = (rng.random((samples, *np.shape(x))) < x for x in (p, m, q))
                survived = np.mean(there & ~np.any(close & present[:, None], axis=2), axis=0)
                assert np.all(abs(survived - rows_of(result)[event]) < 5 * np.sqrt(0.25 / samples))


def test_overlap_has_the_right_derivatives_also_at_distance_zero(x64):
    here = [{"eta": 0.0, "phi": 3.1}, {"eta": 0.0, "phi": -3.0}, {"eta": 1.0, "phi": 0.0}]
    some_jets, muons = (Objects.of(rg.from_lists([here[:n], []])) for n in (3, 1))
    cut = Parameters(radius=Parameter(0.3, bounds=(0.1, 1.0), width=0.1))

    @jax.jit
    def value_and_slopes(radius, content):
        def surviving(radius, content):
            fewer = muons.select(Pass(muons.probability.with_content(content)))
            free = some_jets.without_overlap(fewer, cut.replace(radius=radius).cuts(Soft()).radius)
            return jnp.sum(free.probability.content * jnp.array([1.0, 2.0, 3.0]))

        return surviving(radius, content), jax.grad(surviving, argnums=(0, 1))(radius, content)

    h, one = 1e-5, jnp.ones(1)
    radius, content = value_and_slopes(0.3, one)[1]
    difference = value_and_slopes(0.3 + h, one)[0] - value_and_slopes(0.3 - h, one)[0]
    np.testing.assert_allclose(radius, difference / (2 * h), rtol=1e-7)
    difference = value_and_slopes(0.3, one)[0] - value_and_slopes(0.3, one - h)[0]
    np.testing.assert_allclose(content[0], difference / h, rtol=1e-7)


def test_overlap_with_nothing_and_with_too_much():
    some_jets = Objects.of(rg.from_lists([[{"eta": 0.0, "phi": 0.0}] * 3, []]))
    nothing = Objects(some_jets.array[:, :0], some_jets.probability[:, :0])
    assert rg.to_list(some_jets.without_overlap(nothing, 0.4).probability) == [[1.0, 1.0, 1.0], []]
    with pytest.raises(rg.CapacityError, match="9"):
        some_jets.without_overlap(some_jets, 0.4, capacity=5)
