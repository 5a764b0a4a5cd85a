"""The tree of a correction, as its JSON says it, for given words: categories of text are followed while it is built."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from .bins import explicit_edges
from .formula import Formula, canonical, parsed


@dataclasses.dataclass(frozen=True)
class Number:
    """A leaf with one value."""

    value: float


@dataclasses.dataclass(frozen=True)
class FormulaLeaf:
    """A leaf with a formula of some inputs, its numbers taken out."""

    form: Formula
    inputs: tuple[int, ...]
    parameters: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Hash:
    """A leaf with a random number that is determined by some inputs."""

    inputs: tuple[int, ...]
    distribution: str


@dataclasses.dataclass(frozen=True)
class Refused:
    """A leaf that no input may reach, and why."""

    reason: str


@dataclasses.dataclass(frozen=True)
class Bins:
    """Children by the bins of inputs, in C order.

    Attributes
    ----------
    inputs, edges
        Of each axis.
    wraps
        Whether the axes are periodic.
    equal
        By axis, whether its bins are equal, which decides how periods are rounded.
    children
        One for each bin, then one for numbers that are in no bin.
    places
        By axis, for 0, 1, ... reached edges: the bin, or -1 for none.
    """

    inputs: tuple[int, ...]
    edges: tuple[np.ndarray, ...]
    wraps: bool
    equal: tuple[bool, ...]
    children: tuple[Node, ...]
    places: tuple[tuple[int, ...], ...]


@dataclasses.dataclass(frozen=True)
class Category:
    """Children by the integer value of an input: one for each key, in increasing order, then one for all others."""

    input: int
    keys: tuple[int, ...]
    children: tuple[Node, ...]


@dataclasses.dataclass(frozen=True)
class Rewriting:
    """A child that sees another value of an input."""

    input: int
    rule: Node
    content: Node


Leaf: TypeAlias = Number | FormulaLeaf | Hash | Refused
Node: TypeAlias = Leaf | Bins | Category | Rewriting
CHILDREN = (Bins, Category, Rewriting)


class UnknownWord(KeyError):
    """A word that a category of text does not have."""


@dataclasses.dataclass(frozen=True)
class Tree:
    """What is needed to read a correction's JSON.

    ``words`` are values of the inputs of text, by position.
    """

    correction: Mapping[str, Any]
    words: Mapping[int, str]

    @functools.cached_property
    def positions(self) -> dict[str, int]:
        """Position of each input by name."""
        return {each["name"]: i for i, each in enumerate(self.correction["inputs"])}

    @property
    def root(self) -> Node:
        """The whole tree.

        Raises `UnknownWord` when a category of text has no such key, nor a default, `ValueError` when the JSON
        contradicts itself or has something that is not known.
        """
        return self._node(self.correction["data"])

    def _node(self, content: Any) -> Node:
        if isinstance(content, int | float):
            return Number(float(content))
        kind = content["nodetype"]
        readers: dict[str, Callable[[Any], Node]] = {
            "formula": self._formula,
            "formularef": self._formula_of_several,
            "binning": self._binning,
            "multibinning": self._multibinning,
            "category": self._category,
            "transform": self._transform,
            "hashprng": lambda node: Hash(self._inputs(node["inputs"]), node["distribution"]),
        }
        if kind not in readers:
            raise ValueError(f"correction {self.correction['name']!r} has a node of type {kind!r}, which is not known")
        return readers[kind](content)

    def _branches(self, contents: Sequence[Any]) -> list[Node]:
        """Return the nodes of some contents; one that lacks a word refuses when it is reached, unless all lack it."""
        found: list[Node] = []
        unknown: list[UnknownWord] = []
        for content in contents:
            try:
                found.append(self._node(content))
            except UnknownWord as error:
                unknown.append(error)
                found.append(Refused(error.args[0]))
        if unknown and len(unknown) == len(contents):
            raise unknown[0]
        return found

    def _inputs(self, names: Sequence[str], *, only: str | None = None) -> tuple[int, ...]:
        for name in names:
            if name not in self.positions:
                raise ValueError(
                    f"correction {self.correction['name']!r} uses an input {name!r} that it does not declare"
                )
            kind = self.correction["inputs"][self.positions[name]]["type"]
            if kind == "string" or (only is not None and kind != only):
                raise ValueError(
                    f"correction {self.correction['name']!r}: input {name!r} of type {kind} has no use there"
                )
        return tuple(self.positions[name] for name in names)

    def _formula(self, node: Mapping[str, Any]) -> FormulaLeaf:
        if node.get("parser", "TFormula") != "TFormula":
            raise ValueError(f"correction {self.correction['name']!r} has a formula in the language {node['parser']!r}")
        return self._expression(node, node.get("parameters") or ())

    def _formula_of_several(self, node: Mapping[str, Any]) -> FormulaLeaf:
        return self._expression(self.correction["generic_formulas"][node["index"]], node["parameters"])

    def _expression(self, formula: Mapping[str, Any], parameters: Sequence[float]) -> FormulaLeaf:
        inputs = self._inputs(formula["variables"], only="real")
        form, values = canonical(parsed(formula["expression"]), parameters)
        if (used := _most(form)) >= len(inputs):
            raise ValueError(
                f"the formula {formula['expression']!r} uses {used + 1} variables, {len(inputs)} are given"
            )
        return FormulaLeaf(form, inputs, values)

    def _binning(self, node: Mapping[str, Any]) -> Bins:
        return self._bins(node, [node["input"]], [node["edges"]])

    def _multibinning(self, node: Mapping[str, Any]) -> Bins:
        return self._bins(node, node["inputs"], node["edges"])

    def _bins(self, node: Mapping[str, Any], names: Sequence[str], edges: Sequence[Any]) -> Bins:
        if len(names) != len(edges):
            raise ValueError(f"correction {self.correction['name']!r} has {len(names)} inputs for {len(edges)} axes")
        inputs, axes = self._inputs(names), tuple(explicit_edges(each) for each in edges)
        numbers = [len(each) - 1 for each in axes]
        contents, flow = node["content"], node["flow"]
        if len(contents) != np.prod(numbers):
            raise ValueError(
                f"correction {self.correction['name']!r} has {len(contents)} contents for "
                f"{' x '.join(map(str, numbers))} bins of {' x '.join(names)}"
            )
        children: list[Node]
        if flow in ("clamp", "wrap"):
            children = [*self._branches(contents), Refused("")]
        elif flow == "error":
            outside = Refused(f"{' and '.join(names)} outside the bins, which end at {_ends(axes)}")
            children = [*self._branches(contents), outside]
        else:
            children = self._branches([*contents, flow])
        beyond = [(0, n - 1) if flow in ("clamp", "wrap") else (-1, -1) for n in numbers]
        places = tuple((low, *range(n), high) for (low, high), n in zip(beyond, numbers, strict=True))
        equal = tuple(isinstance(each, dict) for each in edges)
        return Bins(inputs, axes, flow == "wrap", equal, tuple(children), places)

    def _category(self, node: Mapping[str, Any]) -> Node:
        (position,) = (self.positions[node["input"]],)
        items: dict[Any, Any] = {}
        for item in node["content"]:
            items.setdefault(item["key"], item["value"])  # the first of two counts, as in correctionlib
        default = node.get("default")
        if self.correction["inputs"][position]["type"] == "string":
            word = self.words[position]
            if word in items:
                return self._node(items[word])
            if default is not None:
                return self._node(default)
            raise UnknownWord(f"{node['input']} {word!r} is not there; there is {', '.join(map(repr, items))}")
        keys = sorted(items)
        name = node["input"]
        contents = [items[key] for key in keys]
        if default is not None:
            return Category(position, tuple(keys), tuple(self._branches([*contents, default])))
        other = Refused(f"{name} is none of {keys}")
        return Category(position, tuple(keys), (*self._branches(contents), other))

    def _transform(self, node: Mapping[str, Any]) -> Rewriting:
        (position,) = self._inputs([node["input"]])
        return Rewriting(position, self._node(node["rule"]), self._node(node["content"]))


def _most(form: Formula) -> int:
    """Return the highest number of a variable in a formula, -1 without any."""
    if form[0] == "variable":
        return int(form[1])
    return max((_most(part) for part in form[1:] if isinstance(part, tuple)), default=-1)


def _ends(axes: Sequence[np.ndarray]) -> str:
    return " and ".join(f"{axis[0]:g} and {axis[-1]:g}" for axis in axes)
