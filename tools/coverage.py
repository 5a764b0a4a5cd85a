"""Whether what a cross-fit quotes holds on events that it never saw: workflows that come with hepgrad, 20 seeds.

Each seed divides the simulated events at random into two halves, cross-fits one of them, and lets the cuts that were
found judge the other, which stands for the same luminosity with other events. Both figures have an uncertainty from
their events (bootstrap), of which they share none: where both are right, the difference over the sum in quadrature has
a spread of one. The halves of all seeds are made of the same events, so that seeds are not independent.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import NamedTuple

import jax
import numpy as np

from hepgrad.analysis import Hard, cross_fit
from hepgrad.analysis.data.folds import Folds
from hepgrad.analysis.data.judged import Judged
from hepgrad.analysis.optimisation.programs.of_shards import Fill
from hepgrad.analysis.optimisation.result import Outcome
from hepgrad.workflows import Workflow
from hepgrad.workflows.backends.loading import load_folds
from hepgrad.workflows.catalogue import find_workflow
from hepgrad.workflows.execution import located
from hepgrad.workflows.results.bootstrap import replicated_objective

SEEDS, FOLDS = 20, 2


class Trial(NamedTuple):
    """The objective: of the events that chose the cuts, as it is quoted, and of events that no fold saw."""

    promised: float
    quoted: float
    quoted_error: float
    unseen: float
    unseen_error: float

    @property
    def pull(self) -> float:
        """The difference of what is quoted and what events show that were not seen, over its uncertainty."""
        return (self.quoted - self.unseen) / float(np.hypot(self.quoted_error, self.unseen_error))


def tried(workflow: Workflow, every: Folds, seed: int) -> Trial:
    """Cross-fit a random half of the events, and judge the other."""
    rng, shape = np.random.default_rng(seed), every.data.weight.shape
    half = next(iter(Folds.of(every.data, rng.integers(2, size=shape), 2)))
    fold = rng.integers(FOLDS, size=shape)
    mine, others = Folds.of(half.train, fold, FOLDS), Folds.of(half.held_out, fold, FOLDS)
    fitted = cross_fit(
        workflow.analysis,
        mine,
        parameters=workflow.parameters,
        optimizer=workflow.optimizer,
        steps=workflow.steps,
        anneal=workflow.anneal,
        check_every=workflow.check_every,
    )
    promised = np.mean([result.optimum.hard_train.objective for result in fitted.results])
    values = [number for part in (mine, others) for number in judged(workflow, Judged.of(part, *fitted.parameters))]
    return Trial(float(promised), *values)


def judged(workflow: Workflow, events: Judged) -> tuple[float, float]:
    """Return the objective of events, hard, and its uncertainty."""
    analysis, (pool, at) = workflow.analysis, events.groups[0]
    histograms = events.total(Fill(analysis), Hard())
    found = Outcome.of_histograms(analysis, histograms, pool, at, Hard(), where="events of all folds")
    return float(found.objective), float(replicated_objective(analysis, events, replicas=workflow.replicas).std())


def main(name: str = "zprime") -> None:
    """Print a line for each seed, and what follows from all."""
    workflow, fileset = located(find_workflow(name))
    every = load_folds(dataclasses.replace(workflow, folds=FOLDS), fileset)
    print(f"{'seed':>4} {'promised':>9} {'quoted':>17} {'unseen':>17} {'pull':>6}")
    trials = []
    for seed in range(SEEDS):
        trials.append(found := tried(workflow, every, seed))
        quoted, unseen = (f"{v:8.4f} +- {e:.4f}" for v, e in (found[1:3], found[3:5]))
        print(f"{seed:4} {found.promised:9.4f} {quoted:>17} {unseen:>17} {found.pull:6.2f}", flush=True)
    pulls = np.array([trial.pull for trial in trials])
    inside = [int(np.sum(abs(pulls) < limit)) for limit in (1, 2)]
    gaps = [np.mean([trial.promised - getattr(trial, at) for trial in trials]) for at in ("quoted", "unseen")]
    print(f"{inside[0]} of {SEEDS} within one standard deviation, {inside[1]} within two")
    print(f"pulls: mean {pulls.mean():.2f}, spread {pulls.std(ddof=1):.2f}")
    print(f"promised less quoted {gaps[0]:.4f}, promised less unseen {gaps[1]:.4f}")


if __name__ == "__main__":
    with jax.enable_x64(True):
        main(*sys.argv[1:2])
