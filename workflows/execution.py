"""Running a workflow: read, optimise, and leave a folder with everything that came out."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import platform
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from rich.console import Console

from hepgrad.analysis import Diagnosis, Result, Split, check, default_block_size, draw_starts, optimize
from hepgrad.analysis.optimize import fingerprint

from .checkpoint import CheckpointFile
from .progress import progress
from .read import Fileset, load
from .report import write_report
from .run_files import write_results
from .run_folder import RunFolder
from .workflow import Workflow

DEFAULT_OUTPUT = Path("hepgrad-runs")
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
    starts: int = 1,
    seed: int = 0,
) -> Result:
    """Run a workflow and write its run folder.

    Statistics are computed in float64 when x64 is enabled (``jax.enable_x64(True)`` as a context around this call, as
    the command line does), and in float32 otherwise; events are float32 either way.

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
        Points to start from: the workflow's own, and others drawn inside the bounds. The best result of all wins.
    seed
        Of the points that are drawn.

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
    changes: dict[str, Any] = {}
    if data is not None:
        changes["data"] = Path(data)
    if steps is not None:
        changes["steps"] = steps
    workflow = dataclasses.replace(workflow, **changes)
    output = DEFAULT_OUTPUT / workflow.name if output is None else Path(output)
    console = Console(quiet=quiet)
    started = time.monotonic()

    RunFolder.check(output, overwrite=overwrite)
    fileset = Fileset.load(workflow.data)
    console.print(f"{workflow.title}\nreading {fileset.source}", highlight=False, markup=False, soft_wrap=True)
    events = _load(workflow, fileset)
    optimizer = optax.adam(workflow.learning_rate)
    chosen = {**settings(workflow, fileset), "starts": starts, "seed": seed}
    checkpoint = CheckpointFile(output, chosen)
    saved = checkpoint.load(workflow.parameters, optimizer) if resume else None
    with progress(console, workflow.steps) as watchers:
        result = optimize(
            workflow.analysis,
            events,
            parameters=workflow.parameters,
            starts=draw_starts(workflow.parameters, starts - 1, key=jax.random.key(seed)),
            optimizer=optimizer,
            steps=workflow.steps,
            anneal=workflow.anneal,
            check_every=workflow.check_every,
            watchers=watchers,
            save=checkpoint.save,
            resume=saved,
        )
    console.print(*result.tables(), sep="\n")

    folder = RunFolder.create(output, overwrite=overwrite)
    write_results(folder, result, workflow.analysis)
    facts = run_facts(chosen, workflow.title, time.monotonic() - started)
    write_report(folder, result, workflow, facts)
    folder.finish(facts)
    checkpoint.remove()
    console.print(f"the report is {folder.path / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
    return result


def examine(workflow: Workflow, *, data: str | Path | None = None) -> Diagnosis:
    """Tell what is wrong with a workflow before it runs.

    Parameters
    ----------
    workflow
        What would be run.
    data
        Folder with a ``fileset.json``, or such a file; the workflow's own by default.

    Raises
    ------
    InputError
        When the data cannot be used.
    """
    fileset = Fileset.load(workflow.data if data is None else Path(data))
    return check(workflow.analysis, _load(workflow, fileset), workflow.parameters)


def _load(workflow: Workflow, fileset: Fileset) -> Split:
    return load(
        fileset,
        workflow.processes,
        workflow.analysis.reads,
        luminosity=workflow.luminosity,
        block_size=workflow.block_size,
    )


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
        "split": "in each sample, events with an even index train and those with an odd one are held out",
        **fingerprint(workflow.analysis, workflow.parameters),
        "steps": workflow.steps,
        "optimizer": {"name": "adam", "learning_rate": workflow.learning_rate},
        "anneal": {"start": workflow.anneal.start, "stop": workflow.anneal.stop},
        "check_every": workflow.check_every,
        "block_size": workflow.block_size or default_block_size(),
        "start": workflow.parameters.to_dict(),
        "precision": {"events": "float32", "statistics": jnp.result_type(float).name},
    }
