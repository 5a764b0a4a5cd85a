"""Systems of several objects: every combination as in Awkward, the product of probabilities, bounded memory."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import vector

from hepgrad import ragged as rg
from hepgrad.analysis import Objects
from hepgrad.analysis.reconstruction import joint_systems, nearest_in_mass, systems

pytestmark = pytest.mark.usefixtures("quick_compilation")


def events(n, seed, longest=6, dtype=np.float64):
    """Return jets of random events as records with their probabilities."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, longest + 1, n)
    total = counts.sum()
    columns = {
        "pt": 20 + rng.exponential(40, total),
        "eta": rng.uniform(-2.5, 2.5, total),
        "phi": rng.uniform(-3, 3, total),
        "mass": rng.uniform(0, 10, total),
        "charge": rng.choice([-1, 1], total),
        "probability": rng.uniform(size=total),
    }
    return ak.unflatten(ak.zip({name: value.astype(dtype) for name, value in columns.items()}), counts)


def collection(array, **room):
    array = rg.from_awkward(array, **room)
    return Objects(array, array.probability)


def momenta(array):
    return vector.zip({name: array[name] for name in ("pt", "eta", "phi", "mass")})


@pytest.mark.parametrize("n", [2, 3, 4])
def test_equal_awkward_and_vector(n, x64):
    array = events(30, n)
    found = systems(collection(array), n)
    parts = ak.unzip(ak.combinations(momenta(array), n))
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    for name in ("pt", "eta", "phi", "mass"):
        ours = ak.flatten(rg.to_awkward(getattr(found, name)))
        np.testing.assert_allclose(ours, ak.flatten(getattr(total, name)), rtol=1e-9, err_msg=name)
    probability = 1.0
    for part in ak.unzip(ak.combinations(array.probability, n)):
        probability = probability * part
    np.testing.assert_allclose(rg.to_awkward(found.probability.content), ak.flatten(probability), rtol=1e-14)


def test_pairs_of_two_collections(x64):
    first, second = events(30, 5, longest=3), events(30, 6, longest=3)
    found = joint_systems(collection(first), collection(second))
    a, b = ak.unzip(ak.cartesian([momenta(first), momenta(second)]))
    np.testing.assert_allclose(rg.to_awkward(found.mass.content), ak.flatten((a + b).mass), rtol=1e-9)
    p, q = ak.unzip(ak.cartesian([first.probability, second.probability]))
    np.testing.assert_allclose(rg.to_awkward(found.probability.content), ak.flatten(p * q), rtol=1e-14)


def test_z_candidate_is_the_pair_of_opposite_charge_nearest_to_the_mass(x64):
    """The hard reading, against a loop over events."""
    array = events(60, 7)

    @jax.jit
    def candidate(leptons):
        pairs = systems(leptons.select(leptons.pt > 30.0), 2)
        pairs = pairs.select(pairs.first.charge * pairs.second.charge < 0)
        return nearest_in_mass(pairs, 91.19).leading("mass", fill_value=-1.0)

    ours = candidate(Objects.of(rg.from_awkward(array, capacity=400, max_length=7)))
    expected = []
    for event, v in zip(array, momenta(array), strict=True):
        masses = [
            (v[i] + v[j]).mass
            for i in range(len(v))
            for j in range(i)
            if event[i].charge * event[j].charge < 0 and min(event[i].pt, event[j].pt) > 30
        ]
        expected.append(min(masses, key=lambda mass: abs(mass - 91.19), default=-1.0))
    np.testing.assert_allclose(ours, expected, rtol=1e-10)


def test_stacked_blocks_with_room_to_spare():
    """Under jit and vmap, in buffers longer than the data, with tight and loose bounds: values and gradients."""
    blocks = [events(12, seed, dtype=np.float32) for seed in (8, 9)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *(collection(block, capacity=60, max_length=8) for block in blocks))

    def total(scale, objects, **bounds):
        scaled = objects.with_field(pt=objects.pt * scale)
        return jnp.sum(systems(scaled, 2, **bounds).sum("mass"))

    bounds = {"max_objects": 6, "capacity": 200}
    loose = jax.jit(lambda scale: jnp.sum(jax.vmap(lambda x: total(scale, x))(stacked)))
    tight = jax.jit(jax.value_and_grad(lambda scale: jnp.sum(jax.vmap(lambda x: total(scale, x, **bounds))(stacked))))
    value, gradient = tight(1.1)
    assert value == pytest.approx(float(loose(1.1)), rel=1e-6)
    masses = 0.0
    for block in blocks:
        block["pt"] = 1.1 * block.pt
        (a, b), (p, q) = (ak.unzip(ak.combinations(x, 2)) for x in (momenta(block), block.probability))
        masses += ak.sum((a + b).mass * p * q)
    assert value == pytest.approx(masses, rel=1e-5)
    assert gradient == pytest.approx(float((loose(1.11) - loose(1.09)) / 0.02), rel=1e-3)


def test_what_does_not_fit_is_an_error():
    array = ak.Array([[dict.fromkeys(("pt", "eta", "phi", "mass", "probability"), 1.0)] * 5, []])
    jets = collection(array)
    with pytest.raises(rg.CapacityError, match="an event has 5 objects but max_objects=4"):
        systems(jets, 3, max_objects=4)
    with pytest.raises(rg.CapacityError, match="room for 10 items"):
        systems(jets, 3, capacity=9)
    loose = collection(array, capacity=16, max_length=8)
    assert systems(loose, 3, max_objects=5).mass.to_list()[1] == []
    with pytest.raises(Exception, match="an event has 5 objects but max_objects=4"):
        jax.block_until_ready(jax.jit(lambda jets: systems(jets, 3, max_objects=4).count())(loose))
    with pytest.raises(Exception, match="room for 10 items"):
        jax.block_until_ready(jax.jit(lambda jets: systems(jets, 3, capacity=9).count())(loose))
    with pytest.raises(ValueError, match="n must be 2, 3 or 4"):
        systems(jets, 5)
