"""Running a workflow: read, optimise, and leave a folder with everything that came out."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import importlib.metadata
import platform
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.analysis import (
    Cutflow,
    Cuts,
    Dataset,
    Diagnosis,
    Events,
    Folds,
    Parameters,
    Result,
    Split,
    check,
    cross_fit,
    draw_starts,
    fold_numbers,
    optimize,
    stage,
)
from hepgrad.analysis.data.pool import Pool
from hepgrad.analysis.data.split import Part

from .backends import Backend
from .backends.loading import load_events as load_events
from .backends.loading import load_folds
from .checkpoint import CheckpointFile
from .defaults import RUNS
from .errors import InputError, InputWarning
from .export import Exported, write_selection
from .files.lock import locked
from .messages.compilations import doing
from .messages.failure import GO_ON
from .messages.progress import progress
from .messages.redaction import portable, redacted
from .messages.terminal import Console
from .read import Fileset
from .read.collect import EVENT
from .read.estimates.parts import told
from .read.watching import watching
from .reporting import Subject, notes, write_report
from .results import file_names
from .results.bootstrap import Improvement
from .results.control import CONTROL, CONTROL_COLUMNS, check_plots, control_rows
from .results.cutflow_latex import write_cutflow_latex
from .results.negative import negative_bins
from .results.observation import Observation, check_sidebands, observe
from .results.run_files import soft_cutflows, write_results
from .results.run_folder import RunFolder
from .run_result import RunResult
from .scanning.search import search_cuts
from .settings.config import as_toml, effective_settings, laid_over
from .settings.deciding import settings
from .stability import Stability
from .workflow import Workflow

PACKAGES = ("hepgrad", "jax", "jaxlib", "optax", "numpy", "awkward", "uproot", "hist")


def run(
    workflow: Workflow,
    *,
    data: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    steps: int | None = None,
    resume: bool = False,
    starts: int | None = None,
    seed: int | None = None,
    folds: int | None = None,
    unblind: bool = False,
    moving: bool | None = None,
    repeats: int = 0,
    cache: str | Path | None = None,
    skip_bad_files: bool = False,
    backend: Backend | str | None = None,
) -> Result:
    """Run a workflow and write its run folder.

    Statistics are computed in float64 when x64 is enabled (``jax.enable_x64(True)`` as a context around this call, as
    the command line does), and in float32 otherwise. Events are float32, except for columns that files hold as float64:
    these follow the statistics.

    Parameters
    ----------
    workflow
        What to run.
    data
        Folder with a ``fileset.json``, or such a file; the workflow's own by default.
    output
        The run folder, ``hepgrad-runs/NAME`` by default.
    overwrite
        Whether an earlier run there may be replaced.
    quiet
        Print nothing.
    steps
        Steps of the optimisation; the workflow's own number by default.
    resume
        Go on with an interrupted run of the same settings, whose checkpoint lies beside ``output``; the result is the
        same to the bit as without the interruption.
    starts
        Points to start from; the workflow's own number by default.
    seed
        Of the points that are drawn; the workflow's own by default.
    folds
        Cross-fit: so many optimisations, each event judged by the one that never saw it; the workflow's own number by
        default.
    unblind
        Once the cuts are optimised, look at the observed events of the signal selection; without it they are not used.
    moving
        Move every cut alone, and tell which values are as good (`hepgrad.workflows.robustness`); by default where that
        takes no more than half a minute. Each is also left out, to find a selection with fewer cuts that is as good.
    repeats
        Search again so often, on bootstrap replicas of the training events and from other starts: which cuts are
        determined by the data, and which by chance.
    cache
        Folder in which the columns that are read are kept for the next run; they are not kept by default.
    skip_bad_files
        Go on without files that cannot be read; what is left is normalised to what was read (see `load`).
    backend
        Where the events are and what computes with them: ``"in-memory"``, ``"out-of-core"``, ``"devices"``, or one with
        settings of its own (`hepgrad.workflows.backends`). By default the quickest one that holds them. The result is
        the same up to rounding.

    Returns
    -------
    Result
        Start and optimum, and the history; a `RunResult`, with ``plot()`` and ``report()`` for notebooks.

    Raises
    ------
    InputError
        When the data, the output folder or the checkpoint cannot be used.
    FloatingPointError
        When the objective or a derivative becomes NaN or infinite.
    FitError
        When a fit does not converge, as for `optimize`.
    """
    workflow = laid_over(workflow, data=data, steps=steps, starts=starts, seed=seed, folds=folds)
    if unblind and workflow.source is None:
        raise InputError(f"workflow {workflow.name!r} has no observed events, there is nothing to unblind")
    output = RUNS / workflow.name if output is None else Path(output)
    console = Console(quiet=quiet or jax.process_index() > 0)
    started = time.monotonic()

    # a run that goes on may replace what it left half written
    overwrite = overwrite or (resume and RunFolder.was_broken_off(output))
    RunFolder.check(output, overwrite=overwrite)
    # the results are the same in all processes, of which the first one writes them down
    writes = jax.process_index() == 0
    with locked(output) if writes else contextlib.nullcontext():
        workflow, fileset = located(workflow)
        run_settings = settings(workflow, fileset)
        checkpoint = CheckpointFile(output, run_settings)
        if writes:
            checkpoint.tidy()
        if writes and not resume:
            checkpoint.begin(overwrite=overwrite)
        with _can_go_on(checkpoint):
            found = _found(
                workflow,
                fileset,
                console,
                checkpoint,
                resume=resume,
                unblind=unblind,
                moving=moving,
                repeats=repeats,
                reading={"cache": cache, "skip_bad_files": skip_bad_files, "backend": backend},
            )
            if not writes:
                _show(found, console)
                return found.result
            folder = RunFolder.create(output, overwrite=overwrite)
            with doing(console, "writing the results"):
                facts, selection = _write(
                    folder, found, workflow, fileset, {**run_settings, "unblinded": unblind}, started
                )
        checkpoint.remove()
        _show(found, console)
        if selection.agrees:
            console.print(selection.told, soft_wrap=True)
        else:
            warnings.warn(selection.told, InputWarning, stacklevel=2)
        try:
            # the numbers are safe by now: a report that cannot be made is no reason to lose them
            with doing(console, "writing the report"):
                write_report(folder, facts)
        except Exception as error:
            warnings.warn(
                f"there is no report ({type(error).__name__}: {error}); `hepgrad report {folder.path}` tries it again",
                InputWarning,
                stacklevel=2,
            )
            return RunResult.of(found.result, folder.path)
        folder.finish(facts)
    console.print(f"the report is {folder.path / file_names.REPORT}", soft_wrap=True)
    return RunResult.of(found.result, folder.path)


@dataclasses.dataclass(frozen=True)
class _Found:
    """Everything that a run found, before it is written down."""

    result: Result
    improvement: Improvement
    about: Dataset
    flows: dict[str, Cutflow]
    observation: Observation | None
    control: list[tuple[Any, ...]]
    stability: Stability


def _found(
    workflow: Workflow,
    fileset: Fileset,
    console: Console,
    checkpoint: CheckpointFile,
    *,
    resume: bool,
    unblind: bool,
    moving: bool | None,
    repeats: int,
    reading: dict[str, Any],
) -> _Found:
    """Read the events, optimise, and look at what was found; nothing is written but checkpoints."""
    optimizer = workflow.optimizer
    saved = checkpoint.load(workflow.parameters, optimizer) if resume else None
    console.print(f"{workflow.title}\nreading {redacted(str(fileset.source))}", soft_wrap=True)
    for line in told(workflow.processes):
        console.print(line, soft_wrap=True)
    if workflow.shared and workflow.folds == 1:
        text = f"shared={list(workflow.shared)} does nothing without folds; add them (folds=5, --folds 5)"
        warnings.warn(text, InputWarning, stacklevel=3)
    how: dict[str, Any] = {
        "parameters": workflow.parameters,
        "starts": draw_starts(workflow.parameters, workflow.starts - 1, key=jax.random.key(workflow.seed)),
        "optimizer": optimizer,
        "steps": workflow.steps,
        "anneal": workflow.anneal,
        "check_every": workflow.check_every,
        "save": None if jax.process_index() else checkpoint.save,
        "resume": saved,
    }
    events: Split | Folds
    judging: Part | Folds
    if workflow.folds > 1:
        with watching(console) as watch:
            events = judging = load_folds(workflow, fileset, watch=watch, **reading)
        about = judging.data
        check_plots(workflow, about)
        with progress(console, workflow.steps, workflow.analysis.merit) as watchers:
            how["begin"] = functools.partial(_best_draw, workflow)
            result = cross_fit(workflow.analysis, judging, watchers=watchers, shared=workflow.shared, **how).whole
    else:
        with watching(console) as watch:
            events = load_events(workflow, fileset, watch=watch, **reading)
        judging, about = events.held_out, Pool.of(events.held_out).about
        check_plots(workflow, about)
        with progress(console, workflow.steps, workflow.analysis.merit) as watchers:
            how["begin"] = None if resume else _best_draw(workflow, events)
            result = optimize(workflow.analysis, events, watchers=watchers, **how)
    check_sidebands(workflow, about, result)
    with doing(console, "evaluating the result"):
        improvement = Improvement.of(result, workflow.analysis, judging, replicas=workflow.replicas, seed=workflow.seed)
    for line in negative_bins(workflow.analysis, result.optimum):
        warnings.warn(line, InputWarning, stacklevel=3)
    observation, observed = None, None
    if unblind and workflow.source is not None:
        observed = _observed(workflow, fileset)
        observation = observe(workflow.analysis, observed, result, about)
    with doing(console, "counting events cut by cut"):
        flows = soft_cutflows(result, workflow.analysis, judging)
        control = control_rows(workflow, result, judging, observed)
    steps = {name: how[name] for name in ("optimizer", "steps", "anneal", "check_every")}
    stability = Stability.of(workflow, result, events, console, moving=moving, repeats=repeats, how=steps)
    return _Found(result, improvement, about, flows, observation, control, stability)


@stage(reads=(EVENT,), name="event numbers")
def _numbered(events: Events, cut: Cuts) -> Events:
    return events


def _observed(workflow: Workflow, fileset: Fileset) -> Dataset | Folds:
    """Return the observed events, in folds where the prediction is."""
    assert workflow.source is not None
    if workflow.folds == 1:
        return workflow.source.observed(workflow, fileset)
    numbered = dataclasses.replace(workflow, analysis=workflow.analysis.insert(_numbered))
    observed = workflow.source.observed(numbered, fileset)
    number = np.asarray(observed.columns.columns[EVENT])
    fold = fold_numbers(number.ravel(), workflow.folds).reshape(number.shape)
    return Folds(observed, jnp.asarray(fold, jnp.int32), workflow.folds)


def _write(
    folder: RunFolder, found: _Found, workflow: Workflow, fileset: Fileset, run_settings: dict[str, Any], started: float
) -> tuple[dict[str, Any], Exported]:
    """Write the results, all but the report, and return what `run.json` says, and what became of the script."""
    result, observation = found.result, found.observation
    told = effective_settings(workflow)
    folder.write_text(file_names.CONFIG, as_toml({**told, "data": portable(told["data"])}))
    selection = write_selection(folder, workflow, result.optimum, fileset, result.judging)
    write_cutflow_latex(folder, result, {process.name: process.label for process in workflow.predicted})
    found.stability.write(folder)
    if found.control:
        folder.write_csv(CONTROL, CONTROL_COLUMNS, found.control)
    write_results(folder, result, workflow.analysis, found.about, found.improvement, found.flows, observation)
    Subject.of(workflow, *notes(workflow, result, observation), f"{selection.told}.").write(folder)
    facts = run_facts({**run_settings, "selection": selection.told}, workflow.title, time.monotonic() - started)
    folder.finish(facts)
    return facts, selection


def _show(found: _Found, console: Console) -> None:
    tables = [*found.result.tables(), *([] if found.observation is None else found.observation.tables())]
    tables += found.stability.tables()
    console.print(*tables, sep="\n")
    console.print(str(found.improvement))


@contextlib.contextmanager
def _can_go_on(checkpoint: CheckpointFile) -> Iterator[None]:
    """Tell with whatever ends the block how to go on, if there is something to go on with."""
    try:
        yield
    except (KeyboardInterrupt, OSError, MemoryError) as error:
        if checkpoint.path.exists():
            error.add_note(f"the steps so far are in {checkpoint.path}; {GO_ON}")
        raise


def _best_draw(workflow: Workflow, events: Split) -> Parameters | None:
    """Return the best of some points with hard cuts on the training events, the workflow's own among them."""
    if not workflow.draws:
        return None
    trials = workflow.draws + 1
    return search_cuts(workflow.analysis, events, workflow.parameters, trials=trials, seed=workflow.seed).best


def examine(
    workflow: Workflow,
    *,
    data: str | Path | None = None,
    cache: str | Path | None = None,
    skip_bad_files: bool = False,
    backend: Backend | str | None = None,
) -> Diagnosis:
    """Tell what is wrong with a workflow before it runs.

    ``data`` is a folder with a ``fileset.json``, or such a file; the workflow's own by default. The rest is as for
    `run`. Raises `InputError` when the data cannot be used.
    """
    workflow, fileset = located(laid_over(workflow, data=data))
    events = load_events(workflow, fileset, cache=cache, skip_bad_files=skip_bad_files, backend=backend)
    return check(workflow.analysis, events, workflow.parameters)


def located(workflow: Workflow) -> tuple[Workflow, Fileset]:
    """Return the workflow, at the luminosity of the observed events if it has any, and where its events are.

    What it estimates from data is measured.
    """
    source = workflow.source
    if source is None:
        fileset = Fileset.load(workflow.data).with_cross_sections(workflow.cross_sections)
        return workflow, fileset.with_layouts(workflow.layouts).with_eras(workflow.eras)
    fileset = source.fileset(workflow.data).with_cross_sections(workflow.cross_sections)
    fileset = fileset.with_layouts(workflow.layouts).with_eras(workflow.eras)
    luminosity = source.luminosity(fileset)
    workflow = workflow if luminosity is None else dataclasses.replace(workflow, luminosity=luminosity)
    return source.measured(workflow, fileset), fileset


def run_facts(run_settings: dict[str, Any], title: str, seconds: float) -> dict[str, Any]:
    """Return what it takes to repeat a run, as JSON can hold it."""
    return {
        "status": "finished",
        "title": title,
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        **run_settings,
        "device": next(iter(jnp.zeros(()).devices())).device_kind,
        "versions": {
            "python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in PACKAGES},
        },
    }
