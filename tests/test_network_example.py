"""The example that optimises cuts and a network on the events that the project ships."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "network_cuts.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("network_cuts", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_says_what_it_needs(example):
    assert {"Muon_pfRelIso04_all", "Jet_btagCSVV2", "FatJet_particleNet_TvsQCD", "MET_phi"} < set(
        example.ANALYSIS.reads
    )
    assert not {"BJet_pt", "W_pt", "lepton_ht"} & set(example.ANALYSIS.reads)
    assert sum(leaf.size for leaf in jax.tree.leaves(example.CUTS)) >= 20


@pytest.mark.slow
def test_a_few_steps_improve_the_selection(example, x64):
    data = example.events()
    result = example.run(data, steps=10)
    objectives = [record.objective for record in result.history]
    assert len(objectives) == 10
    assert np.isfinite(objectives).all() and objectives[-1] > objectives[0]
    assert "nn" in str(result)
