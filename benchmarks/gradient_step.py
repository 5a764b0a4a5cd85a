"""The gradient of a whole selection: from jets to a discovery significance, with respect to six parameters.

Events have Poisson(5) jets. The jet energy scale moves jet pT; cuts on pT, ``|eta|`` and b-tag select jets; an event
needs a b-jet, HT and missing momentum; HT is filled into 20 bins for signal and background; the result is the expected
discovery significance. Everybody gets the events in the form they like best; conversions are not timed.

Every rival does the same mathematics (``gradient_step_rivals``):

- ``handwritten``: flat arrays and segment sums in plain JAX, jitted, the whole data set in one piece.
- ``padded``: rows padded to the longest, plain JAX, jitted.
- ``awkward-jax``: Awkward's JAX backend, which cannot be jitted.
- ``awkward-forward``: one ordinary pass with hard cuts, Awkward's C++ kernels and `hist`; no gradient.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Counts,
    Cuts,
    Dataset,
    Events,
    Parameter,
    Parameters,
    Regular,
    Soft,
    stage,
)

from .awkward_jax import Worker
from .runner import Comparison, Size

EVENTS = {"quick": [100_000], "full": [100_000, 1_000_000]}
# on a GPU also enough events to fill it, and the same code on the CPU as a rival
EVENTS_ON_GPU = [10_000_000]

AXIS = Regular(20, 100, 1100)
CUTS = Parameters(
    jet_pt=Parameter(30.0, bounds=(20, 60), width=5.0, unit="GeV"),
    jet_eta=Parameter(2.4, bounds=(1, 4), width=0.2),
    btag=Parameter(0.5, bounds=(0.1, 0.9), width=0.05),
    jes=Parameter(1.0, bounds=(0.5, 2)),
    ht=Parameter(150.0, bounds=(50, 300), width=10.0, unit="GeV"),
    met=Parameter(50.0, bounds=(20, 150), width=10.0, unit="GeV"),
)


@stage(reads=("Jet_pt", "Jet_eta", "Jet_btag", "MET_pt"))
def select(events: Events, cut: Cuts) -> Events:
    jets = events.Jet.with_field(pt=events.Jet.pt * cut.jes.value)
    jets = jets.select((jets.pt > cut.jet_pt) & (np.abs(jets.eta) < cut.jet_eta))
    bjets = jets.select(jets.btag > cut.btag)
    ht = jets.sum("pt")
    events = events.select(bjets.at_least(1)).select(ht > cut.ht).select(events.MET.pt > cut.met)
    return events.with_field(ht=ht)


ANALYSIS = Analysis([select], [Channel("ht", "ht", AXIS)], CountingModel(["signal"], 0.1))


@dataclasses.dataclass(frozen=True)
class Columns:
    """The events as flat columns, jets event by event; the first half is signal."""

    counts: np.ndarray
    pt: np.ndarray
    eta: np.ndarray
    btag: np.ndarray
    met: np.ndarray
    weight: np.ndarray

    @property
    def events(self) -> int:
        return len(self.counts)

    @property
    def is_signal(self) -> np.ndarray:
        return np.arange(self.events) < self.events // 2

    @property
    def bytes(self) -> int:
        return sum(getattr(self, field.name).nbytes for field in dataclasses.fields(self))

    def awkward(self) -> ak.Array:
        jets = {name: ak.unflatten(getattr(self, name), self.counts) for name in ("pt", "eta", "btag")}
        return ak.zip({"Jet": ak.zip(jets), "MET": ak.zip({"pt": self.met})}, depth_limit=1)


def columns(events: int) -> Columns:
    """Return events of which the signal has harder jets, more of them b-tagged, and small weights."""
    rng = np.random.default_rng(7)
    counts = rng.poisson(5, events).astype(np.int32)
    signal = np.repeat(np.arange(events) < events // 2, counts)
    items = len(signal)
    b = rng.random(items) < np.where(signal, 0.3, 0.15)
    return Columns(
        counts=counts,
        pt=(25 + rng.exponential(np.where(signal, 45, 35))).astype(np.float32),
        eta=rng.normal(0, 1.6, items).astype(np.float32),
        btag=np.where(b, rng.beta(6, 2, items), rng.beta(1, 6, items)).astype(np.float32),
        met=rng.exponential(50, events).astype(np.float32),
        weight=(rng.uniform(0.5, 1.5, events) * np.where(np.arange(events) < events // 2, 0.01, 1)).astype(np.float32),
    )


def dataset(data: Columns) -> Dataset:
    """Return the events in blocks."""
    events = data.awkward()
    samples = {"signal": events[data.is_signal], "background": events[~data.is_signal]}
    weights = {"signal": data.weight[data.is_signal], "background": data.weight[~data.is_signal]}
    return Dataset.from_awkward(samples, weights)


@jax.jit
def value_and_gradient(parameters: Parameters, data: Dataset) -> tuple[jax.Array, Parameters]:
    """Return the significance and its derivatives."""
    return jax.value_and_grad(lambda parameters: ANALYSIS.evaluate(data, parameters, Soft()))(parameters)


def significance(sumw: jax.Array, sumw2: jax.Array, typical_weight: jax.Array) -> jax.Array:
    """Return the significance for a filled histogram; shapes (2, bins + 2) and (2,). Rivals use it as well."""
    counts = Counts(sumw, sumw2)
    return ANALYSIS.model.discovery({"ht": counts}, {"ht": AXIS}, ("signal", "background"), typical_weight).value


def comparisons(size: Size) -> Iterator[Comparison]:
    """Yield value and gradient for several numbers of events."""
    from . import gradient_step_rivals as rivals

    on_gpu = jax.default_backend() == "gpu"
    for events in EVENTS[size] + EVENTS_ON_GPU * on_gpu:
        data = columns(events)
        worker = Worker("gradient_step_rivals", events)
        others = {
            "handwritten": rivals.handwritten(data),
            "padded": rivals.padded(data),
            "awkward-jax": functools.partial(worker.call, "gradient_step", "value + gradient"),
            "awkward-forward": rivals.awkward_forward(data),
        }
        if on_gpu:
            cpu = jax.devices("cpu")[0]
            with jax.default_device(cpu):
                on_cpu = jax.device_put(dataset(data), cpu)
            others["hepgrad on the CPU"] = finished(value_and_gradient, CUTS, on_cpu)
        yield Comparison(
            f"{events:,} events", {"value + gradient": finished(value_and_gradient, CUTS, dataset(data))}, others
        )
        worker.close()


def finished(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Return a call of a function that waits for its result."""
    return lambda: jax.block_until_ready(function(*arguments))


def start() -> dict[str, jax.Array]:
    """Return the parameters' values by name."""
    return {name: jnp.asarray(value, jnp.float32) for name, value in CUTS.items()}
