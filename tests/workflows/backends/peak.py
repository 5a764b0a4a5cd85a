"""The gradient pass over one shard, and how much memory the process takes meanwhile; a script.

Two stores are given, of a few blocks and of many. Prints, as JSON, the resident set in bytes after the gradient of the
first, before the second is opened; the largest one until the gradient of the second is there, which includes what it
took to compile both; and the two gradients.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.analysis import Analysis, Channel, CountingModel, Parameter, Parameters, Regular, Soft, stage
from hepgrad.analysis.data.pool import sum_over
from hepgrad.analysis.optimisation.programs.of_shards import PullBack
from hepgrad.workflows.cache.store import Store

COLUMNS = [f"x{i}" for i in range(20)]


@stage(reads=tuple(f"Jet_{name}" for name in COLUMNS))
def every_column(events, cut):
    jets = events.Jet
    # of each column the derivative of a sum over objects needs the values again
    score = sum(np.tanh(jets[name] * 0.01) for name in COLUMNS)
    jets = jets.with_field(score=score).select(score > cut.score)
    return events.with_field(total=jets.sum("score"))


ANALYSIS = Analysis(
    stages=[every_column],
    channels=[Channel("total", "total", Regular(20, 0, 80))],
    model=CountingModel(signal=("signal",), background_uncertainty=0.1),
)
PARAMETERS = Parameters(score=Parameter(2.0, bounds=(0, 10), width=0.5))


def resident() -> int:
    """Return how many bytes of memory the process takes now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    few, many = (Store.open(Path(folder)).half(0) for folder in sys.argv[1:])
    reading, pull_back = Soft(), PullBack(ANALYSIS)
    # events that move to another bin change the sum
    slope = jax.tree.map(lambda x: x * 0 + jnp.arange(x.shape[-1]), ANALYSIS.histograms(few[0], PARAMETERS, reading))
    gradients = [sum_over(few, pull_back, PARAMETERS, reading, slope)]
    jax.block_until_ready(gradients)
    before = resident()
    gradients.append(sum_over(many, pull_back, PARAMETERS, reading, slope))
    jax.block_until_ready(gradients)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps([before, peak, [float(gradient["score"]) for gradient in gradients]]))


if __name__ == "__main__":
    main()
