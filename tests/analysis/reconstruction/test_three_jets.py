"""The trijet of the AGC's analysis: event by event against Awkward, and the soft reading by its definition."""

from __future__ import annotations

import itertools
import math

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import uproot
import vector

from hepgrad import ragged as rg
from hepgrad.analysis import Hard, Objects, Parameter, Parameters, Pass, Soft
from hepgrad.analysis.reconstruction import trijets

pytestmark = pytest.mark.usefixtures("quick_compilation")

FIELDS = ("pt", "eta", "phi", "mass")
CUTS = Parameters(
    pt=Parameter(30.0, bounds=(20, 60), width=5.0, unit="GeV"), btag=Parameter(0.5, bounds=(0.1, 0.9), width=0.1)
)


def generated(n, seed, longest=8):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, longest + 1, n)
    total = counts.sum()
    pt = 20 + rng.exponential(40, total)
    columns = {"pt": pt, "eta": rng.normal(0, 1.5, total), "phi": rng.uniform(-np.pi, np.pi, total), "mass": 0.1 * pt}
    jets = ak.unflatten(ak.zip({**columns, "btag": rng.uniform(size=total)}), counts)
    return jets[ak.argsort(jets.pt, ascending=False)]


def read(path, btag):
    with uproot.open(path) as file:
        tree = file["Events"]
        jets = ak.zip({name: tree[f"Jet_{name}"].array() for name in FIELDS} | {"btag": tree[f"Jet_{btag}"].array()})
    return ak.values_astype(jets, np.float64)


def in_awkward(jets):
    """Return pT and mass of the trijet as the AGC's analysis computes them, 0 where there is none."""
    jets = jets[(jets.pt > 30) & (abs(jets.eta) < 2.4)]
    a, b, c = ak.unzip(ak.combinations(jets, 3))
    pa, pb, pc = (vector.zip({name: jet[name] for name in FIELDS}) for jet in (a, b, c))
    trijet = (pa + pb + pc)[np.maximum(np.maximum(a.btag, b.btag), c.btag) > 0.5]
    best = trijet[ak.argmax(trijet.pt, axis=1, keepdims=True)]
    return tuple(ak.to_numpy(ak.fill_none(ak.firsts(x), 0.0)) for x in (best.pt, best.mass))


def candidates(jets, reading, parameters=CUTS, **bounds):
    cut = parameters.cuts(reading)
    selected = jets.select((jets.pt > cut.pt) & (abs(jets.eta) < 2.4))
    return trijets(selected, jets.btag > cut.btag, **bounds)


@jax.jit
def best_trijet(jets):
    found = candidates(jets, Hard(), max_objects=20)
    return [found.leading(name, fill_value=0.0) for name in ("pt", "mass")]


def check_against_awkward(jets):
    jets = jets[:200]
    pt, mass = in_awkward(jets)
    assert np.count_nonzero(mass) > 0.2 * len(mass)
    # one capacity for all data sets, hence one compilation for each precision
    with jax.enable_x64(True):
        found = best_trijet(Objects.of(rg.from_awkward(jets, capacity=2400, max_length=24)))
    np.testing.assert_allclose(found[0], pt, rtol=1e-11)
    np.testing.assert_allclose(found[1], mass, rtol=1e-9)
    found = best_trijet(Objects.of(rg.from_awkward(jets, capacity=2400, max_length=24)))
    np.testing.assert_allclose(found[1], mass, rtol=2e-6)


@pytest.mark.thorough
def test_equals_awkward_on_generated_events():
    check_against_awkward(generated(200, 1))


@pytest.mark.thorough
def test_equals_awkward_on_real_simulation(shared_data):
    check_against_awkward(read(shared_data / "coffea" / "nano_tt_v12.root", "btagDeepFlavB"))


def test_equals_awkward_on_pythia_events(shared_data):
    check_against_awkward(read(shared_data / "pythia13tev" / "ttbar_101.root", "btagCSVV2"))


def in_order(jets):
    """Return the pT, mass and members of all trijets of one event, the highest pT first."""
    v = [vector.obj(**{name: jet[name] for name in FIELDS}) for jet in jets]
    systems = [(v[i] + v[j] + v[k], (i, j, k)) for i, j, k in itertools.combinations(range(len(v)), 3)]
    return sorted(((system.pt, system.mass, members) for system, members in systems), reverse=True)


def by_definition(trios, probability, tagged):
    """Return the expected mass of the trijet, 0 where there is none, by plain loops over one event."""
    expected, none_better = 0.0, 1.0
    for _, mass, members in trios:
        p = math.prod(probability[i] for i in members) * (1 - math.prod(1 - tagged[i] for i in members))
        expected += none_better * p * mass
        none_better *= 1 - p
    return expected


@jax.jit
def soft(jets):
    """Return the expected mass, and the probabilities that it was computed from."""
    cut = CUTS.cuts(Soft())
    selected, tagged = jets.select(jets.pt > cut.pt), jets.btag > cut.btag
    mass = trijets(selected, tagged).leading("mass", fill_value=0.0)
    return mass, selected.probability, tagged.probability


def test_soft_reading_follows_its_definition(x64):
    array = generated(40, 2, longest=5)
    mass, p, q = soft(Objects.of(rg.from_awkward(array, capacity=200, max_length=5)))
    columns = zip(map(in_order, array), rg.to_list(p), rg.to_list(q), strict=True)
    np.testing.assert_allclose(mass, [by_definition(*event) for event in columns], rtol=1e-9)


def test_size_of_the_approximation(x64):
    """Trijets that share jets are not independent: a few per cent too large a mean, for widths of 5 GeV and 0.1."""
    array = generated(40, 3, longest=5)
    mass, passes, tags = soft(Objects.of(rg.from_awkward(array, capacity=200, max_length=5)))
    exact = []
    for event, p, q in zip(array, rg.to_list(passes), rg.to_list(tags), strict=True):
        trios = in_order(event)
        expected = 0.0
        # each jet fails, passes without a tag, or passes with one
        for state in itertools.product(range(3), repeat=len(p)):
            chance = math.prod((1 - a, a * (1 - b), a * b)[s] for s, a, b in zip(state, p, q, strict=True))
            expected += chance * by_definition(trios, [s > 0 for s in state], [s == 2 for s in state])
        exact.append(expected)
    assert np.mean(mass) == pytest.approx(np.mean(exact), rel=0.08)
    assert np.mean(mass) > np.mean(exact)


@pytest.mark.thorough
def test_blocks_and_derivatives():
    """Stacked blocks with room to spare, under jit and vmap, with and without events that have no trijet."""
    blocks = [generated(20, seed) for seed in (4, 5)]
    with jax.enable_x64(True):
        stacked = jax.tree.map(
            lambda *x: jnp.stack(x),
            *(Objects.of(rg.from_awkward(block, capacity=200, max_length=16)) for block in blocks),
        )

        def mass(values, jets, **bounds):
            scaled = jets.with_field(pt=jets.pt * values[0], mass=jets.mass * values[0])
            parameters = CUTS.replace(pt=values[1], btag=values[2])
            return candidates(scaled, Soft(), parameters, **bounds).leading("mass", fill_value=0.0)

        @jax.jit
        @jax.value_and_grad
        def total(values):
            return jnp.sum(jax.vmap(lambda jets: mass(values, jets, max_objects=8, capacity=900))(stacked))

        start = jnp.array([1.05, 28.0, 0.45])
        gradient = total(start)[1]
        for i, step in enumerate((1e-6, 1e-4, 1e-5)):
            moved = jnp.zeros(3).at[i].set(step)
            difference = (total(start + moved)[0] - total(start - moved)[0]) / (2 * step)
            assert gradient[i] == pytest.approx(float(difference), rel=1e-5)


def test_hard_derivatives_reach_the_chosen_jets_only(x64):
    jets = rg.from_awkward(generated(30, 6))

    def mass(scale):
        scaled = rg.with_field(jets, jets.pt * jets.pt.with_content(scale), "pt")
        selected = Objects.of(scaled)
        return jnp.sum(trijets(selected, jets.btag > 0.5).leading("mass", fill_value=0.0))

    gradient = jets.pt.with_content(jax.jit(jax.grad(mass))(jnp.ones(jets.capacity)))
    assert int(rg.max(rg.count_nonzero(gradient, axis=1))) == 3


def test_no_jets_at_all():
    for longest in (0, 2):
        jets = Objects.of(rg.from_awkward(generated(5, 1)[:, :longest]))
        found = trijets(jets, Pass(jets.btag))
        assert found.leading("mass", fill_value=-1.0).tolist() == [-1.0] * 5
        assert found.at_least(1).probability.tolist() == [0.0] * 5
