"""Bin edges, optimised together with the cuts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

import jax
import numpy as np

from hepgrad.ragged.tracing import is_known

from ..histogram import Axis, free_of_edges, ordered_edges
from ..selection.cut import Reading
from .optimisable import Optimisable, as_words, check_description, take_entry

DESCRIPTION = ("narrowest", "scale", "frozen", "unit", "label", "description")


@dataclasses.dataclass(frozen=True)
class Edges(Optimisable):
    """The inner edges of a `Channel`'s bins, ordered whatever the optimiser does; first and last edge stay.

    The optimiser moves one number for each bin, from which `ordered_edges` makes the edges. Tables, files and
    histories show the edges themselves.

    Attributes
    ----------
    edges
        Where the optimisation starts: increasing numbers in ``unit``, or an axis.
    narrowest
        Width that no bin falls below, in ``unit``. A few bandwidths keep the optimiser from carving bins out of single
        events.
    scale
        Natural unit of a step: with 0.3 a learning rate of 0.1 changes a bin's width by three per cent in one step.
    unit
        For tables and plots, for instance ``"GeV"``.
    frozen
        Frozen edges stay.
    label
        How plots name them; their own name by default.
    description
        A sentence for tables.
    start, stop, bins
        First and last edge, and how many bins lie between them.

    Raises
    ------
    ValueError
        When the edges do not increase by more than ``narrowest``, there are fewer than two bins, or the scale is not
        positive. `Parameters` adds the name.

    Examples
    --------
    >>> from hepgrad.analysis import Edges, Parameters, Regular
    >>> cuts = Parameters(mass_bins=Edges(Regular(4, 100, 500), narrowest=20.0, unit="GeV"))
    >>> cuts
    Parameters(mass_bins=[100, 200, 300, 400, 500] GeV)
    >>> cuts.replace(mass_bins=[100, 150, 200, 300, 500])
    Parameters(mass_bins=[100, 150, 200, 300, 500] GeV)
    """

    edges: dataclasses.InitVar[Axis | Sequence[float] | np.ndarray]
    _: dataclasses.KW_ONLY
    narrowest: float = 0.0
    scale: float = 0.3
    unit: str = ""
    frozen: bool = False
    label: str = ""
    description: str = ""
    width: None = dataclasses.field(default=None, init=False)
    value: Any = dataclasses.field(init=False, compare=False, repr=False)
    start: float = dataclasses.field(init=False)
    stop: float = dataclasses.field(init=False)
    bins: int = dataclasses.field(init=False)

    def __post_init__(self, edges: Axis | Sequence[float] | np.ndarray) -> None:
        array = np.asarray(edges.edges if isinstance(edges, Axis) else edges, float)
        if array.ndim != 1 or array.size < 3:
            raise ValueError(f"needs the edges of at least two bins, got shape {array.shape}")
        if not np.all(np.isfinite(array)):
            raise ValueError(f"edges must be finite, got {array.tolist()}")
        if not self.scale > 0:
            raise ValueError(f"scale must be positive, got {self.scale}")
        if not self.narrowest >= 0:
            raise ValueError(f"narrowest cannot be negative, got {self.narrowest}")
        check_description(self)
        ends = {"start": float(array[0]), "stop": float(array[-1]), "bins": array.size - 1}
        for name, value in {**ends, "value": free_of_edges(array, narrowest=self.narrowest)}.items():
            object.__setattr__(self, name, value)

    def at(self, value: Any) -> jax.Array:
        """Return the edges, shape (bins + 1,); differentiable.

        Parameters
        ----------
        value
            The present value: what the optimiser moves, shape (bins,).
        """
        return ordered_edges(value, self.start, self.stop, narrowest=self.narrowest)

    def checked(self, value: Any) -> np.ndarray:
        """Return what the optimiser moves, from edges or from such numbers.

        Parameters
        ----------
        value
            Edges, shape (bins + 1,), or what the optimiser moves, shape (bins,).

        Raises
        ------
        ValueError
            When the number of edges, the first or the last one is not that of the start, or they are too close.
        """
        array = np.asarray(value, float)
        if array.shape == (self.bins,):
            return array
        # numbers that were rounded to float32 in between
        ends = np.array([self.start, self.stop], np.float32)
        if array.shape != (self.bins + 1,) or not np.array_equal(array[[0, -1]].astype(np.float32), ends):
            raise ValueError(f"needs {self.bins + 1} edges from {self.start:g} to {self.stop:g}, got {value}")
        return free_of_edges(array, narrowest=self.narrowest)

    def in_stage(self, value: Any, reading: Reading) -> jax.Array:
        """Return the edges."""
        return self.at(value)

    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Return infinite bounds: the numbers that the optimiser moves have none."""
        return np.full(self.bins, -np.inf), np.full(self.bins, np.inf)

    def plain(self, value: Any) -> list[float]:
        """Return the edges as a list."""
        return [float(edge) for edge in self.at(value)]

    def elements(self, value: Any) -> dict[str, float]:
        """Return the inner edges by index, such as ``{"[1]": 200.0}``."""
        return {f"[{i}]": edge for i, edge in enumerate(self.plain(value)) if 0 < i < self.bins}

    def element_ranges(self) -> dict[str, tuple[float, float]]:
        """Return how far each of the inner edges can go."""
        d = self.narrowest
        return {f"[{i}]": (self.start + i * d, self.stop - (self.bins - i) * d) for i in range(1, self.bins)}

    def text(self, value: Any) -> str:
        """Return the edges as a table shows them."""
        return as_words(self.plain(value)) if is_known(value) else str(value)

    @property
    def limits(self) -> str:
        """First and last edge."""
        return f"{self.start:g} to {self.stop:g}"

    def to_entry(self, value: Any) -> dict[str, Any]:
        """Return the description with a value in place of the start, for JSON."""
        return {"edges": self.plain(value), **{name: getattr(self, name) for name in DESCRIPTION}}

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any], tree: Any) -> Self:
        """Return what `to_entry` wrote down."""
        fields = take_entry(entry, ("edges", *DESCRIPTION), "edges")
        return cls(fields.pop("edges"), **fields)
