"""A choice among a few values as a stage sees it: a mixture of them when cuts are soft, one of them when hard."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from hepgrad import ragged as rg

from .cut import Pass, Reading
from .threshold import Threshold


@dataclasses.dataclass(frozen=True, eq=False)
class Chosen(Threshold):
    r"""One of several thresholds or numbers of objects, none of which lies between two others.

    A pass is the expectation over the choice, :math:`\sum_i w_i p_i`, with weights :math:`w` that are a softmax of what
    the optimiser moves, ever sharper as the cuts become hard, and at last 1 for the largest and 0 for all others.

    Attributes
    ----------
    value
        The expected value.
    width, reading
        As for `Threshold`.
    weights
        Shape (options,): the probability of each; they add up to 1.
    options
        The values.
    words
        What they are called.
    """

    weights: Any
    options: tuple[Any, ...]
    words: tuple[str, ...]

    @classmethod
    def of(cls, scores: Any, options: Sequence[float], words: Sequence[str], width: float, reading: Reading) -> Chosen:
        """Return the choice that belongs to some scores.

        Scores have shape (options,): the larger, the more probable.

        Examples
        --------
        >>> import jax.numpy as jnp
        >>> from hepgrad.analysis import Hard, Soft
        >>> from hepgrad.analysis.selection.choice import Chosen
        >>> x, scores = jnp.array([0.1, 0.4, 0.8]), jnp.array([0.0, 1.0, 0.0])
        >>> for reading in (Soft(), Soft(0.1), Hard()):
        ...     chosen = Chosen.of(scores, (0.049, 0.278, 0.710), "LMT", 1e-3, reading)
        ...     print([f"{p:.3f}" for p in (x > chosen).probability])
        ['0.212', '0.788', '1.000']
        ['0.000', '1.000', '1.000']
        ['0.000', '1.000', '1.000']
        """
        scores = jnp.asarray(scores)

        def soft(factor: Any) -> jax.Array:
            return jax.nn.softmax(scores / jnp.asarray(factor, scores.dtype))

        weights = reading.probability(soft, _first_of_the_largest(scores))
        value = weights @ jnp.asarray(options, weights.dtype)
        return cls(value, width, reading, weights, tuple(options), tuple(words))

    def mixed(self, values: Sequence[Any]) -> Any:
        """Return the expectation of something of which there is one for each option.

        Values are in the order of the options: arrays, flat or ragged, or numbers.
        """

        def expectation(*each: jax.Array) -> jax.Array:
            # events stay in their own precision
            return sum(w.astype(jnp.result_type(x)) * x for w, x in zip(self.weights, each, strict=True))

        return rg.apply(expectation, *values, operation="a choice")

    def of_each(self, passed: Callable[[Threshold], Pass]) -> Pass:
        """Return the expectation of a pass that is told the threshold.

        ``passed`` leads from the threshold of an option to a pass.
        """
        each = [passed(Threshold(option, self.width, self.reading)) for option in self.options]
        return Pass(self.mixed([one.probability for one in each]))

    def of_numbers(self, passed: Callable[[int], Pass], what: str) -> Pass:
        """Return the expectation of a pass that is told a whole number.

        ``passed`` leads from a number of objects to a pass; ``what`` is how errors call the method. Raises
        `TypeError` when an option is no whole number.
        """
        try:
            numbers = [operator.index(int(option)) for option in self.options if float(option).is_integer()]
        except (TypeError, jax.errors.JAXTypeError):
            numbers = []
        if len(numbers) != len(self.options):
            raise TypeError(f"{what}: needs a choice among whole numbers (WholeNumber), not among {self.options}")
        return Pass(self.mixed([passed(number).probability for number in numbers]))

    def _passes(self, x: Any, *, sign: int, strict: bool) -> Pass:
        self.compared(x, sign)
        return self.of_each(lambda threshold: threshold._passes(x, sign=sign, strict=strict))

    def _times_plus(self, factor: Any, shift: Any) -> Chosen:
        moved = super()._times_plus(factor, shift)
        options = tuple(option * factor + shift for option in self.options)
        return dataclasses.replace(self, value=moved.value, width=moved.width, options=options)


def _first_of_the_largest(scores: jax.Array) -> jax.Array:
    """Return 1 for the largest and 0 for all others.

    By comparisons, of which a skim knows what they can be when scores are only known to lie between bounds.
    """
    number = scores.shape[0]
    leads = [
        jnp.prod(
            jnp.stack(
                [(scores[i] > scores[j] if j < i else scores[i] >= scores[j]) for j in range(number) if j != i]
            ).astype(scores.dtype)
        )
        for i in range(number)
    ]
    return jnp.stack(leads)
