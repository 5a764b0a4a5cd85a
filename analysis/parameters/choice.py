"""Choices among a few values: official working points of a tagger, and numbers of objects."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from hepgrad.ragged.tracing import is_known

from ..selection.choice import Chosen
from ..selection.cut import Reading
from .optimisable import Optimisable, check_description, take_entry

DESCRIPTION = ("width", "unit", "scale", "frozen", "label", "description")
# what the optimiser moves: 0 for all options but that of the start, and never beyond these bounds
LEAD, MOST = 1.0, 4.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice(Optimisable):
    """One of a few values; what the optimiser moves is a score for each, of which the largest chooses.

    In the soft reading every pass is the mean over the options, weighted with a softmax of the scores that becomes
    sharper with the width of the cuts; in the hard reading it is that of one option. At the end of a search the other
    options are evaluated with hard cuts, and the best one is taken.
    """

    width: Any = None
    unit: str = ""
    scale: float = 1.0
    frozen: bool = False
    label: str = ""
    description: str = ""
    value: Any = dataclasses.field(init=False, compare=False, repr=False)

    @property
    @abc.abstractmethod
    def options(self) -> Mapping[str, float]:
        """The values by word, increasing."""

    def settle(self, chosen: str) -> None:
        """Check the description, and begin at an option.

        Parameters
        ----------
        chosen
            Its word.

        Raises
        ------
        ValueError
            When there are fewer than two options, one is not finite, or a scale or width is not positive.
        """
        numbers = list(self.options.values())
        if len(numbers) < 2:
            raise ValueError(f"a choice needs at least two options, got {list(self.options)}")
        if not np.all(np.isfinite(numbers)):
            raise ValueError(f"the options must be finite, got {numbers}")
        if not self.scale > 0:
            raise ValueError(f"scale must be positive, got {self.scale}")
        if self.width is None:
            object.__setattr__(self, "width", (numbers[-1] - numbers[0]) / 20)
        if not self.width > 0:
            raise ValueError(f"width must be positive, got {self.width}")
        check_description(self)
        object.__setattr__(self, "value", self.checked(chosen))

    def chosen(self, value: Any) -> str:
        """Return the word of the option that a known value chooses: the first one of the largest scores.

        Parameters
        ----------
        value
            The scores, shape (options,).
        """
        return list(self.options)[int(np.argmax(np.asarray(value)))]

    def checked(self, value: Any) -> np.ndarray:
        """Return scores, from the word or the value of an option, or from scores.

        Parameters
        ----------
        value
            A word, a number, or scores of shape (options,).

        Raises
        ------
        ValueError
            When there is no such option, or scores are not finite.
        """
        options = self.options
        if isinstance(value, str) or np.ndim(value) == 0:
            for index, (word, number) in enumerate(options.items()):
                if value == word or (not isinstance(value, str) and np.isclose(float(value), number, rtol=1e-6)):
                    return LEAD * np.eye(len(options))[index]
            told = ", ".join(f"{word} ({number:g})" for word, number in options.items())
            raise ValueError(f"there is no option {value!r}; there are {told}")
        scores = np.asarray(value, float)
        if scores.shape != (len(options),) or not np.all(np.abs(scores) <= MOST * (1 + 1e-6)):
            raise ValueError(f"needs {len(options)} scores from {-MOST:g} to {MOST:g}, got {value}")
        return scores

    def in_stage(self, value: Any, reading: Reading) -> Chosen:
        """Return what a stage compares with, or counts to."""
        return Chosen.of(value, tuple(self.options.values()), tuple(self.options), self.width, reading)

    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the bounds of the scores."""
        high = np.full(len(self.options), MOST)
        return -high, high

    def elements(self, value: Any) -> dict[str, float]:
        """Return the number that is chosen."""
        return {"": float(self.options[self.chosen(value)])}

    def element_ranges(self) -> dict[str, tuple[float, float]]:
        """Return the smallest and the largest option."""
        numbers = list(self.options.values())
        return {"": (float(numbers[0]), float(numbers[-1]))}


@dataclasses.dataclass(frozen=True)
class WorkingPoint(Choice):
    """One of the working points of a tagger for which there is a calibration.

    ``jets.btagDeepFlavB > cut.btag`` asks for it, and `hepgrad.analysis.stages.WorkingPointWeight` takes the scale
    factor of the one that is chosen. Two are equal when they differ only in where they start.

    Attributes
    ----------
    points
        The values by word.
    start
        The word of the one to start from; the middle one by default.
    width, unit, scale, frozen, label, description
        As for `Parameter`; the scale is that of the scores.

    Raises
    ------
    ValueError
        When there are fewer than two points, two have the same value, or there is no such start.

    Examples
    --------
    >>> from hepgrad.analysis import Hard, Parameters, WorkingPoint
    >>> cuts = Parameters(btag=WorkingPoint({"L": 0.049, "M": 0.278, "T": 0.710}))
    >>> cuts
    Parameters(btag=M (0.278))
    >>> cuts.replace(btag="T").numbers()
    {'btag': 0.71}
    """

    points: Mapping[str, float] | tuple[tuple[str, float], ...]
    start: str = dataclasses.field(default="", compare=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(((str(w), float(x)) for w, x in dict(self.points).items()), key=lambda each: each[1]))
        if len({number for _, number in ordered}) < len(ordered):
            raise ValueError(f"two working points have the same value: {dict(ordered)}")
        # a dictionary cannot be hashed
        object.__setattr__(self, "points", ordered)
        self.settle(self.start or (ordered[len(ordered) // 2][0] if ordered else ""))

    @property
    def options(self) -> Mapping[str, float]:
        """The points, increasing."""
        return dict(self.points)

    def plain(self, value: Any) -> str:
        """Return the word of the one that is chosen."""
        return self.chosen(value)

    def text(self, value: Any) -> str:
        """Return the word of the one that is chosen, and its value."""
        if not is_known(value):
            return str(value)
        return f"{self.chosen(value)} ({self.options[self.chosen(value)]:.4g})"

    @property
    def limits(self) -> str:
        """The words."""
        return ", ".join(self.options)

    def to_entry(self, value: Any) -> dict[str, Any]:
        """Return the description with a value in place of the start, for JSON."""
        described = {name: getattr(self, name) for name in DESCRIPTION}
        return {"points": dict(self.points), "value": self.plain(value), **described}

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any], tree: Any) -> Self:
        """Return what `to_entry` wrote down."""
        fields = take_entry(entry, ("points", "value", *DESCRIPTION), "points")
        return cls(fields.pop("points"), _word(fields.pop("value", "")), **fields)


@dataclasses.dataclass(frozen=True)
class WholeNumber(Choice):
    """A number of objects: ``jets.at_least(cut.jets)``; also for `at_most` and `exactly`.

    Two are equal when they differ only in where they start.

    Attributes
    ----------
    start
        Where the optimisation starts.
    bounds
        The smallest and the largest number there is to choose from.
    width, unit, scale, frozen, label, description
        As for `Parameter`; the scale is that of the scores.

    Raises
    ------
    ValueError
        When a number is not whole, or the start is not within the bounds.

    Examples
    --------
    >>> from hepgrad.analysis import Parameters, WholeNumber
    >>> cuts = Parameters(jets=WholeNumber(4, bounds=(3, 6)))
    >>> cuts.replace(jets=5).to_dict()
    {'jets': 5}
    """

    start: int = dataclasses.field(compare=False)
    _: dataclasses.KW_ONLY
    bounds: tuple[int, int]

    def __post_init__(self) -> None:
        bounds = tuple(self.bounds)
        whole = [x for x in (*bounds, self.start) if not isinstance(x, bool) and float(x).is_integer()]
        if len(bounds) != 2 or len(whole) != 3 or not 0 <= bounds[0] < bounds[1]:
            raise ValueError(
                "needs whole numbers, of which the bounds are increasing and not negative, got "
                f"{self.start} and the bounds {self.bounds}"
            )
        object.__setattr__(self, "bounds", (int(bounds[0]), int(bounds[1])))
        object.__setattr__(self, "start", int(self.start))
        self.settle(str(self.start))

    @property
    def options(self) -> Mapping[str, float]:
        """All whole numbers from the lower to the upper bound."""
        return {str(number): float(number) for number in range(self.bounds[0], self.bounds[1] + 1)}

    def plain(self, value: Any) -> int:
        """Return the number that is chosen."""
        return int(self.chosen(value))

    def text(self, value: Any) -> str:
        """Return the number that is chosen."""
        return self.chosen(value) if is_known(value) else str(value)

    @property
    def limits(self) -> str:
        """The smallest and the largest number."""
        return f"{self.bounds[0]} to {self.bounds[1]}"

    def to_entry(self, value: Any) -> dict[str, Any]:
        """Return the description with a value in place of the start, for JSON."""
        described = {name: getattr(self, name) for name in DESCRIPTION}
        return {"value": self.plain(value), "bounds": list(self.bounds), "whole": True, **described}

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any], tree: Any) -> Self:
        """Return what `to_entry` wrote down."""
        fields = take_entry(entry, ("value", "bounds", "whole", *DESCRIPTION), "value")
        fields.pop("whole", None)
        return cls(fields.pop("value"), **fields)


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"the value of a working point is its word, got {value!r}")
    return value
