"""The exported script: it runs without hepgrad and JAX, and selects the same events."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hepgrad.ragged as rg
from hepgrad.analysis import Channel, CountingModel, Edges, Hard, Parameters, Regular, Weights, stage
from hepgrad.analysis.stages import ObjectSelection
from hepgrad.workflows import Fileset, InputError, load
from hepgrad.workflows.export import selection_script
from hepgrad.workflows.zprime import ZPRIME

CENTRAL = 2.4
RUN = """
import json, runpy, sys
for module in ("hepgrad", "jax"):
    sys.modules[module] = None  # an import would fail
filled = runpy.run_path(sys.argv[1])["histograms"](sys.argv[2], slice(int(sys.argv[3]), None, 2))
views = {"/".join(key): h.view(flow=True) for key, h in filled.items()}
print(json.dumps({key: [view["value"].tolist(), view["variance"].tolist()] for key, view in views.items()}))
"""


def far_apart(objects, others):
    return objects.without_overlap(others, 0.4)


@stage(reads=("Jet_pt", "Jet_eta", "Jet_phi", "Jet_btagCSVV2", "Muon_pt", "Muon_eta", "Muon_phi", "MET_pt", "MET_phi"))
def rich(events, cut):
    """Use much of what collections can do."""
    muons = events.Muon.select(events.Muon.pt > cut.muon_pt)
    jets = far_apart(events.Jet.select((events.Jet.pt > cut.jet_pt) & (abs(events.Jet.eta) < CENTRAL)), muons)
    # a comment, which stays
    bjets = jets.select(jets.btagCSVV2 > cut.btag)
    by_tag = jets.ordered_by("btagCSVV2")
    events = events.select(jets.at_least(2) & bjets.at_most(3) & ~muons.none(), "objects")
    events = events.with_field(
        sum=jets.sum("pt") / 10 + bjets.count() + jets.max("eta") + by_tag.nth("pt", 2, fill_value=0.0) / 100,
        shifted=events.MET.pt - cut.met.value + math.pi + rg.sum(events.Jet.eta, axis=1) + jnp.cos(events.MET.phi),
    )
    return events.categorise(tagged=bjets.at_least(1), rest="untagged")


RICH = dataclasses.replace(
    ZPRIME,
    analysis=dataclasses.replace(
        ZPRIME.analysis,
        stages=[rich],
        channels=[
            Channel("tagged", "sum", Regular(10, 0.0, 200.0), region="tagged", edges="bins"),
            Channel("untagged", "shifted", Regular(5, -50.0, 100.0), region="untagged"),
        ],
        model=CountingModel(["zprime"], 0.1),
    ),
    parameters=Parameters(**ZPRIME.parameters.specs, bins=Edges(np.linspace(0, 20, 11) ** 1.5)),
)


@pytest.mark.parametrize("workflow", [ZPRIME, RICH], ids=["zprime", "rich"])
def test_it_selects_the_same_events(workflow, tmp_path):
    script = tmp_path / "selection.py"
    parameters = workflow.parameters.replace(muon_pt=41.3, jet_pt=33.3, btag=0.41)
    script.write_text(selection_script(workflow, parameters))
    source = str(ZPRIME.data / "fileset.json")
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(script), source, "1"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    filled = json.loads(done.stdout)
    with jax.enable_x64(True):
        split = load(
            Fileset.load(ZPRIME.data), workflow.processes, workflow.analysis.reads, luminosity=workflow.luminosity
        )
        expected = workflow.analysis.histograms(split.held_out, parameters, Hard())
    for channel in workflow.analysis.channels:
        for row, process in enumerate(split.held_out.processes):
            sumw, sumw2 = filled[f"{channel.name}/{process}"]
            np.testing.assert_allclose(sumw, expected[channel.name].sumw[row], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(sumw2, expected[channel.name].sumw2[row], rtol=1e-5, atol=1e-5)
        assert np.sum(np.asarray(expected[channel.name].sumw)) > 100


def test_it_reads_like_the_stage():
    text = selection_script(RICH, RICH.parameters)
    assert "    # a comment, which stays\n" in text
    assert "CENTRAL = 2.4" in text
    assert "events.MET.pt - cut.met + math.pi" in text
    assert "hepgrad" not in text.partition("\n")[2]


def test_what_cannot_be_written_is_named():
    def with_stage(made):
        return dataclasses.replace(RICH, analysis=dataclasses.replace(RICH.analysis, stages=[made]))

    @stage(reads=("MET_pt",))
    def uses_jax(events, cut):
        return events.select(jax.nn.sigmoid(events.MET.pt) > 0.5)

    limit = 50.0

    @stage(reads=("MET_pt",))
    def closure(events, cut):
        return events.select(events.MET.pt > limit)

    @stage(reads=("MET_pt",))
    def unknown(events, cut):
        return CountingModel

    for made, message in (
        (uses_jax, "'uses_jax' cannot be exported: it uses the module jax"),
        (closure, "stage 'closure' cannot be exported: it is a function with variables of its own"),
        (unknown, r"'unknown' cannot be exported: it uses hepgrad\.analysis\.statistics\.counting\.CountingModel"),
        (ObjectSelection("Jet", ["pt > 30"]), "stage 'Jet selection' cannot be exported: it is a ObjectSelection"),
    ):
        with pytest.raises(InputError, match=message):
            selection_script(with_stage(made), RICH.parameters)
    with pytest.raises(InputError, match="parameter 'net' cannot be exported"):
        selection_script(RICH, Parameters(**RICH.parameters.specs, net=Weights({"w": np.ones(2)})))
    with pytest.raises(InputError, match="reads in a way of its own"):
        selection_script(dataclasses.replace(RICH, cross_sections={"ttbar": 1.0}), RICH.parameters)
