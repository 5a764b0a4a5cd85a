"""What is told of cuts that were moved: profiles, regions that the events cannot tell apart, and round values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.table import Table

from hepgrad.analysis import Parameters
from hepgrad.analysis.optimisation.result import plain_table
from hepgrad.analysis.printing import as_text
from hepgrad.analysis.statistics.objectives import Merit

from ..files.plain_json import json_numbers
from .cut_values import roundest

# beside the optimum, in widths of the soft cut
NEARBY = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
# of which these are told
SHIFTS = (-1.0, 1.0)
# of the range: closer to a bound than this is at the bound
AT_BOUND = 1e-3
# by how much cuts are moved in terms of the signal that they keep
EFFICIENCIES = (-0.25, 0.25)


@dataclasses.dataclass(frozen=True, eq=False)
class CutProfile:
    """The objective against the value of one cut, the others at their optimum; hard cuts.

    Attributes
    ----------
    name, unit
        Of the parameter, elements of arrays as ``pt[0]``.
    optimum
        The value of which the others are compared.
    width
        Of its soft cut.
    bounds
        Lowest and highest allowed value.
    values
        In order; the optimum is one of them, and where it is at a bound one value lies beyond.
    objective
        For each value; NaN where a fit did not converge.
    loss, loss_uncertainty
        By how much the objective is worse than at the optimum (negative: better), and how far that difference
        would spread with other simulated events, which both values see.
    signal
        The expected signal that is selected, for each value.
    spread
        Over the folds of a cross-fit, whose optima have the median that is told; 0 for one optimum.
    """

    name: str
    unit: str
    optimum: float
    width: float
    bounds: tuple[float, float]
    values: np.ndarray
    objective: np.ndarray
    loss: np.ndarray
    loss_uncertainty: np.ndarray
    signal: np.ndarray
    spread: float = 0.0

    @property
    def flat(self) -> tuple[float, float]:
        """The values around the optimum, inside the bounds, at which the loss is within its uncertainty."""
        inside = (self.values >= self.bounds[0]) & (self.values <= self.bounds[1])
        same = inside & (self.loss <= self.loss_uncertainty)
        here = int(np.argmin(np.abs(self.values - self.optimum)))
        first, last = here, here
        while first > 0 and same[first - 1]:
            first -= 1
        while last < len(same) - 1 and same[last + 1]:
            last += 1
        return float(self.values[first]), float(self.values[last])

    @property
    def rounded(self) -> float:
        """The roundest value of the flat region."""
        return roundest(*self.flat, self.optimum)

    @property
    def bound(self) -> str:
        """``"lower"`` or ``"upper"`` where the optimum is at a bound, else nothing."""
        low, high = self.bounds
        margin = AT_BOUND * (high - low)
        return "lower" if self.optimum - low < margin else "upper" if high - self.optimum < margin else ""

    @property
    def beyond(self) -> tuple[float, float, float] | None:
        """What a wider bound would do: the value beyond it, its loss and its uncertainty; None unless at a bound."""
        outside = np.flatnonzero((self.values < self.bounds[0]) | (self.values > self.bounds[1]))
        if not len(outside):
            return None
        at = int(outside[0])
        return float(self.values[at]), float(self.loss[at]), float(self.loss_uncertainty[at])

    def shifted(self, widths: float) -> tuple[float, float]:
        """Return loss and uncertainty of a cut that is moved by so many widths of its soft cut; NaN out of bounds."""
        at = np.flatnonzero(np.isclose(self.values, self.optimum + widths * self.width, rtol=1e-6, atol=0))
        return (float(self.loss[at[0]]), float(self.loss_uncertainty[at[0]])) if len(at) else (math.nan, math.nan)

    def with_efficiency(self, change: float) -> tuple[float, float, float]:
        """Return value, loss and uncertainty of the cut that keeps another share of the signal; NaN if none does.

        ``change`` is one of `EFFICIENCIES`: 0.25 for a quarter more signal.
        """
        here = self.signal[np.argmin(np.abs(self.values - self.optimum))]
        inside = (self.values >= self.bounds[0]) & (self.values <= self.bounds[1])
        off = np.where(inside, np.abs(self.signal - (1 + change) * here), math.inf)
        at = int(np.argmin(off))
        # events are whole: the search comes as close as they let it
        if not off[at] < 0.2 * abs(change) * here:
            return math.nan, math.nan, math.nan
        return float(self.values[at]), float(self.loss[at]), float(self.loss_uncertainty[at])


@dataclasses.dataclass(frozen=True)
class OtherOption:
    """The objective with one option of a choice, hard; the other parameters at their optimum.

    Attributes
    ----------
    name, word
        Of the parameter and of the option.
    objective, loss, loss_uncertainty
        As in `CutProfile`.
    """

    name: str
    word: str
    objective: float
    loss: float
    loss_uncertainty: float


@dataclasses.dataclass(frozen=True, eq=False)
class Robustness:
    """Profiles of all cuts, and the optimum with rounded cuts; prints itself.

    Attributes
    ----------
    merit
        How the objective is told.
    objective
        At the optimum.
    profiles
        Of each free cut.
    rounded
        The parameters with every cut at the roundest value of its flat region.
    rounded_objective
        With these cuts together, evaluated again with hard cuts: regions that are flat one by one need not be together.
    rounded_loss, rounded_loss_uncertainty
        As in `CutProfile`.
    options
        Every option of each free choice.
    """

    merit: Merit
    objective: float
    profiles: tuple[CutProfile, ...]
    rounded: Parameters
    rounded_objective: float
    rounded_loss: float
    rounded_loss_uncertainty: float
    options: tuple[OtherOption, ...] = ()

    @property
    def is_as_good(self) -> bool:
        """Whether the rounded cuts together are as good as the optimum within the uncertainty of the difference."""
        return self.rounded_loss <= self.rounded_loss_uncertainty

    def tables(self) -> list[Table]:
        """Return the profiles, shifted cuts, the rounded ones together, and those at a bound if there are any."""
        several = ("spread",) if any(p.spread for p in self.profiles) else ()
        right = ("optimum", *several, "rounded", "flat from", "to")
        table = plain_table("Cuts that are as good, hard", "parameter", right=right, last=("unit",))
        sides = [f"{abs(side):g} width {'lower' if side < 0 else 'higher'}" for side in SHIFTS]
        shares = [f"{100 * share:+.0f} % signal" for share in EFFICIENCIES]
        places = [f"at {share}" for share in shares]
        columns = (*sides, *(each for pair in zip(shares, places, strict=True) for each in pair))
        shifted = plain_table("Loss when one cut moves, hard", "parameter", right=columns)
        for p in self.profiles:
            spreads = [f"{p.spread:.2g}"] if several else []
            table.add_row(p.name, f"{p.optimum:.4g}", *spreads, *(f"{v:.4g}" for v in (p.rounded, *p.flat)), p.unit)
            cells = [loss_text(*p.shifted(side)) for side in SHIFTS]
            for value, *loss in map(p.with_efficiency, EFFICIENCIES):
                cells += [loss_text(*loss), "-" if math.isnan(value) else f"{value:.4g}"]
            shifted.add_row(p.name, *cells)
        together = plain_table(f"{self.merit.title}, hard", "cuts", right=("value", "loss"))
        together.add_row("optimum", self.merit.text(self.objective, ".3f"), "-")
        rounded = self.merit.text(self.rounded_objective, ".3f")
        together.add_row(
            "all rounded: the suggestion" if self.is_as_good else "all rounded: not as good together",
            rounded,
            loss_text(self.rounded_loss, self.rounded_loss_uncertainty),
        )
        bounds = plain_table("Cuts at a bound", "parameter", "bound", right=("beyond it", "loss there"))
        for p in self.profiles:
            if p.beyond is not None:
                value, *loss = p.beyond
                bounds.add_row(p.name, p.bound, f"{value:.4g}", loss_text(*loss))
        choices = plain_table("Options of each choice, hard", "parameter", "option", right=("value", "loss"))
        for option in self.options:
            figure = self.merit.text(option.objective, ".3f")
            choices.add_row(option.name, option.word, figure, loss_text(option.loss, option.loss_uncertainty))
        cuts = [table, shifted, together] if self.profiles else []
        return [*cuts, *(each for each in (bounds, choices) if each.rows)]

    def __str__(self) -> str:
        return as_text(*self.tables())

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; `from_dict` is the inverse."""
        rest = ("objective", "rounded_objective", "rounded_loss", "rounded_loss_uncertainty")
        return {
            "merit": dataclasses.asdict(self.merit),
            **{name: json_numbers(float(getattr(self, name))) for name in rest},
            "rounded": self.rounded.to_dict(),
            "options": [json_numbers(dataclasses.asdict(option)) for option in self.options],
            "profiles": [json_numbers(dataclasses.asdict(profile)) for profile in self.profiles],
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any], parameters: Parameters) -> Robustness:
        """Return what `to_dict` wrote down.

        Parameters
        ----------
        told
            From JSON.
        parameters
            Of the analysis.
        """

        def number(value: float | None) -> float:
            return math.nan if value is None else value

        def profile(entry: Mapping[str, Any]) -> CutProfile:
            arrays = {k: np.array([number(x) for x in v]) for k, v in entry.items() if isinstance(v, list)}
            return CutProfile(**{**entry, **arrays, "bounds": tuple(entry["bounds"])})

        return cls(
            Merit(**told["merit"]),
            number(told["objective"]),
            tuple(map(profile, told["profiles"])),
            parameters.replace(**told["rounded"]),
            number(told["rounded_objective"]),
            number(told["rounded_loss"]),
            number(told["rounded_loss_uncertainty"]),
            tuple(OtherOption(**numbers_or_words(option)) for option in told["options"]),
        )


def numbers_or_words(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of JSON, which has no word for NaN, with NaN where there is nothing."""
    return {key: math.nan if value is None else value for key, value in told.items()}


def loss_text(value: float, uncertainty: float) -> str:
    """Return a loss as tables tell it."""
    return "-" if math.isnan(value) else f"{value:.3f} +- {uncertainty:.3f}"
