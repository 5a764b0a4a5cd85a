"""Entries: one sample in the cache, as a folder that is there in full or not at all."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import blaming
from ..read.packing.columns import Columns, Place
from ..read.reader import HALVES, StoredSample
from ..read.trust.totals import Totals
from .folder import read_manifest, write_manifest
from .shard import EVENTS, OFFSETS, ShardWriter, check_shard, file_name, is_described, open_shard


@dataclasses.dataclass(frozen=True)
class Entry:
    """A sample in the cache.

    Attributes
    ----------
    folder
        Where it is.
    manifest
        What it is: ``key``, ``sample``, ``created``, ``columns``, ``read`` (`Totals` before the skim), and for each
        half its shards with their files, number of items, types and checksums.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Entry:
        """Return the entry in a folder.

        Parameters
        ----------
        folder
            Where it is.

        Raises
        ------
        InputError
            When the folder is no entry, or one of another version, or its manifest is damaged.
        """
        manifest = read_manifest(folder, "entry of the cache")
        with blaming(f"the manifest in {folder} does not tell what an entry of the cache is"):
            _check(manifest)
        return cls(folder, manifest)

    @property
    def sample(self) -> str:
        """The name of the sample it was read for."""
        return str(self.manifest["sample"])

    @property
    def events(self) -> int:
        """How many events it has."""
        return sum(shard["events"] for shards in self.manifest["halves"] for shard in shards)

    @property
    def bytes(self) -> int:
        """How much room its files take."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def load(self) -> StoredSample:
        """Return the sample, memory-mapped.

        Raises
        ------
        InputError
            When files are missing or are not what they should be.
        """
        places = {file_name(place): place for place in self._places()}
        even, odd = (
            [open_shard(self.folder / str(half) / shard["folder"], shard, places) for shard in shards]
            for half, shards in enumerate(self.manifest["halves"])
        )
        return StoredSample((even, odd), Totals.from_json(self.manifest["read"]), key=self.manifest["key"])

    def faults(self) -> list[str]:
        """Return what is wrong with the files, having read all of them; nothing when they are as they were written."""
        return [
            fault
            for half, shards in enumerate(self.manifest["halves"])
            for shard in shards
            for fault in check_shard(self.folder / str(half) / shard["folder"], shard)
        ]

    def _places(self) -> list[Place]:
        return [(name, field) for name, field in self.manifest["columns"]]


def _check(manifest: Mapping[str, Any]) -> None:
    """Raise unless every field of a manifest is what `EntryWriter.finish` writes."""
    key, columns, halves = (manifest[name] for name in ("key", "columns", "halves"))
    texts = [manifest["sample"], manifest["created"], *(part for place in columns for part in place)]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a name or a time is of another type")
    read = Totals.from_json(manifest["read"])
    counts = [*read.halves, *(number for file in read.files for number in (file.events, file.negative))]
    if len(read.halves) != HALVES or not all(type(number) is int for number in counts):
        raise TypeError("a number of events is of another type")
    if not isinstance(key["files"], list) or len(halves) != HALVES:
        raise ValueError("it has no files, or not two halves")
    known = {file_name((name, part)) for name, field in columns for part in (field, OFFSETS)}
    for number, shard in enumerate(shard for half in halves for shard in half):
        if not is_described(shard, known):
            raise ValueError(f"shard {number} is described by something else")


class EntryWriter:
    """Writes an entry into a folder beside its place.

    ``events`` is the room in a shard.
    """

    def __init__(self, folder: Path, *, events: int = EVENTS) -> None:
        self.folder, self._room = folder, events
        self._writers: list[ShardWriter | None] = [None] * HALVES
        self._shards: list[list[dict[str, Any]]] = [[] for _ in range(HALVES)]
        self._columns: list[Place] = []

    def append(self, halves: tuple[Columns, Columns]) -> None:
        """Write a chunk of each half.

        Halves are events with an even and with an odd index.
        """
        for half, columns in enumerate(halves):
            self._columns = list(columns.values)
            written = 0
            while written < columns.events:
                writer = self._writers[half] or self._next(half)
                taken = writer.append(columns.between(written, columns.events))
                written += taken
                if written < columns.events:
                    self._close(half)

    def _next(self, half: int) -> ShardWriter:
        writer = ShardWriter(self.folder / str(half) / f"{len(self._shards[half]):05}", events=self._room)
        self._writers[half] = writer
        return writer

    def _close(self, half: int) -> None:
        if (writer := self._writers[half]) is not None:
            self._shards[half].append(writer.close())
            self._writers[half] = None

    def close(self) -> None:
        """Close what is open, when the entry will not be finished."""
        for writer in self._writers:
            if writer is not None:
                writer.abandon()

    def finish(self, key: Any, sample: str, read: Totals) -> Entry:
        """Complete all files, write the manifest, and return the entry, still in its temporary place.

        ``read`` is what was read, before the skim.
        """
        for half in range(HALVES):
            self._close(half)
        manifest = {
            "key": key,
            "sample": sample,
            "read": read.as_json(),
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "columns": [list(place) for place in self._columns],
            "halves": self._shards,
        }
        write_manifest(self.folder, manifest)
        # as JSON gives it back
        return Entry(self.folder, json.loads(json.dumps(manifest)))
