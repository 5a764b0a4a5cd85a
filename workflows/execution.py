"""Running a workflow: read, optimise, and leave a folder with everything that came out."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import platform
import time
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from rich.console import Console

from hepgrad.analysis import Diagnosis, Parameters, Result, Split, check, default_block_size, draw_starts, optimize
from hepgrad.analysis.data.pool import Pool
from hepgrad.analysis.optimisation import fingerprint
from hepgrad.analysis.statistics.objectives import merit

from .backends import Backend, find_backend
from .cache import Cache
from .checkpoint import CheckpointFile
from .config import as_toml, effective_settings
from .defaults import CACHE, RUNS
from .errors import InputError, InputWarning
from .export import write_selection
from .progress import progress
from .read import Fileset
from .read.collect import Recipe
from .read.reader import ReadWatcher
from .read.watching import watching
from .report import Subject, notes, write_report
from .results.bootstrap import Improvement
from .results.negative import negative_bins
from .results.observation import observe
from .results.run_files import soft_cutflows, write_results
from .results.run_folder import RunFolder
from .scan.search import scan
from .skim import Loosest
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
    unblind: bool = False,
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
    unblind
        Once the cuts are optimised, look at the observed events of the signal selection; without it they are not used.
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
        Start and optimum, and the history.

    Raises
    ------
    InputError
        When the data, the output folder or the checkpoint cannot be used.
    FloatingPointError
        When the objective or a derivative becomes NaN or infinite.
    """
    given: dict[str, Any] = {"data": data, "steps": steps, "starts": starts, "seed": seed}
    workflow = dataclasses.replace(workflow, **{name: value for name, value in given.items() if value is not None})
    source = workflow.source
    if unblind and source is None:
        raise InputError(f"workflow {workflow.name!r} has no observed events, there is nothing to unblind")
    output = RUNS / workflow.name if output is None else Path(output)
    console = Console(quiet=quiet or jax.process_index() > 0)
    started = time.monotonic()

    RunFolder.check(output, overwrite=overwrite)
    workflow, fileset = located(workflow)
    console.print(f"{workflow.title}\nreading {fileset.source}", highlight=False, markup=False, soft_wrap=True)
    with watching(console) as watch:
        events = load_events(
            workflow, fileset, cache=cache, skip_bad_files=skip_bad_files, backend=backend, watch=watch
        )
    optimizer = workflow.optimizer
    chosen = settings(workflow, fileset)
    checkpoint = CheckpointFile(output, chosen)
    saved = checkpoint.load(workflow.parameters, optimizer) if resume else None
    with progress(console, workflow.steps, merit(workflow.analysis.objective)) as watchers:
        result = optimize(
            workflow.analysis,
            events,
            parameters=workflow.parameters,
            begin=None if resume else _best_draw(workflow, events),
            starts=draw_starts(workflow.parameters, workflow.starts - 1, key=jax.random.key(workflow.seed)),
            optimizer=optimizer,
            steps=workflow.steps,
            anneal=workflow.anneal,
            check_every=workflow.check_every,
            watchers=watchers,
            save=None if jax.process_index() else checkpoint.save,
            resume=saved,
        )
    console.print(*result.tables(), sep="\n")
    replicas = workflow.replicas
    improvement = Improvement.of(result, workflow.analysis, events.held_out, replicas=replicas, seed=workflow.seed)
    console.print(str(improvement), highlight=False, markup=False)
    for line in negative_bins(workflow.analysis, result.optimum):
        warnings.warn(line, InputWarning, stacklevel=2)
    about, observation = Pool.of(events.held_out).about, None
    if unblind and source is not None:
        observed = source.observed(workflow, fileset)
        observation = observe(workflow.analysis, observed, result, about)
        console.print(*observation.tables(), sep="\n")
    flows = soft_cutflows(result, workflow.analysis, events.held_out)
    if jax.process_index():
        return result  # the same in all processes, of which the first one writes it down

    folder = RunFolder.create(output, overwrite=overwrite)
    folder.write_text("config.toml", as_toml(effective_settings(workflow)))
    selection = write_selection(folder, workflow, result.optimum.parameters, fileset)
    write_results(folder, result, workflow.analysis, about, improvement, flows, observation)
    Subject.of(workflow, *notes(workflow, result, observation)).write(folder)
    chosen = {**chosen, "unblinded": unblind, "selection": selection}
    facts = run_facts(chosen, workflow.title, time.monotonic() - started)
    write_report(folder, facts)
    folder.finish(facts)
    checkpoint.remove()
    console.print(f"the report is {folder.path / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
    return result


def _best_draw(workflow: Workflow, events: Split) -> Parameters | None:
    """Return the best of some points with hard cuts on the training events, the workflow's own among them."""
    if not workflow.draws:
        return None
    return scan(workflow.analysis, events, workflow.parameters, trials=workflow.draws + 1, seed=workflow.seed).best


def examine(
    workflow: Workflow,
    *,
    data: str | Path | None = None,
    cache: str | Path | None = None,
    skip_bad_files: bool = False,
    backend: Backend | str | None = None,
) -> Diagnosis:
    """Tell what is wrong with a workflow before it runs.

    Parameters
    ----------
    workflow
        What would be run.
    data
        Folder with a ``fileset.json``, or such a file; the workflow's own by default.
    cache, skip_bad_files, backend
        As for `run`.

    Raises
    ------
    InputError
        When the data cannot be used.
    """
    if data is not None:
        workflow = dataclasses.replace(workflow, data=Path(data))
    workflow, fileset = located(workflow)
    events = load_events(workflow, fileset, cache=cache, skip_bad_files=skip_bad_files, backend=backend)
    return check(workflow.analysis, events, workflow.parameters)


def located(workflow: Workflow) -> tuple[Workflow, Fileset]:
    """Return the workflow, at the luminosity of the observed events if it has any, and where its events are.

    Parameters
    ----------
    workflow
        What is run.
    """
    if workflow.source is None:
        fileset = Fileset.load(workflow.data).with_cross_sections(workflow.cross_sections)
        return workflow, fileset.with_layouts(workflow.layouts)
    fileset = workflow.source.fileset(workflow.data).with_layouts(workflow.layouts)
    return dataclasses.replace(workflow, luminosity=workflow.source.luminosity(fileset)), fileset


def load_events(
    workflow: Workflow,
    fileset: Fileset,
    *,
    cache: str | Path | None = None,
    skip_bad_files: bool = False,
    backend: Backend | str | None = None,
    watch: ReadWatcher | None = None,
) -> Split:
    """Return the events of a workflow.

    Parameters
    ----------
    workflow, fileset
        As from `located`.
    cache, skip_bad_files, backend
        As for `run`.
    watch
        Is told how far the reading has come.
    """
    skim = Loosest(workflow.analysis, workflow.parameters) if isinstance(workflow.skim, str) else workflow.skim
    recipe = Recipe(
        workflow.ingredients(fileset),
        workflow.analysis.reads,
        tree=workflow.tree,
        layout=workflow.layout,
        skim=skim,
        skip_bad_files=skip_bad_files,
        not_finite=workflow.not_finite,
        cache=None if cache is None else Cache(Path(cache)),
    )
    if backend is None or isinstance(backend, str):
        backend = find_backend(backend, recipe, Path(cache or CACHE))
    return backend.load(recipe, block_size=workflow.block_size, watch=watch)


def run_facts(chosen: dict[str, Any], title: str, seconds: float) -> dict[str, Any]:
    """Return what it takes to repeat a run, as JSON can hold it.

    Parameters
    ----------
    chosen
        The settings.
    title
        Of the workflow.
    seconds
        How long it took.
    """
    return {
        "status": "finished",
        "title": title,
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        **chosen,
        "device": next(iter(jnp.zeros(()).devices())).device_kind,
        "versions": {
            "python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in PACKAGES},
        },
    }


def settings(workflow: Workflow, fileset: Fileset) -> dict[str, Any]:
    """Return what determines the numbers of a run, as JSON can hold it.

    Parameters
    ----------
    workflow
        What is run.
    fileset
        The events it runs on.
    """
    return {
        "workflow": workflow.name,
        "data": fileset.source.parent.name,
        "luminosity_per_pb": workflow.luminosity,
        "energy_tev": workflow.energy,
        "processes": {
            process.name: {
                "signal": process.signal,
                "datasets": {
                    name: {
                        "files": [Path(file).name for file in fileset[name].files],
                        "xsec_pb": fileset[name].cross_section,
                        "sumw_total": fileset[name].sum_of_weights,
                    }
                    for name in process.datasets
                },
            }
            for process in workflow.processes
        },
        "source": {} if workflow.source is None else workflow.source.settings(),
        "split": "in each sample, events with an even index train and those with an odd one are held out",
        "not_finite": workflow.not_finite,
        **fingerprint(workflow.analysis, workflow.parameters),
        "steps": workflow.steps,
        "optimizer": {
            "name": "adamw" if workflow.weight_decay else "adam",
            "learning_rate": workflow.learning_rate,
            "weight_decay": workflow.weight_decay,
        },
        "anneal": {"start": workflow.anneal.start, "stop": workflow.anneal.stop},
        "check_every": workflow.check_every,
        "block_size": workflow.block_size or default_block_size(),
        "start": workflow.parameters.to_dict(),
        "draws": workflow.draws,
        "starts": workflow.starts,
        "seed": workflow.seed,
        "precision": {"events": "that of the files", "statistics": jnp.result_type(float).name},
    }
