"""What does not fit is an error of hepgrad's own, and no program of an analysis calls back to the host."""

from __future__ import annotations

import awkward as ak
import jax
import numpy as np
import optax
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Dataset,
    Hard,
    Parameter,
    Parameters,
    Regular,
    Soft,
    Split,
    optimize,
    stage,
)
from hepgrad.analysis.data.pool import LocalPool

CUTS = Parameters(pt=Parameter(30.0, bounds=(20, 60), width=5.0))
JETS = [[50.0, 40.0, 30.0], [35.0], [60.0, 20.0, 45.0, 25.0], [], [70.0, 25.0]] * 2


def pairs_with_room_for(capacity):
    @stage(reads=("Jet_pt",))
    def pairs(events, cut):
        jets = events.Jet.select(events.Jet.pt > cut.pt)
        both = jets.combinations(2, fields=("a", "b"), capacity=capacity)
        both = both.with_field(sum=np.hypot(both.a.pt, both.b.pt))
        # NumPy's functions on columns of events, which are flat
        ht = np.sqrt(np.abs(both.leading("sum", fill_value=0.0)) * 10 + np.maximum(jets.sum("pt"), 1.0))
        return events.select(jets.at_least(1)).with_field(ht=np.where(ht > 10, ht, 10.0))

    return Analysis([pairs], [Channel("sr", "ht", Regular(4, 0, 100))], CountingModel(["s"], 0.1))


@pytest.fixture(scope="module")
def data():
    events = ak.zip({"Jet": ak.zip({"pt": ak.values_astype(ak.Array(JETS), np.float32)})}, depth_limit=1)
    # two blocks, which the program loops over
    samples = {"s": events, "b": events[::-1]}
    return Dataset.from_awkward(samples, dict.fromkeys(samples, np.ones(len(events))), block_size=10)


def test_an_error_in_a_block_is_raised_as_itself(data):
    small, large = pairs_with_room_for(19), pairs_with_room_for(20)
    with pytest.raises(rg.CapacityError, match="combinations: the result needs room for 20 items"):
        small.histograms(data, CUTS, Hard())
    with pytest.raises(rg.CapacityError, match="needs room for 20 items"):
        LocalPool([data], data).total(
            lambda shard, first, parameters: small.histograms(shard, parameters, Hard()), CUTS
        )
    np.testing.assert_allclose(np.sum(large.histograms(data, CUTS, Hard())["sr"].sumw), 16)


def test_no_program_calls_back_to_the_host(data):
    analysis = pairs_with_room_for(19)
    program = jax.jit(rg.with_checks(jax.value_and_grad(lambda p, data: analysis.evaluate(data, p, Soft()))))
    assert "callback" not in program.lower(CUTS, data).as_text()


@pytest.mark.slow
def test_the_optimiser_raises_what_does_not_fit(data):
    with pytest.raises(rg.CapacityError, match="needs room for 20 items"):
        optimize(pairs_with_room_for(19), Split(data, data), parameters=CUTS, optimizer=optax.adam(0.1), steps=1)
