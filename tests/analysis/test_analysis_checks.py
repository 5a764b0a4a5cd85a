"""What does not fit is an error of hepgrad's own, and no program of an analysis calls back to the host."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
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
    Projection,
    Regular,
    Soft,
    Split,
    optimize,
    stage,
)
from hepgrad.analysis.data.pool import LocalPool, Pool, compiled
from hepgrad.analysis.optimisation.goal import Goal
from hepgrad.analysis.optimisation.programs.of_shards import Fill
from hepgrad.analysis.optimisation.steps import Descent, make_step
from hepgrad.ragged.checks.check import check_p

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


@pytest.mark.thorough
def test_an_error_in_a_block_is_raised_as_itself(data):
    small, large = pairs_with_room_for(19), pairs_with_room_for(20)
    with pytest.raises(rg.CapacityError, match="combinations: the result needs room for 20 items"):
        small.histograms(data, CUTS, Hard())
    with pytest.raises(rg.CapacityError, match="needs room for 20 items"):
        LocalPool([data], data).total(
            lambda shard, first, parameters: small.histograms(shard, parameters, Hard()), CUTS
        )
    np.testing.assert_allclose(np.sum(large.histograms(data, CUTS, Hard())["sr"].sumw), 16)


def primitives(jaxpr) -> set[str]:
    """The operations of a program, those of the programs inside it included."""
    found = set()
    for equation in jaxpr.eqns:
        inner = jax.tree.leaves(list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns"))
        bodies = (getattr(each, "jaxpr", each) for each in inner)
        found |= {equation.primitive.name}.union(*(primitives(body) for body in bodies if hasattr(body, "eqns")))
    return found


def calls_to_the_host(jaxpr) -> set[str]:
    # a check that nobody collected is lowered to a callback
    return {name for name in primitives(jaxpr) if "callback" in name or name == check_p.name}


def test_no_program_calls_back_to_the_host(data):
    """Neither the step of the optimiser, nor any of the programs around it; the stage has checks that could."""
    analysis = pairs_with_room_for(19)
    descent = Descent(Goal(analysis), CUTS, optax.adam(0.1), Projection())
    filled = jax.eval_shape(compiled(Fill(analysis)), data, np.int32(0), CUTS, Hard())
    programs = {
        "step": (rg.with_checks(make_step(descent)), descent.start(CUTS), data, jnp.ones((1, 2)), np.int32(1)),
        "histograms": (compiled(Fill(analysis)), data, np.int32(0), CUTS, Hard()),
        "objective": (rg.with_checks(analysis.figure_of_merit), filled[0], Pool.of(data).about),
        "value": (rg.with_checks(lambda p: analysis.evaluate(data, p, Soft())), CUTS),
        "gradient": (rg.with_checks(jax.grad(lambda p: analysis.evaluate(data, p, Soft()))), CUTS),
        "cutflow": (rg.with_checks(lambda p: analysis.cutflow(data, p)), CUTS),
    }
    for name, (program, *arguments) in programs.items():
        assert not calls_to_the_host(jax.make_jaxpr(program)(*arguments).jaxpr), name
    # which is what a plain `jit` of a function with checks has
    assert calls_to_the_host(jax.make_jaxpr(lambda p: analysis.evaluate(data, p, Soft()))(CUTS).jaxpr)


@pytest.mark.slow
def test_the_optimiser_raises_what_does_not_fit(data):
    with pytest.raises(rg.CapacityError, match="needs room for 20 items"):
        optimize(pairs_with_room_for(19), Split(data, data), parameters=CUTS, optimizer=optax.adam(0.1), steps=1)
