"""Events from ROOT files as records: ``Jet_pt`` becomes ``events.Jet.pt``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import awkward as ak
import numpy as np

from ..errors import InputError
from .files.friends import IDENTITY, Friends
from .files.paths import PathLike, check_distinct, expanded, is_remote
from .files.tree import CHUNK, iterate_tree
from .layout import NANOAOD, Layout
from .trust.kinds import Kinds

# more entries than any file has
WHOLE = 2**62


def read_events(
    path: PathLike | Sequence[PathLike],
    branches: Sequence[str],
    *,
    tree: str = "Events",
    layout: Layout = NANOAOD,
    friends: Sequence[Sequence[PathLike]] = (),
) -> ak.Array:
    """Read some columns of one file, or of several that belong together.

    Columns that share the part of their name before the first underscore form one field: a collection (lists of
    records) when they hold one list per event, a record when they hold one number per event. A column without an
    underscore stays by itself, such as the counter ``nJet``. Other layouts of files than NanoAOD's are described by
    `Layout`. Numbers keep the type they have in the file.

    Objects stay in the order of the file, whatever it is, so that columns with positions (``Muon_jetIdx``) point at
    what they are meant to. `hepgrad.analysis.Objects` finds the leading object all the same.

    Parameters
    ----------
    path
        Path, glob or URL of a ROOT file, or several of them.
    branches
        Names of the columns; no others are read.
    tree
        Name of the TTree or RNTuple.
    layout
        How the file calls the columns, and which of them form a field.
    friends
        For each file, others with further columns of the same events, row by row: ROOT, Parquet, ``.npz``, or ``.npy``
        with fields.

    Returns
    -------
    ak.Array
        One record per event.

    Raises
    ------
    InputError
        When a file is missing, truncated or damaged, or not a ROOT file; when it has no such tree or lacks branches
        (lists those that are there, most similar first); when there are no events; when branches of one collection
        disagree on the number of objects; when a file is there twice, or files hold columns of different types.

    Examples
    --------
    >>> import numpy as np, uproot
    >>> from hepgrad.workflows import FLAT, read_events
    >>> with uproot.recreate("example.root") as file:
    ...     tree = file.mktree("Events", {"MET_pt": np.float32, "genWeight": np.float32})
    ...     tree.extend({"MET_pt": np.float32([10, 20]), "genWeight": np.float32([1, 1])})
    >>> events = read_events("example.root", ["MET_pt", "genWeight"])
    >>> events.MET.pt.tolist(), events.fields
    ([10.0, 20.0], ['MET', 'genWeight'])
    >>> read_events("example.root", ["MET_pt"], layout=FLAT).fields
    ['MET_pt']
    """
    paths, chunks, kinds = expanded(path), [], Kinds()
    check_distinct(paths, "the list of files")
    if friends and len(friends) != len(paths):
        raise InputError(f"there are friends of {len(friends)} files, and {len(paths)} files; give those of each")
    for index, file in enumerate(paths):
        # all is to be in memory anyway; in chunks a server need not deliver twice what came through
        chunk = CHUNK if is_remote(file) else WHOLE
        beside = [str(friend) for friend in friends[index]] if friends else []
        for events in iterate_events(file, branches, tree=tree, layout=layout, chunk=chunk, friends=beside):
            kinds.check(file, events)
            chunks.append(events)
    if not chunks:
        raise InputError(f"{', '.join(paths)}: tree {tree!r} has no events; leave out what is empty")
    return ak.concatenate(chunks) if len(chunks) > 1 else chunks[0]


def iterate_events(
    path: str,
    columns: Sequence[str],
    *,
    tree: str = "Events",
    layout: Layout = NANOAOD,
    chunk: int | str = CHUNK,
    friends: Sequence[str] = (),
) -> Iterator[ak.Array]:
    """Yield the events of one file in chunks, in order; see `read_events`.

    Parameters
    ----------
    path
        Path or URL of a ROOT file.
    columns
        Names of the columns; no others are read.
    tree
        Name of the TTree or RNTuple.
    layout
        How the file calls the columns, and which of them form a field.
    chunk
        Events at a time, or the size that their uncompressed branches have in memory.
    friends
        Files with further columns of the same events, row by row.

    Yields
    ------
    ak.Array
        One record per event; nothing when the tree is empty.

    Raises
    ------
    InputError
        As for `read_events`, but for an empty tree.
    """
    needed, optional = branches_of(columns, layout)
    others = Friends.of(path, friends, columns, tree=tree, layout=layout)
    beside = [*optional, *(layout.branch(name) for name in IDENTITY if name in others.columns)]
    chunks = iterate_tree(path, others.without(needed), tree=tree, chunk=chunk, beside=beside)
    for entries in others.beside(chunks):
        yield as_records(path, entries, columns, layout)


def branches_of(columns: Sequence[str], layout: Layout) -> tuple[list[str], list[str]]:
    """Return the branches that a file must have, and those that it may have.

    Arguments are as for `read_events`.
    """
    optional = [layout.branch(column) for column in columns if layout.default(column) is not None]
    needed = [layout.branch(column) for column in columns if layout.default(column) is None]
    return list(dict.fromkeys(needed)), list(dict.fromkeys(optional))


def as_records(path: str, entries: ak.Array, columns: Sequence[str], layout: Layout) -> ak.Array:
    """Return entries of a tree as events.

    Raises `InputError` when branches of one collection disagree on the number of objects.
    """
    groups: dict[str, dict[str, str]] = {}
    values = {}
    for column in dict.fromkeys(columns):
        name, field = layout.field(column)
        groups.setdefault(name, {})[field] = column
        if layout.branch(column) in entries.fields or layout.default(column) is None:
            values[column] = _scaled(entries[layout.branch(column)], layout.factor(column))
    for members in groups.values():
        there = [values[column] for column in members.values() if column in values]
        for column in members.values():
            if column not in values:
                values[column] = _filled(layout.default(column), there, len(entries))
    return ak.zip({name: _field(path, name, members, values) for name, members in groups.items()}, depth_limit=1)


def _filled(default: Any, beside: Sequence[ak.Array], events: int) -> ak.Array:
    """Return a default for each object where the fields beside it are lists, and else for each event."""
    kind = np.bool_ if isinstance(default, bool) else np.int32 if isinstance(default, int) else np.float32
    lists = next((values for values in beside if values.ndim > 1), None)
    if lists is None:
        return ak.Array(np.full(events, default, kind))
    counts = ak.num(lists)
    return ak.unflatten(np.full(int(ak.sum(counts)), default, kind), counts)


def _scaled(values: ak.Array, factor: float) -> ak.Array:
    if factor == 1:
        return values
    # in double precision, so that 50,000 MeV are 50 GeV in single precision too
    scaled = ak.values_astype(values, np.float64) * factor
    single = ak.to_numpy(ak.flatten(values, axis=None)).dtype == np.float32
    return ak.values_astype(scaled, np.float32) if single else scaled


def _field(path: str, name: str, members: dict[str, str], values: dict[str, ak.Array]) -> ak.Array:
    if set(members) == {""}:
        return values[members[""]]
    branches = list(members.values())
    lists = [branch for branch in branches if values[branch].ndim > 1]
    if "" in members or len(lists) not in (0, len(members)):
        raise InputError(
            f"{path}: the branches {', '.join(branches)} cannot form one field {name!r}: they hold one list per event "
            f"({', '.join(lists) or 'none of them'}) and one value per event "
            f"({', '.join(branch for branch in branches if branch not in lists) or 'none of them'})"
        )
    try:
        return ak.zip({field: values[branch] for field, branch in members.items()}, depth_limit=2 if lists else 1)
    except ValueError as error:
        raise InputError(
            f"{path}: the branches {', '.join(branches)} do not have the same number of objects in every event"
        ) from error
