"""Events with muons, jets and missing momentum, and the parameters that the stages of these tests use."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Events, Parameter, Parameters


def particles(rng, counts, *, mass, **fields):
    n = int(counts.sum())
    columns = {
        "pt": rng.uniform(15, 120, n),
        "eta": rng.uniform(-3, 3, n),
        "phi": rng.uniform(-np.pi, np.pi, n),
        "mass": np.full(n, mass) * rng.uniform(0.5, 1.5, n),
        **{name: rng.uniform(low, high, n) for name, (low, high) in fields.items()},
    }
    flat = ak.zip(columns)
    unflattened = ak.unflatten(flat, counts)
    return unflattened[ak.argsort(unflattened.pt, axis=1, ascending=False)]


@pytest.fixture(scope="session")
def sample() -> ak.Array:
    """Return 40 random events in double precision."""
    rng = np.random.default_rng(12)
    n = 40
    jets = particles(rng, rng.poisson(4, n), mass=8.0, btag=(0, 1), sf=(0.9, 1.1), eff=(0.2, 0.8))
    muons = particles(rng, rng.poisson(1.2, n), mass=0.1, isolation=(0, 0.4))
    met = ak.zip({"pt": rng.uniform(5, 120, n), "phi": rng.uniform(-np.pi, np.pi, n)})
    return ak.zip({"Jet": jets, "Muon": muons, "MET": met, "pileup": rng.uniform(0.8, 1.2, n)}, depth_limit=1)


@pytest.fixture(scope="session")
def events_of():
    """Return a function that makes events of weight 1 from a sample, with some room left in the buffers."""

    def make(sample: ak.Array, dtype=np.float32) -> Events:
        sample = ak.values_astype(sample, dtype)
        columns = {
            name: rg.from_awkward(sample[name], capacity=int(ak.sum(ak.num(sample[name]))) + 3, max_length=12)
            if sample[name].ndim > 1
            else rg.from_awkward(sample[name])
            for name in sample.fields
        }
        return Events.of(rg.RecordArray(columns), jnp.ones(len(sample), dtype))

    return make


@pytest.fixture
def events(sample, events_of) -> Events:
    return events_of(sample)


@pytest.fixture(scope="session")
def cuts() -> Parameters:
    return Parameters(
        jet_pt=Parameter(30.0, bounds=(15, 80), width=5.0, unit="GeV"),
        jet_eta=Parameter(2.4, bounds=(1, 3), width=0.2),
        muon_pt=Parameter(25.0, bounds=(15, 80), width=5.0, unit="GeV"),
        radius=Parameter(0.4, bounds=(0.1, 1), width=0.1),
        btag=Parameter(0.5, bounds=(0.1, 0.9), width=0.1),
        met=Parameter(40.0, bounds=(5, 100), width=10.0, unit="GeV"),
        low=Parameter(40.0, bounds=(10, 60), width=5.0, unit="GeV"),
        high=Parameter(90.0, bounds=(70, 120), width=5.0, unit="GeV"),
        pts=Parameter([60.0, 40.0], bounds=(15, 100), width=5.0, unit="GeV"),
    )


@pytest.fixture(scope="session")
def run():
    """Return a function that runs stages on events, compiled."""

    def run(stages, events, parameters, reading) -> Events:
        @jax.jit
        def selected(events, parameters):
            cut = parameters.cuts(reading)
            for stage in stages:
                events = stage(events, cut)
            return events

        return selected(events, parameters)

    return run
