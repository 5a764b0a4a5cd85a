"""Jets assigned to top-antitop pairs: against plain loops over events, and on decays whose assignment is known."""

from __future__ import annotations

import itertools

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import vector

from hepgrad import ragged as rg
from hepgrad.analysis import Objects, Pass
from hepgrad.analysis.kinematics import Momentum, momentum, neutrino_from_w
from hepgrad.analysis.reconstruction import TopMasses, smooth_choice, top_pairs

pytestmark = pytest.mark.usefixtures("quick_compilation")

FIELDS = ("pt", "eta", "phi", "mass")
MASSES = TopMasses(w_resolution=12.0, hadronic_resolution=18.0, leptonic_resolution=25.0)
COLUMNS = ("chi_square", "w_mass", "hadronic_mass", "hadronic_pt", "leptonic_mass", "leptonic_pt", "mass")
ROLES = ("b_leptonic", "b_hadronic", "light1", "light2")


EVENTS = 20


def events(seed, longest=6):
    """Return random jets with probabilities, a lepton and missing momentum per event."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(2, longest + 1, EVENTS)
    total = counts.sum()
    columns = {
        "pt": 20 + rng.exponential(40, total),
        "eta": rng.uniform(-2.5, 2.5, total),
        "phi": rng.uniform(-3, 3, total),
        "mass": rng.uniform(0, 10, total),
        "probability": rng.uniform(0.2, 1, total),
        "btag": rng.uniform(size=total),
    }
    jets = ak.unflatten(ak.zip(columns), counts)
    pt, eta, phi, met, met_phi = rng.uniform([[25], [-2], [-3], [20], [-3]], [[90], [2], [3], [90], [3]], (5, EVENTS))
    lepton = momentum(*map(jnp.asarray, (pt, eta, phi, 0 * pt)))
    return jets, lepton, neutrino_from_w(lepton, jnp.asarray(met), jnp.asarray(met_phi))


def collection(jets):
    """Return the jets in buffers with room to spare, the same for all tests."""
    array = rg.from_awkward(jets, capacity=160, max_length=8)
    return Objects(array, array.probability)


@jax.jit
def assigned(jets, lepton, neutrino):
    """Return the assignments with and without b tags, and the hadronic mass of a cold choice among the former."""
    bounds = {"max_objects": 6, "capacity": 350}
    tagged = top_pairs(jets, lepton, neutrino, MASSES, btagged=Pass(jets.btag), **bounds)
    untagged = top_pairs(jets, lepton, neutrino, MASSES, **bounds)
    cold = smooth_choice(tagged, "hadronic_mass", by="chi_square", temperature=1e-3, fill_value=-1.0)
    return tagged, untagged, cold


def every_assignment(jets, w):
    """Return chi-square, the other quantities and the positions of the jets of all assignments of one event."""
    v = [vector.obj(**{name: jet[name] for name in FIELDS}) for jet in jets]
    for a, b, i, j in itertools.permutations(range(len(v)), 4):
        if i < j:
            dijet, hadronic, leptonic = v[i] + v[j], v[i] + v[j] + v[b], v[a] + w
            chi_square = ((dijet.mass - 80.4) / 12) ** 2 + ((hadronic.mass - 172.5) / 18) ** 2
            chi_square += ((leptonic.mass - 172.5) / 25) ** 2
            total = hadronic + leptonic
            yield (
                (chi_square, dijet.mass, hadronic.mass, hadronic.pt, leptonic.mass, leptonic.pt, total.mass),
                (a, b, i, j),
            )


def per_event(*momenta):
    total = momenta[0] + momenta[1]
    return [
        vector.obj(px=float(x), py=float(y), pz=float(z), E=float(e))
        for x, y, z, e in zip(*total.components, strict=True)
    ]


@pytest.mark.thorough
def test_keeps_the_better_of_those_that_pass_together(x64):
    """With b tags one assignment for each choice of four jets and two b jets, without one for each four jets."""
    jets, lepton, neutrino = events(1)
    for use_tags, found in zip((True, False), assigned(collection(jets), lepton, neutrino)[:2], strict=True):
        columns = [rg.to_list(getattr(found, name)) for name in (*COLUMNS, *ROLES)]
        for event, (some, w) in enumerate(zip(jets, per_event(lepton, neutrino), strict=True)):
            best = {}
            for values, positions in every_assignment(some, w):
                together = frozenset(positions), use_tags and frozenset(positions[:2])
                best[together] = min(best.get(together, (values, positions)), (values, positions))
            expected = sorted((*values, *positions) for values, positions in best.values())
            ours = sorted(zip(*(column[event] for column in columns), strict=True))
            np.testing.assert_allclose(np.array(ours), np.array(expected), rtol=1e-7)


@pytest.mark.thorough
def test_hard_choice_is_the_smallest_chi_square(x64):
    """Of all assignments of selected jets to b-tagged b jets, event by event."""
    jets, lepton, neutrino = events(2)
    jets["probability"] = ak.values_astype(jets.pt > 25, float)
    jets["btag"] = ak.values_astype(jets.btag > 0.4, float)
    found, _, cold = assigned(collection(jets), lepton, neutrino)
    columns = [rg.to_list(getattr(found, name)) for name in (*COLUMNS, *ROLES)]
    passes = rg.to_list(found.probability)
    expected, nothing = [], (-1.0,) * len(COLUMNS + ROLES)
    for event, w in zip(jets, per_event(lepton, neutrino), strict=True):
        allowed = [
            (*values, *positions)
            for values, positions in every_assignment(event, w)
            if all(event[i].probability for i in positions) and all(event[i].btag for i in positions[:2])
        ]
        expected.append(min(allowed, default=nothing))
    assert 5 <= sum(row[0] >= 0 for row in expected) <= EVENTS - 5
    ours = [
        min(
            (values for p, *values in zip(passes[event], *(c[event] for c in columns), strict=True) if p),
            default=nothing,
        )
        for event in range(EVENTS)
    ]
    np.testing.assert_allclose(np.array(ours), np.array(expected), rtol=1e-7)
    np.testing.assert_allclose(cold, [row[2] for row in expected], rtol=1e-7)


def test_soft_probabilities(x64):
    jets, lepton, neutrino = events(3)
    found = assigned(collection(jets), lepton, neutrino)[0]
    rows = [rg.to_list(getattr(found, name)) for name in ROLES]
    for jet, ours, *positions in zip(jets, rg.to_list(found.probability), *rows, strict=True):
        p, q = jet.probability, jet.btag
        theirs = [np.prod([p[i] for i in four]) * q[four[0]] * q[four[1]] for four in zip(*positions, strict=True)]
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def decay(parent, mass1, mass2, rng):
    """Return the two products of an isotropic decay."""
    m = parent.mass
    energy = (m**2 + mass1**2 - mass2**2) / (2 * m)
    p = np.sqrt(energy**2 - mass1**2)
    cosine, phi = rng.uniform(-1, 1), rng.uniform(-np.pi, np.pi)
    sine = np.sqrt(1 - cosine**2)
    x, y, z = p * sine * np.cos(phi), p * sine * np.sin(phi), p * cosine
    first = vector.obj(px=x, py=y, pz=z, E=energy).boost(parent)
    return first, parent - first


@pytest.mark.thorough
def test_finds_the_assignment_of_decays(x64):
    """Top pairs decayed by hand: the true assignment has a chi-square of 0, and the true masses come out."""
    rng = np.random.default_rng(4)
    jets, leptons, neutrinos, pair_masses, order = [], [], [], [], []
    for _ in range(EVENTS):
        tops = [
            vector.obj(pt=rng.uniform(0, 200), eta=rng.normal(), phi=rng.uniform(-3, 3), mass=172.5) for _ in range(2)
        ]
        (b1, w1), (b2, w2) = (decay(top, 4.8, 80.4, rng) for top in tops)
        lepton, neutrino = decay(w1, 0.0, 0.0, rng)
        four = [b1, b2, *decay(w2, 0.0, 0.0, rng)]
        place = rng.permutation(4)
        passes = {"probability": 1.0, "btag": 1.0}
        jets.append([{name: float(getattr(four[i], name)) for name in FIELDS} | passes for i in place])
        leptons.append((lepton.px, lepton.py, lepton.pz, lepton.E))
        neutrinos.append((neutrino.px, neutrino.py, neutrino.pz, neutrino.E))
        pair_masses.append((tops[0] + tops[1]).mass)
        order.append([int(np.argmax(place == i)) for i in range(4)])
    found = assigned(
        collection(ak.Array(jets)), *(Momentum(*map(jnp.asarray, np.transpose(x))) for x in (leptons, neutrinos))
    )[1]
    assert found.count().tolist() == [1.0] * EVENTS
    np.testing.assert_allclose(found.leading("chi_square"), 0, atol=1e-9)
    np.testing.assert_allclose(found.leading("mass"), pair_masses, rtol=1e-6)
    for k, name in enumerate(ROLES[:2]):
        assert found.leading(name).tolist() == [places[k] for places in order]


@pytest.mark.thorough
def test_blocks_and_derivatives(x64):
    """Stacked blocks under jit and vmap; what lies behind the data in the buffers does not matter."""

    def masses(scale, jets, lepton, neutrino):
        scaled = jets.with_field(pt=jets.pt * scale)
        found = top_pairs(scaled, lepton, neutrino, MASSES, btagged=Pass(jets.btag), max_objects=6, capacity=350)
        return jnp.sum(smooth_choice(found, "hadronic_mass", by="chi_square", temperature=2.0, fill_value=0.0))

    @jax.jit
    @jax.value_and_grad
    def total(scale, blocks):
        return jnp.sum(jax.vmap(lambda block: masses(scale, *block))(blocks))

    def stacked(fill):
        samples = [(collection(jets), *momenta) for jets, *momenta in map(events, (5, 6))]
        blocks = jax.tree.map(lambda *x: jnp.stack(x), *samples)

        def fill_end(values, size):
            return jnp.where(jnp.arange(values.shape[-1]) < size[:, None], values, fill)

        objects = blocks[0]
        array = objects.array.with_content(
            jax.tree.map(lambda x: fill_end(x, objects.array.offsets[:, -1]), objects.array.content)
        )
        return (Objects(array, objects.probability), *blocks[1:])

    (value, slope), filled = (total(1.05, stacked(fill)) for fill in (0.0, np.nan))
    assert (float(value), float(slope)) == tuple(map(float, filled))
    blocks = stacked(0.0)
    difference = (total(1.05 + 1e-6, blocks)[0] - total(1.05 - 1e-6, blocks)[0]) / 2e-6
    assert slope == pytest.approx(float(difference), rel=1e-6)


def test_too_few_jets_and_too_many(x64):
    jets, lepton, neutrino = events(7, longest=3)
    assert assigned(collection(jets), lepton, neutrino)[2].tolist() == [-1.0] * EVENTS
    jets, lepton, neutrino = events(7, longest=8)
    with pytest.raises(Exception, match=f"an event has {ak.max(ak.num(jets))} objects but max_objects=6"):
        jax.block_until_ready(assigned(collection(jets), lepton, neutrino))
