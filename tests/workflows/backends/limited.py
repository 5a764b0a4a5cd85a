"""Two steps over shards on disk, with or without a limit on memory that the operating system enforces; a script."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import jax
import numpy as np
import optax
from tiny import TINY

from hepgrad.analysis import Anneal, Dataset, Projection
from hepgrad.analysis.data.pool import LocalPool
from hepgrad.analysis.optimisation.goal import Goal
from hepgrad.analysis.optimisation.plan import Plan
from hepgrad.analysis.optimisation.programs.sharded import over_shards
from hepgrad.analysis.optimisation.steps import Descent
from hepgrad.workflows.cache.store import Store, StoredShards


class First(Sequence):
    """The first few shards, or all of them."""

    def __init__(self, shards: StoredShards, number: int) -> None:
        self.shards, self.number = shards, number

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index: int) -> Dataset:
        if index >= self.number:
            raise IndexError(index)
        return self.shards[index]


def main() -> None:
    folder, allowed = Path(sys.argv[1]), int(sys.argv[2])
    train = Store.open(folder).half(0)
    shards = First(train, 2) if allowed else list(train)
    descent = Descent(Goal(TINY.analysis), TINY.parameters, optax.adam(0.2), Projection())
    advance, position = over_shards(descent, LocalPool(shards, train.about)), descent.start(TINY.parameters)
    plan = Plan(9, Anneal(1.0, 0.5), Anneal(1.0, 0.5), 9, 9, 1, None)
    refused = False
    if allowed:
        # everything is compiled and warm before the limit
        advance(position, plan.factors(0, 1))
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + allowed
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            np.empty(2 * allowed, np.uint8)
        except MemoryError:
            refused = True
        shards.number = len(train)
    for step in range(2):
        position, _ = advance(position, plan.factors(step, step + 1))
    print(json.dumps([refused, jax.tree.map(lambda x: np.asarray(x).tolist(), position.coordinates)]))


if __name__ == "__main__":
    main()
