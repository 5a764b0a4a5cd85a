"""Events from ROOT files as records: ``Jet_pt`` becomes ``events.Jet.pt``."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence

import awkward as ak
import numpy as np

from ..errors import InputError, InputWarning
from .files.paths import PathLike, expanded, is_remote
from .files.tree import CHUNK, iterate_tree
from .layout import NANOAOD, Layout

# more entries than any file has
WHOLE = 2**62


def read_events(
    path: PathLike | Sequence[PathLike], branches: Sequence[str], *, tree: str = "Events", layout: Layout = NANOAOD
) -> ak.Array:
    """Read some columns of one file, or of several that belong together.

    Columns that share the part of their name before the first underscore form one field: a collection (lists of
    records) when they hold one list per event, a record when they hold one number per event. A column without an
    underscore stays by itself, such as the counter ``nJet``. Other layouts of files than NanoAOD's are described by
    `Layout`. Numbers keep the type they have in the file.

    "Leading" means first, so each collection with a ``pt`` has to be stored by falling ``pt``, which is NanoAOD's
    convention. A collection that is not is sorted here, with a warning.

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

    Returns
    -------
    ak.Array
        One record per event.

    Raises
    ------
    InputError
        When a file is missing, truncated or damaged, or not a ROOT file; when it has no such tree or lacks branches
        (lists those that are there, most similar first); when there are no events; when branches of one collection
        disagree on the number of objects.

    Warns
    -----
    InputWarning
        When a collection had to be sorted.

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
    paths = expanded(path)
    chunks = [
        events
        for file in paths
        # all is to be in memory anyway; in chunks a server need not deliver twice what came through
        for events in iterate_events(
            file, branches, tree=tree, layout=layout, chunk=CHUNK if is_remote(file) else WHOLE
        )
    ]
    if not chunks:
        raise InputError(f"{', '.join(paths)}: tree {tree!r} has no events")
    return ak.concatenate(chunks) if len(chunks) > 1 else chunks[0]


def iterate_events(
    path: str, columns: Sequence[str], *, tree: str = "Events", layout: Layout = NANOAOD, chunk: int | str = CHUNK
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

    Yields
    ------
    ak.Array
        One record per event; nothing when the tree is empty.

    Raises
    ------
    InputError
        As for `read_events`, but for an empty tree.
    """
    branches = list(dict.fromkeys(map(layout.branch, columns)))
    unsorted: Counter[str] = Counter()
    events = 0
    for entries in iterate_tree(path, branches, tree=tree, chunk=chunk):
        events += len(entries)
        chosen, wrong = as_records(path, entries, columns, layout)
        unsorted += wrong
        yield chosen
    warn_unsorted(path, unsorted, events)


def as_records(path: str, entries: ak.Array, columns: Sequence[str], layout: Layout) -> tuple[ak.Array, Counter[str]]:
    """Return entries of a tree as events, and by collection in how many of them it had to be sorted.

    Parameters
    ----------
    path
        Where they are from.
    entries
        A record for each entry, with the branches as fields.
    columns, layout
        As for `read_events`.

    Raises
    ------
    InputError
        When branches of one collection disagree on the number of objects.
    """
    groups: dict[str, dict[str, str]] = {}
    values = {}
    for column in dict.fromkeys(columns):
        name, field = layout.field(column)
        groups.setdefault(name, {})[field] = column
        values[column] = _scaled(entries[layout.branch(column)], layout.factor(column))
    fields = {name: _field(path, name, members, values) for name, members in groups.items()}
    unsorted: Counter[str] = Counter()
    for name in [name for name, field in fields.items() if field.ndim > 1 and "pt" in field.fields]:
        fields[name], unsorted[name] = _by_falling_pt(fields[name])
    return ak.zip(fields, depth_limit=1), unsorted


def warn_unsorted(path: str, unsorted: Counter[str], events: int) -> None:
    """Warn of collections that were not stored by falling pt.

    Parameters
    ----------
    path
        The file.
    unsorted
        By collection, in how many of its events.
    events
        How many there are in all.
    """
    for name, wrong in unsorted.items():
        if wrong:
            warnings.warn(
                f"{path}: {name} is not stored by falling pt in {wrong} of {events} events; it is sorted now, so that "
                "'leading' means highest pt",
                InputWarning,
                stacklevel=3,
            )


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


def _by_falling_pt(collection: ak.Array) -> tuple[ak.Array, int]:
    """Return a collection in that order, and in how many events it was not."""
    pt = collection.pt
    content, counts = ak.to_numpy(ak.flatten(pt)), ak.to_numpy(ak.num(pt))
    # where an object has a higher pt than the one before it in the same event; NaN is in no order
    starts = np.cumsum(counts) - counts
    rising = np.append(False, content[1:] > content[:-1])
    rising[starts[starts < len(content)]] = False
    if not rising.any():
        return collection, 0
    events = np.repeat(np.arange(len(counts)), counts)
    wrong = len(np.unique(events[rising]))
    return collection[ak.argsort(pt, axis=1, ascending=False, stable=True)], wrong
