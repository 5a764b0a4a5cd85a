"""Events: selection, cutflow, and their life as a pytree."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Events, Pass

pytestmark = pytest.mark.usefixtures("quick_compilation")

JETS = ak.zip({"pt": [[90.0, 60.0, 35.0, 20.0], [], [45.0, 30.0]], "eta": [[0.1, 1.0, -2.0, 0.5], [], [2.0, -1.0]]})


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
    again = jax.tree.unflatten(structure, leaves)
    assert list(again.cutflow) == ["missing momentum", "a jet"]
    assert again.weight.tolist() == [1.0, 2.0, 3.0]
    assert again.Jet.count().tolist() == [4.0, 0.0, 2.0]


def test_object_pass_is_no_event_pass():
    with pytest.raises(TypeError, match="count the objects"):
        events().select(events().Jet.pt > 30.0)


def test_unknown_columns_are_named():
    with pytest.raises(AttributeError, match=r"no column 'Muon' in these events; the columns are \['Jet', 'MET'\]"):
        events().Muon  # noqa: B018
