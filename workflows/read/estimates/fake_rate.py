"""Fake rate: how often a loose lepton that is none passes as a tight one, measured in data and applied to them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import awkward as ak
import numpy as np

from hepgrad.analysis.printing import as_names

from ..layout import Layout
from ..sample import Keep, Reweight, Sample
from .contract import Estimate, check_uncertainty
from .loose_leptons import all_tight, fake_weight
from .measuring import count_leptons

Leptons = Callable[[ak.Array], ak.Array]


@dataclasses.dataclass(frozen=True)
class Tightness:
    """The events whose loose leptons are all tight, or those of which some fail; none of where the rate is measured."""

    loose: Leptons
    tight: Leptons
    measured_in: Keep | None
    passing: bool

    def __call__(self, events: ak.Array) -> ak.Array:
        """Return which events these are."""
        passed = all_tight(self.loose(events), self.tight)
        passed = passed if self.passing else ~passed
        return passed if self.measured_in is None else passed & ~self.measured_in(events)

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The user's functions."""
        return (self.loose, self.tight, *([] if self.measured_in is None else [self.measured_in]))

    def text(self, names: Mapping[str, str]) -> str:
        """Return it as Python, with ``names`` in place of some names."""
        loose, tight, *measured_in = (function.__name__ for function in self.functions)
        tell = f"{'' if self.passing else '~'}{names.get('all_tight', 'all_tight')}({loose}(events), {tight})"
        return f"lambda events: {' & ~'.join([tell, *(f'{name}(events)' for name in measured_in)])}"


@dataclasses.dataclass(frozen=True)
class FakeWeight:
    """What events with failing leptons count for."""

    loose: Leptons
    tight: Leptons
    field: str
    edges: tuple[float, ...]
    rates: tuple[float, ...]

    def __call__(self, events: ak.Array) -> np.ndarray:
        """Return one number for each event."""
        return fake_weight(self.loose(events), self.tight, self.field, self.edges, self.rates)

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The user's functions."""
        return (self.loose, self.tight)

    def text(self, names: Mapping[str, str]) -> str:
        """Return it as Python, with ``names`` in place of some names."""
        told = f"{self.loose.__name__}(events), {self.tight.__name__}"
        numbers = f"{self.field!r}, {list(self.edges)!r}, {list(self.rates)!r}"
        return f"lambda events: {names.get('fake_weight', 'fake_weight')}({told}, {numbers})"


@dataclasses.dataclass(frozen=True)
class FakeRate(Estimate):
    r"""A background of leptons that are none, from data in which a loose lepton fails to be tight.

    The rate :math:`f` is the part of loose leptons that are tight, of data less simulated backgrounds, where nearly all
    leptons are mistaken ones (``measured_in``). Outside of there, an event of which some loose leptons fail counts

    .. math:: w = -\prod_{\text{failing}} \frac{-f}{1 - f},

    so that with one of them it is :math:`f / (1 - f)`, and with two the product is taken off, which those with one
    hold twice. The simulated backgrounds there are taken off. All other processes, and the observed events, are those
    outside of the region whose loose leptons are all tight.

    The events pass the same stages as all others, so the estimate follows the cuts. The stages must not ask for tight
    leptons, which the reading does, but for the loose ones, and must take all of them or drop the event
    (``muons.exactly(1)``, or ``at_least(2)`` where ``loose`` returns two at most): an event whose failing lepton is
    left out counts wrongly.

    Attributes
    ----------
    loose
        A function of the events, as `hepgrad.workflows.read_events` returns them, that returns the loose leptons of
        each event, tight ones among them: ``events.Muon[events.Muon.pt > 20]``.
    tight
        A function of these leptons that tells which are tight, an Awkward array of booleans.
    measured_in
        A function of the events that tells in which the rate is measured. None where ``rates`` are given.
    reads
        The columns that these functions look at, and that of ``field``.
    field
        Of the leptons, by whose absolute value the rate is measured.
    edges
        Of its bins; the first and the last one hold what lies outside. One rate for all leptons by default.
    uncertainty
        Relative, of the method; the statistics of the rate are added in quadrature. The sum is a nuisance parameter of
        the model, named after the process, as in ``fakes_estimate``. Models without sources, such as `CountingModel`,
        have one uncertainty for the whole background and take none from here. It is one normalisation: what the
        statistics of a single bin's rate would change of shapes is not in it; measure in wider bins where that matters.
    subtract
        Names of the simulated processes that are taken off the data; all backgrounds by default.
    rates
        The rate in each bin, where it is known already.
    rate_uncertainties
        Their uncertainties.
    spread
        The relative uncertainty of the estimate by them.

    Raises
    ------
    ValueError
        When edges do not rise, rates do not suit them or are not between 0 and 1, there is neither a region nor rates,
        or the uncertainty is not between 0 and 1.

    Notes
    -----
    The method is that of arXiv:1206.4071, section 5, and of most multilepton searches since.

    Examples
    --------
    >>> from hepgrad.workflows import FakeRate, Process
    >>> def loose(events):
    ...     return events.Muon[events.Muon.pt > 20]
    >>> def tight(muons):
    ...     return muons.pfRelIso04_all < 0.15
    >>> def little_missing_momentum(events):
    ...     return events.MET.pt < 20
    >>> reads = ["Muon_pt", "Muon_pfRelIso04_all", "MET_pt"]
    >>> fakes = FakeRate(loose, tight, little_missing_momentum, reads=reads, edges=[20, 30, 50])
    >>> Process("fakes", estimate=fakes).label
    'fakes'
    """

    loose: Leptons
    tight: Leptons
    measured_in: Keep | None = None
    _: dataclasses.KW_ONLY
    reads: Sequence[str]
    field: str = "pt"
    edges: Sequence[float] = ()
    uncertainty: float = 0.3
    subtract: Sequence[str] | None = None
    rates: Sequence[float] = ()
    rate_uncertainties: Sequence[float] = ()
    spread: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "reads", as_names(self.reads))
        for name in ("edges", "rates", "rate_uncertainties"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "subtract", None if self.subtract is None else as_names(self.subtract))
        check_uncertainty("FakeRate", self.uncertainty)
        if len(self.edges) == 1 or any(not a < b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError(f"FakeRate: edges must rise, and be two at least, got {list(self.edges)}")
        if self.rates and (len(self.rates) != self.bins or not all(0 <= rate < 1 for rate in self.rates)):
            raise ValueError(
                f"FakeRate: {self.bins} rates are needed, one for each bin, from 0 up to below 1; got "
                f"{list(self.rates)}"
            )
        if self.measured_in is None and not self.rates:
            raise ValueError("FakeRate: say where the rate is measured (measured_in), or what it is (rates)")

    @property
    def bins(self) -> int:
        """How many rates there are."""
        return max(len(self.edges) - 1, 1)

    def others(self) -> Keep:
        """Return the condition that all loose leptons are tight."""
        return Tightness(self.loose, self.tight, self.measured_in, passing=True)

    def own(self) -> Keep:
        """Return the condition that one of them fails."""
        return Tightness(self.loose, self.tight, self.measured_in, passing=False)

    def factor(self) -> float | Reweight:
        """Return the function of the rates."""
        assert self.rates, "the rate is measured before anything is read with it"
        return FakeWeight(self.loose, self.tight, self.field, tuple(self.edges), tuple(self.rates))

    def relative_uncertainty(self) -> float:
        """Return the uncertainty of method and rates."""
        return math.hypot(self.uncertainty, self.spread)

    def told(self) -> str:
        """Return the rates in words."""
        sigmas = self.rate_uncertainties or (0.0,) * len(self.rates)
        rates = [f"{rate:.3f} +- {sigma:.3f}" for rate, sigma in zip(self.rates, sigmas, strict=True)]
        if len(self.edges) > 2:
            bins = zip(self.edges, self.edges[1:], strict=False)
            rates = [
                f"{rate} ({self.field} {low:g} to {high:g})" for rate, (low, high) in zip(rates, bins, strict=True)
            ]
        statistics = f", of which {100 * self.spread:.2g} % are their statistics" if self.spread else ""
        return f"fake rate {', '.join(rates)}; the estimate +- {100 * self.relative_uncertainty():.2g} %{statistics}"

    def measured(self, name: str, parts: Sequence[tuple[float, Sample]], *, tree: str, layout: Layout) -> FakeRate:
        """Return it with the rates, if it has none.

        Parameters
        ----------
        name
            Of its process, for errors.
        parts
            Samples and what a unit of their weights counts for: data, and less than nothing for what is taken off.
        tree, layout
            As for `hepgrad.workflows.load`.

        Raises
        ------
        InputError
            When a bin has no loose leptons, or none that fail.
        """
        if self.rates or self.measured_in is None:
            return self
        counted = count_leptons(self, self.measured_in, parts, tree=tree, layout=layout)
        rates, uncertainties = counted.rates(f"process {name!r}: fake rate", self.field, self.edges)
        spread = counted.spread(rates, uncertainties)
        return dataclasses.replace(self, rates=rates, rate_uncertainties=uncertainties, spread=spread)
