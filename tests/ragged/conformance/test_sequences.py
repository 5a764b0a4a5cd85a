"""Each expression of the table where rows have become a matter of the data, and what can be done with its result."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import awkward as ak
import jax
import numpy as np
import pytest

from hepgrad import ragged as rg

from .before import AFTERWARDS, WAYS, decisions
from .case import Case
from .cases import CASES
from .compare import assert_same, leaves, to_awkward
from .convert import cotangent_for, moved, to_ragged
from .inputs import make_inputs
from .stepped import stepped
from .test_conformance import AWKWARD, INTEGERS, RAGGED, random_pool, structure_for

compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
JITTABLE = [case for case in CASES if case.jittable]
SMOOTH = [case for case in JITTABLE if case.differentiable and set(case.uses) - INTEGERS]


def table(cases: list[Case], quick: int) -> pytest.MarkDecorator:
    """All ways with all cases: each ``quick``-th compiled, another part for each way; the others with ``-m slow``."""
    rows = []
    for start, way in enumerate(WAYS):
        for number, case in enumerate(cases):
            first = (number + 7 * start) % quick == 0
            label = f"{way.__name__}-{case.expression}"
            marks = () if first else pytest.mark.slow
            rows.append(pytest.param(way, case, compiled if first else stepped, marks=marks, id=label))
    return pytest.mark.parametrize(("way", "case", "program"), rows)


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


def ready(library: object, arrays: dict) -> dict:
    """Pack Awkward's arrays: what it says to `is_none` of records depends on whether they were selected lazily."""
    if library is AWKWARD:
        return {name: ak.to_packed(array) if isinstance(array, ak.Array) else array for name, array in arrays.items()}
    return arrays


@dataclasses.dataclass(frozen=True)
class Sequence:
    """One way, one expression, and what follows it."""

    way: Callable[..., dict]
    case: Case
    names: list[list[str]]

    def __call__(self, library: object, arrays: dict, how: dict) -> tuple:
        with np.errstate(all="ignore"):
            result = self.case.evaluate(library, ready(library, self.way(library, arrays, how)))
            return result, followed(library, result, self.names)


def prepared(way: Callable[..., dict], case: Case) -> tuple[Sequence, dict, dict, tuple]:
    """Return the sequence, its inputs, what the way needs to know, and what Awkward says."""
    inputs = make_inputs(structure_for(case), random_pool(4), np.float64)
    how = decisions(inputs)
    inputs = {name: inputs[name] for name in needed(case)}
    try:
        result = case.evaluate(AWKWARD, ready(AWKWARD, way(AWKWARD, inputs, how)))
    except Exception:
        pytest.skip("Awkward refuses it")
    names = [possible(part) if isinstance(part, ak.Array) else [] for part in parts_of(result)]
    sequence = Sequence(way, case, names)
    return sequence, inputs, how, sequence(AWKWARD, inputs, how)


def traced(how: dict) -> dict:
    return to_ragged(how, ("keep", "items", "of_items", "counts"), slack=0) | {"row": how["row"]}


def check(sequence: Sequence, found: tuple, expected: tuple) -> None:
    actual, after = found
    assert_same(to_awkward(actual), expected[0], rtol=1e-10, atol=1e-10)
    flat = [name for each in sequence.names for name in each]
    for name, one, other in zip(flat, after, expected[1], strict=True):
        try:
            assert_same(listed(to_awkward(one)), listed(other), rtol=1e-9, atol=1e-9)
        except AssertionError as difference:
            raise AssertionError(f"{name} of the result: {difference}") from None


@table(JITTABLE, 120)
def test_after_and_before(way, case, program, x64):
    sequence, inputs, how, expected = prepared(way, case)
    found = program(functools.partial(sequence, RAGGED))(to_ragged(inputs, tuple(inputs), slack=3), traced(how))
    check(sequence, found, expected)


def with_finite_results(sequence: Sequence, after: list) -> Sequence:
    """Leave out where one NaN becomes that of the whole: `jax.numpy` has NaN for the derivative, too."""
    results = iter(after)
    names = [
        [
            name
            for name in each
            if all(np.all(np.isfinite(leaf)) for leaf in leaves(next(results))) or name not in ("min", "max", "prod")
        ]
        for each in sequence.names
    ]
    return dataclasses.replace(sequence, names=names)


@table(SMOOTH, 300)
def test_derivatives_after_and_before(way, case, program, x64):
    sequence, inputs, how, expected = prepared(way, case)
    sequence = with_finite_results(sequence, expected[1])
    expected = sequence(AWKWARD, inputs, how)
    other = make_inputs(structure_for(case), random_pool(3), np.float64)
    direction = {name: other[name] for name in inputs}

    def differentiated(arrays: dict, tangents: dict, how: dict) -> tuple:
        def of_arrays(arrays: dict) -> tuple:
            return sequence(RAGGED, arrays, how)

        value, derivative = rg.jvp(of_arrays, (arrays,), (tangents,))
        _, pull_back = rg.vjp(of_arrays, arrays)
        return derivative, pull_back(cotangent_for(value))[0]

    arrays, tangents = (to_ragged(each, tuple(inputs), slack=3) for each in (inputs, direction))
    derivative, gradient = program(differentiated)(arrays, tangents, traced(how))

    step = 1e-5
    after, before = (leaves(sequence(AWKWARD, moved(inputs, direction, h), how)) for h in (step, -step))
    labels = ["the result"] * len(leaves(expected[0])) + ["what follows it"] * len(leaves(expected[1]))
    pulled, pushed = 0.0, 0.0
    for label, actual, a, b in zip(labels, leaves(to_awkward(derivative)), after, before, strict=True):
        if a.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                slope = ((a - b) / (2 * step)).ravel()
            finite = np.isfinite(slope)
            np.testing.assert_allclose(actual.ravel()[finite], slope[finite], rtol=1e-5, atol=1e-5, err_msg=label)
            pushed += np.sum((slope * np.cos(1 + 1.3 * np.arange(slope.size)))[finite])
    for name in inputs:
        for one, moved_by in zip(leaves(to_awkward(gradient[name])), leaves(direction[name]), strict=True):
            assert np.all(np.isfinite(one)), f"gradient with respect to {name}: {one}"
            if one.dtype.kind == "f":
                pulled += np.sum(one * moved_by)
    np.testing.assert_allclose(pulled, pushed, rtol=1e-5, atol=1e-5, err_msg="reverse")
