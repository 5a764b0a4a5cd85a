"""Single numbers among parameters: rounded, put in, and how wide their soft cuts are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hepgrad.analysis import Parameter, Parameters
from hepgrad.analysis.parameters.choice import Choice


def roundest(low: float, high: float, near: float) -> float:
    """Return the number with the fewest digits in a region: a multiple of a power of ten, or of half of one.

    ``low <= near <= high``; of several equally round numbers the closest to ``near`` is taken.

    Examples
    --------
    >>> from hepgrad.workflows.results.cut_values import roundest
    >>> roundest(52.1, 57.9, 54.73), roundest(0.271, 0.279, 0.2771), roundest(-0.4, 3.0, 1.7)
    (55.0, 0.275, 0.0)
    """
    if not high > low:
        return near
    exponent = math.ceil(math.log10(max(abs(low), abs(high)))) + 1
    while True:
        # as integers: a step is written as a power of ten, whose multiples decimals have exactly
        for factor in (10, 5):
            step = factor * 10.0 ** (exponent - 1)
            first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
            if first <= last:
                multiple = min(max(round(near / step), first), last)
                return float(f"{multiple * step:.12g}")
        exponent -= 1


def with_number(parameters: Parameters, name: str, value: float) -> Parameters:
    """Return parameters with another value of one free number, which may lie beyond its bounds.

    Names are as in `Parameters.numbers`, such as ``"met"`` or ``"pt[0]"``.
    """
    key, _, index = name.partition("[")
    new: Any = value
    if index:
        array = np.array(parameters.stored(key), float)
        array[_place(index)] = value
        new = array
    return parameters.with_free({**{k: parameters[k] for k in parameters.free}, key: new})


def _place(index: str) -> tuple[int, ...]:
    return tuple(int(i) for i in index.rstrip("]").replace("][", ",").split(","))


def width_of(parameters: Parameters, name: str) -> float:
    """Return the width of the soft cut of a number."""
    key, _, index = name.partition("[")
    spec = parameters.specs[key]
    assert isinstance(spec, Parameter)
    widths = np.broadcast_to(np.asarray(spec.width, float), spec.shape)
    return float(widths[_place(index)] if index else widths)


def free_numbers(parameters: Parameters) -> dict[str, float]:
    """Return the present values of the numbers that an optimisation moves, as `Parameters.numbers` names them.

    Neither edges nor weights are told.
    """

    def is_one(name: str) -> bool:
        spec = parameters.spec_of(name)
        return isinstance(spec, Parameter) and not spec.frozen

    return {name: value for name, value in parameters.numbers().items() if is_one(name)}


def free_choices(parameters: Parameters) -> dict[str, tuple[str, ...]]:
    """Return the options of the choices that an optimisation moves, by name."""
    free = {name: parameters.specs[name] for name in parameters.free}
    return {name: tuple(spec.options) for name, spec in free.items() if isinstance(spec, Choice)}


def with_option(parameters: Parameters, name: str, word: str) -> Parameters:
    """Return parameters with another option of one choice."""
    return parameters.replace(**{name: word})
