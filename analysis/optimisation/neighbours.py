"""The end of a descent over choices: exact values of the options next to those that it came to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from ..parameters.choice import Choice
from ..parameters.parameters import Parameters
from ..statistics.objectives import Evaluation
from .attempt import Attempt


def neighbours(parameters: Parameters) -> Iterator[Parameters]:
    """Yield all points that differ from one in a single choice.

    Parameters
    ----------
    parameters
        The point; frozen choices stay.

    Examples
    --------
    >>> from hepgrad.analysis import Parameters, WholeNumber, WorkingPoint
    >>> from hepgrad.analysis.optimisation.neighbours import neighbours
    >>> list(neighbours(Parameters(jets=WholeNumber(4, bounds=(3, 5)), btag=WorkingPoint({"L": 0.05, "M": 0.28}))))
    [Parameters(jets=3, btag=M (0.28)), Parameters(jets=5, btag=M (0.28)), Parameters(jets=4, btag=L (0.05))]
    """
    for name in parameters.free:
        spec = parameters.specs[name]
        if isinstance(spec, Choice):
            here = spec.chosen(parameters.stored(name))
            yield from (parameters.replace(**{name: word}) for word in spec.options if word != here)


def best_neighbour(attempt: Attempt, evaluate: Callable[[Parameters], Evaluation]) -> Attempt:
    """Return an attempt whose best point is better than all points that differ from it in a single choice.

    Parameters
    ----------
    attempt
        At its end.
    evaluate
        The goal with hard cuts on the events that choose.
    """
    better = True
    while better:
        better = False
        for point in neighbours(attempt.best):
            found = evaluate(point)
            if bool(found.converged) and float(found.value) > attempt.best_value:
                attempt = dataclasses.replace(attempt, best=point, best_value=float(found.value))
                better = True
    return attempt
