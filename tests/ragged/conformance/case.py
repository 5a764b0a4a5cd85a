"""One expression of the table, and how to evaluate it."""

from __future__ import annotations

import dataclasses
from types import CodeType

import jax
import numpy as np

from .inputs import NAMES


@dataclasses.dataclass(frozen=True)
class Case:
    """An expression of Awkward's, in the names of `inputs`.

    Attributes
    ----------
    expression
        Python; ``ak`` is the library under test, ``np`` is NumPy.
    group
        Where it stands in the table.
    jittable
        Whether it can be compiled with nothing but the arrays' own capacities to bound the result.
    end
        Whether its flat result may have an unused end inside ``jit``, where the length depends on the data: only the
        first items are compared.
    differentiable
        Whether central differences tell its derivative (False: steps, or results that depend on order only).
    special
        Whether it is compared for NaN and infinite values as well.
    rows
        It needs at least this many rows.
    full
        It needs two items in every row.
    """

    expression: str
    group: str
    jittable: bool = True
    end: bool = False
    differentiable: bool = True
    special: bool = False
    rows: int = 0
    full: bool = False

    @property
    def code(self) -> CodeType:
        return compile(self.expression, self.expression, "eval")

    @property
    def uses(self) -> tuple[str, ...]:
        """The inputs that the expression names, also inside lambdas and comprehensions."""
        found: set[str] = set()
        todo = [self.code]
        while todo:
            code = todo.pop()
            found |= set(code.co_names)
            todo += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        return tuple(name for name in NAMES if name in found)

    def fits(self, counts: list[int]) -> bool:
        return len(counts) >= self.rows and (not self.full or min(counts, default=0) >= 2 or not counts)

    def shortened(self, result: object, expected: object) -> object:
        """Return a result of ``jit`` without the unused end that the case is known to have."""
        return result[: len(expected)] if self.end and isinstance(result, jax.Array) else result

    def evaluate(self, library: object, inputs: dict) -> object:
        """Evaluate; as NumPy's, Awkward's complaints about log(-1) are not the subject."""
        with np.errstate(all="ignore"):
            return eval(self.code, {"ak": library, "np": np, **inputs})


def table(group: str, expressions: str, **flags: object) -> list[Case]:
    """Return one case for each line; ``# `` begins a comment."""
    lines = (line.split("#")[0].strip() for line in expressions.splitlines())
    return [Case(line, group, **flags) for line in lines if line]
