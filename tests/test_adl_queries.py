"""The benchmark queries of ``examples/adl``: event for event what plain Awkward Array selects, and with derivatives."""

from __future__ import annotations

import functools
import operator

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hepgrad.ragged as rg
from benchmarks import adl, adl_rivals
from examples.adl import events, histograms, queries
from hepgrad.analysis import Events, Hard, Soft

# compiles combinations of jets or leptons
LONG = ("query6", "query8")
NAMES = [pytest.param(name, marks=pytest.mark.thorough if name in LONG else ()) for name in queries.QUERIES]
WITH_CUTS = [name for name in queries.QUERIES if name not in adl.WITHOUT_CUTS]
MOVED = {"jet_eta": 1.7, "jet_pt": 33.0, "low": 70.0, "high": 110.0, "any_jet_pt": 25.0}
MOVED |= {"clean_jet_pt": 45.0, "lepton_pt": 20.0, "radius": 0.7, "any_lepton_pt": 12.0}
# by file: what its discriminant of b jets is called
FILES = {
    "pythia13tev/ttbar_101.root": "Jet_btagCSVV2",
    "pythia13tev/zjets_501.root": "Jet_btagCSVV2",
    "coffea/nano_dy.root": "Jet_btagCSVV2",
    "coffea/nano_tt_v12.root": "Jet_btagDeepFlavB",
    "skhep/nanoAOD_2015_CMS_Open_Data_ttbar.root": "Jet_btagCSVV2",
}


@functools.partial(rg.checked, static_argnames="name")
def read_hard(name, columns, weight, cuts):
    values, passed = queries.QUERIES[name](Events.of(columns, weight), cuts.cuts(Hard()))
    return values, passed.probability


def selected(name, data, cuts):
    """Return the numbers that are plotted, by axis, in the order of events and objects."""
    found = {}
    for block in range(data.blocks):
        columns, weight, process = jax.tree.map(operator.itemgetter(block), (data.columns, data.weight, data.process))
        number = int(np.sum(process == 0))
        values, passed = read_hard(name, columns, weight, cuts)
        for axis, x in values.items():
            x, p = (each[:number] for each in rg.broadcast_arrays(x, passed))
            x, p = (np.asarray(rg.flatten(each) if isinstance(each, rg.RaggedArray) else each) for each in (x, p))
            assert set(np.unique(p)) <= {0.0, 1.0}
            found.setdefault(axis, []).append(x[p == 1])
    return {axis: np.concatenate(parts) for axis, parts in found.items()}


def compare(name, arrays, cuts, block_size=None):
    """Check that both select the same, number by number, and return how many."""
    with jax.enable_x64(True):
        arrays = ak.values_astype(arrays, np.float64)
        mine = selected(name, events.dataset(arrays, block_size), cuts)
    plain = {axis: ak.to_numpy(x) for axis, x in adl_rivals.QUERIES[name](arrays, cuts.to_dict()).items()}
    assert set(mine) == set(plain)
    for axis, wanted in plain.items():
        assert len(mine[axis]) == len(wanted)
        np.testing.assert_allclose(mine[axis], wanted, rtol=1e-9, atol=1e-5, err_msg=axis)
    return len(wanted)


@pytest.fixture(scope="module")
def generated():
    return events.generate(2000)


@pytest.mark.usefixtures("quick_compilation")
@pytest.mark.parametrize("name", NAMES)
def test_hard_reading_is_what_awkward_selects(name, generated):
    for cuts in (queries.CUTS, queries.CUTS.replace(**MOVED)):
        assert compare(name, generated, cuts, block_size=500) > 20


@pytest.mark.thorough
@pytest.mark.usefixtures("quick_compilation")
@pytest.mark.parametrize("file", FILES)
def test_hard_reading_of_files(file, shared_data):
    arrays = events.from_file(shared_data / file, FILES[file])
    numbers = {name: compare(name, arrays, queries.CUTS) for name in queries.QUERIES}
    assert numbers["query1"] == len(arrays)
    assert numbers["query6"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", queries.QUERIES)
def test_hard_reading_of_a_million_events(name):
    compare(name, events.generate(1_000_000, seed=2), queries.CUTS, block_size=16_384)


@pytest.mark.usefixtures("quick_compilation")
@pytest.mark.parametrize("name", ["query3", "query4"])
def test_histograms_are_those_of_what_is_selected(name, generated):
    found = histograms.histograms(name, events.dataset(generated, 600), queries.CUTS, Hard())
    for axis, x in adl_rivals.QUERIES[name](generated, queries.CUTS.to_dict()).items():
        counts, _ = np.histogram(ak.to_numpy(x).astype(np.float64), bins=queries.AXES[axis].edges)
        np.testing.assert_array_equal(found[axis][1:-1], counts)
        assert float(found[axis].sum()) == len(x)


@pytest.mark.thorough
@pytest.mark.usefixtures("quick_compilation", "x64")
@pytest.mark.parametrize("name", WITH_CUTS)
def test_derivatives_are_those_of_differences(name):
    data = events.dataset(ak.values_astype(events.generate(200), np.float64))
    cuts = queries.CUTS.replace(**{key: jnp.asarray(value, jnp.float64) for key, value in MOVED.items()})

    @jax.jit
    def number(cuts):
        found = histograms.histograms(name, data, cuts, Soft())
        return sum(jnp.dot(sums, jnp.linspace(0.0, 1.0, len(sums))) for sums in found.values())

    value, gradient = adl.value_and_gradient(name, cuts, data)
    assert np.isclose(value, number(cuts), rtol=1e-10)
    direction = {key: float(np.sign(np.sin(7.0 * i + 1))) for i, key in enumerate(MOVED)}
    slope = sum(float(gradient[key]) * direction[key] for key in MOVED)

    def along(t):
        return number(cuts.replace(**{key: cuts[key] + t * direction[key] for key in MOVED}))

    step = 1e-5
    assert slope != 0
    assert np.isclose(slope, (along(step) - along(-step)) / (2 * step), rtol=1e-5, atol=1e-7)
    assert np.isclose(jax.jvp(along, (0.0,), (1.0,))[1], slope, rtol=1e-9)


def test_generated_events_have_a_boson(generated):
    """Of a tenth of the events, whose muons have a mass near that of the Z, nearly all pass; few others do."""
    found = ak.num(ak.Array(adl_rivals.query5(generated, queries.CUTS.to_dict())["met"]), axis=0)
    assert 0.09 < found / len(generated) < 0.15
    again = events.generate(2000)
    assert ak.array_equal(again.Jet.pt, generated.Jet.pt)
