"""Loose leptons that are tight or not, and what events with such leptons count for; also a part of exported scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import awkward as ak
import numpy as np


def all_tight(leptons: ak.Array, tight: Callable[[ak.Array], ak.Array]) -> ak.Array:
    """Return which events have no loose lepton that fails to be tight."""
    return ak.all(tight(leptons), axis=1)


def lepton_bins(leptons: ak.Array, field: str, edges: Sequence[float]) -> np.ndarray:
    """Return the bin of each lepton, end to end; the first and the last one hold what lies outside."""
    if len(edges) < 2:
        return np.zeros(int(ak.sum(ak.num(leptons))), int)
    values = ak.to_numpy(ak.flatten(abs(leptons[field])))
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)


def fake_weight(
    leptons: ak.Array,
    tight: Callable[[ak.Array], ak.Array],
    field: str,
    edges: Sequence[float],
    rates: Sequence[float],
) -> np.ndarray:
    """Return what events count for that have leptons which fail: minus the product of -f / (1 - f) over these."""
    rate = np.asarray(rates, float)[lepton_bins(leptons, field, edges)]
    fails = ~ak.to_numpy(ak.flatten(tight(leptons)))
    each = ak.unflatten(np.where(fails, -rate / (1 - rate), 1.0), ak.num(leptons))
    return -ak.to_numpy(ak.prod(each, axis=1))
