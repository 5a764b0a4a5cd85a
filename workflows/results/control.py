"""Control plots: columns before and after each named cut, predicted with their total uncertainty, and observed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from hepgrad import ragged as rg
from hepgrad.analysis import Analysis, Channel, Counts, Cuts, Dataset, Events, Hard, Result
from hepgrad.analysis.data.folds import Folds
from hepgrad.analysis.data.judged import Judged
from hepgrad.analysis.data.split import Part
from hepgrad.analysis.optimisation.programs.of_shards import Fill
from hepgrad.analysis.stages.expression import parse
from hepgrad.analysis.statistics.effects import Effects, with_deviations
from hepgrad.analysis.systematics import Source, Templates

from ..errors import InputError
from ..workflow import Workflow
from .observation import count

CONTROL = "control.csv"
CONTROL_COLUMNS = ("plot", "step", "kind", "process", "low", "high", "events", "statistical", "systematic")
# kinds of rows: one process, all of them, and the observed events
PROCESS, TOTAL, OBSERVED = "process", "prediction", "data"


@dataclasses.dataclass(frozen=True)
class EveryStep:
    """A last stage: the events as they were before the first cut, with a region for those left after each named one.

    Observables are expressions that become columns of their own name.
    """

    observables: tuple[str, ...]
    name = "every step"
    reads: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    makes: tuple[tuple[str, str], ...] = ()

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Return the events; the arguments are those of every stage."""
        all_events = rg.ones_like(events.probability)
        events = events.with_field(**{text: self._number(text, events, cut) for text in self.observables})
        passed = enumerate([all_events, *events.cutflow.values()])
        return dataclasses.replace(events, probability=all_events, regions={str(number): p for number, p in passed})

    def _number(self, text: str, events: Events, cut: Cuts) -> Any:
        try:
            return parse(text).number(events, cut)
        except (AttributeError, ValueError, TypeError) as error:
            raise InputError(f"the control plot of {text!r} cannot be filled: {error}") from error


def check_plots(workflow: Workflow, about: Dataset) -> None:
    """Raise `InputError` for a control plot of what the events do not have; nothing is computed.

    Where events are not in memory, this is found when the plots are filled.
    """
    if workflow.plots and about.columns.fields:
        every_step = EveryStep(tuple(plot.observable for plot in workflow.plots))
        analysis = dataclasses.replace(workflow.analysis, stages=[*workflow.analysis.stages, every_step])
        first = jax.tree.map(lambda leaf: leaf[0], (about.columns, about.weight))
        jax.eval_shape(lambda block: analysis.select(Events.of(*block), workflow.parameters, Hard()), first)


def control_rows(
    workflow: Workflow, result: Result, held_out: Part | Folds, observed: Dataset | Folds | None = None
) -> list[tuple[Any, ...]]:
    """Return what ``control.csv`` holds: for each plot, step and process the content of each bin, and its uncertainty.

    Cuts are hard, at their optimised values. The systematic uncertainty of a process is the sum in quadrature over the
    nuisance parameters of half the difference between one standard deviation up and down, of templates that are neither
    smoothed nor pruned; that of the whole prediction is the same of the sums over the processes. A source counts in
    every plot, also when it acts in some channels only.

    Events of the prediction are held out, or in folds of a cross-fit; so are observed events, which are None while they
    are blinded.
    """
    if not workflow.plots:
        return []
    predicted = [process.name for process in workflow.predicted]
    return list(_rows(workflow.analysis, workflow.plots, held_out, result, predicted, observed))


def _rows(
    analysis: Analysis,
    plots: Sequence[Channel],
    held_out: Part | Folds,
    result: Result,
    predicted: Sequence[str],
    observed: Dataset | Folds | None,
) -> Iterator[tuple[Any, ...]]:
    parameters, steps = result.optimum.parameters, result.optimum.cutflow.steps
    channels = [
        dataclasses.replace(plot, name=f"{plot.name}/{number}", region=str(number))
        for plot in plots
        for number in range(len(steps))
    ]
    every_step = EveryStep(tuple(dict.fromkeys(plot.observable for plot in plots)))
    everywhere = dataclasses.replace(analysis, stages=[*analysis.stages, every_step], channels=channels)
    judged = Judged.of(held_out, *result.judging)
    filled: Templates = judged.total(Fill(everywhere), Hard())
    axes = {channel.name: channel.axis_at(parameters) for channel in channels}
    sources = list(map(_anywhere, with_deviations(analysis.model.systematics)))
    effects = Effects.of(analysis.model.signal, sources, filled, axes, judged.about.processes)
    layout = effects.blueprint.layout
    order = [layout.sample_names.index(name) for name in predicted]
    shifts = np.stack([np.zeros_like(effects.nominal), *effects.shifts().values()])[:, order]
    seen = {} if observed is None else count(everywhere, observed, *result.judging)
    names = list(judged.about.processes)
    rows = [names.index(name) for name in predicted]
    for plot in plots:
        for number, step in enumerate(steps):
            name = f"{plot.name}/{number}"
            axis = axes[name]
            bins = list(zip(axis.edges[:-1].tolist(), axis.edges[1:].tolist(), strict=True))
            nominal = jax.tree.map(np.asarray, axis.select(filled[name]))
            here = shifts[..., layout.channel_slices[name]]
            whole = Counts(nominal.sumw[rows].sum(axis=0), nominal.sumw2[rows].sum(axis=0))
            for place, (process, row) in enumerate(zip(predicted, rows, strict=True)):
                each = Counts(nominal.sumw[row], nominal.sumw2[row])
                yield from _lines(plot.name, step, (PROCESS, process), bins, each, here[:, place])
            yield from _lines(plot.name, step, (TOTAL, ""), bins, whole, here.sum(axis=1))
            if name in seen:
                data = jax.tree.map(np.asarray, axis.select(seen[name]))
                yield from _lines(plot.name, step, (OBSERVED, ""), bins, data, np.zeros((1, len(bins))))


def _lines(
    plot: str, step: str, of: tuple[str, str], bins: Any, counts: Counts, shifts: np.ndarray
) -> Iterator[tuple[Any, ...]]:
    sumw, spread = np.asarray(counts.sumw, float), np.sqrt(np.asarray(counts.sumw2, float))
    systematic = np.sqrt(np.sum(shifts**2, axis=0))
    for (low, high), *numbers in zip(bins, sumw.tolist(), spread.tolist(), systematic.tolist(), strict=True):
        yield plot, step, *of, low, high, *numbers


def _anywhere(source: Any) -> Source:
    """Return a source that acts in all channels, with one parameter where it had one for each group of channels."""
    apart = any(nuisance.channels is not None for nuisance in source.nuisances)
    if source.channels is None and not apart:
        return source
    return dataclasses.replace(source, channels=None, **({"nuisances": ()} if apart else {}))
