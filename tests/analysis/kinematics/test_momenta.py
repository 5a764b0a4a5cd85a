"""Four-momenta: against `vector`, both coordinate systems, and derivatives where coordinates are singular."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import vector

from hepgrad import ragged as rg
from hepgrad.analysis import Objects
from hepgrad.analysis.kinematics import Momentum, momentum, rapidity
from hepgrad.analysis.reconstruction import leading_momentum, total_momentum

pytestmark = pytest.mark.usefixtures("quick_compilation")

PROPERTIES = ("pt", "p", "eta", "phi", "mass", "transverse_mass", "rapidity", "mass_squared")
OF_VECTOR = {"transverse_mass": "mt", "mass_squared": "tau2"}
# zero, at rest, massless, along the beam with and without mass
SINGULAR = [(0, 0, 0, 0), (0, 0, 0, 5), (3, 4, 0, 5), (0, 0, 4, 4), (0, 0, -4, 5), (0, 3, 0, 3)]


@pytest.fixture(scope="module")
def cartesian():
    """Return massive momenta in components, for which nothing cancels."""
    rng = np.random.default_rng(4)
    px, py, pz, mass = rng.normal(size=(4, 500)) * np.array([[30.0], [30.0], [100.0], [20.0]])
    return {"px": px, "py": py, "pz": pz, "energy": np.sqrt(px**2 + py**2 + pz**2 + mass**2 + 1)}


def test_components_equal_vector(particles, x64):
    a = particles(500, 1)
    p, v = momentum(**a), vector.array(a)
    for ours, theirs in zip(p.components, (v.px, v.py, v.pz, v.E), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def test_components_in_single_precision(particles):
    """Documented accuracy: 1e-6 of the energy."""
    a = particles(500, 1, np.float32)
    v = vector.array({name: value.astype(float) for name, value in a.items()})
    for ours, theirs in zip(momentum(**a).components, (v.px, v.py, v.pz, v.E), strict=True):
        np.testing.assert_array_less(abs(np.asarray(ours, float) - theirs), 1e-6 * v.E)


@pytest.mark.parametrize("name", PROPERTIES)
def test_properties_equal_vector(name, cartesian, x64):
    v = vector.array(cartesian)
    ours = getattr(Momentum(**cartesian), name)
    np.testing.assert_allclose(ours, getattr(v, OF_VECTOR.get(name, name)), rtol=1e-10)


def test_rapidity(particles, x64):
    a = particles(500, 5)
    heavy = a["mass"] > 0.1 * a["pt"]
    # vector takes log((E + pz) / (E - pz)), which cancels for light forward particles
    exact = np.where(heavy, vector.array(a).rapidity, rapidity(a["pt"], a["eta"], a["mass"]))
    np.testing.assert_allclose(rapidity(a["pt"], a["eta"], a["mass"]), exact, rtol=1e-10)
    np.testing.assert_allclose(rapidity(a["pt"], a["eta"], 0.0), a["eta"], rtol=1e-14)
    with jax.enable_x64(False):
        single = rapidity(*(jnp.asarray(a[name], jnp.float32) for name in ("pt", "eta", "mass")))
    np.testing.assert_allclose(single, rapidity(a["pt"], a["eta"], a["mass"]), rtol=2e-6, atol=1e-6)


def test_round_trip(particles, records, x64):
    a = particles(500, 6)
    a["mass"] += 0.01 * a["pt"]
    there = Momentum.of(records(a))
    back = there.to_records()
    assert back.fields == ["pt", "eta", "phi", "mass"]
    for name in a:
        np.testing.assert_allclose(getattr(back, name), a[name], rtol=1e-5 if name == "mass" else 1e-12)


def test_records_of_either_kind():
    jets = rg.from_lists([[{"pt": 30.0, "eta": 0.5, "phi": 1.0, "mass": 4.0}], []])
    p = Momentum.of(jets)
    named = rg.zip({"px": p.px, "py": p.py, "pz": p.pz, "E": p.energy})
    for same in (Momentum.of(p), Momentum.of(named), Momentum.of(Objects.of(jets))):
        assert same.pz.to_list() == p.pz.to_list()
        assert same.energy.to_list() == p.energy.to_list()
    with pytest.raises(TypeError, match=r"Momentum.of: needs records with the fields pt, eta, phi, mass; mass is not"):
        Momentum.of(rg.without_field(jets, "mass"))
    with pytest.raises(TypeError, match="got float"):
        Momentum.of(3.0)


def test_sums_and_differences():
    jets = momentum(rg.from_lists([[30.0, 20.0], []]), 0.5, 0.0, 0.0)
    event = momentum(jnp.array([10.0, 5.0]), jnp.zeros(2), jnp.zeros(2), jnp.zeros(2))
    assert (jets + event).px.to_list() == [[40.0, 30.0], []]
    assert (event - event).energy.tolist() == [0.0, 0.0]
    with pytest.raises(TypeError):
        jets + 1.0


def test_infinite_pseudorapidity():
    beam = Momentum(*map(jnp.float32, (0.0, 0.0, -5.0, 5.0)))
    assert beam.eta == -jnp.inf
    assert beam.rapidity == -jnp.inf
    assert Momentum(*map(jnp.float32, (0.0, 0.0, 0.0, 5.0))).eta == 0
    assert [float(x) for x in momentum(0.0, jnp.inf, 1.0, 2.0).components] == [0, 0, 0, 2]


@pytest.mark.parametrize("name", PROPERTIES)
def test_derivatives_are_finite_at_singular_points(name, finite_derivatives):
    finite_derivatives(lambda x: getattr(Momentum(*x), name), SINGULAR)


def test_derivatives_of_components_are_finite(finite_derivatives):
    points = [(0, 0, 0, 0), (0, 5, 1, 0), (3, 0, 0, 0), (0, 0, 0, 4), (0, np.inf, 0, 1)]
    finite_derivatives(lambda x: sum(momentum(*x).components) + rapidity(x[0], x[1], x[3]), points)


def test_derivatives_equal_central_differences(cartesian, derivatives_agree):
    some = [value[:5] for value in cartesian.values()]
    derivatives_agree(lambda *x: [getattr(Momentum(*x), name) for name in PROPERTIES], *some, step=1e-4)
    coordinates = [30.0, 5.0], [1.5, -2.0], [0.3, 3.0], [0.0, 4.0]
    derivatives_agree(lambda *x: [momentum(*x), rapidity(x[0], x[1], x[3])], *coordinates)


JETS = [
    [{"pt": 50.0, "eta": 0.5, "phi": 1.0, "mass": 5.0}, {"pt": 30.0, "eta": -1.0, "phi": 2.0, "mass": 3.0}],
    [],
    [{"pt": 20.0, "eta": 2.0, "phi": -1.0, "mass": 2.0}],
]
PROBABILITY = [[0.8, 0.4], [], [0.5]]


def test_total_and_leading_momentum_are_expectations():
    """The average over all outcomes of independent passes."""
    jets = Objects(rg.from_lists(JETS), rg.from_lists(PROBABILITY))
    v = [[vector.obj(**jet) for jet in event] for event in JETS]
    (a, b), (c,) = v[0], v[2]
    total, leading = total_momentum(jets), leading_momentum(jets, fill_value=0.0)
    np.testing.assert_allclose(total.pz, [0.8 * a.pz + 0.4 * b.pz, 0, 0.5 * c.pz], rtol=1e-5)
    np.testing.assert_allclose(total.energy, [0.8 * a.E + 0.4 * b.E, 0, 0.5 * c.E], rtol=1e-6)
    np.testing.assert_allclose(leading.px, [0.8 * a.px + 0.2 * 0.4 * b.px, 0, 0.5 * c.px], rtol=1e-6)
    conditional = leading_momentum(jets)
    np.testing.assert_allclose(conditional.py, [(0.8 * a.py + 0.08 * b.py) / 0.88, 0, c.py], rtol=1e-6)
