"""Histogram axes: bin edges, names, and what happens to entries out of range."""

from __future__ import annotations

import abc
import dataclasses
import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

T = TypeVar("T")
Flow = Literal["separate", "fold"]


class Axis(abc.ABC):
    """What the fill functions need to know of an axis; see `Regular` and `Variable`.

    Axes are static (hashable, no arrays that JAX traces). Edges that an optimiser moves are not an axis but an
    array, which `fill_soft` and `fill_hard` take in the axis's place.
    """

    name: str
    label: str
    unit: str
    flow: Flow

    @property
    @abc.abstractmethod
    def edges(self) -> np.ndarray:
        """Bin edges, float64, shape ``(bins + 1,)``, read-only."""

    @property
    def title(self) -> str:
        """What a plot writes at the axis: the label (else the name), and the unit in brackets."""
        label = self.label or self.name
        return f"{label} [{self.unit}]" if self.unit else label

    def inner(self, counts: T, *, dimension: int = -1) -> T:
        """Drop under- and overflow.

        Parameters
        ----------
        counts : Counts or array
            With ``bins + 2`` entries along this axis's dimension, underflow first and overflow last, as the fill
            functions return it.
        dimension : int
            The dimension of this axis: the last one, or -2 for the first of two axes.

        Returns
        -------
        Counts or array
            With ``bins`` entries along this dimension.
        """
        return self._along(dimension, lambda array: array[..., 1:-1], counts)

    def fold(self, counts: T, *, dimension: int = -1) -> T:
        """Add the underflow to the first bin and the overflow to the last one.

        Parameters
        ----------
        counts : Counts or array
            With ``bins + 2`` entries along this axis's dimension, underflow first and overflow last, as the fill
            functions return it.
        dimension : int
            The dimension of this axis: the last one, or -2 for the first of two axes.

        Returns
        -------
        Counts or array
            With ``bins`` entries along this dimension; their sum is that of `counts`.

        Examples
        --------
        >>> import jax.numpy as jnp
        >>> from hepgrad.analysis.histogram import Regular
        >>> Regular(2, 0, 1).fold(jnp.array([1.0, 10.0, 20.0, 5.0]))
        Array([11., 25.], dtype=float32)
        """
        return self._along(
            dimension,
            lambda array: array[..., 1:-1].at[..., 0].add(array[..., 0]).at[..., -1].add(array[..., -1]),
            counts,
        )

    def select(self, counts: T, *, dimension: int = -1) -> T:
        """Return the bins that a statistical model sees: `fold` or `inner`, as the axis's ``flow`` says.

        Parameters
        ----------
        counts : Counts or array
            With ``bins + 2`` entries along this axis's dimension.
        dimension : int
            The dimension of this axis: the last one, or -2 for the first of two axes.

        Returns
        -------
        Counts or array
            With ``bins`` entries along this dimension.
        """
        choose = self.fold if self.flow == "fold" else self.inner
        return choose(counts, dimension=dimension)

    def _along(self, dimension: int, change: Callable[[jax.Array], jax.Array], counts: T) -> T:
        """Change arrays whose last dimension is this axis's."""

        def changed(array: Any) -> jax.Array:
            array, expected = jnp.asarray(array), len(self.edges) + 1
            if not -array.ndim <= dimension < array.ndim or array.shape[dimension] != expected:
                raise ValueError(
                    f"axis {self.name!r}: expected {expected} entries along dimension {dimension} (underflow, "
                    f"{expected - 2} bins, overflow), got an array of shape {array.shape}"
                )
            return jnp.moveaxis(change(jnp.moveaxis(array, dimension, -1)), -1, dimension)

        return jax.tree.map(changed, counts)

    def _check_flow(self) -> None:
        if self.flow not in ("separate", "fold"):
            raise ValueError(f"axis {self.name!r}: flow must be 'separate' or 'fold', got {self.flow!r}")


@dataclasses.dataclass(frozen=True)
class Regular(Axis):
    """Bins of equal width.

    Attributes
    ----------
    bins : int
        Number of bins, at least one.
    start, stop : float
        Lower edge of the first and upper edge of the last bin, in `unit`.
    name, label, unit : str
        Identifier, text for plots, and unit of the observable.
    flow : {"separate", "fold"}
        What becomes of entries out of range when a model reads the histogram (`select`): kept apart and not
        used, or folded into the first and last bin.

    Raises
    ------
    ValueError
        Without a bin, with edges that are not finite or do not increase, or with an unknown `flow`.

    Examples
    --------
    >>> from hepgrad.analysis.histogram import Regular
    >>> ht = Regular(4, 100, 500, name="ht", label="$H_T$", unit="GeV")
    >>> ht.edges
    array([100., 200., 300., 400., 500.])
    >>> ht.title
    '$H_T$ [GeV]'
    """

    bins: int
    start: float
    stop: float
    _: dataclasses.KW_ONLY
    name: str = ""
    label: str = ""
    unit: str = ""
    flow: Flow = "separate"

    def __post_init__(self) -> None:
        self._check_flow()
        try:
            bins = operator.index(self.bins)
        except TypeError:
            raise ValueError(f"axis {self.name!r}: bins must be an integer, got {self.bins!r}") from None
        if bins < 1:
            raise ValueError(f"axis {self.name!r}: needs at least one bin, got bins={bins}")
        object.__setattr__(self, "bins", bins)
        object.__setattr__(self, "start", float(self.start))
        object.__setattr__(self, "stop", float(self.stop))
        if not (np.isfinite(self.start) and np.isfinite(self.stop) and self.start < self.stop):
            raise ValueError(
                f"axis {self.name!r}: start and stop must be finite and start < stop, "
                f"got start={self.start}, stop={self.stop}"
            )
        _check_edges(self.edges, self.name)

    @functools.cached_property
    def edges(self) -> np.ndarray:
        """Bin edges, float64, shape ``(bins + 1,)``, read-only; the same numbers as boost-histogram's."""
        fraction = np.arange(self.bins + 1) / self.bins
        return _read_only((1.0 - fraction) * self.start + fraction * (self.start + (self.stop - self.start)))


@dataclasses.dataclass(frozen=True, init=False)
class Variable(Axis):
    """Bins between given edges.

    Attributes
    ----------
    edges : sequence of float
        Increasing, finite edges in `unit`, at least two.
    name, label, unit : str
        Identifier, text for plots, and unit of the observable.
    flow : {"separate", "fold"}
        What becomes of entries out of range when a model reads the histogram (`select`): kept apart and not
        used, or folded into the first and last bin.

    Raises
    ------
    ValueError
        With fewer than two edges, edges that are not finite or do not increase, or an unknown `flow`.

    Examples
    --------
    >>> from hepgrad.analysis.histogram import Variable
    >>> Variable([30, 50, 100, 300], name="pt", unit="GeV").bins
    3
    """

    _edges: tuple[float, ...]
    name: str
    label: str
    unit: str
    flow: Flow

    def __init__(
        self,
        edges: Sequence[float] | np.ndarray,
        *,
        name: str = "",
        label: str = "",
        unit: str = "",
        flow: Flow = "separate",
    ) -> None:
        array = np.asarray(edges, dtype=np.float64)
        _check_edges(array, name)
        fields = {"_edges": tuple(array.tolist()), "name": name, "label": label, "unit": unit, "flow": flow}
        for field, value in fields.items():
            object.__setattr__(self, field, value)
        self._check_flow()

    @property
    def bins(self) -> int:
        """Number of bins."""
        return len(self._edges) - 1

    @functools.cached_property
    def edges(self) -> np.ndarray:
        """Bin edges, float64, shape ``(bins + 1,)``, read-only."""
        return _read_only(np.array(self._edges))


def _read_only(edges: np.ndarray) -> np.ndarray:
    edges.flags.writeable = False
    return edges


def _check_edges(edges: np.ndarray, name: str) -> None:
    if edges.ndim != 1 or edges.size < 2:
        raise ValueError(f"axis {name!r}: expected at least two edges in one dimension, got shape {edges.shape}")
    if not np.isfinite(edges).all():
        raise ValueError(
            f"axis {name!r}: edges must be finite, got {edges.tolist()}; "
            "entries out of range are kept in the under- and overflow anyway"
        )
    if not (np.diff(edges) > 0).all():
        raise ValueError(f"axis {name!r}: edges must increase, got {edges.tolist()}")
