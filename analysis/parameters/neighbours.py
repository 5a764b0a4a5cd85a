"""Points that differ from one in a single choice."""

from __future__ import annotations

from collections.abc import Iterator

from .choice import Choice
from .parameters import Parameters


def neighbours(parameters: Parameters) -> Iterator[Parameters]:
    """Yield all points that differ from one in a single choice.

    Examples
    --------
    >>> from hepgrad.analysis import Parameters, WholeNumber, WorkingPoint
    >>> from hepgrad.analysis.parameters.neighbours import neighbours
    >>> list(neighbours(Parameters(jets=WholeNumber(4, bounds=(3, 5)), btag=WorkingPoint({"L": 0.05, "M": 0.28}))))
    [Parameters(jets=3, btag=M (0.28)), Parameters(jets=5, btag=M (0.28)), Parameters(jets=4, btag=L (0.05))]
    """
    for name in parameters.free:
        spec = parameters.specs[name]
        if isinstance(spec, Choice):
            here = spec.chosen(parameters.stored(name))
            yield from (parameters.replace(**{name: word}) for word in spec.options if word != here)
