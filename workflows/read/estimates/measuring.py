"""Measuring a fake rate: loose leptons that are tight or fail, in data less simulation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import awkward as ak
import numpy as np

from ...errors import InputError
from ..events import iterate_events
from ..layout import Layout
from ..sample import Keep, Sample
from ..weighing import column_weights
from .loose_leptons import lepton_bins


class Loose(Protocol):
    """What tells the leptons: a `FakeRate`."""

    @property
    def loose(self) -> Any:
        """From events to loose leptons."""

    @property
    def tight(self) -> Any:
        """From leptons to booleans."""

    @property
    def field(self) -> str:
        """What they are binned in."""

    @property
    def edges(self) -> Sequence[float]:
        """Of the bins."""

    @property
    def bins(self) -> int:
        """How many."""

    @property
    def reads(self) -> Sequence[str]:
        """The columns."""


@dataclasses.dataclass(frozen=True, eq=False)
class Counted:
    """Leptons by bin, weighted.

    Attributes
    ----------
    tight, failing
        Where the rate is measured: sums of weights and of their squares, shape (2, bins).
    applied
        Where it is applied: failing leptons, shape (bins,).
    """

    tight: np.ndarray
    failing: np.ndarray
    applied: np.ndarray

    def rates(self, where: str, field: str, edges: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the rate in each bin and its uncertainty; raise where there is none."""
        (t, t2), (fail, fail2) = self.tight, self.failing
        for i in range(len(t)):
            bin_told = f" with {field} from {edges[i]:g} to {edges[i + 1]:g}" if len(edges) > 1 else ""
            if not fail[i] > 0:
                raise InputError(
                    f"{where}: where it is measured, {t[i]:.4g} tight leptons and {fail[i]:.4g} that fail are left"
                    f"{bin_told} of the data, less simulation; take wider bins, or measure in another region"
                )
        # fewer than none are tight where simulation is more than the data
        f = np.clip(t, 0, None) / (np.clip(t, 0, None) + fail)
        sigma = np.sqrt((1 - f) ** 2 * t2 + f**2 * fail2) / (np.clip(t, 0, None) + fail)
        return tuple(f.tolist()), tuple(sigma.tolist())

    def spread(self, rates: Sequence[float], uncertainties: Sequence[float]) -> float:
        """Return the relative uncertainty of the estimate by the rates, each of which has its own."""
        f, sigma = np.asarray(rates), np.asarray(uncertainties)
        total = np.sum(self.applied * f / (1 - f))
        # of f / (1 - f) the derivative is 1 / (1 - f)**2
        change = np.sqrt(np.sum((self.applied * sigma / (1 - f) ** 2) ** 2))
        return float(min(change / total, 0.99)) if total > 0 else 0.0


def count_leptons(
    leptons: Loose, region: Keep, parts: Sequence[tuple[float, Sample]], *, tree: str, layout: Layout
) -> Counted:
    """Return the loose leptons of a region, and those that fail outside of it; factors tell what is taken off."""
    tight, failing = np.zeros((2, leptons.bins)), np.zeros((2, leptons.bins))
    applied = np.zeros(leptons.bins)
    for factor, sample in parts:
        columns = list(dict.fromkeys([*leptons.reads, *sample.columns()]))
        of_sample = layout if sample.layout is None else sample.layout
        for index, file in enumerate(sample.files):
            friends = sample.friends[index] if sample.friends else ()
            for read in iterate_events(file, columns, tree=tree, layout=of_sample, friends=friends):
                events = read
                for keep in sample.keep:
                    events = events[keep(events)]
                each = factor * column_weights(events, sample, of_sample, file)
                found = leptons.loose(events)
                flags = leptons.tight(found)
                counts = ak.to_numpy(ak.num(found))
                bins, passes = lepton_bins(found, leptons.field, leptons.edges), ak.to_numpy(ak.flatten(flags))
                weight = np.repeat(each, counts)
                inside = np.repeat(ak.to_numpy(region(events)), counts)
                for sums, which in ((tight, inside & passes), (failing, inside & ~passes)):
                    for power in (1, 2):
                        sums[power - 1] += np.bincount(bins[which], weight[which] ** power, minlength=leptons.bins)
                outside = ~inside & ~passes
                applied += np.bincount(bins[outside], weight[outside], minlength=leptons.bins)
    return Counted(tight, failing, applied)
