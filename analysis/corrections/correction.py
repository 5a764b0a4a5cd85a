"""Corrections in correctionlib's format as differentiable functions of arrays."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg
from hepgrad.ragged.errors import concrete

from .forest import Forest, floats_of
from .nodes import Tree, UnknownWord

_UPDATES: dict[str, Callable[[Any, Any], Any]] = {
    "+": jnp.add,
    "*": jnp.multiply,
    "/": jnp.divide,
    "last": lambda before, new: new,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Correction:
    """One correction of a file in correctionlib's JSON (schema 2): a function of numbers, arrays and words.

    Called with its inputs in the order that `inputs` tells: words for inputs of text, and for the others numbers, flat
    or ragged arrays that fit each other. The value is that of correctionlib; the derivative is that of the formula, and
    zero for what is looked up in bins. The program consists of a few array operations however many bins and formulas
    the file has, and works under `jit`, `vmap` and differentiation. In float32 it has about six digits, in float64
    those of correctionlib.

    Attributes
    ----------
    name
        What the file calls it.
    inputs
        By name and in order, the type of each: ``"real"``, ``"int"`` or ``"string"``.
    description
        What the file says about it.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis.corrections import Correction
    >>> bins = {"nodetype": "binning", "input": "pt", "edges": [20, 50, 100], "flow": "clamp"}
    >>> formula = {"nodetype": "formula", "parser": "TFormula", "expression": "1 - 0.001*x", "variables": ["pt"]}
    >>> correction = Correction.from_dict({
    ...     "name": "efficiency", "version": 1, "output": {"name": "weight", "type": "real"},
    ...     "inputs": [{"name": "working_point", "type": "string"}, {"name": "pt", "type": "real"}],
    ...     "data": {"nodetype": "category", "input": "working_point", "content": [
    ...         {"key": "tight", "value": {**bins, "content": [0.7, formula]}}]},
    ... })
    >>> correction.inputs
    {'working_point': 'string', 'pt': 'real'}
    >>> rg.to_list(correction("tight", rg.from_lists([[10.0, 60.0], [], [200.0]])))
    [[0.699999988079071, 0.9399999976158142], [], [0.800000011920929]]
    """

    name: str
    inputs: Mapping[str, str]
    description: str
    _json: Mapping[str, Any] = dataclasses.field(repr=False)

    @classmethod
    def from_dict(cls, correction: Mapping[str, Any]) -> Correction:
        """Return a correction from its JSON object.

        Parameters
        ----------
        correction
            As correctionlib's schema 2 describes it.

        Raises
        ------
        ValueError
            When a key is missing.
        """
        try:
            inputs = {each["name"]: each["type"] for each in correction["inputs"]}
            return cls(correction["name"], inputs, correction.get("description") or "", correction)
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no correction of correctionlib's schema 2: {error!r}") from None

    @classmethod
    def from_file(cls, path: str | Path, name: str) -> Correction | CompoundCorrection:
        """Read one correction, or one that is stacked of several, from a file.

        Parameters
        ----------
        path
            JSON, compressed with gzip or not.
        name
            Of a correction in it.

        Raises
        ------
        OSError
            When the file cannot be read.
        ValueError
            When it is no file of corrections in schema 2.
        KeyError
            When it has no correction of this name.
        """
        corrections = read_corrections(path)
        if name not in corrections:
            raise KeyError(f"{path} has no correction {name!r}; it has {', '.join(corrections)}")
        return corrections[name]

    def __call__(self, *values: Any) -> Any:
        """Return the correction of each item.

        Parameters
        ----------
        *values
            One for each input.

        Returns
        -------
        jax.Array or RaggedArray
            With the structure of the arrays.

        Raises
        ------
        TypeError
            When there are too few or too many values, a word is not given as text, or a number is of another type.
        KeyError
            When a word is none that the correction knows.
        ValueError
            When a number is outside of bins that refuse that, or no key of a category. Inside `jit`, where numbers are
            not known, the correction is NaN there.
        """
        words, numbers = self._sorted(values)
        forest = self._forest(tuple(words.items()))

        def evaluated(*flat: Any) -> tuple[jax.Array, jax.Array]:
            shape = jnp.broadcast_shapes(*(jnp.shape(x) for x in flat))
            filled: list[Any] = [None] * len(self.inputs)
            for position, x in zip(numbers, flat, strict=True):
                filled[position] = jnp.broadcast_to(jnp.asarray(x), shape).ravel()
            size = int(np.prod(shape))
            value, leaf = forest.evaluate(jnp.zeros(size, jnp.int32), tuple(filled), floats_of(filled))
            return value.reshape(shape), leaf.reshape(shape)

        value, leaf = rg.apply(evaluated, *numbers.values(), operation=self.name) if numbers else evaluated()
        self._refuse(forest, leaf)
        return value

    def _sorted(self, values: Sequence[Any]) -> tuple[dict[int, str], dict[int, Any]]:
        """Return the words and the numbers by the position of their input, each checked."""
        if len(values) != len(self.inputs):
            raise TypeError(
                f"correction {self.name!r} takes {len(self.inputs)} inputs {dict(self.inputs)}, got {len(values)}"
            )
        words, numbers = {}, {}
        for position, ((name, kind), value) in enumerate(zip(self.inputs.items(), values, strict=True)):
            if (kind == "string") != isinstance(value, str):
                raise TypeError(
                    f"correction {self.name!r}: the input {name!r} is of type {kind}, got {_told(value)}"
                    + ("; a word is given as text, such as 'nominal', one for all items" if kind == "string" else "")
                )
            if kind == "string":
                words[position] = value
            else:
                numbers[position] = self._number(name, kind, value)
        return words, numbers

    def _number(self, name: str, kind: str, value: Any) -> Any:
        """Return numbers as the type that the input has, in the precision that they come in."""
        if isinstance(value, bool | int | float | np.generic | np.ndarray):
            value = jnp.asarray(value)
        dtype = getattr(
            jax.tree.leaves(rg.ravel(value))[-1] if isinstance(value, rg.RaggedArray) else value, "dtype", None
        )
        if dtype is None or not (jnp.issubdtype(dtype, jnp.number) or jnp.issubdtype(dtype, jnp.bool_)):
            raise TypeError(f"correction {self.name!r}: the input {name!r} is of type {kind}, got {_told(value)}")
        if kind == "int" and jnp.issubdtype(dtype, jnp.inexact):
            raise TypeError(
                f"correction {self.name!r}: the input {name!r} is of type int, got {dtype}; convert it with astype(int)"
            )
        if kind == "real" and not jnp.issubdtype(dtype, jnp.inexact):
            return rg.apply(lambda x: x.astype(jnp.result_type(float)), value, operation=self.name)
        if kind == "int" and dtype not in (jnp.int32, jnp.int64):
            return rg.apply(lambda x: x.astype(jnp.int32), value, operation=self.name)
        return value

    @functools.cached_property
    def _forests(self) -> dict[Any, Forest]:
        return {}

    def _forest(self, words: tuple[tuple[int, str], ...]) -> Forest:
        if words not in self._forests:
            try:
                self._forests[words] = Forest.of([Tree(self._json, dict(words)).root])
            except UnknownWord as error:
                raise KeyError(f"correction {self.name!r}: {error.args[0]}") from None
        return self._forests[words]

    def _refuse(self, forest: Forest, leaf: Any) -> None:
        """Raise when a known point is at a leaf that nothing may reach."""
        refusing = np.array([bool(reason) for reason in forest.reasons])
        if not refusing.any():
            return
        flat = rg.flatten(leaf, axis=None) if isinstance(leaf, rg.RaggedArray) else leaf
        reached = concrete(flat.content if isinstance(flat, rg.FlatArray) else flat)
        if reached is None:
            return
        wrong = refusing[reached.ravel()]
        if wrong.any():
            reason = forest.reasons[reached.ravel()[wrong.argmax()]]
            raise ValueError(f"correction {self.name!r}: {int(wrong.sum())} of {wrong.size} items have {reason}")


@dataclasses.dataclass(frozen=True, eq=False)
class CompoundCorrection:
    """Corrections one after the other, each of which may see inputs that those before it changed, as of jet energies.

    Called like a `Correction`.

    Attributes
    ----------
    name
        What the file calls it.
    inputs
        By name and in order, the type of each.
    description
        What the file says about it.
    stack
        The corrections, in order.
    """

    name: str
    inputs: Mapping[str, str]
    description: str
    stack: tuple[Correction, ...]
    _json: Mapping[str, Any] = dataclasses.field(repr=False)

    def __call__(self, *values: Any) -> Any:
        """Return the correction of each item; raises as `Correction` does."""
        if len(values) != len(self.inputs):
            raise TypeError(
                f"correction {self.name!r} takes {len(self.inputs)} inputs {dict(self.inputs)}, got {len(values)}"
            )
        seen, total = dict(zip(self.inputs, values, strict=True)), None
        for correction in self.stack:
            factor = correction(*(seen[name] for name in correction.inputs))
            for name in self._json["inputs_update"]:
                seen[name] = rg.apply(_UPDATES[self._json["input_op"]], seen[name], factor, operation=self.name)
            total = (
                factor
                if total is None
                else rg.apply(_UPDATES[self._json["output_op"]], total, factor, operation=self.name)
            )
        return total


def read_corrections(path: str | Path) -> dict[str, Correction | CompoundCorrection]:
    """Read all corrections of a file in correctionlib's JSON, schema 2.

    Parameters
    ----------
    path
        JSON, compressed with gzip or not.

    Raises
    ------
    OSError
        When the file cannot be read.
    ValueError
        When it is no such file.
    """
    raw = Path(path).read_bytes()
    try:
        found = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    except (ValueError, EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is no JSON file: {error}") from None
    if not isinstance(found, dict) or found.get("schema_version") != 2 or "corrections" not in found:
        version = found.get("schema_version") if isinstance(found, dict) else None
        raise ValueError(
            f"{path} should hold corrections in correctionlib's schema 2, its schema_version is {version!r}"
        )
    simple = {each.name: each for each in map(Correction.from_dict, found["corrections"])}
    if len(simple) < len(found["corrections"]):
        raise ValueError(f"{path} has several corrections of one name")
    compound = {}
    for each in found.get("compound_corrections") or ():
        if missing := [name for name in each["stack"] if name not in simple]:
            raise ValueError(
                f"{path}: the correction {each['name']!r} is stacked of {missing[0]!r}, which is not there"
            )
        inputs = {one["name"]: one["type"] for one in each["inputs"]}
        stack = tuple(simple[name] for name in each["stack"])
        compound[each["name"]] = CompoundCorrection(each["name"], inputs, each.get("description") or "", stack, each)
    return {**simple, **compound}


def _told(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | float) else type(value).__name__
