"""Each expression of the table where rows have become a matter of the data, and what can be done with its result."""

from __future__ import annotations

import functools

import awkward as ak
import jax
import numpy as np
import pytest

from .before import AFTERWARDS, WAYS, decisions
from .case import Case
from .cases import CASES
from .compare import assert_same, to_awkward
from .convert import to_ragged
from .inputs import make_inputs
from .test_conformance import AWKWARD, RAGGED, random_pool, structure_for

compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
JITTABLE = [case for case in CASES if case.jittable]
# a different part of the table for each way; the whole of it runs with -m slow
QUICK = 80
TABLE = [
    pytest.param(way, case, marks=() if (number + 7 * start) % QUICK == 0 else pytest.mark.slow)
    for start, way in enumerate(WAYS)
    for number, case in enumerate(JITTABLE)
]


def parts_of(result: object) -> list:
    return list(result) if isinstance(result, tuple | list) else [result]


def followed(library: object, result: object, names: list[list[str]]) -> list:
    return [
        AFTERWARDS[name](library, part) for part, wanted in zip(parts_of(result), names, strict=True) for name in wanted
    ]


def listed(result: object) -> object:
    """One record as an array that holds it; anything else as it is."""
    return ak.Array([ak.to_list(result)]) if isinstance(result, ak.Record) else result


def possible(part: object) -> list[str]:
    """What Awkward can do with a result."""
    names = []
    # a reduction of records would add up other quantities than each other; ours asks for a field, in words
    reductions = ("mean", "min", "max", "prod", "argmax") if part.fields else ()
    for name, function in AFTERWARDS.items():
        if name in reductions:
            continue
        if name == "broadcast" and part.layout.is_regular and part.ndim > 1:
            continue  # ours asks for the missing axis, in words: x[:, np.newaxis]
        try:
            with np.errstate(all="ignore"):
                after = function(AWKWARD, part)
        except Exception:
            continue
        if not (isinstance(after, ak.Array) and "?" in str(after.type)) and after is not None:
            names.append(name)
    return names


def needed(case: Case) -> tuple[str, ...]:
    """The inputs that the expression uses, and those that a way needs."""
    return tuple(dict.fromkeys((*case.uses, "x"))) if "f" in case.uses else case.uses


@pytest.mark.parametrize(("way", "case"), TABLE, ids=lambda value: getattr(value, "expression", None) or value.__name__)
def test_after_and_before(way, case, x64):
    inputs = make_inputs(structure_for(case), random_pool(4), np.float64)
    how = decisions(inputs)
    uses = needed(case)
    before = way(AWKWARD, {name: inputs[name] for name in uses}, how)
    try:
        expected = case.evaluate(AWKWARD, before)
    except Exception:
        pytest.skip("Awkward refuses it")
    names = [possible(part) if isinstance(part, ak.Array) else [] for part in parts_of(expected)]
    with np.errstate(all="ignore"):
        wanted = followed(AWKWARD, expected, names)

    @compiled
    def run(arrays: dict, how: dict) -> tuple:
        result = case.evaluate(RAGGED, way(RAGGED, arrays, how))
        return result, followed(RAGGED, result, names)

    decided = to_ragged(how, ("keep", "items", "of_items", "counts"), slack=0) | {"row": how["row"]}
    actual, after = run(to_ragged(inputs, uses, slack=3), decided)
    assert_same(to_awkward(actual), expected, rtol=1e-10, atol=1e-10)
    flat = [name for each in names for name in each]
    for name, one, other in zip(flat, after, wanted, strict=True):
        try:
            assert_same(listed(to_awkward(one)), listed(other), rtol=1e-9, atol=1e-9)
        except AssertionError as difference:
            raise AssertionError(f"{name} of the result: {difference}") from None
