"""What `gradient_step` is compared with: the same mathematics without hepgrad, and one ordinary pass of an analysis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import awkward as ak
import hist
import jax
import jax.numpy as jnp
import numpy as np

from .gradient_step import AXIS, CUTS, Columns, columns, finished, significance, start

Values = Mapping[str, jax.Array]
BANDWIDTH = float(AXIS.edges[1] - AXIS.edges[0]) / 2
WIDTHS = {name: spec.width for name, spec in CUTS.specs.items()}


def typical_weights(data: Columns) -> jax.Array:
    """Return what one simulated event counts for, per process."""
    halves = [data.weight[data.is_signal], data.weight[~data.is_signal]]
    return jnp.asarray([(w**2).sum() / w.sum() for w in halves], jnp.float32)


def event_significance(
    p: Values, at_least_one: jax.Array, ht: jax.Array, met: jax.Array, weight: jax.Array, typical: jax.Array
) -> jax.Array:
    """Cut on event quantities, fill the histogram with a biweight kernel, and return the significance."""
    passed = at_least_one * jax.nn.sigmoid((ht - p["ht"]) / WIDTHS["ht"])
    passed = passed * jax.nn.sigmoid((met - p["met"]) / WIDTHS["met"])
    edges = jnp.asarray(AXIS.edges, jnp.float32)
    u = jnp.clip((edges[:, None] - ht) / (np.sqrt(7) * BANDWIDTH), -1, 1)
    below = 0.5 + u * (15 / 16 + u * u * (-10 / 16 + u * u * (3 / 16)))
    below = jnp.concatenate([jnp.zeros_like(below[:1]), below, jnp.ones_like(below[:1])])
    fractions = below[1:] - below[:-1]
    column = weight * passed
    half = len(weight) // 2

    def per_process(column: jax.Array) -> jax.Array:
        return jnp.stack([fractions[:, :half] @ column[:half], fractions[:, half:] @ column[half:]])

    return significance(per_process(column), per_process(weight * column), typical)


def handwritten(data: Columns) -> Callable[[], Any]:
    """Flat arrays with the event number of each jet."""
    ids = np.repeat(np.arange(data.events, dtype=np.int32), data.counts)
    arrays = [jnp.asarray(x) for x in (ids, data.pt, data.eta, data.btag, data.met, data.weight, typical_weights(data))]

    @jax.jit
    @jax.value_and_grad
    def step(p, ids, pt, eta, btag, met, weight, typical):
        pt = pt * p["jes"]
        jet = jax.nn.sigmoid((pt - p["jet_pt"]) / WIDTHS["jet_pt"])
        jet = jet * jax.nn.sigmoid((p["jet_eta"] - jnp.abs(eta)) / WIDTHS["jet_eta"])
        bjet = jet * jax.nn.sigmoid((btag - p["btag"]) / WIDTHS["btag"])
        none = jnp.exp(jax.ops.segment_sum(jnp.log1p(-bjet), ids, len(met), indices_are_sorted=True))
        ht = jax.ops.segment_sum(jet * pt, ids, len(met), indices_are_sorted=True)
        return event_significance(p, 1 - none, ht, met, weight, typical)

    return finished(step, start(), *arrays)


def padded(data: Columns) -> Callable[[], Any]:
    """Rows as long as the longest, with a mask."""
    there = np.arange(data.counts.max()) < data.counts[:, None]

    def pad(items: np.ndarray) -> np.ndarray:
        rows = np.zeros(there.shape, np.float32)
        rows[there] = items
        return rows

    jets = [there, pad(data.pt), pad(data.eta), pad(data.btag)]
    arrays = [jnp.asarray(x) for x in (*jets, data.met, data.weight, typical_weights(data))]

    @jax.jit
    @jax.value_and_grad
    def step(p, there, pt, eta, btag, met, weight, typical):
        pt = pt * p["jes"]
        jet = there * jax.nn.sigmoid((pt - p["jet_pt"]) / WIDTHS["jet_pt"])
        jet = jet * jax.nn.sigmoid((p["jet_eta"] - jnp.abs(eta)) / WIDTHS["jet_eta"])
        bjet = jet * jax.nn.sigmoid((btag - p["btag"]) / WIDTHS["btag"])
        none = jnp.prod(1 - bjet, axis=1)
        ht = jnp.sum(jet * pt, axis=1)
        return event_significance(p, 1 - none, ht, met, weight, typical)

    return finished(step, start(), *arrays)


def awkward_forward(data: Columns) -> Callable[[], Any]:
    """One pass with hard cuts on the CPU backend, filled into `hist`, as analyses are done today."""
    events, p = data.awkward(), {name: float(value) for name, value in CUTS.items()}

    def one_pass() -> float:
        jets = events.Jet
        pt = jets.pt * p["jes"]
        good = (pt > p["jet_pt"]) & (abs(jets.eta) < p["jet_eta"])
        ht = ak.sum(pt[good], axis=1)
        bjets = ak.sum(good & (jets.btag > p["btag"]), axis=1)
        passed = (bjets >= 1) & (ht > p["ht"]) & (events.MET.pt > p["met"])
        filled = []
        for process in (data.is_signal, ~data.is_signal):
            kept = ak.to_numpy(passed & process)
            histogram = hist.Hist.new.Reg(AXIS.bins, AXIS.start, AXIS.stop).Weight()
            filled.append(histogram.fill(ak.to_numpy(ht)[kept], weight=data.weight[kept]).view(flow=True))
        sumw, sumw2 = (np.stack([h[name] for h in filled]) for name in ("value", "variance"))
        return float(hard_significance(sumw, sumw2, typical))

    hard_significance, typical = jax.jit(significance), typical_weights(data)
    return one_pass


def awkward_jax(events: int) -> Callable[[str, str], Any]:
    """Eager value and gradient on Awkward's JAX backend; runs in a process of its own."""
    data = columns(events)
    jets = ak.to_backend(data.awkward().Jet, "jax")
    met, weight, typical = (jnp.asarray(x, jnp.float32) for x in (data.met, data.weight, typical_weights(data)))

    def sigmoid(x: ak.Array) -> ak.Array:
        return 1 / (1 + np.exp(-x))

    def step(p: Values) -> jax.Array:
        pt = jets.pt * p["jes"]
        jet = sigmoid((pt - p["jet_pt"]) / WIDTHS["jet_pt"])
        jet = jet * sigmoid((p["jet_eta"] - abs(jets.eta)) / WIDTHS["jet_eta"])
        bjet = jet * sigmoid((jets.btag - p["btag"]) / WIDTHS["btag"])
        none = jnp.exp(ak.to_jax(ak.sum(np.log1p(-bjet), axis=1)))
        ht = ak.to_jax(ak.sum(jet * pt, axis=1))
        return event_significance(p, 1 - none, ht, met, weight, typical)

    return lambda operation, task: jax.value_and_grad(step)(start())
