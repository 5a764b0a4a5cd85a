"""Collections and events: expectations against the enumeration of all 2^n outcomes, and against Awkward when hard."""

from __future__ import annotations

import itertools

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Events, Objects, Pass

JETS = ak.zip({"pt": [[90.0, 60.0, 35.0, 20.0], [], [45.0, 30.0]], "eta": [[0.1, 1.0, -2.0, 0.5], [], [2.0, -1.0]]})
PROBABILITY = [[0.9, 0.4, 0.0, 0.7], [], [1.0, 0.25]]


def jets(probability=PROBABILITY) -> Objects:
    array = rg.from_awkward(JETS)
    return Objects(array, rg.from_lists(probability))


def expectation(function):
    """Average a function of the selected pT values of each event over all outcomes."""
    result = []
    for pts, ps in zip(ak.to_list(JETS.pt), PROBABILITY, strict=True):
        total = 0.0
        for outcome in itertools.product([0, 1], repeat=len(ps)):
            chance = np.prod([p if o else 1 - p for p, o in zip(ps, outcome, strict=True)])
            total += chance * function([pt for pt, o in zip(pts, outcome, strict=True) if o])
        result.append(total)
    return np.array(result)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
def test_counts_are_the_exact_distribution(n):
    np.testing.assert_allclose(jets().at_least(n).probability, expectation(lambda s: len(s) >= n), atol=1e-6)
    np.testing.assert_allclose(jets().exactly(n).probability, expectation(lambda s: len(s) == n), atol=1e-6)


def test_sum_count_none_and_leading_are_expectations():
    j = jets()
    np.testing.assert_allclose(j.sum("pt"), expectation(sum), rtol=1e-6)
    np.testing.assert_allclose(j.count(), expectation(len), rtol=1e-6)
    np.testing.assert_allclose(j.none().probability, expectation(lambda s: not s), atol=1e-6)
    filled = j.leading("pt", fill_value=-1.0)
    np.testing.assert_allclose(filled, expectation(lambda s: s[0] if s else -1.0), rtol=1e-6)
    some = expectation(lambda s: len(s) > 0)
    conditional = expectation(lambda s: s[0] if s else 0.0) / np.where(some > 0, some, 1)
    np.testing.assert_allclose(j.leading("pt"), conditional, rtol=1e-6)


def test_any_and_all():
    j = jets()
    central = abs(j.eta) < 1.5
    np.testing.assert_allclose(
        j.any(central).probability, expectation(lambda s: bool({90.0, 60.0, 20.0, 30.0} & {*s})), atol=1e-6
    )
    np.testing.assert_allclose(j.all(central).probability, expectation(lambda s: not {35.0, 45.0} & {*s}), atol=1e-6)


def test_hard_selections_equal_awkward():
    j = Objects.of(rg.from_awkward(JETS))
    j = j.select((j.pt > 25.0) & (abs(j.eta) < 1.5))
    kept = JETS[(JETS.pt > 25) & (abs(JETS.eta) < 1.5)]
    assert j.count().tolist() == ak.num(kept).to_list()
    assert j.sum("pt").tolist() == ak.sum(kept.pt, axis=1).to_list()
    assert j.leading("pt", fill_value=0.0).tolist() == ak.fill_none(ak.firsts(kept.pt), 0.0).to_list()
    assert j.at_least(2).probability.tolist() == (ak.num(kept) >= 2).to_list()


def test_at_least_one_covers_the_whole_range():
    """The exact form goes to 0 and 1; sigmoid(10 * soft count) never falls below one half."""
    none, sure = (jets([[p] * 4, [], [p] * 2]).at_least(1).probability for p in (0.0, 1.0))
    assert none.tolist() == [0, 0, 0]
    assert sure.tolist() == [1, 0, 1]


@pytest.mark.parametrize("quantity", ["at_least", "exactly", "leading", "sum"])
def test_derivatives_with_respect_to_the_probabilities(quantity, x64):
    array = rg.from_awkward(ak.values_astype(JETS, "float64"))

    def value(p):
        j = Objects(array, array.pt.with_content(p))
        counts = quantity in ("at_least", "exactly")
        out = getattr(j, quantity)(2).probability if counts else getattr(j, quantity)("pt")
        return jnp.sum(out * jnp.array([1.0, 2.0, 3.0]))

    p = jnp.array([0.9, 0.4, 0.1, 0.7, 0.8, 0.25])
    jax.test_util.check_grads(value, (p,), order=2, modes=("fwd", "rev"), atol=1e-6, rtol=1e-6)


def test_select_multiplies_and_keeps_the_size():
    j = jets().select(Pass(rg.from_lists([[0.5] * 4, [], [0.5] * 2])))
    np.testing.assert_allclose(j.probability.content, 0.5 * np.array([0.9, 0.4, 0.0, 0.7, 1.0, 0.25]), rtol=1e-6)


def events() -> Events:
    array = rg.RecordArray({"Jet": rg.from_awkward(JETS), "MET": rg.from_awkward(ak.zip({"pt": [10.0, 50.0, 80.0]}))})
    return Events.of(array, jnp.array([1.0, 2.0, 3.0]))


def test_event_selection_and_cutflow():
    e = events().select(events().MET.pt > 40.0, "missing momentum")
    e = e.select(Pass(jnp.array([1.0, 0.5, 0.25])))
    e = e.select(e.Jet.at_least(1), "a jet")
    assert e.probability.tolist() == [0.0, 0.0, 0.25]
    assert list(e.cutflow) == ["missing momentum", "a jet"]
    leaves, structure = jax.tree.flatten(e)
    assert list(jax.tree.unflatten(structure, leaves).cutflow) == ["missing momentum", "a jet"]


def test_object_pass_is_no_event_pass():
    with pytest.raises(TypeError, match="count the objects"):
        events().select(events().Jet.pt > 30.0)


def test_unknown_fields_and_columns_are_named():
    with pytest.raises(AttributeError, match=r"no field 'phi' in this collection; the fields are \['pt', 'eta'\]"):
        events().Jet.phi  # noqa: B018
    with pytest.raises(AttributeError, match=r"no column 'Muon' in these events; the columns are \['Jet', 'MET'\]"):
        events().Muon  # noqa: B018
    with pytest.raises(TypeError, match="a collection needs records in rows"):
        Objects.of(rg.from_lists([[1.0]]))
