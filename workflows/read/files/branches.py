"""Branches of a tree by the names that people know: parts of split objects, fields of objects, element links."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import awkward as ak
from uproot.interpretation.grouped import AsGrouped
from uproot.interpretation.identify import UnknownInterpretation

from ...errors import InputError
from .links import ARROW, INDEX, KEY, NOWHERE, positions

_ITEM = re.compile(r"(.+)\[(\d+)\]")


@dataclasses.dataclass(frozen=True)
class Branch:
    """Where the values of a branch are in a tree.

    Attributes
    ----------
    what
        The file and the branch, as messages begin.
    keys
        The paths of what is read: the branch itself, or both parts of split element links.
    inside
        Which field of the objects that it holds, outermost first.
    item
        Which link of each object, where each has several.
    into
        The container that links are followed into; "" where there are none.
    """

    what: str
    keys: tuple[str, ...]
    inside: tuple[str, ...] = ()
    item: int | None = None
    into: str = ""

    def values(self, entries: ak.Array, branches: Sequence[str]) -> ak.Array:
        """Return the values in a chunk of the tree that has these branches.

        Raises `InputError` when they are objects or links, and nothing says what to take of them.
        """
        found = entries[_last(self.keys[0])]
        if len(self.keys) > 1:
            found = ak.zip({_last(key).rpartition(".")[2]: entries[_last(key)] for key in self.keys})
        for field in self.inside:
            if field not in found.fields:
                raise InputError(f"{self.what}: there is no part {field!r}, but {', '.join(found.fields) or 'none'}")
            found = found[field]
        if set(found.fields) == {KEY, INDEX}:
            return self._of_each(positions(found, self.what, self.into, branches))
        if self.into:
            raise InputError(f"{self.what} holds no element links; leave out '{ARROW} {self.into}'")
        if found.fields:
            raise InputError(f"{self.what} holds objects; read one of their parts: {', '.join(found.fields)}")
        return found

    def _of_each(self, found: ak.Array) -> ak.Array:
        if self.item is None and found.ndim < 3:
            return found
        if self.item is None:
            raise InputError(f"{self.what} holds several links per object; say which: '...[0] {ARROW} {self.into}'")
        padded = ak.pad_none(found, self.item + 1, axis=-1)[..., self.item]
        return ak.values_astype(ak.fill_none(padded, NOWHERE), "int32")


def located(tree: Any, names: Iterable[str], path: str) -> dict[str, Branch]:
    """Return by name where branches of a tree are; those that it lacks are left out.

    A name is that of a branch, with or without those of the objects that it is part of (``Muons/Muons.fE``, or
    ``Muons.fE``), and with the field of an object after a dot; or that of element links, with the container that they
    are followed into (``Muons.trackLinks[0] -> Tracks``). Raises `InputError` for a branch without numbers.
    """
    keys = list(map(str, tree.keys()))
    by_name = {_last(key): key for key in reversed(keys)} | {key: key for key in keys}
    found = {}
    for name in names:
        before, _, into = map(str.strip, name.partition(ARROW))
        branch = _located(before, by_name, f"{path}: branch {before!r}")
        if branch is not None and _holds_numbers(tree, branch):
            found[name] = dataclasses.replace(branch, into=into)
    return found


def _located(name: str, by_name: Mapping[str, str], what: str) -> Branch | None:
    whole = name.removesuffix(f".{INDEX}")
    links = [by_name[part] for part in (f"{whole}.{KEY}", f"{whole}.{INDEX}") if part in by_name]
    if len(links) == 2:
        return Branch(what, tuple(links))
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if (key := by_name.get(".".join(parts[:length]))) is not None:
            return Branch(what, (key,), tuple(parts[length:]))
    if matched := _ITEM.fullmatch(name):
        branch = _located(matched[1], by_name, what)
        return branch and dataclasses.replace(branch, item=int(matched[2]))
    return None


def _holds_numbers(tree: Any, branch: Branch) -> bool:
    """Return False for a part that a split branch does not have; raise `InputError` for what holds no numbers."""
    holder = tree[branch.keys[0]]
    # a field of an RNTuple has none
    how = getattr(holder, "interpretation", None)
    if isinstance(how, AsGrouped) and branch.inside:
        return False
    if isinstance(how, AsGrouped):
        names = [part.name for part in holder.branches]
        if names != [holder.name]:
            listed = ", ".join(names) or "none"
            raise InputError(f"{branch.what} is split and has no values of its own; read one of its parts: {listed}")
        how = holder.branches[0].interpretation
    if isinstance(how, UnknownInterpretation):
        raise InputError(f"{branch.what} holds {holder.typename}, which uproot cannot read: {how.reason}")
    return True


def _last(key: str) -> str:
    return key.rpartition("/")[2]
