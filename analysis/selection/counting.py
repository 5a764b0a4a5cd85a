"""How many of a collection's objects are selected: their expected number, and event passes that count them."""

from __future__ import annotations

import abc
import operator
from typing import Any, Self

from hepgrad import ragged as rg

from .choice import Chosen
from .cut import Pass, as_probability
from .threshold import Threshold, ThresholdArray


class Counting(abc.ABC):
    """The part of `Objects` that counts; exact for independent passes (the Poisson-binomial distribution)."""

    probability: rg.RaggedArray

    @abc.abstractmethod
    def select(self, passed: Pass | rg.RaggedArray) -> Self:
        """Return the collection with each object's probability multiplied by that of passing.

        Parameters
        ----------
        passed
            A `Pass` per object, or ragged booleans.
        """

    def count(self) -> rg.FlatArray:
        """Return the expected number of selected objects per event, ``sum(p)``."""
        return rg.sum(self.probability, axis=1)

    def at_least(self, n: int | Chosen) -> Pass:
        """Return the event pass "at least ``n`` objects are selected".

        Parameters
        ----------
        n
            A whole number, 0 or more; or a parameter that is a choice among some (`WholeNumber`): the pass is then the
            expectation over the choice.

        Raises
        ------
        TypeError
            When ``n`` is another parameter or not a whole number: no gradient moves it.
        """
        if isinstance(n, Chosen):
            return n.of_numbers(self.at_least, "at_least")
        return Pass(rg.at_least_probability(self.probability, whole_number(n, "at_least")))

    def at_most(self, n: int | Chosen) -> Pass:
        """Return the event pass "at most ``n`` objects are selected".

        Parameters
        ----------
        n
            As for `at_least`.
        """
        if isinstance(n, Chosen):
            return n.of_numbers(self.at_most, "at_most")
        n = whole_number(n, "at_most")
        return self.none() if n == 0 else ~self.at_least(n + 1)

    def exactly(self, n: int | Chosen) -> Pass:
        """Return the event pass "exactly ``n`` objects are selected".

        Parameters
        ----------
        n
            As for `at_least`.
        """
        if isinstance(n, Chosen):
            return n.of_numbers(self.exactly, "exactly")
        n = whole_number(n, "exactly")
        return self.none() if n == 0 else Pass(rg.count_probability(self.probability, n)[:, n])

    def none(self) -> Pass:
        """Return the event pass "no object is selected" (a veto), ``prod(1 - p)``."""
        return Pass(rg.prod(1 - self.probability, axis=1))

    def all(self, passed: Pass | rg.RaggedArray) -> Pass:
        """Return the event pass "every selected object passes", ``prod(1 - p (1 - q))``.

        Parameters
        ----------
        passed
            A `Pass` per object, or ragged booleans.
        """
        return self.select(~Pass(as_probability(passed, self.probability))).none()

    def any(self, passed: Pass | rg.RaggedArray) -> Pass:
        """Return the event pass "at least one selected object passes", ``1 - prod(1 - p q)``.

        Parameters
        ----------
        passed
            A `Pass` per object, or ragged booleans.
        """
        return self.select(passed).at_least(1)


def whole_number(n: Any, what: str) -> int:
    """Return a number of objects as an integer.

    Raises `TypeError` when it is a parameter, or not a whole number known before the program runs.
    """
    if isinstance(n, Threshold | ThresholdArray):
        raise TypeError(
            f"{what}: a number of objects cannot be a parameter, since no gradient leads from 2 to 3; make it "
            "a choice, WholeNumber(3, bounds=(2, 5)), write the number and compare the optimised analyses with 2, 3, "
            "4, or let each number be a category of its own (events.categorise)"
        )
    if isinstance(n, bool):
        raise TypeError(f"{what}: needs a whole number, such as 2, not {n}")
    try:
        return operator.index(n)
    except TypeError:
        raise TypeError(f"{what}: needs a whole number known before the program runs, such as 2, not {n!r}") from None
