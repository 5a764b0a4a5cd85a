"""A network and cuts are optimised together, in one compiled program."""

from __future__ import annotations

import logging

import awkward as ak
import jax
import numpy as np
import optax
import pytest

from hepgrad.analysis import (
    Analysis,
    Anneal,
    Channel,
    CountingModel,
    Dataset,
    Parameter,
    Parameters,
    Regular,
    Split,
    Weights,
    optimize,
)
from hepgrad.analysis.stages import EventSelection, Perceptron, Score

pytestmark = [pytest.mark.usefixtures("quick_compilation"), pytest.mark.thorough]

NETWORK = Perceptron([2, 6, 1])
CUTS = Parameters(
    met=Parameter(20.0, bounds=(10, 60), width=5.0, unit="GeV"),
    score=Parameter(0.4, bounds=(0.05, 0.95), width=0.05),
    nn=Weights(NETWORK.initial(jax.random.key(2))),
)


@pytest.fixture(scope="module")
def halves() -> Split:
    """Return a signal on a ring in two features, which no rectangular cut can tell from the background around it."""
    rng = np.random.default_rng(8)

    def draw(n: int) -> Dataset:
        angle = rng.uniform(0, 2 * np.pi, n)
        radius = {"signal": rng.normal(1.0, 0.2, n), "background": 2.5 * np.sqrt(rng.uniform(size=n))}
        events = {
            name: ak.zip(
                {
                    "x": (r * np.cos(angle)).astype(np.float32),
                    "y": (r * np.sin(angle)).astype(np.float32),
                    "met": rng.exponential(60 if name == "signal" else 30, n).astype(np.float32),
                    "bin": np.full(n, 0.5, np.float32),
                }
            )
            for name, r in radius.items()
        }
        return Dataset.from_awkward(events, {"signal": np.full(n, 30 / n), "background": np.full(n, 1000 / n)})

    return Split(draw(8000), draw(8000))


def test_network_and_cuts_together(halves, caplog):
    score = Score("nn", NETWORK, ["x", "y"]).standardised(halves.train)
    analysis = Analysis(
        [score, EventSelection(["nn > cut.score", "met > cut.met"])],
        [Channel("signal region", "bin", Regular(1, 0, 1))],
        CountingModel(["signal"], 0.1),
    )
    with jax.log_compiles(True), caplog.at_level(logging.WARNING):
        result = optimize(
            analysis, halves, parameters=CUTS, optimizer=optax.adam(0.3), steps=100, anneal=Anneal(1.0, 0.2)
        )
    compilations = [r for r in caplog.records if "Finished XLA compilation of jit(step)" in r.getMessage()]
    assert len(compilations) == 1
    assert sum(leaf.size for leaf in jax.tree.leaves(CUTS)) == 27

    # from the densities: 0.61 with the best cut on the missing momentum alone, 1.60 with the ring itself in addition
    assert result.start.hard_held_out.objective < 0.61
    assert 1.0 < result.optimum.hard_held_out.objective < 1.7
    moved = result.optimum.parameters
    assert not np.allclose(moved["nn"][0]["weight"], CUTS["nn"][0]["weight"])
    assert moved["met"] > 40
