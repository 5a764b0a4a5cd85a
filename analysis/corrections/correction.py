"""Corrections in correctionlib's format as differentiable functions of arrays."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg
from hepgrad.ragged.checks.check import check
from hepgrad.ragged.tracing import concrete

from ..printing import meant
from .forest import Forest, floats_of, held
from .nodes import Tree, UnknownWord

_UPDATES: dict[str, Callable[[Any, Any], Any]] = {
    "+": jnp.add,
    "*": jnp.multiply,
    "/": jnp.divide,
    "last": lambda before, new: new,
}


# choices of words, each by the position of the input
Words: TypeAlias = tuple[tuple[tuple[int, str], ...], ...]
# the leaf of items that no correction is asked for
_NOWHERE = -1


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
            made = cls(correction["name"], inputs, correction.get("description") or "", correction)
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no correction of correctionlib's schema 2: {error!r}") from None
        if len(inputs) < len(correction["inputs"]) or not set(inputs.values()) <= {"real", "int", "string"}:
            raise ValueError(
                f"correction {made.name!r}: inputs have names of their own and types real, int or string, got {inputs}"
            )
        return made

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
            raise KeyError(
                f"{path} has no correction {name!r}{meant(name, corrections)}; it has {', '.join(corrections)}"
            )
        return corrections[name]

    def __call__(self, *values: Any, where: Any = None, otherwise: float = 1.0) -> Any:
        """Return the correction of each item.

        Parameters
        ----------
        *values
            One for each input.
        where
            Booleans that fit the arrays: for which items the correction is asked at all, such as the selected ones,
            ``muons.probability > 0``. What the others have as inputs is refused nowhere.
        otherwise
            What the others get, with derivative 0.

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
            When a number is outside of bins that refuse that, or no key of a category. Inside `jit` it comes from the
            running program, as other checks do: as such from what `hepgrad.ragged.checked` compiled, which hepgrad's
            own programs are.
        """
        words, numbers = self._sorted(values)
        masks = None if where is None else [where]
        return self._evaluated([words], numbers, masks, otherwise)[0]

    def each(
        self, name: str, words: Sequence[str], *values: Any, where: Sequence[Any] | None = None, otherwise: float = 1.0
    ) -> list[Any]:
        """Return the correction for several words of one input, in one evaluation that hardly grows with their number.

        Parameters
        ----------
        name
            Of the input, such as ``"systematic"``.
        words
            Its values.
        *values
            One for each other input.
        where
            For each word, the items that it is asked for; by default all.
        otherwise
            As for a call.

        Returns
        -------
        list of jax.Array or RaggedArray
            One for each word; raises as a call does.
        """
        if self.inputs.get(name) != "string":
            raise TypeError(f"correction {self.name!r}: {name!r} is no input of text, of which there can be several")
        place = list(self.inputs).index(name)
        several: list[dict[int, str]] = []
        numbers: dict[int, Any] = {}
        for word in words:
            known, numbers = self._sorted([*values[:place], word, *values[place:]])
            several.append(known)
        return self._evaluated(several, numbers, where, otherwise) if several else []

    def _evaluated(
        self, several: Sequence[Mapping[int, str]], numbers: Mapping[int, Any], masks: Any, otherwise: Any
    ) -> list[Any]:
        """Return the correction for each choice of words, at the items of its mask."""
        words, masked = tuple(tuple(each.items()) for each in several), masks is not None
        given = ((*masks, otherwise) if masked else ()) + tuple(numbers.values())
        program = self._program(words, tuple(numbers), masked=masked)
        found = rg.apply(program, *given, operation=self.name) if given else program()
        return self._refused(self._forest(words), found[: len(words)], found[len(words) :])

    def _program(self, several: Words, positions: tuple[int, ...], *, masked: bool) -> Any:
        """Return a compiled function of numbers at some positions: to values for each choice of words, then leaves.

        When masked, it takes before them where each is asked for, and what there is otherwise.
        """
        key = (several, positions, masked)
        if key in self._programs:
            return self._programs[key]
        forest, number = self._forest(several), len(several)

        @jax.jit
        def program(*given: Any) -> tuple[jax.Array, ...]:
            shape = jnp.broadcast_shapes(*(jnp.shape(x) for x in given))
            flat = [jnp.broadcast_to(jnp.asarray(x), shape).ravel() for x in given]
            masks, otherwise = (jnp.concatenate(flat[:number]), flat[number]) if masked else (None, None)
            filled: list[Any] = [None] * len(self.inputs)
            for position, x in zip(positions, flat[number + 1 if masked else 0 :], strict=True):
                repeated = jnp.tile(x, number)
                filled[position] = repeated if masks is None else held(repeated, masks)
            size = int(np.prod(shape))
            root = jnp.repeat(jnp.arange(number, dtype=jnp.int32), size)
            value, leaf = forest.evaluate(root, tuple(filled), floats_of(filled))
            if masks is not None and otherwise is not None:
                value = jnp.where(masks, value, jnp.tile(otherwise.astype(value.dtype), number))
                leaf = jnp.where(masks, leaf, _NOWHERE)
            return tuple(
                part[i * size : (i + 1) * size].reshape(shape) for part in (value, leaf) for i in range(number)
            )

        self._programs[key] = program
        return program

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
        if isinstance(value, bool | int | float) or (
            isinstance(value, np.generic | np.ndarray) and value.dtype.kind in "biuf"
        ):
            value = jnp.asarray(value)
        dtype = getattr(
            jax.tree.leaves(rg.ravel(value))[-1] if isinstance(value, rg.RaggedArray) else value, "dtype", None
        )
        if dtype is None or not any(jnp.issubdtype(dtype, each) for each in (jnp.floating, jnp.integer, jnp.bool_)):
            raise TypeError(
                f"correction {self.name!r}: the input {name!r} is of type {kind}, got {_told(value)}"
                + ("" if dtype is None else f" of {dtype}")
                + "; numbers come as a flat array (np.asarray) or a ragged one (rg.from_awkward, rg.from_lists)"
            )
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

    @functools.cached_property
    def _programs(self) -> dict[Any, Any]:
        return {}

    def _forest(self, several: Words) -> Forest:
        if several not in self._forests:
            try:
                self._forests[several] = Forest.of([Tree(self._json, dict(words)).root for words in several])
            except UnknownWord as error:
                raise KeyError(f"correction {self.name!r}: {error.args[0]}") from None
            except ValueError as error:
                told = str(error)
                raise ValueError(told if repr(self.name) in told else f"correction {self.name!r}: {told}") from None
            except (LookupError, TypeError, AttributeError) as error:
                raise ValueError(
                    f"correction {self.name!r} is not as correctionlib's schema 2 asks: a node lacks something, or has "
                    f"something of another kind ({error!r})"
                ) from None
        return self._forests[several]

    def _refused(self, forest: Forest, values: Sequence[Any], leaves: Sequence[Any]) -> list[Any]:
        """Return the values; raise, or leave a check in the program, for points at leaves that nothing may reach."""
        refusing = np.array([bool(reason) for reason in forest.reasons])
        if not refusing.any():
            return list(values)
        found = [_items(leaf) for leaf in leaves]
        content, real = (jnp.concatenate(parts) for parts in zip(*found, strict=True))
        wrong = real & (content >= 0) & jnp.asarray(refusing)[jnp.maximum(content, 0)]
        facts = (
            jnp.sum(wrong, dtype=jnp.int32),
            jnp.sum(real, dtype=jnp.int32),
            jnp.max(jnp.where(wrong, content, 0), initial=0),
        )

        def fail(count: int, items: int, reached: int) -> None:
            raise ValueError(
                f"correction {self.name!r}: {count} of {items} items have {forest.reasons[reached]}; those that need "
                "no correction are named by where=, such as where=muons.probability > 0"
            )

        known = [int(fact) for fact in map(concrete, facts) if fact is not None]
        if len(known) == len(facts):
            if known[0]:
                fail(*known)
            return list(values)
        # the values depend on the check, so that it stays in the program
        count = check(facts[0], facts[0] > 0, facts, fail)
        return [rg.apply(lambda x: jnp.where(count < 0, jnp.nan, x), each, operation=self.name) for each in values]


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

    def __call__(self, *values: Any, where: Any = None, otherwise: float = 1.0) -> Any:
        """Return the correction of each item; arguments and errors are those of `Correction`."""
        if len(values) != len(self.inputs):
            raise TypeError(
                f"correction {self.name!r} takes {len(self.inputs)} inputs {dict(self.inputs)}, got {len(values)}"
            )
        seen, total = dict(zip(self.inputs, values, strict=True)), None
        for correction in self.stack:
            factor = correction(*(seen[name] for name in correction.inputs), where=where)
            for name in self._json["inputs_update"]:
                seen[name] = rg.apply(_UPDATES[self._json["input_op"]], seen[name], factor, operation=self.name)
            total = (
                factor
                if total is None
                else rg.apply(_UPDATES[self._json["output_op"]], total, factor, operation=self.name)
            )
        return total if where is None else rg.where(where, total, otherwise)


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
    if not isinstance(found["corrections"], list):
        raise ValueError(f"{path}: `corrections` should be a list, it is a {type(found['corrections']).__name__}")
    try:
        simple = {each.name: each for each in map(Correction.from_dict, found["corrections"])}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
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


def _items(array: Any) -> tuple[jax.Array, jax.Array]:
    """Return a buffer and which of its items are real."""
    flat = rg.flatten(array, axis=None) if isinstance(array, rg.RaggedArray) else array
    if not isinstance(flat, rg.FlatArray):
        return jnp.ravel(flat), jnp.ones(jnp.size(flat), bool)
    rows = flat.content.shape[0]
    real = jnp.arange(rows) < (rows if flat.length is None else flat.length)
    return jnp.ravel(flat.content), jnp.repeat(real, flat.content.size // max(rows, 1))


def _told(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | float) else type(value).__name__
