"""The contract of what an optimiser can move: cut values (`Parameter`), bin `Edges` and network `Weights`."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from ..selection.cut import Reading


class Optimisable(abc.ABC):
    """What `Parameters` asks of its entries.

    An entry describes a value and holds where it starts. The start takes no part in comparisons, so that one compiled
    program serves every start.

    Attributes
    ----------
    value
        Where the optimisation starts: a number, an array, or a pytree of arrays.
    scale
        Natural unit of a step: the optimiser sees ``value / scale``, so that one learning rate fits everything.
    width
        Scale of a soft cut; None where there is none.
    frozen
        Whether the value stays as it is.
    unit
        For tables and plots.
    label
        How plots name it.
    description
        A sentence for tables.
    """

    value: Any
    scale: Any
    width: Any
    frozen: bool
    unit: str
    label: str
    description: str

    @abc.abstractmethod
    def checked(self, value: Any) -> Any:
        """Return a value as it is stored, or raise `ValueError` or `TypeError` when it cannot be one.

        Parameters
        ----------
        value
            Known numbers, also as `plain` writes them.
        """

    @abc.abstractmethod
    def in_stage(self, value: Any, reading: Reading) -> Any:
        """Return what a stage receives as ``cut.name``.

        Parameters
        ----------
        value
            The present value, possibly traced.
        reading
            What a comparison means.
        """

    @abc.abstractmethod
    def box(self) -> tuple[Any, Any]:
        """Return the lowest and the highest allowed value, of the structure and shape of the value (NumPy)."""

    @abc.abstractmethod
    def plain(self, value: Any) -> Any:
        """Return a known value as numbers, lists and dictionaries.

        Parameters
        ----------
        value
            The present value.
        """

    @abc.abstractmethod
    def elements(self, value: Any) -> dict[str, float]:
        """Return the numbers that a history follows, by what is put behind the name.

        Parameters
        ----------
        value
            The present value, known.
        """

    def element_ranges(self) -> dict[str, tuple[float, float]]:
        """Return the bounds of what `elements` returns."""
        low, high = (self.elements(bound) for bound in self.box())
        return {at: (low[at], high[at]) for at in low}

    @abc.abstractmethod
    def text(self, value: Any) -> str:
        """Return a value as a table shows it, without its unit.

        Parameters
        ----------
        value
            The present value.
        """

    @property
    @abc.abstractmethod
    def limits(self) -> str:
        """The bounds as a table shows them."""

    @abc.abstractmethod
    def to_entry(self, value: Any) -> dict[str, Any]:
        """Return the description with a value in place of the start, for JSON.

        Parameters
        ----------
        value
            The present value, known.
        """

    @classmethod
    @abc.abstractmethod
    def from_entry(cls, entry: Mapping[str, Any], tree: Any) -> Self:
        """Return what `to_entry` wrote down.

        Parameters
        ----------
        entry
            From JSON.
        tree
            A pytree of the structure of the value, or None.
        """

    def scaled(self, value: Any) -> Any:
        """Return a value in units of the scale.

        Parameters
        ----------
        value
            The present value.
        """
        return jax.tree.map(lambda leaf: leaf / jnp.asarray(self.scale, leaf.dtype), value)

    def from_scaled(self, scaled: Any) -> Any:
        """Return the value from units of the scale; the inverse of `scaled`.

        Parameters
        ----------
        scaled
            The value over the scale.
        """
        return jax.tree.map(lambda leaf: leaf * jnp.asarray(self.scale, jnp.asarray(leaf).dtype), scaled)


def check_description(spec: Optimisable) -> None:
    """Raise an error when what describes an entry is of another type than it should be.

    Raises `TypeError` for a switch that is no bool, such as the text "False", or a text that is none, `ValueError` for
    a scale that is infinite.
    """
    if not isinstance(spec.frozen, bool | np.bool_):
        raise TypeError(f"frozen must be True or False, got {spec.frozen!r}")
    for name in ("unit", "label", "description"):
        if not isinstance(getattr(spec, name), str):
            raise TypeError(f"{name} must be a text, got {getattr(spec, name)!r}")
    if not np.all(np.isfinite(np.asarray(spec.scale, float))):
        raise ValueError(f"scale must be finite, got {spec.scale}")


def take_entry(entry: Mapping[str, Any], names: tuple[str, ...], needed: str) -> dict[str, Any]:
    """Return the fields of a JSON object.

    Raises `ValueError` when a field is unknown, or the needed one is missing.
    """
    unknown = sorted(set(entry) - set(names))
    if unknown or needed not in entry:
        wrong = f"unknown fields {unknown}" if unknown else f"no field {needed!r}"
        raise ValueError(f"{wrong}; the fields are {list(names)}")
    return dict(entry)


def hashable(x: Any) -> Any:
    """Return a number or an array as a float or nested tuples of floats, which can be compared and hashed."""
    nested = np.asarray(x, float).tolist()
    return _tuples(nested)


def _tuples(nested: Any) -> Any:
    return tuple(map(_tuples, nested)) if isinstance(nested, list) else nested


def as_words(numbers: Any) -> str:
    """Return a number, or nested sequences of numbers, with four digits."""
    return f"[{', '.join(map(as_words, numbers))}]" if isinstance(numbers, list | tuple) else f"{numbers:.4g}"
