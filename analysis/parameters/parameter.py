"""One optimisable number or array: its start, bounds, the width of its soft cut, and the unit it is quoted in."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Self

import jax
import numpy as np

from hepgrad.ragged.tracing import is_known

from ..selection.cut import Reading
from ..selection.threshold import Threshold, ThresholdArray
from .optimisable import Optimisable, as_words, check_description, hashable, take_entry

# tables show the elements of arrays of at most this size
SHORT = 6
LARGEST = float(np.finfo(np.float32).max)


@dataclasses.dataclass(frozen=True)
class Parameter(Optimisable):
    """One optimisable number, or an array of them.

    Two parameters are equal when they differ only in where they start.

    Attributes
    ----------
    value
        Where the optimisation starts, in ``unit``: a number, or an array (its shape stays).
    bounds
        (lowest, highest) allowed value; they hold at every step. Numbers, or arrays of the value's shape.
    width
        Scale of the soft cut, in ``unit``: at ``threshold + width`` an object passes with probability 0.73. By default
        a twentieth of the range.
    unit
        For tables and plots, for instance ``"GeV"``.
    scale
        Natural unit of a step: the optimiser sees ``value / scale``, so that one learning rate fits all parameters.
        By default a tenth of the range.
    frozen
        A frozen parameter keeps its value.
    label
        How plots name it (may hold TeX between dollar signs); the parameter's own name by default.
    description
        A sentence for tables.
    shape
        Of the value; ``()`` for a number.

    Raises
    ------
    TypeError
        When the value is no number: a switch has no gradient.
    ValueError
        When the bounds are not increasing, the value lies outside them, or a scale is not positive. `Parameters` adds
        the name of the parameter.

    Examples
    --------
    >>> from hepgrad.analysis import Parameter
    >>> Parameter(30.0, bounds=(20, 60), width=5.0, unit="GeV").scale
    4.0
    >>> Parameter([30.0, 50.0], bounds=(20, [60, 100])).width
    (2.0, 4.0)
    """

    value: Any = dataclasses.field(compare=False)
    _: dataclasses.KW_ONLY
    bounds: tuple[Any, Any]
    width: Any = math.nan
    unit: str = ""
    scale: Any = math.nan
    frozen: bool = False
    label: str = ""
    description: str = ""
    # compared, unlike the value: programs for arrays of different shapes are different programs
    shape: tuple[int, ...] = dataclasses.field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        value = _numbers(self.value)
        self._set("value", value if value.ndim else float(value))
        self._set("shape", value.shape)
        if len(self.bounds) != 2:
            raise ValueError(f"bounds are a lowest and a highest value, got {self.bounds}")
        low, high = (np.asarray(bound, float) for bound in self.bounds)
        for bound in self.bounds:
            _numbers(bound, "a bound")
        # also in float32, in which events are computed with
        if not np.all((np.abs(low) < LARGEST) & (np.abs(high) < LARGEST) & (low < high)):
            raise ValueError(f"bounds must be finite and increasing, got {self.bounds}")
        self._set("bounds", (hashable(low), hashable(high)) if low.ndim or high.ndim else tuple(self.bounds))
        for name, share in (("width", 20), ("scale", 10)):
            given = _numbers(getattr(self, name), name)
            given = np.where(np.isnan(given), (high - low) / share, given)
            if not np.all(given > 0):
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
            self._set(name, hashable(given))
        check_description(self)
        for name in ("width", "scale"):
            _broadcast(getattr(self, name), value.shape, name)
        self.checked(value)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def checked(self, value: Any) -> Any:
        """Return a value as a float or an array of floats.

        Parameters
        ----------
        value
            A number, or an array or list of the parameter's shape.

        Raises
        ------
        ValueError
            When it lies outside the bounds (to the precision of float32), or has another shape.
        """
        array = _numbers(value)
        if array.shape != self.shape:
            kind = "an array" if self.shape else "one number"
            raise ValueError(f"needs {kind} of shape {self.shape}, got {array.shape}")
        low, high = self.box()
        # a value on a bound may have been rounded by float32 arithmetic
        with np.errstate(over="ignore"):
            single = array.astype(np.float32)
        inside = (single >= low.astype(np.float32)) & (single <= high.astype(np.float32))
        if not np.all(inside):
            first = tuple(np.argwhere(~inside)[0].tolist())
            which = f" of element {list(first)}" if first else ""
            raise ValueError(
                f"the start {array[first]}{which} lies outside the bounds [{low[first]:g}, {high[first]:g}] "
                f"{self.unit}".rstrip()
            )
        return array if self.shape else float(array)

    def in_stage(self, value: Any, reading: Reading) -> Threshold | ThresholdArray:
        """Return the parameter as a threshold; the arguments are those of `Optimisable.in_stage`."""
        if self.shape:
            return ThresholdArray(value, _broadcast(self.width, self.shape, "width"), reading)
        return Threshold(value, self.width, reading)

    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the bounds as two arrays of the value's shape."""
        low, high = (_broadcast(bound, self.shape, "bounds") for bound in self.bounds)
        return low, high

    def plain(self, value: Any) -> Any:
        """Return a known value as a float or nested lists of floats."""
        return np.asarray(value, float).tolist()

    def elements(self, value: Any) -> dict[str, float]:
        """Return ``{"": value}`` for a number, and by index for an array, such as ``{"[0]": 30.0, "[1]": 50.0}``."""
        if not np.shape(value):
            return {"": float(value)}
        return {f"[{', '.join(map(str, index))}]": float(x) for index, x in np.ndenumerate(np.asarray(value))}

    def text(self, value: Any) -> str:
        """Return a value as a table shows it, without its unit."""
        if not is_known(value):
            return str(value)
        numbers = np.asarray(value, float)
        return as_words(numbers.tolist()) if numbers.size <= SHORT else f"{numbers.size} numbers"

    @property
    def limits(self) -> str:
        """The bounds as a table shows them."""
        return f"{as_words(self.bounds[0])} to {as_words(self.bounds[1])}"

    def to_entry(self, value: Any) -> dict[str, Any]:
        """Return the description with a value in place of the start, for JSON."""
        return {**{name: getattr(self, name) for name in _entry_names()}, "value": self.plain(value)}

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any], tree: Any) -> Self:
        """Return what `to_entry` wrote down; the arguments are those of `Optimisable.from_entry`."""
        fields = take_entry(entry, _entry_names(), "value")
        return cls(fields.pop("value"), **fields)


def _entry_names() -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(Parameter) if field.init)


def _numbers(value: Any, name: str = "the value") -> np.ndarray:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, jax.errors.TracerArrayConversionError):
        array = np.asarray(None)
    if array.dtype == bool:
        raise TypeError(
            "a switch cannot be a parameter, since no gradient leads from off to on; compare the optimised analyses "
            "with and without, or blend the two with a number between 0 and 1"
        )
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be a number or an array of numbers, not {value!r}")
    return array.astype(float)


def _broadcast(numbers: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    try:
        return np.broadcast_to(np.asarray(numbers, float), shape)
    except ValueError:
        raise ValueError(f"{name} of shape {np.shape(numbers)} does not fit a value of shape {shape}") from None
