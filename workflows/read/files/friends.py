"""Friends: files with further columns of the same events, row by row, such as scores that were computed before."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import awkward as ak
import numpy as np

from ...errors import InputError
from ..layout import Layout
from .paths import is_remote
from .tree import TREE_CLASSES, opened_file

# what tells events apart, compared with the events of the file where a friend has it
IDENTITY = ("run", "luminosityBlock", "event", "runNumber", "lumiBlock", "eventNumber")
FORMATS = "a ROOT file (.root), Parquet (.parquet), or NumPy arrays with names (.npz, or .npy with fields)"


@dataclasses.dataclass(frozen=True, eq=False)
class Friends:
    """The columns that friends of a file have, of those that are read.

    Attributes
    ----------
    path
        The file.
    columns
        By branch, all of its values.
    sources
        By branch, the friend that has it.
    """

    path: str
    columns: Mapping[str, ak.Array]
    sources: Mapping[str, str]

    @classmethod
    def of(cls, path: str, friends: Sequence[str], columns: Sequence[str], *, tree: str, layout: Layout) -> Friends:
        """Return what friends of a file have of some columns.

        They have them by the names that stages read, or by those of the branches. Raises `InputError` when a friend
        cannot be read, has none of the columns, or two have the same.
        """
        found: dict[str, ak.Array] = {}
        sources: dict[str, str] = {}
        names = {name: layout.branch(column) for column in columns for name in (layout.branch(column), column)}
        for friend in friends:
            every, table = _table(friend, tree, {*names, *IDENTITY})
            there = [name for name in names if name in table]
            if not there:
                shown = ", ".join(sorted(every)) or "none"
                raise InputError(f"{friend}, a friend of {path}, has no column that is read; it has {shown}")
            for name in (*there, *(name for name in IDENTITY if name in table and name not in names)):
                branch = names.get(name, name)
                if name in names and branch in found and branch not in IDENTITY:
                    raise InputError(f"{friend} and {sources[branch]}, friends of {path}, both have {name!r}; keep one")
                found[branch], sources[branch] = table[name], friend
        return cls(path, found, sources)

    def without(self, branches: Sequence[str]) -> list[str]:
        """Return the branches that the file itself has to have."""
        return [branch for branch in branches if branch not in self.columns or branch in IDENTITY]

    def beside(self, chunks: Iterable[ak.Array]) -> Iterator[ak.Array]:
        """Yield the chunks of the file with the columns of its friends.

        Raises `InputError` when a friend has more or fewer rows than the file, or tells other events.
        """
        if not self.columns:
            yield from chunks
            return
        done = 0
        for entries in chunks:
            stop = done + len(entries)
            for branch, values in self.columns.items():
                part = values[done:stop]
                if len(part) < len(entries):
                    raise self._wrong(branch, f"{len(values)} rows, and there are more events in the file")
                if branch in IDENTITY and branch in entries.fields:
                    differs = np.flatnonzero(ak.to_numpy(entries[branch]) != ak.to_numpy(part))
                    if len(differs):
                        row = int(differs[0])
                        raise self._wrong(
                            branch,
                            f"{branch} {part[row]} in row {done + row}, where the file has {entries[branch][row]}: its "
                            "rows are other events, or in another order",
                        )
                    continue
                entries = ak.with_field(entries, part, branch)
            yield entries
            done = stop
        for branch, values in self.columns.items():
            if len(values) != done:
                raise self._wrong(branch, f"{len(values)} rows, and there are {done} events in the file")

    def _wrong(self, branch: str, what: str) -> InputError:
        return InputError(
            f"{self.sources[branch]}, a friend of {self.path}, has {what}; one row for each event is needed"
        )


Table: TypeAlias = tuple[Collection[str], Mapping[str, ak.Array]]


def _table(friend: str, tree: str, wanted: Collection[str]) -> Table:
    """Return the names of all columns of a friend, and those that are wanted."""
    suffix = Path(friend.partition("?")[0]).suffix.lower()
    readers = {".root": _root, ".parquet": _parquet, ".npz": _numpy, ".npy": _numpy}
    if suffix not in readers:
        raise InputError(f"{friend}: a friend is {FORMATS}, not {suffix or 'a file without a suffix'}")
    if not is_remote(friend) and not Path(friend).exists():
        raise InputError(f"there is no file {friend}, which is to have further columns of events")
    try:
        return readers[suffix](friend, tree, wanted)
    except InputError:
        raise
    except ImportError as error:
        raise InputError(f"{friend} cannot be read: {error}; install hepgrad with its extra `parquet`") from error
    except Exception as error:  # damaged bytes surface as almost any exception
        raise InputError(f"{friend} cannot be read: {type(error).__name__}: {error}") from error


def _root(friend: str, tree: str, wanted: Collection[str]) -> Table:
    with opened_file(friend) as file:
        trees = [name for name, kind in file.classnames(cycle=False).items() if kind in TREE_CLASSES]
        name = tree if tree in trees else trees[0] if len(trees) == 1 else None
        if name is None:
            raise InputError(f"{friend}: expected a tree {tree!r}, or only one; it has {', '.join(trees) or 'none'}")
        every = [str(key) for key in file[name].keys()]  # noqa: SIM118  # a tree is no mapping
        return every, {key: file[name][key].array(library="ak") for key in every if key in wanted}


def _parquet(friend: str, tree: str, wanted: Collection[str]) -> Table:
    every = ak.metadata_from_parquet(friend)["columns"]
    # lists are told with what stands for their items
    every = list(dict.fromkeys(name.partition(".")[0] for name in every))
    here = [name for name in every if name in wanted]
    rows = ak.from_parquet(friend, columns=here) if here else ak.Array([])
    # Parquet has a place for missing values, also where none are missing
    return every, {name: ak.drop_none(rows[name], axis=0) for name in here}


def _numpy(friend: str, tree: str, wanted: Collection[str]) -> Table:
    stored = np.load(friend, allow_pickle=False)
    if isinstance(stored, np.ndarray):
        if stored.dtype.names is None:
            raise InputError(f"{friend} holds an array without names; save it as .npz: np.savez(path, score=array)")
        every = stored.dtype.names
        return every, {name: ak.Array(np.ascontiguousarray(stored[name])) for name in every if name in wanted}
    with stored:
        return stored.files, {name: ak.Array(stored[name]) for name in stored.files if name in wanted}
