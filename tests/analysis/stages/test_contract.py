"""All stages in one chain: gradients against central differences, and soft results that become hard ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Hard, Parameter, Parameters, Soft, Weights
from hepgrad.analysis.reconstruction import TopMasses
from hepgrad.analysis.stages import (
    Cleaning,
    EventSelection,
    EventWeight,
    HadronicTop,
    LeptonicW,
    ObjectSelection,
    Observable,
    Perceptron,
    ScaleFactors,
    Score,
    Table,
    TopPair,
    TransverseMass,
)
from hepgrad.analysis.stages.needs import needed_parameters

pytestmark = pytest.mark.usefixtures("quick_compilation")

TAGGED = "btag > cut.btag"
SIZES = {"max_objects": 12, "capacity": 900}
NETWORK = Perceptron([3, 4, 1])
CHAIN = [
    ObjectSelection("Muon", ["pt > cut.muon_pt", "isolation < 0.3"]),
    ObjectSelection("Jet", ["pt > cut.jet_pt", "abs(eta) < cut.jet_eta"]),
    Cleaning("Jet", "Muon", "cut.radius"),
    ObjectSelection("Jet", [TAGGED], into="BJet"),
    Observable("efficiency", ["pt", "abs(eta)"], Table([[15, 40, 120], [0, 1, 3]], [[0.5, 0.4], [0.7, 0.6]]), "Jet"),
    ScaleFactors("Jet", "sf", when=TAGGED, otherwise="(1 - sf * efficiency) / (1 - efficiency)"),
    EventWeight("pileup"),
    Observable("ht", "sum(Jet.pt)"),
    TransverseMass("m_t", "Muon"),
    LeptonicW("W", "Muon"),
    Observable("W_pt", "W.pt"),
    Score("nn", NETWORK, ["ht", "num(BJet)", "m_t"], mean=[100, 1, 60], deviation=[50, 1, 30]),
    EventSelection(["num(Muon) >= 1", "num(Jet) >= 2", "num(BJet) >= 1", "cut.low < MET.pt < cut.high"]),
    EventSelection(["nn > cut.nn_min"], name="network selection"),
]
TOPS = [
    *CHAIN,
    HadronicTop("top", "Jet", TAGGED, **SIZES),
    Observable("top_mass", "leading(top.mass)"),
    TopPair("pair", "Jet", "Muon", TAGGED, TopMasses(20.0, 40.0, 40.0), **SIZES),
    Observable("pair_mass", "leading(pair.mass, fill_value=0)"),
]
# combinatorics takes long to compile
CHAINS = [pytest.param(CHAIN, id="no combinatorics"), pytest.param(TOPS, id="top quarks", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def parameters(cuts) -> Parameters:
    return Parameters(
        **cuts.specs,
        nn=Weights(NETWORK.initial(jax.random.key(4))),
        nn_min=Parameter(0.4, bounds=(0.1, 0.9), width=0.1),
    )


def outcome(chain, events, parameters, reading):
    """Return the yield, and the sum of every observable over the selected events."""
    cut = parameters.cuts(reading)
    for stage in chain:
        events = stage(events, cut)
    counts = events.weight * events.probability
    observables = [stage.column for stage in chain if hasattr(stage, "column")]
    per_event = [column for name in observables if isinstance(column := events.columns.get(name), rg.FlatArray)]
    return jnp.stack([jnp.sum(counts), *(jnp.sum(counts * values) for values in per_event)])


@pytest.mark.thorough
@pytest.mark.parametrize("chain", CHAINS)
def test_gradient_against_central_differences(chain, sample, events_of, parameters):
    """In double precision, forward and reverse, along a random direction of all cuts and weights."""
    with jax.enable_x64(True):
        events = events_of(sample[:12], np.float64)
        parameters = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), parameters)
        leaves, structure = jax.tree.flatten(parameters)
        rng = np.random.default_rng(5)
        direction = [jnp.asarray(rng.normal(size=x.shape)) for x in leaves]

        def total(leaves, events):
            return jnp.sum(outcome(chain, events, jax.tree.unflatten(structure, leaves), Soft()))

        @jax.jit
        def forward(leaves, events):
            return jax.jvp(lambda leaves: total(leaves, events), (leaves,), (direction,))

        up, down = ([x + h * d for x, d in zip(leaves, direction, strict=True)] for h in (1e-5, -1e-5))
        expected = (forward(up, events)[0] - forward(down, events)[0]) / 2e-5
        tangent = forward(leaves, events)[1]
        np.testing.assert_allclose(tangent, expected, rtol=1e-6)

        gradient = jax.jit(jax.grad(total))(leaves, events)
        np.testing.assert_allclose(sum(map(jnp.vdot, gradient, direction)), tangent, rtol=1e-10)
        slopes = jax.tree.unflatten(structure, gradient)
        for name in needed_parameters(chain):
            assert all(np.any(slope != 0) for slope in jax.tree.leaves(slopes[name])), name


@pytest.mark.parametrize("chain", CHAINS)
def test_soft_becomes_hard(chain, events, parameters):
    outcomes = jax.jit(outcome, static_argnums=0)
    hard = outcomes(tuple(chain), events, parameters, Hard())
    np.testing.assert_allclose(outcomes(tuple(chain), events, parameters, Soft(1e-5)), hard, rtol=1e-4)
    assert not np.allclose(outcomes(tuple(chain), events, parameters, Soft(1.0)), hard, rtol=1e-2)
    assert len(hard) >= 5 and np.all(hard != 0)
