"""Each expression of the table where rows have become a matter of the data, and what can be done with its result."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import awkward as ak
import jax
import numpy as np
import pytest

from hepgrad import ragged as rg

from .before import AFTERWARDS, FOLLOWING, WAYS, afterwards, decisions
from .case import Case
from .cases import CASES
from .compare import assert_same, leaves, to_awkward
from .convert import cotangent_for, moved, to_ragged
from .inputs import make_inputs
from .stepped import Failed, trace
from .test_conformance import AWKWARD, INTEGERS, RAGGED, random_pool, structure_for

pytestmark = pytest.mark.thorough

compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
JITTABLE = [case for case in CASES if case.jittable]
# how ours refuses, in words of its own
REFUSALS = (TypeError, ValueError, IndexError)


def is_smooth(case: Case) -> bool:
    return case.differentiable and bool(set(case.uses) - INTEGERS)


def parts_of(result: object) -> list:
    return list(result) if isinstance(result, tuple | list) else [result]


def listed(result: object) -> object:
    """One record as an array that holds it; anything else as it is."""
    return ak.Array([ak.to_list(result)]) if isinstance(result, ak.Record) else result


def judged(part: ak.Array, name: str, how: dict) -> bool | None:
    """Whether Awkward does something with a result (True) or refuses it (False); None where nothing is to be said."""
    if part.fields and name in ("mean", "min", "max", "prod", "argmax", "where among the former rows"):
        return None  # a reduction of records would add up other quantities than each other; ours asks for a field
    if part.layout.is_regular and part.ndim > 1 and ("broadcast" in name or "where among" in name):
        return None  # ours asks for the missing axis, in words: x[:, np.newaxis]
    try:
        with np.errstate(all="ignore"):
            after = afterwards(name, AWKWARD, part, how)
    except Exception:
        return False
    # a missing value, and what is of several types at once, are nothing that ours has
    strange = after is None or (isinstance(after, ak.Array) and any(mark in str(after.type) for mark in ("?", "union")))
    # Awkward takes a mask for the first rows only, and no rows for any number of them; ours refuses
    loose = name not in FOLLOWING and len(part) != len(how["keep"])
    return None if strange or loose else True


def needed(case: Case) -> tuple[str, ...]:
    """The inputs that the expression uses, and those that a way needs."""
    return tuple(dict.fromkeys((*case.uses, "x"))) if "f" in case.uses else case.uses


def ready(library: object, arrays: dict) -> dict:
    """Pack Awkward's arrays: what it says to `is_none` of records depends on whether they were selected lazily."""
    if library is AWKWARD:
        return {name: ak.to_packed(array) if isinstance(array, ak.Array) else array for name, array in arrays.items()}
    return arrays


# what follows a result: of which of its parts, and what
Follower = tuple[int, str]


@dataclasses.dataclass(frozen=True)
class Sequence:
    """One way, one expression, and what follows it: what Awkward accepts, and what it refuses."""

    way: Callable[..., dict]
    case: Case
    accepted: tuple[Follower, ...] = ()
    refused: tuple[Follower, ...] = ()

    def result(self, library: object, arrays: dict, how: dict) -> object:
        with np.errstate(all="ignore"):
            return self.case.evaluate(library, ready(library, self.way(library, arrays, how)))

    def __call__(self, library: object, arrays: dict, how: dict) -> tuple:
        result = self.result(library, arrays, how)
        with np.errstate(all="ignore"):
            return result, [afterwards(name, library, parts_of(result)[part], how) for part, name in self.accepted]

    def of_ours(self, arrays: dict, how: dict) -> tuple:
        """Return the result, what follows it, and what should not have: None where it is refused."""
        result, after = self(RAGGED, arrays, how)
        return result, after, [attempted(name, parts_of(result)[part], how) for part, name in self.refused]


def attempted(name: str, part: object, how: dict) -> object:
    try:
        return afterwards(name, RAGGED, part, how)
    except REFUSALS:
        return None


def is_refused(result: object) -> bool:
    return result is None or any(isinstance(leaf, Failed) for leaf in jax.tree.leaves(result))


@dataclasses.dataclass(frozen=True)
class Question:
    """A sequence with its inputs, what the way needs to know, and what Awkward says; None where it refuses."""

    sequence: Sequence
    inputs: dict
    how: dict
    answer: tuple | None

    @property
    def arguments(self) -> tuple[dict, dict]:
        how = to_ragged(self.how, ("keep", "items", "of_items", "counts"), slack=0) | {"row": self.how["row"]}
        return to_ragged(self.inputs, tuple(self.inputs), slack=3), how


def asked(way: Callable[..., dict], case: Case) -> Question:
    inputs = make_inputs(structure_for(case), random_pool(4), np.float64)
    how = decisions(inputs)
    inputs = {name: inputs[name] for name in needed(case)}
    sequence = Sequence(way, case)
    try:
        result = sequence.result(AWKWARD, inputs, how)
    except Exception:
        return Question(sequence, inputs, how, None)
    verdicts = {
        (number, name): judged(part, name, how)
        for number, part in enumerate(parts_of(result))
        for name in AFTERWARDS
        if isinstance(part, ak.Array)
    }
    accepted, refused = (tuple(each for each in verdicts if verdicts[each] is one) for one in (True, False))
    sequence = Sequence(way, case, accepted, refused)
    return Question(sequence, inputs, how, sequence(AWKWARD, inputs, how))


def check_values(question: Question, found: tuple) -> None:
    result, after = question.answer
    for leaf in jax.tree.leaves(found[:2]):
        if isinstance(leaf, Failed):
            raise leaf.error
    assert_same(to_awkward(found[0]), result, rtol=1e-10, atol=1e-10)
    for (_, name), one, other in zip(question.sequence.accepted, found[1], after, strict=True):
        try:
            assert_same(listed(to_awkward(one)), listed(other), rtol=1e-9, atol=1e-9)
        except AssertionError as difference:
            raise AssertionError(f"{name} of the result: {difference}") from None


def has_derivative(follower: Follower, after: object) -> bool:
    """Leave out where one NaN becomes that of the whole: `jax.numpy` has NaN for the derivative, too."""
    if follower[1] not in FOLLOWING:
        return False
    return follower[1] not in ("min", "max", "prod") or all(np.all(np.isfinite(leaf)) for leaf in leaves(after))


def check_derivatives(question: Question, function: Callable[..., tuple], program: Callable[..., Any]) -> None:
    """Compare forward and reverse derivatives with central differences of Awkward's values.

    ``function`` is ours, of the arrays and what the way needs to know; ``program`` makes something to call of it.
    """
    followers = question.sequence.accepted
    kept = [k for k, after in enumerate(question.answer[1]) if has_derivative(followers[k], after)]
    sequence = dataclasses.replace(question.sequence, accepted=tuple(followers[k] for k in kept), refused=())
    inputs = question.inputs
    other = make_inputs(structure_for(sequence.case), random_pool(3), np.float64)
    direction = {name: other[name] for name in inputs}

    def differentiated(arrays: dict, tangents: dict, how: dict) -> tuple:
        def of_arrays(arrays: dict) -> tuple:
            result, after, *_ = function(arrays, how)
            return result, [after[k] for k in kept]

        value, derivative = rg.jvp(of_arrays, (arrays,), (tangents,))
        _, pull_back = rg.vjp(of_arrays, arrays)
        return derivative, pull_back(cotangent_for(value))[0]

    arrays, how = question.arguments
    tangents = to_ragged(direction, tuple(inputs), slack=3)
    derivative, gradient = program(differentiated, arrays, tangents, how)

    step = 1e-5
    after, before = (leaves(sequence(AWKWARD, moved(inputs, direction, h), question.how)) for h in (step, -step))
    labels = ["the result"] * len(leaves(question.answer[0]))
    labels += [f"{followers[k][1]} of the result" for k in kept for _ in leaves(question.answer[1][k])]
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


def in_turn(cases: list[Case], way: int) -> set[str]:
    """One expression of each kind, another one for each way; those that give a number have nothing to follow."""
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        if not any(mark in case.expression for mark in ("axis=None", "_equal(", "(x)", "(x > 0)", "[2, 1]", "[0, 0]")):
            kinds.setdefault(case.group, []).append(case)
    return {kind[way * len(kind) // len(WAYS)].expression for kind in kinds.values()}


SAMPLES = [in_turn(JITTABLE, way) for way in range(len(WAYS))]
ALL = [
    pytest.param(
        way,
        case,
        marks=() if case.expression in sample else pytest.mark.slow,
        id=f"{way.__name__}-{case.expression}",
    )
    for way, sample in zip(WAYS, SAMPLES, strict=True)
    for case in JITTABLE
]


@pytest.mark.parametrize(("way", "case"), ALL)
def test_after_and_before(way, case, x64):
    question = asked(way, case)
    arguments = question.arguments
    if question.answer is None:
        try:
            found = trace(question.sequence.of_ours, *arguments)(*arguments)
        except REFUSALS:
            return
        assert is_refused(found[0]), "Awkward refuses the expression"
        return
    program = trace(question.sequence.of_ours, *arguments)
    found = program(*arguments)
    check_values(question, found)
    attempts = zip(question.sequence.refused, found[2], strict=True)
    taken = [name for (_, name), result in attempts if not is_refused(result)]
    assert not taken, f"Awkward refuses of the result: {', '.join(taken)}"
    if is_smooth(case):
        check_derivatives(question, program.traced, lambda f, *args: trace(f, *args)(*args))


# also compiled, as `stepped` does not
COMPILED = [(WAYS[0], "x * w + s"), (WAYS[2], "ak.sort(x[m])"), (WAYS[5], "ak.concatenate([x, z])")]


@pytest.mark.parametrize(("way", "expression"), COMPILED)
def test_compiled_as_a_whole(way, expression, x64):
    question = asked(way, next(case for case in JITTABLE if case.expression == expression))
    sequence = dataclasses.replace(question.sequence, refused=())
    check_values(question, compiled(sequence.of_ours)(*question.arguments))
