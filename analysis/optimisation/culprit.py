"""Which part of an analysis makes a number or a derivative NaN or infinite, or its fit fail."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from hepgrad import ragged as rg

from ..analysis import Analysis
from ..data.dataset import Dataset
from ..data.pool import Pool
from ..histogram import Counts
from ..parameters.parameters import Parameters
from ..selection.cut import Reading
from ..selection.event_numbers import event_numbers
from ..selection.events import Events
from ..statistics import FitError
from ..systematics import Templates
from ..systematics.contract import templates_only
from .goal import Goal
from .programs.of_shards import Fill

# by what is not finite: how many numbers of it
Bad = dict[str, jax.Array]


def find_culprit(goal: Goal, pool: Pool, parameters: Parameters, reading: Reading) -> str:
    """Return a sentence about the first part that turns finite numbers into others.

    Forward, the stages are run one by one on each block, then the channels, then the objective. If all values are
    finite, derivatives are followed in the other direction.
    """
    suspects = _suspects(goal, pool, parameters, reading)
    return next(suspects, "every part of it is finite on its own, so that their sum or product is too large a number")


def find_failure(goal: Goal, pool: Pool, parameters: Parameters, reading: Reading) -> str:
    """Return a sentence about the fit that does not converge: where it ended, and the largest slopes there.

    What makes histograms infinite makes their fit fail.
    """
    analysis, about = goal.analysis, pool.about
    histograms = pool.total(Fill(analysis), parameters, reading)
    if weightless := list(_weightless(analysis, about)):
        return weightless[0]
    if _list(_bad_histograms(histograms.nominal)):
        return find_culprit(goal, pool, parameters, reading)
    try:
        # outside of compiled programs a fit that fails says why
        axes = {channel.name: channel.axis for channel in analysis.channels}
        analysis.model.figure_of(analysis.objective)(histograms, axes, about.processes, about.typical_weight)
    except FitError as error:
        return str(error)
    return f"the objective {analysis.objective!r} says that a fit behind it did not converge, from any of its starts"


def _weightless(analysis: Analysis, about: Dataset) -> Iterator[str]:
    """Yield a sentence when no background has weights from which it follows what one of its events counts for."""
    others = {*analysis.model.signal, *templates_only(analysis.model.systematics)}
    typical = dict(zip(about.processes, about.typical_weight.tolist(), strict=True))
    backgrounds = [name for name in typical if name not in others]
    if backgrounds and not any(math.isfinite(typical[name]) for name in backgrounds):
        names = ", ".join(map(repr, backgrounds))
        yield (
            f"the weights of all background ({names}) do not add up to a positive number of expected events, so that "
            "nothing tells what one simulated event counts for: check the signs of the weights and the cross-section"
        )


def _suspects(goal: Goal, pool: Pool, parameters: Parameters, reading: Reading) -> Iterator[str]:
    analysis = goal.analysis
    objective = getattr(analysis.objective, "__name__", analysis.objective)
    stages = [f"stage {stage.name!r}" for stage in analysis.stages]
    channels = [f"channel {channel.name!r}" for channel in analysis.channels]
    yield from _weightless(analysis, pool.about)
    templates = pool.total(Fill(analysis), parameters, reading)
    forward: Any = rg.checked(lambda data, block: _forward(analysis, data, block, parameters, reading))
    if _list(_bad_histograms(templates.nominal)):
        for data, block, place in _blocks(pool):
            for part, bad in zip([*stages, *channels], forward(data, block), strict=True):
                if found := _list(bad):
                    yield f"{part} makes {found} NaN or infinite ({place})"
    for side, varied in (("down", templates.down), ("up", templates.up)):
        for source, histograms in varied.items():
            if found := _list(_bad_histograms(histograms)):
                yield f"the systematic variation {source!r} ({side}) makes {found} NaN or infinite"

    def value_of(histograms: Templates, parameters: Parameters, about: Dataset) -> jax.Array:
        return goal.of_histograms(histograms, parameters, about).value

    derivatives = jax.jit(jax.value_and_grad(value_of, argnums=(0, 1)))
    value, (slope, direct) = derivatives(templates, parameters, pool.about)
    if not jnp.isfinite(value):
        yield f"the objective {objective!r} or a penalty is not finite, although all histograms are"
    if found := _list(_bad_histograms({"the histograms": slope})):
        yield f"the derivative of the objective {objective!r} with respect to {found} is not finite"
    if found := _list(_bad_parameters(direct)):
        yield f"the derivative of a penalty with respect to {found} is not finite"

    backward: Any = rg.checked(lambda data, block: _backward(analysis, data, block, parameters, reading, slope.nominal))
    for data, block, place in _blocks(pool):
        for part, bad in zip(["the channels", *reversed(stages)], backward(data, block), strict=True):
            if found := _list(bad):
                yield f"{part} has a derivative with respect to {found} that is NaN or infinite ({place})"
    if templates.up:
        yield "a derivative through a systematic variation is NaN or infinite"


def _blocks(pool: Pool) -> Iterator[tuple[Dataset, int, str]]:
    for shard, data in enumerate(pool.shards):
        for block in range(data.blocks):
            yield data, block, f"in block {block} of shard {shard}" if shard else f"in block {block}"


def _list(bad: Bad) -> str:
    counts = {name: int(number) for name, number in bad.items() if number}
    return ", ".join(repr(name) if number == 1 else f"{number} values of {name!r}" for name, number in counts.items())


def _forward(analysis: Analysis, data: Dataset, block: int, parameters: Parameters, reading: Reading) -> list[Bad]:
    """Return for each stage and channel what is not finite after it and was before."""
    events, groups = _block(data, block)
    real = groups < len(data.processes)
    before = {name: numbers.not_finite for name, numbers in event_numbers(events, real).items()}
    told: list[Bad] = []
    for alone in _stages(analysis):
        events = alone.select(events, parameters, reading)
        after = {name: numbers.not_finite for name, numbers in event_numbers(events, real).items()}
        told.append({name: jnp.maximum(bad - before.get(name, 0), 0) for name, bad in after.items()})
        before = after
    for channel in analysis.channels:
        counts = channel.fill(events, parameters, reading, groups, len(data.processes))
        told.append(_bad_histograms({channel.name: counts}))
    return told


def _backward(
    analysis: Analysis,
    data: Dataset,
    block: int,
    parameters: Parameters,
    reading: Reading,
    slope: dict[str, Counts],
) -> list[Bad]:
    """Return for the channels, then for each stage from the last, with respect to what its derivative is not finite."""
    events, groups = _block(data, block)
    inputs = [events]
    for alone in _stages(analysis):
        inputs.append(alone.select(inputs[-1], parameters, reading))

    def fill(floats: list[jax.Array]) -> dict[str, Counts]:
        selected = _with_floats(inputs[-1], floats)
        return {c.name: c.fill(selected, parameters, reading, groups, len(data.processes)) for c in analysis.channels}

    (cotangent,) = jax.vjp(fill, _floats(inputs[-1]))[1](slope)
    told = [_bad_events(inputs[-1], cotangent)]
    for alone, events in zip(reversed(_stages(analysis)), reversed(inputs[:-1]), strict=True):

        def run(
            floats: list[jax.Array], values: Parameters, alone: Analysis = alone, events: Events = events
        ) -> list[jax.Array]:
            return _floats(alone.select(_with_floats(events, floats), values, reading))

        cotangent, of_values = jax.vjp(run, _floats(events), parameters)[1](cotangent)
        told.append(_bad_events(events, cotangent) | _bad_parameters(of_values))
    return told


def _block(data: Dataset, block: int) -> tuple[Events, jax.Array]:
    columns, weight, process = jax.tree.map(lambda leaf: leaf[block], (data.columns, data.weight, data.process))
    return Events.of(columns, weight), process


def _stages(analysis: Analysis) -> list[Analysis]:
    """Return the analysis once for each of its stages, with that stage alone."""
    return [
        dataclasses.replace(analysis, stages=[stage], frozen=analysis.frozen & {stage.name})
        for stage in analysis.stages
    ]


def _floats(events: Events) -> list[jax.Array]:
    return [leaf for leaf in jax.tree.leaves(events) if jnp.issubdtype(leaf.dtype, jnp.inexact)]


def _with_floats(events: Events, floats: list[jax.Array]) -> Events:
    new = iter(floats)
    return jax.tree.map(lambda leaf: next(new) if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf, events)


def _bad_events(events: Events, floats: list[jax.Array]) -> Bad:
    # also of the events that fill up the block: a weight of 0 does not stop a derivative that is not finite
    named = event_numbers(_with_floats(events, floats), jnp.ones(len(events), bool))
    return {name: numbers.not_finite for name, numbers in named.items()}


def _bad_parameters(slope: Parameters) -> Bad:
    return {name: _count(slope[name]) for name in slope.free}


def _bad_histograms(histograms: Mapping[str, Any]) -> Bad:
    return {name: _count(counts) for name, counts in histograms.items()}


def _count(tree: Any) -> jax.Array:
    return sum((jnp.sum(~jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)), start=jnp.zeros((), int))
