"""Columns that are computed when somebody asks for them: what variations make of weights, which few need."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, eq=False)
class Later:
    """One column of several that are computed together.

    Attributes
    ----------
    together
        Returns all of them by name.
    name
        Of this one.
    """

    together: Callable[[], Mapping[str, Any]]
    name: str

    def found(self) -> Any:
        """Return the column."""
        return self.together()[self.name]


def settled(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns of which each is computed; those that are computed together, once.

    Examples
    --------
    >>> from hepgrad.analysis.selection.later import Later, settled
    >>> settled({"x": 1.0, "y": Later(lambda: {"y": 2.0}, "y")})
    {'x': 1.0, 'y': 2.0}
    """
    made: dict[int, Mapping[str, Any]] = {}
    for column in columns.values():
        if isinstance(column, Later) and id(column.together) not in made:
            made[id(column.together)] = column.together()
    return {
        name: made[id(column.together)][column.name] if isinstance(column, Later) else column
        for name, column in columns.items()
    }
