"""From the start of a process to the first step of an optimisation, and what the programs on the way are.

Each analysis runs in processes of its own: once with an empty cache of compiled programs, once with what the first run
left there. Processor seconds do not depend on who else is on the machine; wall seconds do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .runner import Size

WORKFLOWS = ("zprime", "ttbar-agc", "htautau")
SYNTHETIC = ("large / 2", "large")
# a large analysis without sources, for what they cost
PLAIN = "large, no sources"
QUICK = (*WORKFLOWS[:1], *SYNTHETIC[:1])


def report(size: Size, console: Console) -> list[dict[str, Any]]:
    """Print and return times and sizes.

    Quick looks at two of the analyses.
    """
    rows = []
    for name in QUICK if size == "quick" else (*WORKFLOWS, *SYNTHETIC, PLAIN):
        with tempfile.TemporaryDirectory() as folder:
            for cache in ("cold", "warm"):
                rows.append({"analysis": name, "cache": cache, **_in_a_process(name, Path(folder))})
    console.print(_times(rows), _sizes(rows), sep="\n")
    return rows


def _in_a_process(name: str, folder: Path) -> dict[str, Any]:
    """Run one analysis in a process of its own."""
    environment = {**os.environ, "HEPGRAD_COMPILE_CACHE": str(folder)}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    command = [sys.executable, "-m", "benchmarks.start", name, repr(time.time())]
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found


def _times(rows: list[dict[str, Any]]) -> Table:
    table = Table("analysis", "cache", title="From the start of the process, seconds")
    columns = {"events": "events read", "step": "first step", "end": "result"}
    for heading in columns.values():
        table.add_column(f"{heading}: wall", justify="right")
        table.add_column("processor", justify="right")
    for row in rows:
        numbers = (f"{row[key][which]:.1f}" for key in columns for which in ("wall", "processor"))
        table.add_row(row["analysis"], row["cache"], *numbers)
    return table


def _sizes(rows: list[dict[str, Any]]) -> Table:
    table = Table("analysis", "program", title="Programs")
    for heading in ("equations", "HLO instructions", "trace / s", "compile / s", "a call / ms"):
        table.add_column(heading, justify="right")
    for row in rows:
        for program in row.get("programs", []) if row["cache"] == "cold" else []:
            call = "-" if program["run"] is None else f"{1e3 * program['run']:.0f}"
            sizes = (f"{program[key]:,}" for key in ("equations", "instructions"))
            seconds = (f"{program[key]:.1f}" for key in ("tracing", "compiling"))
            table.add_row(row["analysis"], program["name"], *sizes, *seconds, call)
    return table


def _child(name: str, begin: float) -> dict[str, Any]:
    """Read, make a step and finish; return the times, and the sizes of the programs."""
    import dataclasses

    import jax

    from hepgrad.analysis import Split, optimize
    from hepgrad.workflows import enable_compile_cache

    from .programs import processor_seconds, programs

    def now() -> dict[str, float]:
        return {"wall": time.time() - begin, "processor": processor_seconds()}

    enable_compile_cache()
    stamps: dict[str, Any] = {}
    with jax.enable_x64(True):
        analysis, parameters, split = _prepared(name)
        stamps["events"] = now()

        def watch(record: Any, steps: int) -> None:
            stamps.setdefault("step", now())

        watchers: list[Callable[..., None]] = [watch]
        optimize(analysis, Split(split.train, split.held_out), parameters=parameters, steps=2, watchers=watchers)
        stamps["end"] = now()
        # sizes do not depend on the cache, but compile times do
        jax.config.update("jax_enable_compilation_cache", False)
        jax.clear_caches()
        if "--times-only" not in sys.argv:
            sizes = programs(analysis, parameters, split.train, runs=3)
            stamps["programs"] = [dataclasses.asdict(program) for program in sizes]
    return stamps


def _prepared(name: str) -> tuple[Any, Any, Any]:
    """Return analysis, parameters and events."""
    import dataclasses

    from hepgrad.analysis import Split
    from hepgrad.workflows.catalogue import find_workflow
    from hepgrad.workflows.execution import load_events, located

    from .large_analysis import CUTS
    from .large_analysis import Size as Large

    if name in (*SYNTHETIC, PLAIN):
        large = Large()
        sizes = {"large": large, "large / 2": large.half, PLAIN: dataclasses.replace(large, weights=0, kinematic=0)}
        data = sizes[name].dataset()
        return sizes[name].analysis(), CUTS, Split(data, data)
    workflow, fileset = located(find_workflow(name))
    return workflow.analysis, workflow.parameters, load_events(workflow, fileset)


if __name__ == "__main__":
    print(json.dumps(_child(sys.argv[1], float(sys.argv[2]))))
