"""Log-probabilities of random workspaces at random points equal pyhf's."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hepgrad.analysis.statistics.histfactory import from_workspace, to_workspace

pytestmark = pytest.mark.thorough

YIELD = st.one_of(st.just(0.0), st.floats(0.1, 1e4))
SHIFT = st.floats(-0.15, 0.15)
FACTOR = st.floats(0.7, 1.4)


@st.composite
def workspaces(draw):
    channels, used = [], set()
    for channel in draw(st.lists(st.sampled_from(["b", "A", "c c", "z"]), min_size=1, max_size=3, unique=True)):
        bins = draw(st.integers(1, 3))
        samples = []
        for sample in draw(
            st.lists(st.sampled_from(["ttbar", "Wjets", "data-driven"]), min_size=1, max_size=3, unique=True)
        ):
            yields = draw(st.lists(YIELD, min_size=bins, max_size=bins))
            modifiers = draw(st.lists(st.sampled_from(sorted(MODIFIERS)), unique=True, max_size=5))
            entries = [MODIFIERS[kind](draw, channel, sample, np.array(yields)) for kind in modifiers]
            used |= {entry["name"] for entry in entries}
            samples.append({"name": sample, "data": yields, "modifiers": entries})
        channels.append({"name": channel, "samples": samples})
    if not used:
        channels[0]["samples"][0]["modifiers"] = [{"name": "mu", "type": "normfactor", "data": None}]
    observations = [
        {"name": c["name"], "data": [draw(st.integers(0, 500)) for _ in c["samples"][0]["data"]]} for c in channels
    ]
    parameters = [
        {"name": "lumi", "auxdata": [1.0], "sigmas": [draw(st.floats(0.01, 0.1))], "inits": [1.0], "bounds": [[0, 10]]}
    ]
    config = {"poi": "", "parameters": parameters}
    return {
        "channels": channels,
        "observations": observations,
        "measurements": [{"name": "m", "config": config}],
        "version": "1.0.0",
    }


def scale(name):
    return lambda draw, channel, sample, yields: {"name": name, "type": "normfactor", "data": None}


def lumi(draw, channel, sample, yields):
    return {"name": "lumi", "type": "lumi", "data": None}


def normsys(draw, channel, sample, yields):
    return {"name": draw(st.sampled_from("yx")), "type": "normsys", "data": {"hi": draw(FACTOR), "lo": draw(FACTOR)}}


def histosys(draw, channel, sample, yields):
    hi, lo = ([float(y * (1 + draw(SHIFT))) for y in yields] for _ in range(2))
    return {"name": draw(st.sampled_from("yw")), "type": "histosys", "data": {"hi_data": hi, "lo_data": lo}}


def shapesys(draw, channel, sample, yields):
    data = [draw(st.one_of(st.just(0.0), st.floats(0.05, 0.8))) * float(y) for y in yields]
    return {"name": f"shape {channel} {sample}", "type": "shapesys", "data": data}


def staterror(draw, channel, sample, yields):
    return {**shapesys(draw, channel, sample, yields), "name": f"mc {channel}", "type": "staterror"}


def shapefactor(draw, channel, sample, yields):
    return {"name": f"free {len(yields)}", "type": "shapefactor", "data": None}


MODIFIERS = {
    "mu": scale("mu"),
    "k": scale("k"),
    "lumi": lumi,
    "normsys": normsys,
    "histosys": histosys,
    "shapesys": shapesys,
    "staterror": staterror,
    "shapefactor": shapefactor,
}


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(workspace=workspaces(), seed=st.integers(0, 2**32 - 1))
def test_log_probability_of_random_workspaces(workspace, seed, in_pyhf):
    theirs, expected_data = in_pyhf(workspace)
    rng = np.random.default_rng(seed)
    start = np.asarray(theirs.config.suggested_init())
    parameters = np.where(start == 0, rng.uniform(-1.5, 1.5, start.size), rng.uniform(0.3, 2.5, start.size))
    with jax.enable_x64():
        ours, data = from_workspace(workspace)
        assert list(ours.parameter_names) == theirs.config.par_names
        np.testing.assert_array_equal(ours.fixed, theirs.config.suggested_fixed())
        np.testing.assert_allclose(data, expected_data, rtol=1e-15)
        np.testing.assert_allclose(
            ours.logpdf(parameters, data), theirs.logpdf(parameters, expected_data)[0], rtol=1e-9, atol=1e-9
        )
        exported = to_workspace(ours, data)
        again, same_data = from_workspace(exported)
        assert again.layout == ours.layout
        assert to_workspace(again, same_data) == exported
