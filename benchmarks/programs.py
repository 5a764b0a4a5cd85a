"""How large compiled programs are, and what it takes to compile them."""

from __future__ import annotations

import dataclasses
import resource
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hepgrad.analysis import Analysis, Dataset, Hard, Parameters, Projection
from hepgrad.analysis.data.pool import Pool, compiled
from hepgrad.analysis.optimisation.goal import Goal
from hepgrad.analysis.optimisation.programs.of_shards import Fill
from hepgrad.analysis.optimisation.steps import Descent, make_step


@dataclasses.dataclass(frozen=True)
class Program:
    """A compiled program.

    Attributes
    ----------
    name
        What it does.
    equations
        Of JAX's representation, those of inner functions included.
    instructions
        Of the optimised HLO.
    tracing, compiling
        Processor seconds.
    run
        Seconds of one call, the best of three; None when it was not called.
    """

    name: str
    equations: int
    instructions: int
    tracing: float
    compiling: float
    run: float | None = None


def processor_seconds() -> float:
    """Return what this process has used: unlike the clock, it does not depend on who else is on the machine."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measured(name: str, function: jax.stages.Wrapped, *arguments: Any, runs: int = 0) -> Program:
    """Compile a function.

    It is called ``runs`` times.
    """
    begin = processor_seconds()
    traced = function.trace(*arguments)
    lowered = traced.lower()
    middle = processor_seconds()
    executable = lowered.compile()
    end = processor_seconds()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        jax.block_until_ready(executable(*arguments))
        times.append(time.perf_counter() - start)
    instructions = sum(" = " in line for line in executable.as_text().splitlines())
    return Program(
        name, equations(traced.jaxpr.jaxpr), instructions, middle - begin, end - middle, min(times, default=None)
    )


def programs(analysis: Analysis, parameters: Parameters, data: Dataset, *, runs: int = 0) -> Iterator[Program]:
    """Yield the programs of an optimisation: a step, and a check with hard cuts, which is two."""
    descent = Descent(Goal(analysis), parameters, optax.adam(0.1), Projection())
    # no step is made that the next call would not make again
    arguments = (descent.start(parameters), data, jnp.ones((1, 2), float), np.int32(1))
    yield measured("step", make_step(descent), *arguments, runs=runs)
    fill = compiled(Fill(analysis))
    yield measured("histograms, hard", fill, data, np.int32(0), parameters, Hard(), runs=runs)
    filled, _ = jax.eval_shape(fill, data, np.int32(0), parameters, Hard())
    of_histograms = jax.jit(lambda histograms, about: analysis.figure_of_merit(histograms, about))
    yield measured("objective", of_histograms, filled, Pool.of(data).about)


def equations(jaxpr: Any) -> int:
    """Return how many equations there are in JAX's representation of a function, in inner functions too."""
    number = 0
    for equation in jaxpr.eqns:
        inner = jax.tree.leaves(list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns"))
        bodies = (getattr(each, "jaxpr", each) for each in inner)
        number += 1 + sum(equations(body) for body in bodies if hasattr(body, "eqns"))
    return number
