"""Twenty steps of Adam with one backend after the other, in single and in double precision; a script for processes.

Prints, as JSON, the parameters that each backend arrives at.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import jax
import numpy as np
import optax
from tiny import TINY

from hepgrad.analysis import Anneal, Projection, Soft
from hepgrad.analysis.data.dataset import Dataset
from hepgrad.analysis.data.pool import Pool
from hepgrad.analysis.optimisation.goal import Goal
from hepgrad.analysis.optimisation.plan import Plan
from hepgrad.analysis.optimisation.programs.of_shards import Fill, PullBack
from hepgrad.analysis.optimisation.programs.sharded import over_shards
from hepgrad.analysis.optimisation.steps import Descent, in_one_program
from hepgrad.workflows import Cache, Fileset
from hepgrad.workflows.backends import Devices, InMemory, OutOfCore
from hepgrad.workflows.backends.devices import DevicePool
from hepgrad.workflows.backends.processes import joined
from hepgrad.workflows.read.collect import Recipe
from hepgrad.workflows.read.reader import Request

STEPS, BLOCK = 20, 64
COLLECTIVES = "all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute|collective-broadcast"
# a few shards of one or two blocks
SHARD_BYTES = 10_000


def recipe(folder: Path, cache: Cache | None = None) -> Recipe:
    return Recipe(TINY.ingredients(Fileset.load(folder)), Request(tuple(TINY.analysis.reads)), cache)


def descend(sample: Dataset | Pool) -> dict[str, float]:
    """Return the parameters after some steps."""
    descent = Descent(Goal(TINY.analysis), TINY.parameters, optax.adam(0.2), Projection())
    position = descent.start(TINY.parameters)
    if isinstance(sample, Dataset):
        advance = in_one_program(descent, sample, position, 1)
    else:
        advance = over_shards(descent, sample)
    plan = Plan(STEPS, Anneal(1.0, 0.5), Anneal(1.0, 0.5), STEPS, STEPS, 1, None)
    for step in range(STEPS):
        position, trace = advance(position, plan.factors(step, step + 1))
        assert trace.made == 1
    return {name: float(np.asarray(value)) for name, value in descent.at(position.coordinates).items()}


def collectives(pool: DevicePool) -> dict[str, list[int]]:
    """Return the bytes of each collective operation in the compiled programs of a step, and those of the histograms."""
    analysis, at, reading = TINY.analysis, TINY.parameters, Soft()
    filled = pool.total(Fill(analysis), at, reading)
    found = {"histograms": [sum(leaf.nbytes for leaf in jax.tree.leaves(filled))]}
    for name, program, arguments in (
        ("forward", Fill(analysis), (at, reading)),
        ("backward", PullBack(analysis), (at, reading, filled)),
    ):
        plain = jax.tree.map(np.asarray, arguments)
        text = pool.compiled(program).lower(pool.data, *plain).compile().as_text()
        lines = re.findall(rf"= (.*?) (?:{COLLECTIVES})(?:-start)?\(", text)
        numbers = [re.findall(r"([a-z]+)(\d+)\[([\d,]*)\]", line) for line in lines]
        found[name] = [
            sum(int(bits) // 8 * math.prod(map(int, filter(None, shape.split(",")))) for _, bits, shape in line)
            for line in numbers
        ]
    return found


@dataclasses.dataclass(frozen=True)
class Slow:
    """A program that tells which process it is in and takes its time there, when it is compiled."""

    inner: Any
    folder: Path

    def __call__(self, *arguments: Any) -> Any:
        (self.folder / str(os.getpid())).touch()
        time.sleep(2)
        return self.inner(*arguments)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("events", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--process", type=int, default=0)
    parser.add_argument("--coordinator")
    arguments = parser.parse_args()
    cache = Cache(arguments.folder)
    found = {}
    together = contextlib.nullcontext()
    if arguments.processes > 1:
        together = joined(arguments.coordinator, arguments.processes, arguments.process)
    with together:
        if arguments.processes > 1:
            backends = {f"{arguments.processes} processes": Devices()}
        else:
            backends = {"in memory": InMemory(), "out of core": OutOfCore(arguments.folder, SHARD_BYTES)}
            backends |= {f"{n} devices": Devices(jax.devices()[:n]) for n in (1, 2, 4, 8)}
        for name, backend in backends.items():
            found[name] = {}
            for precision in ("float32", "float64"):
                with jax.enable_x64(precision == "float64"):
                    split = backend.load(recipe(arguments.events, cache), block_size=BLOCK)
                    found[name][precision] = descend(split.train)
                    if name == "8 devices":
                        found[f"collectives, {precision}"] = collectives(split.train)
    if not arguments.process:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
