"""The cache: a folder of samples that were read before."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from ..errors import InputError, InputWarning
from ..read.reader import Request, SampleReader, StoredSample
from ..read.sample import Sample
from .entry import Entry, EntryWriter
from .folder import MARKER, is_left_over, is_ours, part_folder, remove
from .key import DIGITS, digest, key_of
from .store import FOLDER, Store

Kept = TypeVar("Kept", Entry, Store)


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
        if key and (place.exists() or place.is_symlink()):
            try:
                return Entry.open(place).load()
            except InputError as error:
                if not is_ours(place):
                    raise InputError(
                        f"{place} is in the way of the cache, and hepgrad did not write it (it has no {MARKER}); move "
                        "it away, or choose another folder with --cache"
                    ) from error
                warnings.warn(f"{error}; it is read again from its files", InputWarning, stacklevel=2)
                with _writable(self.folder):
                    remove(place)
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
        """Return what interrupted runs left behind (not what is being written), and what of ours is damaged."""
        damaged = [folder for folder in self._folders() if is_ours(folder) and _opened(folder, Entry) is None]
        shards = [folder for folder in self._folders(FOLDER) if is_ours(folder) and _opened(folder, Store) is None]
        return [*self._left_over(), *damaged, *shards]

    def unknown(self) -> list[Path]:
        """Return what looks like entries and stores, but is not known to be ours: nothing ever removes them."""
        every = [*self._inside(links=True), *self._inside(FOLDER, links=True)]
        return [folder for folder in every if _is_name(folder) and not is_ours(folder)]

    def tidy(self) -> None:
        """Remove what interrupted runs left behind."""
        for folder in self._left_over():
            with contextlib.suppress(OSError):  # another process may be at it
                remove(folder)

    def removable(self, *, only_incomplete: bool = False) -> list[Path]:
        """Return what `clear` would remove; removes nothing.

        Parameters
        ----------
        only_incomplete
            Without the complete entries and stores.
        """
        folders = self.incomplete()
        if not only_incomplete:
            folders += [entry.folder for entry in self.entries()] + [store.folder for store in self.stores()]
        return folders

    def clear(self, *, only_incomplete: bool = False) -> int:
        """Remove entries and stores, and nothing else that may be in the folder; return how many there were.

        Whatever does not carry the marker of hepgrad stays, and so does what links lead to.

        Parameters
        ----------
        only_incomplete
            Keep the complete ones.
        """
        folders = self.removable(only_incomplete=only_incomplete)
        for folder in folders:
            remove(folder)
        return len(folders)

    def _inside(self, where: str = "", *, links: bool = False) -> list[Path]:
        folder = self.folder / where
        if (where and folder.is_symlink()) or not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.is_dir() and (links or not path.is_symlink()))

    def _folders(self, where: str = "") -> list[Path]:
        return [path for path in self._inside(where) if _is_name(path)]

    def _left_over(self) -> list[Path]:
        return [folder for folder in (*self._inside(), *self._inside(FOLDER)) if is_left_over(folder)]


def _is_name(folder: Path) -> bool:
    return re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", folder.name) is not None


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
        raise InputError(
            f"the cache {folder} cannot be written: {error.strerror or error}; choose another folder with --cache, or "
            "run without one"
        ) from error
