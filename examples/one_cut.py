"""Why soft cuts are annealed: one cut whose best value is known in closed form.

A background of 8000 events, normally distributed in x around 40 with width 10, and a signal of 300 around 50 with width
5. Events with x > c are counted, and Z = sqrt(2 ((s + b) ln(1 + s / b) - s)) has its maximum of 4.997715 at
c = 44.87485. The script optimises c with soft cuts of constant width and with annealed ones, and draws what becomes of
it: ``python examples/one_cut.py annealing.png``.
"""

from __future__ import annotations

import dataclasses
import sys

import awkward as ak
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from scipy.stats import norm

from hepgrad.analysis import (
    Analysis,
    Anneal,
    Channel,
    Dataset,
    Parameter,
    Parameters,
    Regular,
    Result,
    Split,
    optimize,
    stage,
)
from hepgrad.analysis.statistics import FigureOfMerit, asimov_z
from hepgrad.analysis.statistics.objectives import Evaluation, Merit

SIGNAL, BACKGROUND = (300, 50, 5), (8000, 40, 10)
BEST_CUT, BEST_Z = 44.87485, 4.997715
WIDTH = 4.0


@dataclasses.dataclass(frozen=True)
class KnownBackground:
    """A statistical model in closed form, in which simulated statistics play no role and there is nothing to fit."""

    signal = ("signal",)
    systematics = ()
    likelihood = None

    def with_sources(self, sources):
        return self

    def figure_of(self, objective):
        if objective != "discovery":
            raise ValueError(f"a model in closed form has no objective {objective!r}, only 'discovery'")
        return FigureOfMerit(Merit("Expected discovery significance", "significance"), self.discovery)

    def discovery(self, histograms, axes, processes, typical_weight):
        yields = dict(zip(processes, histograms["all"].sumw.astype(float).sum(axis=-1), strict=True))
        return Evaluation.of(asimov_z(yields["signal"], yields["background"]))


@stage(reads=["x"], parameters=["c"])
def keep(events, cut):
    return events.select(events.x > cut.c, "x > c").with_field(bin=jnp.full_like(events.x, 0.5))


ANALYSIS = Analysis(
    stages=[keep],
    channels=[Channel("all", "bin", Regular(1, 0.0, 1.0))],
    model=KnownBackground(),
)
START = Parameters(c=Parameter(35.0, bounds=(20, 70), width=WIDTH, scale=5.0))


def events(number: int = 40_000) -> Dataset:
    """Return both processes at their quantiles, instead of at random points."""
    share = (np.arange(number) + 0.5) / number
    sizes = {"signal": SIGNAL, "background": BACKGROUND}
    x = {name: norm.ppf(share, mean, sigma).astype(np.float32) for name, (_, mean, sigma) in sizes.items()}
    return Dataset.from_awkward(
        {name: ak.zip({"x": values}, depth_limit=1) for name, values in x.items()},
        {name: np.full(number, total / number) for name, (total, _, _) in sizes.items()},
    )


def closed_form(c):
    """Return the significance of a hard cut."""
    s, b = (total * norm.sf(c, mean, sigma) for total, mean, sigma in (SIGNAL, BACKGROUND))
    return np.sqrt(2 * ((s + b) * np.log1p(s / b) - s))


def optimum(data: Dataset, anneal: Anneal, **options) -> Result:
    """Return what 150 steps of Adam find, with the last step's cut as the only candidate beside the start."""
    options = {"steps": 150, "check_every": 150, "steps_per_call": 150, **options}
    return optimize(ANALYSIS, Split(data, data), parameters=START, optimizer=optax.adam(0.05), anneal=anneal, **options)


def draw(path: str) -> None:
    """Draw the course of the cut, and where it ends on the curve of the hard significance."""
    data = events()
    courses = {f"width {width:g}": Anneal(width / WIDTH, width / WIDTH) for width in (4.0, 2.0, 1.0)}
    courses["annealed from 4 to 0.2"] = Anneal(1.0, 0.05)
    figure = Figure((10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    c = np.linspace(38, 50, 200)
    right.plot(c, closed_form(c), color="black", lw=1.2)
    for color, (label, anneal) in zip(("C0", "C1", "C2", "C3"), courses.items(), strict=True):
        result = optimum(data, anneal)
        end = float(result.optimum.parameters["c"])
        left.plot([record.values["c"] for record in result.history], color=color, label=label)
        right.plot([end], [closed_form(end)], "o", color=color, label=f"{label}: Z = {closed_form(end):.4f}")
    left.axhline(BEST_CUT, color="black", lw=0.8, ls="--", label="best hard cut")
    left.set(xlabel="step", ylabel="cut c", ylim=(34, 47))
    right.set(xlabel="cut c", ylabel="significance of the hard cut")
    left.legend(frameon=False)
    right.legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else "annealing.png")
