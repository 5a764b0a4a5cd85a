"""What it costs to leave one program in one memory: shards from disk, several devices, Dask.

A step is the gradient of ``gradient_step``'s analysis: histograms of all shards, the objective, and its derivative back
through all shards. The rival does the same in one compiled program on events in memory, in the same run.

- Throughput: a million events in shards on disk, against the same shards in memory, and against one program.
- Weak scaling: n emulated devices with n times as many events. They share the cores of this machine, so the rival has
  the same events on one device: 1 means that sharing out costs nothing, 1/n would be n real devices.
- Overhead: a step with so few events that nothing but the overhead is left.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

from hepgrad.analysis import Dataset, Projection
from hepgrad.analysis.data.pool import LocalPool, Pool
from hepgrad.analysis.optimisation.goal import Goal
from hepgrad.analysis.optimisation.programs.sharded import over_shards
from hepgrad.analysis.optimisation.steps import Descent, in_one_program
from hepgrad.workflows.backends import Devices
from hepgrad.workflows.backends.dask import DaskPool
from hepgrad.workflows.cache.store import StoredShards, stored
from hepgrad.workflows.read.collect import Collected
from hepgrad.workflows.read.packing.columns import Columns
from hepgrad.workflows.read.packing.packing import Strand

from . import gradient_step
from .runner import Comparison, Size

EVENTS = {"quick": 100_000, "full": 1_000_000}
FEW = 2_000
DEVICES = (1, 2, 4, 8)
BLOCK, SHARD_BYTES = 16_384, 32 * 2**20
PROCESSES = ["signal", "background"]
PLACES = [("Jet", "pt"), ("Jet", "eta"), ("Jet", "btag"), ("MET", "pt")]


def collected(events: int) -> Collected:
    """Return the events of `gradient_step` as if they had been read."""
    data = gradient_step.columns(events)
    offsets = np.append(0, np.cumsum(data.counts))

    def strand(process: int, start: int, stop: int) -> Strand:
        objects = slice(offsets[start], offsets[stop])
        values: dict[tuple[str, str], np.ndarray] = {
            ("Jet", name): getattr(data, name)[objects] for name in ("pt", "eta", "btag")
        }
        values |= {("MET", "pt"): data.met[start:stop], ("weight", ""): data.weight[start:stop]}
        there = {"Jet": offsets[start : stop + 1] - offsets[start]}
        return Strand(process, [Columns(stop - start, values, there)], 1.0, ("weight", ""))

    strands = [strand(0, 0, events // 2), strand(1, events // 2, events)]
    return Collected((strands, strands), PLACES, PROCESSES, (None,))


def stepper(sample: Dataset | Pool) -> Callable[[], None]:
    """Return a function that makes one step from the start, and waits for it."""
    descent = Descent(Goal(gradient_step.ANALYSIS), gradient_step.CUTS, optax.adam(0.1), Projection())
    start = descent.start(gradient_step.CUTS)
    whole = isinstance(sample, Dataset)
    advance = in_one_program(descent, sample, start, 1) if whole else over_shards(descent, sample)
    return lambda: jax.block_until_ready(advance(start, np.ones((1, 2))))[0]


def shards_on_disk(folder: Path, events: int) -> StoredShards:
    """Return events as shards."""
    return stored(collected(events), folder, block_size=BLOCK, shard_bytes=SHARD_BYTES).half(0)


class Emulated:
    """A process with several devices, which all are this machine's cores."""

    def __init__(self, devices: int) -> None:
        self._flags = f"--xla_force_host_platform_device_count={devices}"
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Emulated:
        before = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{before} {self._flags}"
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        self._pool.submit(jax.device_count).result()
        os.environ["XLA_FLAGS"] = before
        return self

    def __exit__(self, *error: object) -> None:
        assert self._pool is not None
        self._pool.shutdown()

    def step(self, devices: int, events: int) -> None:
        """Make a step there.

        The first so many devices are used.
        """
        assert self._pool is not None
        self._pool.submit(_step_there, devices, events).result()


def _step_there(devices: int, events: int) -> None:
    _stepper_there(devices, events)()


@functools.cache
def _stepper_there(devices: int, events: int) -> Callable[[], None]:
    there = Devices(jax.devices()[:devices])
    return stepper(there.share_out(collected(events), block_size=BLOCK).train)


def comparisons(size: Size) -> Iterator[Comparison]:
    """Yield throughput, weak scaling and overheads."""
    events = EVENTS[size]
    with tempfile.TemporaryDirectory() as name:
        shards = shards_on_disk(Path(name), events)
        whole = stepper(collected(events).packed(BLOCK).train)
        yield Comparison(
            f"{events:,} events in {len(shards)} shards",
            {"from disk": stepper(LocalPool(shards, shards.about))},
            {"in memory": stepper(LocalPool(list(shards), shards.about)), "one program": whole},
        )
        few = shards_on_disk(Path(name), FEW)
        small = {"from disk": stepper(LocalPool(few, few.about))}
        small["devices (1)"] = stepper(Devices(jax.devices()[:1]).spread(few[0]))
        with _cluster() as client:
            pool = DaskPool.of_shards(shards, client, 2)
            yield Comparison(
                f"{events:,} events, Dask, 2 workers", {"two rounds": stepper(pool)}, {"one program": whole}
            )
            small["Dask, 1 task"] = stepper(DaskPool.of_shards(few, client, 1))
            yield Comparison(f"overhead, {FEW:,} events", small, {"one program": stepper(few[0])})
    with Emulated(DEVICES[-1]) as there:
        for devices in DEVICES:
            each = events // DEVICES[-1]
            yield Comparison(
                f"weak scaling, {devices * each:,} events",
                {f"{devices} devices": functools.partial(there.step, devices, devices * each)},
                {"1 device": functools.partial(there.step, 1, devices * each)},
            )
        yield Comparison(
            f"overhead, {FEW:,} events",
            {"8 devices": functools.partial(there.step, 8, FEW)},
            {"1 device": functools.partial(there.step, 1, FEW)},
        )


def _cluster() -> Any:
    from distributed import Client

    return Client(n_workers=2, threads_per_worker=1, dashboard_address=None)
