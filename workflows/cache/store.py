"""Shards of equal blocks on disk: one file each, which JAX on a CPU uses as it lies there."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import itertools
import math
import mmap
import uuid
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import jax.numpy as jnp
import numpy as np

from hepgrad.analysis import Dataset, default_block_size
from hepgrad.analysis.data.pool import without_events

from ..errors import InputError, InputWarning, blaming
from ..read.collect import Collected
from ..read.packing.blocks import ALIGNMENT, Frame, Name, aligned
from ..read.packing.packing import fill, typical_weights
from .checksum import is_intact, quick_sum
from .folder import is_ours, part_folder, read_manifest, remove, write_manifest
from .key import FORMAT, digest

# beside the samples of a cache
FOLDER = "shards"
SHARD_BYTES = 128 * 2**20
PARTS = ("train", "held_out")


@dataclasses.dataclass(frozen=True)
class Store:
    """Both halves of the events of an analysis, as shards that all have one shape and share a compiled program.

    Attributes
    ----------
    folder
        Where it is.
    manifest
        What it is: ``key``, ``created``, ``blocks`` (of a shard), ``frame`` (what blocks have in common), and for
        each half the typical weights, the number of events and the files with their checksums.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Return the store in a folder.

        Raises `InputError` when the folder is no store, or one of another version, or damaged.
        """
        store = cls(folder, read_manifest(folder, "store of shards"))
        with blaming(f"the manifest in {folder} does not tell what a store of shards is"):
            store._check()
        return store

    def _check(self) -> None:
        """Raise unless every field of the manifest is what `stored` writes."""
        room, halves = _room(self.frame, self.manifest["blocks"]), self.manifest["halves"]
        if room <= 0 or len(halves) != len(PARTS) or not isinstance(self.manifest["created"], str):
            raise ValueError("it has no room, not two halves, or no time")
        for part, half in zip(PARTS, halves, strict=True):
            if np.shape(np.array(half["typical_weight"], float)) != (len(self.frame.processes),):
                raise ValueError("a process has no typical weight")
            names = [f"{part}-{number:05}.bin" for number in range(len(half["shards"]))]
            if names != [shard["file"] for shard in half["shards"]] or type(half["events"]) is not int:
                raise ValueError("its files have other names")

    def check_content(self) -> None:
        """Read all files, as quickly as memory allows.

        Raises `InputError` when one does not hold what was written.
        """
        size = _room(self.frame, self.manifest["blocks"])
        for shard in itertools.chain.from_iterable(half["shards"] for half in self.manifest["halves"]):
            path = self.folder / shard["file"]
            if not is_intact(_mapped(path, size), shard):
                raise InputError(f"{path} does not hold what was written")

    @property
    def sample(self) -> str:
        """What is in it."""
        return "shards of " + ", ".join(self.manifest["frame"]["processes"])

    @property
    def events(self) -> int:
        """How many events it has."""
        return sum(half["events"] for half in self.manifest["halves"])

    @property
    def bytes(self) -> int:
        """How much room its files take."""
        return sum(file.stat().st_size for file in self.folder.iterdir())

    @property
    def frame(self) -> Frame:
        """What the blocks have in common."""
        about = self.manifest["frame"]
        types = {(name, field): np.dtype(dtype) for name, field, dtype in about["types"]}
        return Frame(about["events"], types, about["objects"], about["longest"], tuple(about["processes"]))

    def half(self, number: int) -> StoredShards:
        """Return the shards of a half.

        0 are training events, 1 those that are held out.
        """
        about = self.manifest["halves"][number]
        files = [self.folder / shard["file"] for shard in about["shards"]]
        return StoredShards(files, self.manifest["blocks"], self.frame, np.array(about["typical_weight"]))

    def faults(self) -> list[str]:
        """Return what is wrong with the files, having read all of them; nothing when they are as they were written."""
        wrong = []
        for shard in itertools.chain.from_iterable(half["shards"] for half in self.manifest["halves"]):
            path = self.folder / shard["file"]
            try:
                with path.open("rb") as stream:
                    found = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                wrong.append(f"{path} cannot be read: {error}")
                continue
            if found != shard["sha256"]:
                wrong.append(f"{path} does not hold what was written")
        return wrong


@dataclasses.dataclass(frozen=True, eq=False)
class StoredShards(Sequence[Dataset]):
    """Shards in files, each mapped into memory when it is asked for.

    There is one of the ``files`` for each shard, ``blocks`` is how many a shard has, and the typical weights, shape
    (processes,), are those of all shards together.
    """

    files: Sequence[Path]
    blocks: int
    frame: Frame
    typical_weight: np.ndarray

    @property
    def about(self) -> Dataset:
        """The processes and the typical weights, without events."""
        return without_events(self.frame.processes, self.typical_weight)

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> Dataset: ...
    @overload
    def __getitem__(self, index: slice) -> StoredShards: ...
    def __getitem__(self, index: int | slice) -> Dataset | StoredShards:
        """Return a shard, whose numbers the system begins to read, or some of the shards."""
        if isinstance(index, slice):
            return dataclasses.replace(self, files=self.files[index])
        buffer = _mapped(self.files[index], _room(self.frame, self.blocks))
        return self.frame.dataset(_arrays(self.frame, self.blocks, buffer), self.typical_weight)


def stored(
    collected: Collected, folder: Path, *, block_size: int | None = None, shard_bytes: int = SHARD_BYTES
) -> Store:
    """Return the shards of events, which are made if the cache does not have them.

    Events are best memory-mapped; while shards are made one at a time is in memory. A block has about ``block_size``
    events, by default what suits the device; a shard has at most ``shard_bytes`` (a single block may be larger). Warns
    with `InputWarning` when the shards that are there are damaged; they are made anew.
    """
    key = {
        "format": FORMAT,
        # shards of samples whose identity is not known are never found again
        "samples": [key or uuid.uuid4().hex for key in collected.keys],
        "strands": [[(s.process, s.scale, s.events) for s in half] for half in collected.halves],
        "columns": [list(place) for place in collected.places],
        "processes": list(collected.processes),
        "block_size": block_size or default_block_size(),
        "shard_bytes": shard_bytes,
        # integers of 64 bits are kept where they are enabled
        "precision": jnp.result_type(float).name,
    }
    if (folder / FOLDER).is_symlink():
        raise InputError(f"{folder / FOLDER} is a link, through which nothing is written; make it a folder")
    place = folder / FOLDER / digest(key)
    if place.exists() or place.is_symlink():
        try:
            store = Store.open(place)
            store.check_content()
            return store
        except InputError as error:
            if not is_ours(place):
                raise InputError(f"{place} is in the way, and hepgrad did not write it; move it away") from error
            warnings.warn(f"{error}; it is made again", InputWarning, stacklevel=2)
            remove(place)
    with part_folder(place.parent, place.name) as part:
        _write(part, key, collected, block_size, shard_bytes)
        try:
            part.rename(place)
        except OSError:
            # another process was quicker; what it wrote is the same
            if not place.exists():
                raise
    return Store.open(place)


def _write(folder: Path, key: Any, collected: Collected, block_size: int | None, shard_bytes: int) -> None:
    shape, frame = collected.framed(block_size)
    shards = -(-shape.blocks // max(1, shard_bytes // _room(frame, 1)))
    each = -(-shape.blocks // shards)
    shape, frame = collected.framed(block_size, multiple_of=each)
    buffer = aligned((1, _room(frame, each)), np.uint8)[0]
    buffer[:] = 0
    arrays = _arrays(frame, each, buffer)
    halves = []
    for part, strands in zip(PARTS, collected.halves, strict=True):
        written = []
        for shard in range(shape.blocks // each):
            fill(frame, strands, shape.blocks, range(shard * each, (shard + 1) * each), arrays)
            file = f"{part}-{shard:05}.bin"
            (folder / file).write_bytes(buffer.data)
            written.append({"file": file, "sha256": hashlib.sha256(buffer.data).hexdigest(), "sum": quick_sum(buffer)})
        typical = typical_weights(strands, len(frame.processes)).tolist()
        events = sum(strand.events for strand in strands)
        halves.append({"typical_weight": typical, "events": events, "shards": written})
    manifest = {
        "key": key,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "blocks": each,
        "frame": {
            "events": frame.events,
            "types": [[*place, dtype.str] for place, dtype in frame.types.items()],
            "objects": frame.objects,
            "longest": frame.longest,
            "processes": list(frame.processes),
        },
        "halves": halves,
    }
    write_manifest(folder, manifest)


def _layout(frame: Frame, blocks: int) -> dict[Name, tuple[int, int, tuple[int, int], np.dtype]]:
    """Return begin and end in a file, shape and type of each array."""
    found, begin = {}, 0
    for name, (shape, dtype) in frame.arrays(blocks).items():
        end = begin + math.prod(shape) * dtype.itemsize
        found[name] = begin, end, shape, dtype
        begin = -(-end // ALIGNMENT) * ALIGNMENT
    return found


def _room(frame: Frame, blocks: int) -> int:
    """Return the size of a file in bytes."""
    return max(end for _, end, _, _ in _layout(frame, blocks).values())


def _arrays(frame: Frame, blocks: int, buffer: np.ndarray) -> dict[Name, np.ndarray]:
    layout = _layout(frame, blocks).items()
    return {name: buffer[begin:end].view(dtype).reshape(shape) for name, (begin, end, shape, dtype) in layout}


def _mapped(path: Path, size: int) -> np.ndarray:
    try:
        with path.open("rb") as file:
            found = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if len(found) != size:
        raise InputError(f"{path}: expected {size} bytes, it has {len(found)}")
    if hasattr(mmap, "MADV_WILLNEED"):
        # it is read while the shard before it is computed
        found.madvise(mmap.MADV_WILLNEED)
    return np.frombuffer(found, np.uint8)
