"""Shards: up to four million events as one folder of ``.npy`` files, one for each column, with local offsets."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import numpy as np

from ..errors import InputError, blaming
from ..read.packing.columns import Columns, Place
from .checksum import is_intact, quick_sum

EVENTS = 2**22
# offsets are 32-bit integers
OBJECTS = 2**31 - 1
OFFSETS = "offsets"


class ShardWriter:
    """Writes the columns of events, chunk by chunk, while no more than one chunk is in memory.

    There is room for so many ``events``.
    """

    def __init__(self, folder: Path, *, events: int = EVENTS) -> None:
        folder.mkdir(parents=True)
        self._folder, self._room = folder, events
        self._events = 0
        self._ends: dict[str, int] = {}
        self._files: dict[str, _Growing] = {}
        self._open = contextlib.ExitStack()

    def append(self, columns: Columns) -> int:
        """Write as many events as there is room for, and return how many these are.

        Columns are the same, of the same types, as those before; there is no room for others.
        """
        types = {file_name(place): values.dtype.str for place, values in columns.values.items()}
        if self._files and types != {name: file.dtype.str for name, file in self._files.items() if not file.offsets}:
            return 0
        fitting = min(columns.events, self._room - self._events)
        for name, offsets in columns.offsets.items():
            left = OBJECTS - self._ends.setdefault(name, 0)
            fitting = min(fitting, int(np.searchsorted(offsets, left, side="right")) - 1)
        piece = columns.between(0, fitting)
        for place, values in piece.values.items():
            self._file(file_name(place), values.dtype).append(values)
        for name, offsets in piece.offsets.items():
            file = self._file(file_name((name, OFFSETS)), np.dtype(np.int32), offsets=True)
            if not self._events:
                file.append(np.zeros(1, np.int32))
            file.append((offsets[1:] + self._ends[name]).astype(np.int32))
            self._ends[name] += int(offsets[-1])
        self._events += fitting
        return fitting

    def _file(self, name: str, dtype: np.dtype, *, offsets: bool = False) -> _Growing:
        if name not in self._files:
            stream = self._open.enter_context((self._folder / name).open("wb"))
            self._files[name] = _Growing(stream, dtype, offsets=offsets)
        return self._files[name]

    def abandon(self) -> None:
        """Close the files as they are."""
        self._open.close()

    def close(self) -> dict[str, Any]:
        """Complete the files, and return what describes them, as JSON can hold it."""
        with self._open:
            files = {name: file.finish() for name, file in self._files.items()}
        for name, about in files.items():
            about["sum"] = quick_sum(_mapped(self._folder / name, about))
        return {"folder": self._folder.name, "events": self._events, "files": files}


class _Growing:
    """A ``.npy`` file whose length is written when it is known."""

    def __init__(self, stream: BinaryIO, dtype: np.dtype, *, offsets: bool) -> None:
        self._stream, self.dtype, self.offsets = stream, dtype, offsets
        self._items, self._hash = 0, hashlib.sha256()
        self._write_header()

    def _write_header(self) -> None:
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self._items,)}
        # numpy leaves room for the shape to grow, and aligns what follows to 64 bytes
        np.lib.format.write_array_header_1_0(self._stream, header)

    def append(self, values: np.ndarray) -> None:
        buffer = np.ascontiguousarray(values).view(np.uint8).data
        self._stream.write(buffer)
        self._hash.update(buffer)
        self._items += len(values)

    def finish(self) -> dict[str, Any]:
        self._stream.seek(0)
        self._write_header()
        return {"items": self._items, "dtype": self.dtype.str, "sha256": self._hash.hexdigest()}


def open_shard(folder: Path, described: Mapping[str, Any], places: Mapping[str, Place]) -> Columns:
    """Return the columns of a shard, memory-mapped.

    ``described`` is as `ShardWriter.close` returned it; places are by name of a file. Raises `InputError` when a file
    is missing, is not what it should be, or does not hold what was written.
    """
    arrays = {name: _mapped(folder / name, about) for name, about in described["files"].items()}
    for name, array in arrays.items():
        # the pages that this touches are read next in any case
        if not is_intact(array, described["files"][name]):
            raise InputError(f"{folder / name} does not hold what was written")
    values = {places[name]: array for name, array in arrays.items() if name in places}
    lists = {places[name][0] for name in places}
    offsets = {name: arrays[file] for name in lists if (file := file_name((name, OFFSETS))) in arrays}
    return Columns(described["events"], values, offsets)


def is_described(described: Any, names: Collection[str]) -> bool:
    """Return whether something is what `ShardWriter.close` returns."""
    match described:
        case {"folder": str(folder), "events": int(events), "files": dict(files)}:
            numbered = folder.isascii() and folder.isdecimal()
            return numbered and events >= 0 and set(files) <= set(names) and all(map(_is_file, files.values()))
    return False


def _is_file(about: Any) -> bool:
    match about:
        case {"items": int(items), "dtype": str(), "sha256": str()}:
            return items >= 0
    return False


def check_shard(folder: Path, described: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the files of a shard, having read all of them; nothing when they are as written.

    ``described`` is as `ShardWriter.close` returned it.
    """
    wrong = []
    for name, about in described["files"].items():
        try:
            array = _mapped(folder / name, about)
        except InputError as error:
            wrong.append(str(error))
            continue
        if hashlib.sha256(array.view(np.uint8).data).hexdigest() != about["sha256"]:
            wrong.append(f"{folder / name} does not hold what was written")
    return wrong


def file_name(place: Place) -> str:
    """Return the name of the file of a column, such as ``Jet.pt.npy``.

    Examples
    --------
    >>> from hepgrad.workflows.cache.shard import file_name
    >>> file_name(("Jet", "pt")), file_name(("genWeight", "")), file_name(("a/b", ""))
    ('Jet.pt.npy', 'genWeight.npy', 'a%2Fb.npy')
    """
    return ".".join([quote(part, safe="") for part in place if part] + ["npy"])


def _mapped(path: Path, about: Mapping[str, Any]) -> np.ndarray:
    # a damaged header makes numpy's parser raise anything
    with blaming(f"{path} cannot be read"):
        if not path.is_file():
            raise FileNotFoundError("it is not there, or not a file")
        # an empty file cannot be mapped
        array = np.load(path, mmap_mode="r" if about["items"] else None, allow_pickle=False)
    if array.shape != (about["items"],) or array.dtype.str != about["dtype"]:
        raise InputError(
            f"{path}: expected {about['items']} numbers of type {about['dtype']}, it has {array.shape} of type "
            f"{array.dtype.str}"
        )
    # a plain array that shares the map's memory: quicker to slice
    return np.asarray(array)
