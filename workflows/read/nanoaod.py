"""Events from one ROOT file with NanoAOD-style names, as records: ``Jet_pt`` becomes ``events.Jet.pt``."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import uproot

from ..errors import InputError, InputWarning

TREE_CLASSES = ("TTree", "ROOT::RNTuple")
SHOWN = 40


def read_events(path: str | Path, branches: Sequence[str], *, tree: str = "Events") -> ak.Array:
    """Read some branches of one file.

    Branches that share the part of their name before the first underscore form one field: a collection (lists of
    records) when they hold one list per event, a record when they hold one number per event. A branch without an
    underscore stays a column. Numbers keep the type they have in the file.

    "Leading" means first, so each collection with a ``pt`` has to be stored by falling ``pt``, which is NanoAOD's
    convention. A collection that is not is sorted here, with a warning.

    Parameters
    ----------
    path
        Path or URL of a ROOT file.
    branches
        Names of the branches; no others are read.
    tree
        Name of the TTree or RNTuple.

    Returns
    -------
    ak.Array
        One record per event.

    Raises
    ------
    InputError
        When the file is missing, truncated or damaged, or not a ROOT file; when it has no such tree or lacks branches
        (lists those that are there, most similar first); when the tree is empty; when branches of one collection
        disagree on the number of objects.

    Warns
    -----
    InputWarning
        When a collection had to be sorted.

    Examples
    --------
    >>> import numpy as np, uproot
    >>> from hepgrad.workflows import read_events
    >>> with uproot.recreate("example.root") as file:
    ...     tree = file.mktree("Events", {"MET_pt": np.float32, "genWeight": np.float32})
    ...     tree.extend({"MET_pt": np.float32([10, 20]), "genWeight": np.float32([1, 1])})
    >>> events = read_events("example.root", ["MET_pt", "genWeight"])
    >>> events.MET.pt.tolist(), events.fields
    ([10.0, 20.0], ['MET', 'genWeight'])
    """
    path = str(path)
    wanted = list(dict.fromkeys(branches))
    columns = _read_columns(path, wanted, tree)
    groups: dict[str, dict[str, ak.Array]] = {}
    for name in wanted:
        collection, underscore, field = name.partition("_")
        groups.setdefault(collection, {})[field if underscore else ""] = columns[name]
    return ak.zip({name: _field(path, name, members) for name, members in groups.items()}, depth_limit=1)


def _read_columns(path: str, wanted: list[str], tree: str) -> ak.Array:
    try:
        with uproot.open(path) as file:
            size = file.file.source.num_bytes
            if size is not None and size < file.file.fEND:
                raise EOFError(f"it has {size} bytes and says that it has {file.file.fEND}")
            events = file[_present(path, tree, file)]
            available = list(map(str, events.keys()))
            missing = [name for name in wanted if name not in available]
            if missing:
                raise InputError(_missing_branches(path, tree, missing, available))
            if events.num_entries == 0:
                raise InputError(f"{path}: tree {tree!r} has no events")
            # an RNTuple returns the parents of the fields as well
            return events.arrays(wanted)[wanted]
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except Exception as error:  # damaged bytes surface as almost any exception, depending on where they are
        reason = str(error).strip().splitlines()
        raise InputError(
            f"{path} cannot be read; it is truncated, damaged or not a ROOT file "
            f"({type(error).__name__}: {reason[0] if reason else 'no details'})"
        ) from error


def _present(path: str, tree: str, file: Any) -> str:
    kinds = file.classnames(cycle=False)
    trees = [name for name, kind in kinds.items() if kind in TREE_CLASSES]
    if tree not in trees:
        raise InputError(f"{path}: expected a tree {tree!r}, the file has {', '.join(map(repr, trees)) or 'no tree'}")
    return tree


def _missing_branches(path: str, tree: str, missing: list[str], available: list[str]) -> str:
    # the parts of an RNTuple that are no columns have a dot in their name or an underscore in front
    columns = [name for name in available if "." not in name and not name.startswith("_")]
    close = [match for name in missing for match in difflib.get_close_matches(name, columns, n=5, cutoff=0.4)]
    collections = tuple(name.split("_")[0] + "_" for name in missing)
    beside = [name for name in columns if name.startswith(collections)]
    shown = list(dict.fromkeys([*close, *beside, *columns]))
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    plural = "branch" if len(missing) == 1 else "branches"
    return (
        f"{path}: tree {tree!r} has no {plural} {', '.join(map(repr, missing))}; "
        f"it has {', '.join(shown[:SHOWN])}{more}"
    )


def _field(path: str, name: str, members: dict[str, ak.Array]) -> ak.Array:
    if set(members) == {""}:
        return members[""]
    branches = [f"{name}_{field}" if field else name for field in members]
    lists = [branch for branch, array in zip(branches, members.values(), strict=True) if array.ndim > 1]
    if "" in members or len(lists) not in (0, len(members)):
        raise InputError(
            f"{path}: the branches {', '.join(branches)} cannot form one field {name!r}: they hold one list per event "
            f"({', '.join(lists) or 'none of them'}) and one value per event "
            f"({', '.join(branch for branch in branches if branch not in lists) or 'none of them'})"
        )
    try:
        collection = ak.zip(members, depth_limit=2 if lists else 1)
    except ValueError as error:
        raise InputError(
            f"{path}: the branches {', '.join(branches)} do not have the same number of objects in every event"
        ) from error
    return _by_falling_pt(path, name, collection) if lists else collection


def _by_falling_pt(path: str, name: str, collection: ak.Array) -> ak.Array:
    if "pt" not in collection.fields:
        return collection
    pt = collection.pt
    unsorted = int(ak.sum(ak.any(pt[:, 1:] > pt[:, :-1], axis=1)))
    if not unsorted:
        return collection
    warnings.warn(
        f"{path}: {name} is not stored by falling pt in {unsorted} of {len(pt)} events; it is sorted now, so that "
        "'leading' means highest pt",
        InputWarning,
        stacklevel=4,
    )
    return collection[ak.argsort(pt, axis=1, ascending=False, stable=True)]
