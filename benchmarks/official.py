"""The step of an analysis with official corrections and their uncertainties beside the same one without any.

Eleven two-sided sources of jet energies, b-tag weights with eighteen variations that follow the jets, and a hundred
members of a set of parton distributions, at 100,000 events.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.console import Console
from rich.table import Table

from hepgrad.analysis import Analysis, Channel, Dataset, Parameters, Projection, Regular
from hepgrad.analysis.corrections import read_corrections
from hepgrad.analysis.optimisation.goal import Goal
from hepgrad.analysis.optimisation.steps import Descent, make_step
from hepgrad.analysis.stages import CorrectionWeight, ObjectSelection, WordVariation, btag_shape
from hepgrad.analysis.stages.contract import AnyStage
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.systematics import JES_SOURCES, Normalisation, Source, WeightSet, jet_energy_sources

from .corrections import FOLDER
from .large_analysis import CUTS, select
from .runner import Comparison, Size, measure

EVENTS = {"quick": 10_000, "full": 100_000}
ROUNDS = {"quick": 5, "full": 9}
PATIENCE = 60.0
JETS, MEMBERS = 11, 100
PROCESSES = ("signal", "ttbar", "wjets", "other")
TAG, ALGORITHM = "Summer19UL18_V5_MC", "AK4PFchs"
INSIDE = ObjectSelection("Jet", ["pt > 20", "abs(eta) < 2.5"])


def btag() -> CorrectionWeight:
    """Return the b-tag weights with nine two-sided variations: the official words for shifted jets are the ninth."""
    shape: Any = read_corrections(FOLDER / "btagging.json.gz")["deepJet_shape"]
    stage = btag_shape(shape, discriminant="btag")
    return dataclasses.replace(
        stage, variations=(*stage.variations, WordVariation("jes", "up_jes", "down_jes", "hadronFlavour != 4"))
    )


def analyses() -> dict[str, Analysis]:
    """Return the analysis without any correction, with b-tag weights alone, with each kind of sources, and with all."""
    tag = btag()
    jets: list[Source] = [*jet_energy_sources(read_corrections(FOLDER / "jet_jerc.json.gz"), TAG, ALGORITHM)[:JETS]]
    pdf = WeightSet("pdf", "LHEPdfWeight", range(1, MEMBERS + 1), "replicas")
    assert len(jets) == JETS <= len(JES_SOURCES)

    def analysis(stages: list[AnyStage], *sources: Source) -> Analysis:
        model = TemplateModel(["signal"], [Normalisation("lumi", 0.02), *sources])
        channel = Channel("ht", "ht", Regular(20, 50, 650, flow="fold"))
        return Analysis([INSIDE, *stages, select], [channel], model, "discovery")

    return {
        "nothing": analysis([]),
        "b-tag weights": analysis([tag]),
        "b-tag variations": analysis([tag], *tag.sources()),
        "jets": analysis([], *jets),
        "parton distributions": analysis([], pdf),
        "all": analysis([tag], *jets, *tag.sources(), pdf),
    }


def dataset(events: int, seed: int = 0) -> Dataset:
    """Return events drawn at random."""
    rng, each = np.random.default_rng(seed), events // len(PROCESSES)

    def sample(process: int) -> ak.Array:
        counts = rng.poisson(4.0, each)
        number = int(counts.sum())
        jets = {
            "pt": 20 + rng.exponential(50 if process else 90, number),
            "eta": rng.normal(0, 1.5, number).clip(-4.7, 4.7),
            "phi": rng.uniform(-np.pi, np.pi, number),
            "btag": rng.beta(1, 3, number),
        }
        fields = {name: ak.unflatten(values.astype(np.float32), counts) for name, values in jets.items()}
        fields["hadronFlavour"] = ak.unflatten(rng.choice(np.array([0, 4, 5], np.int32), number), counts)
        met = {"pt": rng.exponential(60, each), "phi": rng.uniform(-np.pi, np.pi, each)}
        columns = {
            "Jet": ak.zip(fields),
            "MET": ak.zip({name: values.astype(np.float32) for name, values in met.items()}),
            "LHEPdfWeight": ak.from_regular(rng.normal(1, 0.02, (each, MEMBERS + 1)).astype(np.float32)),
        }
        return ak.zip(columns, depth_limit=1)

    samples = {name: sample(i) for i, name in enumerate(PROCESSES)}
    return Dataset.from_awkward(samples, {name: np.full(each, 0.2 if i else 0.002) for i, name in enumerate(PROCESSES)})


def report(size: Size, console: Console) -> list[dict[str, Any]]:
    """Print and return the time and the memory of a step.

    Quick takes a tenth of the events.
    """
    table = Table("with", title=f"A step at {EVENTS[size]:,} events; memory is what the program and its arguments take")
    for heading in ("step / ms", "of that without", "memory / MB", "of that without"):
        table.add_column(heading, justify="right")
    with jax.enable_x64(True):
        data = dataset(EVENTS[size])
        programs = {name: _step(each, CUTS, data) for name, each in analyses().items()}
        ways = {
            name: lambda p=program, a=arguments: jax.block_until_ready(p(*a))
            for name, (program, arguments) in programs.items()
        }
        medians, _ = measure(Comparison("step", ways, {}), rounds=ROUNDS[size], patience=PATIENCE)
    rows = [
        {"with": name, "seconds": medians["ours", name], "bytes": _memory(program)}
        for name, (program, _) in programs.items()
    ]
    for row in rows:
        ratios = [row[key] / rows[0][key] for key in ("seconds", "bytes")]
        table.add_row(
            row["with"],
            f"{1e3 * row['seconds']:.0f}",
            f"{ratios[0]:.1f}",
            f"{row['bytes'] / 1e6:.0f}",
            f"{ratios[1]:.2f}",
        )
    console.print(table)
    return rows


def _step(analysis: Analysis, parameters: Parameters, data: Dataset) -> tuple[Any, tuple[Any, ...]]:
    """Return the compiled step of an optimisation and its arguments."""
    descent = Descent(Goal(analysis), parameters, optax.adam(0.1), Projection())
    arguments = (descent.start(parameters), data, jnp.ones((1, 2), float), np.int32(1))
    return make_step(descent).lower(*arguments).compile(), arguments


def _memory(program: Any) -> int:
    """Return the bytes of arguments, results and everything in between."""
    found = program.memory_analysis()
    return int(found.argument_size_in_bytes + found.output_size_in_bytes + found.temp_size_in_bytes)
