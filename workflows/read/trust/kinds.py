"""Files that belong together hold the same kind of numbers under the same name."""

from __future__ import annotations

import re

import awkward as ak

from ...errors import InputError


class Kinds:
    """Remembers the kinds of the columns of the first file, for comparison with all that follow.

    A column of floats stays one, and a list for each event stays one; the precision may differ.
    """

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, str]] = {}

    def check(self, file: str, events: ak.Array) -> None:
        """Raise an error when a column is of another kind than before.

        The error names the column, both files and both kinds.
        """
        for name in events.fields:
            column = events[name]
            # the types of fields one by one, so that the message names the branch
            for field in column.fields or [""]:
                kind = _kind(str((column[field] if field else column).type.content))
                self._check(f"{name}_{field}" if field else name, file, kind)

    def agree(self, others: Kinds) -> None:
        """Raise an error when a column that another one knows is of another kind there."""
        for branch, (file, kind) in others._first.items():
            self._check(branch, file, kind)

    def _check(self, branch: str, file: str, kind: str) -> None:
        other, before = self._first.setdefault(branch, (file, kind))
        if kind != before:
            raise InputError(
                f"{branch} holds {_in_words(before)} in {other} and {_in_words(kind)} in {file}; files of one sample "
                "must agree: make them samples of their own, or convert one of them"
            )


def _kind(name: str) -> str:
    """Return a type without its precision, which may differ."""
    return re.sub(r"\bu?int\d+\b", "integer", re.sub(r"\bfloat\d+\b", "float", name))


def _in_words(kind: str) -> str:
    depth, rest = 0, kind
    while rest.startswith("var * "):
        depth, rest = depth + 1, rest.removeprefix("var * ")
    return f"{'lists of ' * depth}{rest}" if depth else f"one {rest} for each event"
