"""A tree of many nodes as a few array operations: every point goes down one level at a time, all points together.

The nodes of a level that look at the same input are one search in one table, and leaves with equal formulas are one
formula with a table of numbers, so that the program does not grow with the number of nodes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .bins import EdgeTable
from .formula import Formula, evaluate
from .hashing import hashed
from .nodes import CHILDREN, Bins, Category, FormulaLeaf, Hash, Leaf, Node, Number, Refused, Rewriting

Inputs = tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Group:
    """Nodes of a level that look at the same inputs in the same way.

    Attributes
    ----------
    members
        Shape (nodes of the level,): the number of each node in the group, -1 for others.
    descend
        From a node's number in the group and the inputs to the number of its child.
    rewrite
        What the children see of the inputs, when that differs, and the leaf of the rule that told it.
    reasons
        Why leaves of the rule refuse, "" for all others; empty where none does.
    """

    members: np.ndarray
    descend: Callable[[jax.Array, Inputs], jax.Array]
    rewrite: Callable[[jax.Array, jax.Array, Inputs], tuple[Inputs, jax.Array]] | None = None
    reasons: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Level:
    """One step down.

    Attributes
    ----------
    first_child
        Shape (nodes of the level,): where the children of each node begin in the next level.
    groups
        Nodes in none of them are leaves, which come along as they are.
    """

    first_child: np.ndarray
    groups: tuple[Group, ...]


@dataclasses.dataclass(frozen=True)
class Leaves:
    """Leaves of one form.

    Attributes
    ----------
    members
        Shape (leaves,): the number of each leaf among those of this form, -1 for others.
    value
        From these numbers and the inputs to values.
    """

    members: np.ndarray
    value: Callable[[jax.Array, Inputs], jax.Array]


@dataclasses.dataclass(frozen=True)
class Forest:
    """Trees that are evaluated together.

    Attributes
    ----------
    levels
        From the roots down.
    leaves
        By form.
    reasons
        Why the leaves that nothing may reach refuse, "" for all others; behind them those of rules, by level and group.
    """

    levels: tuple[Level, ...]
    leaves: tuple[Leaves, ...]
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, roots: Sequence[Node]) -> Forest:
        """Return the forest of some trees.

        Roots are in the order of their numbers.
        """
        levels, nodes = [], list(roots)
        while any(isinstance(node, CHILDREN) for node in nodes):
            level, nodes = _level(nodes)
            levels.append(level)
        reasons = [node.reason if isinstance(node, Refused) else "" for node in nodes]
        of_rules = [reason for level in levels for group in level.groups for reason in group.reasons]
        return cls(tuple(levels), _leaves(nodes), (*reasons, *of_rules))

    def evaluate(self, root: jax.Array, inputs: Inputs, dtype: Any) -> tuple[jax.Array, jax.Array]:
        """Return the value at each point, NaN where it is refused, and the leaf that it was found in, or that refused.

        What the rule of a rewritten input refuses is refused, whatever its content does with the input. ``root`` is the
        number of each point's tree; inputs are by position, None for those of text; all have shape (points,).
        """
        node = root
        refused: jax.Array | None = None
        beyond = len(self.reasons) - sum(len(group.reasons) for level in self.levels for group in level.groups)
        for level in self.levels:
            step = jnp.zeros(node.shape, jnp.int32)
            for group in level.groups:
                member = lookup(group.members, node)
                inside = member >= 0
                member = jnp.maximum(member, 0)
                step = jnp.where(inside, group.descend(member, inputs), step)
                if group.rewrite is None:
                    continue
                inputs, leaf = group.rewrite(member, inside, inputs)
                if group.reasons:
                    wrong = inside & lookup(np.array([bool(reason) for reason in group.reasons]), leaf)
                    before = jnp.full(node.shape, -1, jnp.int32) if refused is None else refused
                    refused = jnp.where(wrong & (before < 0), beyond + leaf, before)
                    beyond += len(group.reasons)
            node = lookup(level.first_child, node) + step
        value = jnp.full(node.shape, jnp.nan, dtype)
        for leaves in self.leaves:
            member = lookup(leaves.members, node)
            here = member >= 0
            # the derivative of a formula may be infinite where it does not apply
            seen = inputs if len(self.leaves) == 1 else tuple(x if x is None else held(x, here) for x in inputs)
            found = leaves.value(jnp.maximum(member, 0), seen)
            value = jnp.where(here, found.astype(dtype), value)
        if refused is not None:
            value, node = jnp.where(refused < 0, value, jnp.nan), jnp.where(refused < 0, node, refused)
        return value, node


def lookup(table: np.ndarray, index: jax.Array) -> jax.Array:
    """Return the elements of a table at indices that are known to be inside; one number where all are equal."""
    if len(table) == 1 or np.all(table == table[0]):
        return jnp.broadcast_to(jnp.asarray(table[0]), index.shape)
    return jnp.asarray(table).at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def held(x: jax.Array, here: jax.Array) -> jax.Array:
    """Return numbers through which no derivative passes, except at some points."""
    return jnp.where(here, x, jax.lax.stop_gradient(x)) if jnp.issubdtype(x.dtype, jnp.inexact) else x


def _level(nodes: Sequence[Node]) -> tuple[Level, list[Node]]:
    first_child: list[int] = []
    below: list[Node] = []
    groups: dict[Any, list[int]] = {}
    for i, node in enumerate(nodes):
        first_child.append(len(below))
        if isinstance(node, Bins):
            below += node.children
            key: Any = (Bins, node.inputs, node.wraps, node.equal)
        elif isinstance(node, Category):
            below += node.children
            key = (Category, node.input)
        elif isinstance(node, Rewriting):
            below.append(node.content)
            key = (Rewriting, node.input)
        else:
            below.append(node)
            continue
        groups.setdefault(key, []).append(i)
    makers: dict[type, Any] = {Bins: _binned, Category: _chosen, Rewriting: _rewritten}
    made = []
    for (kind, *_), numbers in groups.items():
        members = np.full(len(nodes), -1, np.int32)
        members[numbers] = np.arange(len(numbers))
        made.append(makers[kind](members, [nodes[i] for i in numbers]))
    return Level(np.array(first_child, np.int32), tuple(made)), below


def _binned(members: np.ndarray, nodes: Sequence[Bins]) -> Group:
    inputs, wraps = nodes[0].inputs, nodes[0].wraps
    tables = [EdgeTable.of([node.edges[axis] for node in nodes]) for axis in range(len(inputs))]
    places = [np.concatenate([node.places[axis] for node in nodes]).astype(np.int32) for axis in range(len(inputs))]
    starts = [
        np.cumsum([0, *(len(node.places[axis]) for node in nodes[:-1])]).astype(np.int32) for axis in range(len(inputs))
    ]
    sizes = np.array([[len(edges) - 1 for edges in node.edges] for node in nodes], np.int32)
    strides = np.concatenate([np.cumprod(sizes[:, :0:-1], axis=1)[:, ::-1], np.ones((len(nodes), 1), np.int32)], axis=1)
    nowhere = np.array([len(node.children) - 1 for node in nodes], np.int32)
    ends = [np.array([[node.edges[axis][0], node.edges[axis][-1]] for node in nodes]) for axis in range(len(inputs))]

    def descend(member: jax.Array, values: Inputs) -> jax.Array:
        child, outside = jnp.zeros(member.shape, jnp.int32), jnp.zeros(member.shape, bool)
        for axis, position in enumerate(inputs):
            x, reached = values[position], tables[axis]
            if wraps and nodes[0].equal[axis]:
                low, high = (lookup(ends[axis][:, side], member) for side in (0, 1))
                place = _periodic(x, low, high, lookup(sizes[:, axis], member), reached.passed(member, x) - 1)
            else:
                x = _wrapped(x, *(lookup(ends[axis][:, side], member) for side in (0, 1))) if wraps else x
                place = lookup(places[axis], lookup(starts[axis], member) + reached.passed(member, x))
            outside |= place < 0
            child += place * lookup(strides[:, axis].astype(np.int32), member)
        return jnp.where(outside, lookup(nowhere, member), child)

    return Group(members, descend)


def _wrapped(x: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    """Return numbers moved into the first period, rounded as correctionlib does for bins that are not equal."""
    x = x.astype(jnp.result_type(x, float))
    low, high = low.astype(x.dtype), high.astype(x.dtype)
    part = (x - low) / (high - low)
    return low + (part - jnp.floor(part)) * (high - low)


def _periodic(x: jax.Array, low: jax.Array, high: jax.Array, number: jax.Array, inside: jax.Array) -> jax.Array:
    """Return the bin among equal ones that repeat: found by its edges in the first period, by arithmetic elsewhere."""
    x = x.astype(jnp.result_type(x, float))
    low, high = low.astype(x.dtype), high.astype(x.dtype)
    part = (x - low) / (high - low)
    repeated = jnp.floor(number.astype(x.dtype) * (part - jnp.floor(part))).astype(jnp.int32)
    return jnp.where((x < low) | ~(x < high), jnp.minimum(repeated, number - 1), inside)


def _chosen(members: np.ndarray, nodes: Sequence[Category]) -> Group:
    keys = EdgeTable.of([np.array([-np.inf, *node.keys], float) for node in nodes])
    numbers = np.concatenate([[0, *node.keys] for node in nodes]).astype(np.int64)
    if np.any(np.abs(numbers) > np.iinfo(np.int32).max):
        raise ValueError("keys of a category of integers must be below 2**31")
    others = np.array([len(node.keys) for node in nodes], np.int32)

    def descend(member: jax.Array, values: Inputs) -> jax.Array:
        x = values[nodes[0].input]
        at = jnp.maximum(keys.passed(member, x) - 1, 0)
        key = lookup(numbers.astype(np.int32), lookup(keys.starts, member) + at)
        return jnp.where((at > 0) & (key == x), at - 1, lookup(others, member))

    return Group(members, descend)


def _rewritten(members: np.ndarray, nodes: Sequence[Rewriting]) -> Group:
    rules, position = Forest.of([node.rule for node in nodes]), nodes[0].input

    def rewrite(member: jax.Array, inside: jax.Array, values: Inputs) -> tuple[Inputs, jax.Array]:
        x = values[position]
        dtype = jnp.result_type(x, float) if jnp.issubdtype(x.dtype, jnp.integer) else x.dtype
        new, leaf = rules.evaluate(member, values, dtype)
        if jnp.issubdtype(x.dtype, jnp.integer):  # halves away from zero, as std::round
            new = (jnp.sign(new) * jnp.floor(jnp.abs(new) + 0.5)).astype(x.dtype)
        return (*values[:position], jnp.where(inside, new, x), *values[position + 1 :]), leaf

    reasons = rules.reasons if any(rules.reasons) else ()
    return Group(members, lambda member, values: jnp.zeros(member.shape, jnp.int32), rewrite, reasons)


def _leaves(nodes: Sequence[Node]) -> tuple[Leaves, ...]:
    groups: dict[Any, list[int]] = {}
    for i, node in enumerate(nodes):
        if isinstance(node, FormulaLeaf):
            groups.setdefault((FormulaLeaf, node.form, node.inputs), []).append(i)
        elif not isinstance(node, Refused):
            groups.setdefault((type(node), node if isinstance(node, Hash) else None), []).append(i)
    made = []
    for numbers in groups.values():
        members = np.full(len(nodes), -1, np.int32)
        members[numbers] = np.arange(len(numbers))
        made.append(Leaves(members, _value_of([nodes[i] for i in numbers])))
    return tuple(made)


def _value_of(leaves: Sequence[Any]) -> Callable[[jax.Array, Inputs], jax.Array]:
    first: Leaf = leaves[0]
    if isinstance(first, Hash):
        return lambda member, values: hashed([values[i] for i in first.inputs], first.distribution)
    if isinstance(first, Number):
        numbers = np.array([leaf.value for leaf in leaves])
        return lambda member, values: lookup(numbers.astype(floats_of(values)), member)
    assert isinstance(first, FormulaLeaf)
    return _formula_of(
        first.form, first.inputs, np.array([leaf.parameters for leaf in leaves]).reshape(len(leaves), -1)
    )


def _formula_of(form: Formula, inputs: tuple[int, ...], table: np.ndarray) -> Callable[[jax.Array, Inputs], jax.Array]:
    """Return a formula with a table of numbers, of which those that are the same for all leaves stay numbers."""

    def value(member: jax.Array, values: Inputs) -> jax.Array:
        dtype = floats_of(values)
        same = np.all(table == table[0], axis=0)
        numbers = [float(c[0]) if s else lookup(c.astype(dtype), member) for c, s in zip(table.T, same, strict=True)]
        return jnp.broadcast_to(jnp.asarray(evaluate(form, [values[i] for i in inputs], numbers)), member.shape)

    return value


def floats_of(values: Sequence[Any]) -> Any:
    """Return the type that inputs compute in: that of the floating-point ones, or JAX's default without any.

    Inputs of text are None.
    """
    floats = [x.dtype for x in values if x is not None and jnp.issubdtype(x.dtype, jnp.inexact)]
    return jnp.result_type(*floats) if floats else jnp.result_type(float)
