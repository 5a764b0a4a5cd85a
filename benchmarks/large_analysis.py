"""A synthetic analysis as large as a real one: by default 7 channels, 10 processes and 86 shape sources.

The size is that of a recent CMS measurement (arXiv:2502.13047), the physics is not: events are drawn at random, and
every source is a function of its own.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import awkward as ak
import jax.numpy as jnp
import numpy as np

from hepgrad.analysis import Analysis, Channel, Cuts, Dataset, Events, Parameter, Parameters, Regular, stage
from hepgrad.analysis.stages.contract import AnyStage
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.systematics import EnergyScale, KinematicVariation, Normalisation, Source, WeightVariation

CUTS = Parameters(
    jet_pt=Parameter(35.0, bounds=(20, 60), width=5.0, unit="GeV"),
    btag=Parameter(0.5, bounds=(0.1, 0.9), width=0.05),
    met=Parameter(40.0, bounds=(20, 150), width=10.0, unit="GeV"),
)


@stage(reads=("Jet_pt", "Jet_btag", "MET_pt"))
def select(events: Events, cut: Cuts) -> Events:
    """Ask for two jets and missing momentum."""
    jets = events.Jet.select(events.Jet.pt > cut.jet_pt)
    events = events.select(jets.at_least(2), "two jets").select(events.MET.pt > cut.met, "missing momentum")
    tagged = jets.select(jets.btag > cut.btag)
    return events.with_field(Jet=jets, Tagged=tagged, ht=jets.sum("pt") + jets.leading("pt", fill_value=0.0))


def regions_of(number: int) -> AnyStage:
    """Return a stage that divides events by the numbers of jets and of b-tagged jets.

    They are named ``region0``, ``region1``, ...
    """

    @stage(reads=("Jet_pt", "Jet_btag"))
    def regions(events: Events, cut: Cuts) -> Events:
        last = number - 1
        passes = {
            f"region{i}": events.Tagged.at_least(1 + i % 2) & events.Jet.at_least(max(5 - i // 2, 0))
            for i in range(last)
        }
        return events.categorise(rest=f"region{last}", **passes)

    return regions


@dataclasses.dataclass(frozen=True)
class JetUncertainty:
    """A relative uncertainty of jet momenta, another for every source."""

    number: int

    def __call__(self, jets: Any) -> Any:
        """Return the uncertainty of each jet."""
        return 0.004 + 0.001 * (self.number % 5) + (0.05 + 0.01 * self.number) / jets.pt


@dataclasses.dataclass(frozen=True)
class EventFactor:
    """A factor on event weights, another for every source.

    The sign is +1 or -1.
    """

    number: int
    sign: int

    def __call__(self, events: Events) -> Any:
        """Return the factor of each event."""
        return 1 + self.sign * 0.02 * jnp.tanh(events.ht / (100.0 + 10 * self.number))


@dataclasses.dataclass(frozen=True)
class Size:
    """How large the analysis is.

    Attributes
    ----------
    channels, bins, processes
        Numbers of channels, bins of each, and processes.
    weights, kinematic
        Two-sided shape sources: of event weights, and of jet energies.
    events
        Of all processes.
    """

    channels: int = 7
    bins: int = 20
    processes: int = 10
    weights: int = 59
    kinematic: int = 27
    events: int = 100_000

    @property
    def half(self) -> Size:
        """Half of everything but the bins of a channel."""
        return Size(4, self.bins, 5, 30, 13, self.events // 2)

    @property
    def names(self) -> list[str]:
        """The processes, the signal first."""
        return ["signal", *(f"background{i}" for i in range(1, self.processes))]

    def analysis(self) -> Analysis:
        """Return the analysis."""
        jes = [KinematicVariation(f"jes{i}", EnergyScale("Jet", JetUncertainty(i))) for i in range(self.kinematic)]
        weights = [WeightVariation(f"w{i}", EventFactor(i, 1), EventFactor(i, -1)) for i in range(self.weights)]
        rates = [Normalisation(f"rate_{name}", 0.1, processes=[name]) for name in self.names[1:]]
        sources: list[Source] = [Normalisation("lumi", 0.02), *rates, *weights, *jes]
        axis = Regular(self.bins, 50, 650, flow="fold")
        return Analysis(
            [select, regions_of(self.channels)],
            [Channel(f"region{i}", "ht", axis, region=f"region{i}") for i in range(self.channels)],
            TemplateModel(["signal"], sources),
            "discovery",
        )

    def dataset(self, seed: int = 0) -> Dataset:
        """Return events drawn at random."""
        rng, each = np.random.default_rng(seed), self.events // self.processes

        def sample(process: int) -> ak.Array:
            counts = rng.poisson(4.0, each)
            jets = {
                "pt": 20 + rng.exponential(50 if process else 90, counts.sum()),
                "phi": rng.uniform(-np.pi, np.pi, counts.sum()),
                "btag": rng.beta(2, 4 + process % 3, counts.sum()),
            }
            met = {"pt": rng.exponential(60, each), "phi": rng.uniform(-np.pi, np.pi, each)}
            jagged = {name: ak.unflatten(values.astype(np.float32), counts) for name, values in jets.items()}
            flat = {name: values.astype(np.float32) for name, values in met.items()}
            return ak.zip({"Jet": ak.zip(jagged), "MET": ak.zip(flat)}, depth_limit=1)

        samples = {name: sample(i) for i, name in enumerate(self.names)}
        return Dataset.from_awkward(
            samples, {name: np.full(each, 0.002 if i == 0 else 0.2) for i, name in enumerate(self.names)}
        )
