"""The cache: a folder of samples that were read before."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import re
import shutil
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from ..errors import InputError, InputWarning
from ..read.reader import Request, SampleReader, StoredSample
from ..read.sample import Sample
from .entry import PART, Entry, EntryWriter, part_folder
from .key import DIGITS, digest, key_of
from .store import FOLDER, Store

Kept = TypeVar("Kept", Entry, Store)

_INCOMPLETE = re.compile(rf"\.[0-9a-f]{{{DIGITS}}}\.(?P<process>\d+)@(?P<host>.*){re.escape(PART)}")


# a process of another host that wrote nothing for so many seconds is taken for dead
PATIENCE = 86_400.0


@dataclasses.dataclass(frozen=True)
class Cache:
    """Keeps the columns of samples, so that the next run need not read their files.

    A sample is taken from the cache when its files (by path, size, and time of the last change or what a server tells
    instead), its columns, its weights, the layout, the source code of what it keeps and of the skim, and the version of
    hepgrad are those it was written with. Luminosity, cross-sections, processes, block size and cut values may change
    freely. An entry appears all at once: it is written under another name, which ends in ``.part``, and then moved. A
    sample of which bad files were skipped is not kept.

    Attributes
    ----------
    folder
        Is created when something is written.

    Examples
    --------
    >>> import numpy as np, uproot
    >>> from pathlib import Path
    >>> from hepgrad.workflows import Sample
    >>> from hepgrad.workflows.cache import Cache
    >>> from hepgrad.workflows.read.reader import Request
    >>> with uproot.recreate("cached.root") as file:
    ...     file.mktree("Events", {"MET_pt": np.float32}).extend({"MET_pt": np.float32([10, 20, 30])})
    >>> sample = Sample("data", ("cached.root",), Path("fileset.json"), weight="")
    >>> cache = Cache(Path("example-cache"))
    >>> even, odd = cache.read(sample, Request(("MET_pt",))).halves
    >>> even[0].values["MET", "pt"].tolist(), odd[0].values["MET", "pt"].tolist()
    ([10.0, 30.0], [20.0])
    >>> [(entry.sample, entry.events) for entry in cache.entries()]
    [('data', 3)]
    >>> cache.clear()
    1
    """

    folder: Path

    def read(self, sample: Sample, request: Request) -> StoredSample:
        """Return a sample, memory-mapped: from the cache if it is there, else from its files by way of the cache.

        Parameters
        ----------
        sample
            What to read.
        request
            What of it.

        Raises
        ------
        InputError
            As `hepgrad.workflows.load` does for files; when the cache cannot be written.

        Warns
        -----
        InputWarning
            When an entry is damaged (it is made anew), and when a sample cannot be kept.
        """
        key = key_of(sample, request)
        # without a key the sample is read all the same, which tells what is wrong with its files
        name = digest(key or [*sample.files])
        place = self.folder / name
        if key and place.exists():
            try:
                return Entry.open(place).load()
            except InputError as error:
                warnings.warn(f"{error}; it is read again from its files", InputWarning, stacklevel=2)
                shutil.rmtree(place)
        reader = SampleReader(sample, request)
        with (
            _writable(self.folder),
            part_folder(self.folder, name) as folder,
            contextlib.closing(EntryWriter(folder)) as writer,
        ):
            for halves in reader:
                writer.append(halves)
            if key is not None and not reader.bad and key_of(sample, request) != key:
                raise InputError(
                    f"sample {sample.name!r}: a file changed while it was read; read it again when nobody writes to it"
                )
            entry = writer.finish(key, sample.name, reader.totals)
            if key is None and not reader.bad:
                warnings.warn(
                    f"sample {sample.name!r} is not kept in the cache: a server tells nothing by which a change of its "
                    "files would be noticed",
                    InputWarning,
                    stacklevel=2,
                )
            if key is None or reader.bad:
                # maps of files outlive their names
                return dataclasses.replace(entry.load(), fraction=reader.fraction, key=None)
            try:
                entry.folder.rename(place)
            except OSError:
                # another process was quicker; what it wrote is the same
                if not place.exists():
                    raise
            return Entry.open(place).load()

    def entries(self) -> list[Entry]:
        """Return the complete entries, the oldest first; those that are damaged are among `incomplete`."""
        found = [entry for folder in self._folders() if (entry := _opened(folder, Entry)) is not None]
        return sorted(found, key=lambda entry: str(entry.manifest["created"]))

    def stores(self) -> list[Store]:
        """Return the complete stores of shards that were made of entries (`OutOfCore`), the oldest first."""
        found = [store for folder in self._folders(FOLDER) if (store := _opened(folder, Store)) is not None]
        return sorted(found, key=lambda store: str(store.manifest["created"]))

    def incomplete(self) -> list[Path]:
        """Return what interrupted runs left behind (not what is being written), and what is damaged."""
        inside = [*self._inside(), *self._inside(FOLDER)]
        parts = [(folder, _INCOMPLETE.fullmatch(folder.name)) for folder in inside]
        left = [folder for folder, found in parts if found and not _alive(folder, found["process"], found["host"])]
        damaged = [folder for folder in self._folders() if _opened(folder, Entry) is None]
        return left + damaged + [folder for folder in self._folders(FOLDER) if _opened(folder, Store) is None]

    def clear(self, *, only_incomplete: bool = False) -> int:
        """Remove entries and stores, and nothing else that may be in the folder; return how many there were.

        Parameters
        ----------
        only_incomplete
            Keep the complete ones.
        """
        chosen = self.incomplete()
        if not only_incomplete:
            chosen += [entry.folder for entry in self.entries()] + [store.folder for store in self.stores()]
        for folder in chosen:
            shutil.rmtree(folder)
        return len(chosen)

    def _inside(self, where: str = "") -> list[Path]:
        folder = self.folder / where
        return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

    def _folders(self, where: str = "") -> list[Path]:
        return [path for path in self._inside(where) if re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", path.name)]


def _opened(folder: Path, kind: type[Kept]) -> Kept | None:
    try:
        return kind.open(folder)
    except InputError:
        return None


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"the cache {folder} cannot be written: {error}") from error


def _alive(folder: Path, process: str, host: str) -> bool:
    """Return whether the process that writes a folder runs, or, on another host, may run."""
    if host != quote(platform.node()):
        return time.time() - max(path.stat().st_mtime for path in (folder, *folder.rglob("*"))) < PATIENCE
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
