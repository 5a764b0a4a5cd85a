"""What the numbers among the settings of a workflow may be."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import Any

from ..errors import InputError


def is_finite(number: Any) -> bool:
    """Return whether a number is finite as floating-point number too: whole ones may have hundreds of digits.

    Examples
    --------
    >>> from hepgrad.workflows.settings.ranges import is_finite
    >>> is_finite(3), is_finite(10**400), is_finite(float("nan"))
    (True, False, False)
    """
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers that a setting may have.

    Attributes
    ----------
    least
        The lowest one.
    whole
        Whether it has to be a whole number.
    beyond
        Whether the lowest one itself is out of range.
    most
        The highest one.
    optional
        Whether it may be None.
    """

    least: float
    whole: bool = False
    beyond: bool = False
    most: float = math.inf
    optional: bool = False

    def check(self, value: Any, name: str) -> None:
        """Raise `InputError` for what is no number, NaN or infinite, or out of range.

        Examples
        --------
        >>> from hepgrad.workflows.settings.ranges import RANGES
        >>> RANGES["steps"].check(0, "steps")
        Traceback (most recent call last):
        hepgrad.workflows.errors.InputError: steps: expected a whole number of at least 1, got 0
        """
        self.check_kind(value, name)
        if value is None:
            return
        number: Any = value
        if not number <= self.most or not is_finite(number):
            limit = f"of at most {self.most}" if math.isfinite(self.most) else "that is finite"
            raise InputError(f"{name}: expected {self._kind} {limit}, got {value!r}")
        if number < self.least or (self.beyond and number == self.least):
            limit = f"above {self.least:g}" if self.beyond else f"of at least {self.least:g}"
            raise InputError(f"{name}: expected {self._kind} {limit}, got {value!r}")

    def check_kind(self, value: Any, name: str) -> None:
        """Raise an error when a value is no number, or not a whole one where it has to be."""
        if value is None and self.optional:
            return
        if isinstance(value, bool) or not isinstance(value, numbers.Integral if self.whole else numbers.Real):
            raise InputError(f"{name}: expected {self._kind}, got {value!r}")

    def plain(self, value: Any) -> Any:
        """Return a value as Python's own number, which JSON and TOML can hold too."""
        if value is None or type(value) in (int, float):
            return value
        return int(value) if self.whole else float(value)

    @property
    def _kind(self) -> str:
        return f"a {'whole ' * self.whole}number"


# of 32-bit integers
MOST = 2**31 - 1

RANGES = {
    "luminosity": Range(0, beyond=True),
    "energy": Range(0, beyond=True),
    "steps": Range(1, whole=True, most=MOST),
    "learning_rate": Range(0, beyond=True),
    "weight_decay": Range(0),
    "check_every": Range(1, whole=True, most=MOST),
    "block_size": Range(1, whole=True, most=MOST, optional=True),
    "draws": Range(0, whole=True, most=MOST),
    "starts": Range(1, whole=True, most=MOST),
    "seed": Range(0, whole=True, most=2**63 - 1),
    "replicas": Range(2, whole=True, most=MOST),
    "folds": Range(1, whole=True, most=1000),
}
