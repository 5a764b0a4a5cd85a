"""Models of other libraries, evaluated once."""

from __future__ import annotations

import awkward as ak
import jax
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Dataset
from hepgrad.analysis.stages import scored_once

EVENTS = ak.Array([{"Jet": [{"pt": 30.0, "eta": 1.0}, {"pt": 20.0, "eta": -2.0}], "x": 1.0}, {"Jet": [], "x": 2.0}] * 5)
SAMPLE = ak.values_astype(EVENTS, np.float32)


@pytest.fixture
def data():
    return Dataset.from_awkward({"s": SAMPLE}, {"s": np.ones(10)}, block_size=6)


def test_scores_of_objects_and_events(data):
    asked = []

    def model(features):
        asked.append(type(features))
        return features[:, 0] * 2 + features[:, 1]

    scored = scored_once(data, "tag", model, ["pt", "abs(eta)"], collection="Jet")
    assert set(asked) == {np.ndarray} and len(asked) == data.blocks
    scored = scored_once(scored, "nn", lambda features: features[:, :1] + 1, ["x"])
    first = jax.tree.map(lambda x: x[0], scored.events)
    jets = SAMPLE.Jet[:6]
    assert rg.to_list(first.Jet.tag) == ak.to_list(jets.pt * 2 + abs(jets.eta))
    np.testing.assert_array_equal(first.nn, [2, 3, 2, 3, 2, 3])


def test_a_number_for_each_row(data):
    with pytest.raises(ValueError, match="the network must return one score for each of"):
        scored_once(data, "nn", lambda features: features[:1], ["x"])
