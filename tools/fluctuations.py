"""What keeps a search from learning fluctuations: options side by side, on samples of known truth, over ten seeds.

The signal has larger ``x`` than the background; five more variables are the same for both, so that a cut on one of them
can only follow a fluctuation. Promise and held-out events are of one size; 500,000 events of each process tell what the
cuts would be worth with unlimited simulation, whose own uncertainty is a part of the figure of merit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import awkward as ak
import numpy as np
import optax

from hepgrad.analysis import (
    Analysis,
    Anneal,
    Channel,
    CountingModel,
    Dataset,
    Hard,
    Parameter,
    Parameters,
    Regular,
    averaged,
    cross_fit,
    folds,
    optimize,
    split,
    stage,
)

IDLE = tuple("abcde")
EVENTS, SEEDS, STEPS = 300, 10, 60
CUTS = Parameters(
    x=Parameter(0.5, bounds=(0, 4), scale=0.5, width=0.3),
    **{name: Parameter(0.2, bounds=(0, 0.9), width=0.05, scale=0.1) for name in IDLE},
)


@stage(reads=("x", *IDLE))
def select(events: Any, cut: Any) -> Any:
    events = events.select(events.x > cut.x)
    for name in IDLE:
        events = events.select(getattr(events, name) > getattr(cut, name))
    return events


ANALYSIS = Analysis([select], [Channel("all", "x", Regular(4, 0, 8))], CountingModel(["signal"], 0.1))


def drawn(seed: int, number: int) -> tuple[dict[str, ak.Array], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Draw events that stand for the same luminosity, whatever their number: samples, weights and event numbers."""
    rng = np.random.default_rng([seed, number])
    x = {"signal": rng.normal(2.0, 0.6, number).clip(0, 7.9), "background": rng.exponential(1.0, number).clip(0, 7.9)}
    samples = {
        name: ak.zip({"x": values, **{idle: rng.uniform(0, 1, number) for idle in IDLE}}, depth_limit=1)
        for name, values in x.items()
    }
    weights = {"signal": np.full(number, 60 / number), "background": np.full(number, 2000 / number)}
    return samples, weights, {name: rng.permutation(number) for name in x}


def searched(seed: int, validation: float = 0.0, **how: Any) -> tuple[float, float, list[Parameters]]:
    """Return what a search promises, what it keeps on held-out events, and its cuts."""
    samples, weights, numbers = drawn(seed, 2 * EVENTS)
    data = split(samples, weights, numbers=numbers, validation=validation, held_out=0.5, block_size=1024)
    plain: dict[str, Any] = {"optimizer": optax.adam(0.1), "steps": STEPS, "check_every": 5}
    result = optimize(ANALYSIS, data, parameters=CUTS, **{**plain, **how})
    optimum = result.optimum
    return optimum.hard_train.objective, optimum.hard_held_out.objective, [optimum.parameters]


def cross_fitted(seed: int) -> tuple[float, float, list[Parameters]]:
    """Return the same of five folds of as many events."""
    samples, weights, numbers = drawn(seed, 2 * EVENTS)
    made = folds(samples, weights, numbers=numbers, k=5, block_size=1024)
    fitted = cross_fit(ANALYSIS, made, parameters=CUTS, optimizer=optax.adam(0.1), steps=STEPS, check_every=5)
    promised = float(np.mean([result.optimum.hard_train.objective for result in fitted.results]))
    return promised, fitted.optimum.objective, list(fitted.parameters)


def options() -> Mapping[str, Callable[[int], tuple[float, float, list[Parameters]]]]:
    """Return the searches by what is particular about them."""
    adam = optax.adam(0.1)
    return {
        "plain": searched,
        "a third of the steps": lambda seed: searched(seed, steps=STEPS // 3),
        "three times the steps": lambda seed: searched(seed, steps=3 * STEPS),
        "Poisson-weighted steps": lambda seed: searched(seed, resample=seed),
        "averaged (0.9)": lambda seed: searched(seed, optimizer=averaged(adam, 0.9)),
        "Poisson-weighted and averaged": lambda seed: searched(seed, optimizer=averaged(adam, 0.9), resample=seed),
        "validation (a quarter), patience 3": lambda seed: searched(seed, validation=0.25, patience=3),
        "cuts stay soft (width 0.5)": lambda seed: searched(seed, anneal=Anneal(1.0, 0.5)),
        "5 folds": cross_fitted,
    }


def main(seeds: int) -> None:
    """Print the table."""
    samples, weights, _ = drawn(99, 500_000)
    truth = Dataset.from_awkward(samples, weights)

    def worth(cuts: Parameters) -> float:
        return float(ANALYSIS.evaluate(truth, cuts, Hard()))

    print(f"{seeds} seeds, {EVENTS} training events of each process; start {worth(CUTS):.3f}")
    print("| search | promised | held-out | promised - held-out | unlimited | its spread | idle cuts |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, search in options().items():
        found = [search(seed) for seed in range(seeds)]
        promised, kept = (np.array([each[i] for each in found]) for i in (0, 1))
        true = np.array([np.mean([worth(cuts) for cuts in each[2]]) for each in found])
        idle = np.mean([[float(cuts[name]) for name in IDLE] for each in found for cuts in each[2]])
        gap = promised.mean() - kept.mean()
        numbers = (promised.mean(), kept.mean(), gap, true.mean(), true.std(ddof=1), idle)
        print(f"| {name} | " + " | ".join(f"{x:.3f}" for x in numbers) + " |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS)
