"""Events over the devices of one machine or of many: each has its blocks, and what they exchange are histograms."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from hepgrad import ragged as rg
from hepgrad.analysis import Dataset, Split
from hepgrad.analysis.data.pool import Pool, Program, without_events
from hepgrad.analysis.data.precision import precise

from ..errors import InputError
from ..read.collect import Collected, Recipe
from ..read.packing.blocks import Frame, aligned
from ..read.packing.packing import Strand, fill, typical_weights
from ..read.reader import ReadWatcher

AXIS = "shards"


@dataclasses.dataclass(frozen=True)
class Devices:
    """Shares the blocks out over devices: those of this process, or of all processes of `jax.distributed`.

    A program runs on each device with the blocks that are there, and the results are summed by one collective
    operation. Every process makes the same steps from the same sums, so that nothing else has to be exchanged.

    With several processes the events are read by way of a cache on a file system that all of them see: each process
    reads some of the samples into it, and takes its blocks from there.

    Attributes
    ----------
    devices
        By default `preferred_devices`.
    """

    devices: Sequence[jax.Device] | None = None

    def load(self, recipe: Recipe, *, block_size: int | None = None, watch: ReadWatcher | None = None) -> Split:
        """Read events onto the devices; the arguments are those of `Backend.load`."""
        if jax.process_count() > 1:
            _read_together(recipe, watch)
        return self.share_out(recipe.collect(watch), block_size=block_size)

    def share_out(self, collected: Collected, *, block_size: int | None = None) -> Split:
        """Pack events that were read, in every process those of its own devices.

        Parameters
        ----------
        collected
            The same in all processes.
        block_size
            As for `load`.
        """
        mesh = self.mesh
        shape, frame = collected.framed(block_size, multiple_of=mesh.size)
        return Split(*(_half(frame, strands, shape.blocks, mesh) for strands in collected.halves))

    def spread(self, data: Dataset) -> DevicePool:
        """Return a data set of this process, shared out; for one that was not made by `load`.

        Parameters
        ----------
        data
            With a number of blocks that is a multiple of the number of devices.

        Raises
        ------
        InputError
            When it is not.
        """
        mesh = self.mesh
        if data.blocks % mesh.size:
            raise InputError(f"{data.blocks} blocks cannot be shared out evenly over {mesh.size} devices")
        return DevicePool.of_global(jax.device_put(data, _shardings(data, mesh)), mesh)

    @property
    def mesh(self) -> Mesh:
        """The devices in a row."""
        return Mesh(np.array(preferred_devices() if self.devices is None else list(self.devices)), (AXIS,))


def preferred_devices() -> list[jax.Device]:
    """Return all devices of the kind that is computed on: that of `jax.default_device`, or what JAX prefers."""
    return jax.devices(next(iter(jnp.zeros(()).devices())).platform)


@dataclasses.dataclass(frozen=True, eq=False)
class DevicePool(Pool):
    """A data set whose blocks are shared out over devices.

    The leading axis of the arrays of ``data``, that of the blocks, is divided over the mesh; ``shards`` are what is on
    each device of this process.
    """

    data: Dataset
    mesh: Mesh
    shards: Sequence[Dataset]
    about: Dataset

    @classmethod
    def of_global(cls, data: Dataset, mesh: Mesh) -> DevicePool:
        """Return the pool of a data set that is shared out."""
        leaves, structure = jax.tree.flatten(data)
        local = zip(*([part.data for part in leaf.addressable_shards] for leaf in leaves), strict=True)
        shards = [jax.tree.unflatten(structure, parts) for parts in local]
        return cls(data, mesh, shards, without_events(data.processes, _here(data.typical_weight)))

    def total(self, program: Program, *arguments: Any) -> Any:
        """Return the sum of a function over the devices, the same in every process."""
        # arrays of one device are of no use to the others; as plain numbers they are put where they are needed
        plain = jax.tree.map(np.asarray, arguments)
        total, checks = jax.tree.map(_here, self.compiled(program)(self.data, *plain))
        checks.throw()
        return total

    def compiled(self, program: Program) -> jax.stages.Wrapped:
        """Return the function of data and arguments that runs on all devices and sums, and returns its checks."""
        return _spread(program, self.mesh, self.data.blocks // self.mesh.size)


@functools.lru_cache(maxsize=64)
def _spread(program: Program, mesh: Mesh, blocks: int) -> jax.stages.Wrapped:
    def on_one(data: Dataset, *arguments: Any) -> Any:
        first = jax.lax.axis_index(AXIS) * blocks
        return jax.lax.psum(jax.tree.map(precise, program(data, first, *arguments)), AXIS)

    def on_all(data: Dataset, *arguments: Any) -> Any:
        everywhere = PartitionSpec()
        inside = (_specs(data), *(everywhere for _ in arguments))
        # the sums are the same everywhere by construction, which the check of varying values does not see in loops
        mapped = jax.shard_map(on_one, mesh=mesh, in_specs=inside, out_specs=everywhere, check_vma=False)
        return mapped(data, *arguments)

    return jax.jit(rg.with_checks(on_all))


def _specs(data: Dataset) -> Dataset:
    return dataclasses.replace(jax.tree.map(lambda _: PartitionSpec(AXIS), data), typical_weight=PartitionSpec())


def _shardings(data: Dataset, mesh: Mesh) -> Dataset:
    return jax.tree.map(lambda spec: NamedSharding(mesh, spec), _specs(data))


def _here(x: jax.Array) -> jax.Array:
    """Return what every device has, as an array of this process alone."""
    return jnp.asarray(x.addressable_data(0))


def _half(frame: Frame, strands: Sequence[Strand], blocks: int, mesh: Mesh) -> DevicePool:
    """Pack the blocks of this process, and put them on its devices."""
    here = [i for i, device in enumerate(mesh.devices.flat) if device.process_index == jax.process_index()]
    each = blocks // mesh.size
    mine = range(here[0] * each, (here[-1] + 1) * each)
    arrays = {name: aligned(*described) for name, described in frame.arrays(len(mine)).items()}
    fill(frame, strands, blocks, mine, arrays)
    local = frame.dataset(arrays, typical_weights(strands, len(frame.processes)))

    def joined(part: jax.Array, sharding: NamedSharding) -> jax.Array:
        whole = part.shape if sharding.is_fully_replicated else (blocks, *part.shape[1:])
        return jax.make_array_from_process_local_data(sharding, np.asarray(part), whole)

    return DevicePool.of_global(jax.tree.map(joined, local, _shardings(local, mesh)), mesh)


def _read_together(recipe: Recipe, watch: ReadWatcher | None) -> None:
    """Let every process read some of the samples into the cache, and wait until all of them are there."""
    from jax.experimental import multihost_utils

    if recipe.cache is None:
        raise InputError(
            f"{jax.process_count()} processes read events by way of a cache that all of them see; choose one (--cache)"
        )
    mine = recipe.samples()[jax.process_index() :: jax.process_count()]
    for sample in mine:
        recipe.read(sample, watch)
    multihost_utils.sync_global_devices("events are in the cache")
