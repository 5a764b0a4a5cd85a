"""`Record`: one record, what is left of an array of records when a single one is taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax

from .operators import Operators


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Record(Operators):
    """One record: a number, an array, or a record again for each field.

    Attributes
    ----------
    columns
        The values by name.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> jets = rg.from_lists([[{"pt": 30.0, "charge": 1}], []])
    >>> jets[0, 0]
    <Record {pt: 30.0, charge: 1} type='{pt: float32, charge: int32}'>
    >>> jets[0, 0].pt
    Array(30., dtype=float32)
    """

    columns: dict[str, Any]

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], tuple[str, ...]]:
        """Return the children and the static part, as JAX asks for."""
        return [(jax.tree_util.GetAttrKey(k), v) for k, v in self.columns.items()], tuple(self.columns)

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], columns: Any) -> Record:
        """Return what `tree_flatten_with_keys` took apart; checks nothing, since JAX also puts in other leaves."""
        return cls(dict(zip(names, columns, strict=True)))

    @property
    def fields(self) -> list[str]:
        """The names of the fields."""
        return list(self.columns)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in (columns := self.__dict__.get("columns", {})):
            raise AttributeError(f"no field {name!r}; the fields are {sorted(self.__dict__.get('columns', {}))}")
        return columns[name]

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(
            f"one record is no sequence; take its fields {self.fields} (and convert arrays once, outside jit, where "
            "Awkward's and ours meet: rg.from_awkward(array), rg.to_awkward(array))"
        )

    def __getitem__(self, where: Any) -> Any:
        path = where if isinstance(where, tuple) else (where,)
        if not path or path[0] not in self.columns:
            raise KeyError(f"no field {path[0] if path else where!r}; the fields are {self.fields}")
        value = self.columns[path[0]]
        return value[path[1:]] if path[1:] else value
