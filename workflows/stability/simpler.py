"""A simpler selection: what each cut is worth, and which ones are enough."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Table

from hepgrad.analysis import Analysis, Folds, Parameters
from hepgrad.analysis.data.judged import Judged
from hepgrad.analysis.data.split import Part
from hepgrad.analysis.optimisation.result import plain_table
from hepgrad.analysis.parameters.choice import Choice
from hepgrad.analysis.printing import as_text
from hepgrad.analysis.statistics.objectives import Merit

from ..files.plain_json import json_numbers
from ..results.cut_profiles import loss_text, numbers_or_words
from ..results.cut_values import free_choices, free_numbers, with_number, with_option
from ..results.scene import Scene


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A cut at its loosest, the others at their optimum; hard.

    Attributes
    ----------
    name
        Of the parameter, elements of arrays as ``pt[0]``.
    loosest
        Its bound or option that keeps most of the signal, as a table shows it.
    loss, loss_uncertainty
        By how much the objective is worse than at the optimum, and how far that would spread with other simulated
        events.
    """

    name: str
    loosest: str
    loss: float
    loss_uncertainty: float

    @property
    def matters(self) -> bool:
        """Whether the loss is more than its uncertainty."""
        return not self.loss <= self.loss_uncertainty


@dataclasses.dataclass(frozen=True)
class Simpler:
    """What every cut is worth, and a selection with fewer of them that is as good; prints itself.

    Attributes
    ----------
    merit
        How the objective is told.
    objective
        At the optimum.
    left_out
        Each cut alone, those that matter most first.
    dropped
        Names of the cuts that the suggestion does without, in the order in which they were dropped: each time the one
        that costs least, as long as the loss in all is within its uncertainty.
    minimal_objective, minimal_loss, minimal_loss_uncertainty
        Of the suggestion, all dropped cuts at their loosest together. The cuts that stay were not optimised again.
    """

    merit: Merit
    objective: float
    left_out: tuple[LeftOut, ...]
    dropped: tuple[str, ...]
    minimal_objective: float
    minimal_loss: float
    minimal_loss_uncertainty: float

    @property
    def kept(self) -> tuple[str, ...]:
        """The cuts of the suggestion."""
        return tuple(each.name for each in self.left_out if each.name not in self.dropped)

    def tables(self) -> list[Table]:
        """Return both as tables."""
        table = plain_table("Loss when one cut is left out, hard", "parameter", right=("loosest", "loss"), last=("",))
        for each in self.left_out:
            verdict = "matters" if each.matters else "dropped" if each.name in self.dropped else "matters with others"
            table.add_row(each.name, each.loosest, loss_text(each.loss, each.loss_uncertainty), verdict)
        together = plain_table("Minimal selection", "cuts", right=(self.merit.short, "loss"))
        together.add_row("all", self.merit.text(self.objective, ".3f"), "-")
        if self.dropped:
            loss = loss_text(self.minimal_loss, self.minimal_loss_uncertainty)
            kept = ", ".join(self.kept) or "none"
            together.add_row(kept, self.merit.text(self.minimal_objective, ".3f"), loss)
        return [table, together]

    def __str__(self) -> str:
        return as_text(*self.tables())

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; `from_dict` is the inverse."""
        told: dict[str, Any] = json_numbers(dataclasses.asdict(self))
        return told

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Simpler:
        """Return what `to_dict` wrote down."""
        numbers = ("objective", "minimal_objective", "minimal_loss", "minimal_loss_uncertainty")
        left_out = tuple(LeftOut(**numbers_or_words(each)) for each in told["left_out"])
        figures = numbers_or_words({name: told[name] for name in numbers})
        return cls(merit=Merit(**told["merit"]), left_out=left_out, dropped=tuple(told["dropped"]), **figures)


def simpler(analysis: Analysis, sample: Part | Folds, *parameters: Parameters) -> Simpler:
    """Tell what each cut is worth, and suggest a selection with fewer of them.

    A cut is left out by putting it at its loosest: the bound, or the option of a choice, that keeps most of the signal.

    Raises `ValueError` when no free parameter is a number or a choice.
    """
    names = cuts_of(parameters[0])
    if not names:
        raise ValueError(
            f"none of the parameters {list(parameters[0])} is a free number or a choice: none can be loose"
        )
    scene = Scene(analysis, Judged.of(sample, *parameters))
    loosest = {name: _loosest(scene, name) for name in names}

    def loss(without: Sequence[str]) -> tuple[float, float, float]:
        def change(at: Parameters) -> Parameters:
            return functools.reduce(lambda now, name: loosest[name][1](now), without, at)

        return scene.loss(scene.judged.changed(change))

    alone = {name: loss([name]) for name in names}
    left_out = [LeftOut(name, loosest[name][0], *alone[name][1:]) for name in names]
    dropped: list[str] = []
    here = (scene.best, 0.0, 0.0)
    while len(dropped) < len(names):
        tried = {name: loss([*dropped, name]) if dropped else alone[name] for name in names if name not in dropped}
        name, found = min(tried.items(), key=lambda each: math.inf if math.isnan(each[1][1]) else each[1][1])
        if not found[1] <= found[2]:
            break
        dropped.append(name)
        here = found
    order = sorted(left_out, key=lambda each: -math.inf if math.isnan(each.loss) else -each.loss)
    return Simpler(analysis.merit, scene.best, tuple(order), tuple(dropped), *here)


def cuts_of(parameters: Parameters) -> list[str]:
    """Return the names of what can be left out: free numbers, and free choices."""
    return [*free_numbers(parameters), *free_choices(parameters)]


def evaluations(parameters: Parameters) -> int:
    """Return at most how many losses `simpler` evaluates."""
    number = len(cuts_of(parameters))
    return number * (number + 1) // 2


def _loosest(scene: Scene, name: str) -> tuple[str, Callable[[Parameters], Parameters]]:
    """Return the value that keeps most of the signal as text, and the function that puts it in."""
    first = scene.judged.parameters[0]
    spec = first.spec_of(name)
    changes: dict[str, Callable[[Parameters], Parameters]]
    if isinstance(spec, Choice):
        changes = {word: functools.partial(with_option, name=name, word=word) for word in spec.options}
    else:
        changes = {
            f"{value:.4g} {spec.unit}".rstrip(): functools.partial(with_number, name=name, value=value)
            for value in first.ranges()[name]
        }
    return max(changes.items(), key=lambda each: scene.signal(scene.judged.changed(each[1])))
