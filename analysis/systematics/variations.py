"""Events at the nominal point and with every kinematic variation, as rows that a selection is mapped over."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from ..data.recomputed import recomputed
from ..selection.events import Events
from .contract import Source, Variation

T = TypeVar("T")
S = TypeVar("S")
Leaves = list[Any]
Structure = Any


@dataclasses.dataclass(frozen=True)
class Varied:
    """Events, nominal in the first row.

    Attributes
    ----------
    events
        With a leading axis of rows where something is varied.
    axes
        0 for the leaves with that axis, None for the others; the structure of the events.
    names
        The variation of each row but the first.
    """

    events: Events
    axes: Any
    names: tuple[Variation, ...]

    def map(self, function: Callable[[Events], T]) -> T:
        """Return a function of events for all rows in one vectorised evaluation; results have a leading axis.

        Parameters
        ----------
        function
            Of one row.
        """
        if not self.names:
            # nothing is varied: without `vmap` the program is that of an analysis without systematic uncertainties
            return jax.tree.map(lambda x: x[None], function(self.events))
        return jax.vmap(function, in_axes=(self.axes,))(self.events)

    def in_turn(self, function: Callable[..., tuple[T, S]], *more: jax.Array) -> tuple[T, S]:
        """Run a function of events for all rows, one after the other; there has to be more than one.

        It is one program, whose memory does not grow with the number of rows; the derivative computes each row again.

        Parameters
        ----------
        function
            Of one row; returns what is kept of each row, and what is added up.
        *more
            What it gets besides, shape (rows, ...).

        Returns
        -------
        tuple
            What is kept, with a leading axis, and the sum.
        """
        leaves, structure = _flat(self.events)
        has_rows = [axis is not None for axis in structure.flatten_up_to(self.axes)]

        @recomputed
        def of_row(row: tuple[Leaves, Sequence[jax.Array]]) -> tuple[T, S]:
            own = iter(row[0])
            events = [next(own) if has else leaf for has, leaf in zip(has_rows, leaves, strict=True)]
            return function(structure.unflatten(events), *row[1])

        rows = ([leaf for has, leaf in zip(has_rows, leaves, strict=True) if has], more)
        _, shapes = jax.eval_shape(of_row, jax.tree.map(lambda x: x[0], rows))

        def add(total: S, row: Any) -> tuple[S, T]:
            kept, part = of_row(row)
            return jax.tree.map(jnp.add, total, part), kept

        total, kept = jax.lax.scan(add, jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes), rows)
        return kept, total


@dataclasses.dataclass(frozen=True)
class _Group:
    """Some rows: leaves with a leading axis, and None where they are those of the nominal row."""

    rows: int
    leaves: Leaves

    def filled(self, i: int, nominal: Any) -> Any:
        leaf = self.leaves[i]
        return jnp.broadcast_to(nominal, (self.rows, *nominal.shape)) if leaf is None else leaf


def vary(systematics: Sequence[Source], events: Events) -> Varied:
    """Return the nominal events and those of each kinematic variation.

    Each source shifts only its own rows. A source that changes events at its nominal point too, such as a correction of
    their resolution, acts on all rows, in the order of the sources.

    Parameters
    ----------
    systematics
        All sources.
    events
        Before any selection.
    """
    nominal, structure = _flat(events)
    groups: list[_Group] = []
    names: list[Variation] = []
    for source in systematics:
        if source.sides:
            names += [(source.name, side) for side in source.sides]
            nominal, structure, groups = _with_source(source, nominal, structure, groups)
    if not groups:
        return Varied(structure.unflatten(nominal), None, ())
    whole = _joined(groups, nominal)
    stacked = [
        base if leaf is None else jnp.concatenate([base[None], leaf])
        for base, leaf in zip(nominal, whole.leaves, strict=True)
    ]
    axes = structure.unflatten([None if leaf is None else 0 for leaf in whole.leaves])
    return Varied(structure.unflatten(stacked), axes, tuple(names))


def _with_source(
    source: Source, nominal: Leaves, structure: Structure, groups: list[_Group]
) -> tuple[Leaves, Structure, list[_Group]]:
    """Return nominal events and rows with one source more."""
    before = structure.unflatten(nominal)
    alphas = jnp.asarray(source.sides, before.weight.dtype)
    own, shifted = _mapped(lambda alpha: source.shifted(before, alpha), alphas, nominal, structure)
    zero: Any = 0.0
    corrected, kept = _flat(source.shifted(before, zero))
    if kept != shifted:
        # events get columns, or their objects other bounds, when they are shifted: then in all rows
        zero = jnp.zeros((), alphas.dtype)
        corrected, kept = _flat(source.shifted(before, zero))
    same = _same(corrected, kept, nominal, structure)
    if not all(same):
        if groups:
            groups = [_corrected(source, zero, _joined(groups, nominal), nominal, structure, same)]
        own = [
            jnp.broadcast_to(nominal[i], (len(source.sides), *nominal[i].shape))
            if leaf is None and not same[i]
            else leaf
            for i, leaf in enumerate(own)
        ]
    return corrected, kept, [*groups, _Group(len(source.sides), own)]


def _corrected(
    source: Source, zero: Any, rows: _Group, nominal: Leaves, structure: Structure, same: list[bool]
) -> _Group:
    """Return rows of other sources after what a source does to all events."""
    leaves = [base if leaf is None else leaf for base, leaf in zip(nominal, rows.leaves, strict=True)]
    axes = [None if leaf is None else 0 for leaf in rows.leaves]
    new = jax.vmap(lambda row: jax.tree.leaves(source.shifted(structure.unflatten(row), zero)), in_axes=(axes,))(leaves)
    return _Group(rows.rows, [rows.leaves[i] if same[i] else leaf for i, leaf in enumerate(new)])


def _mapped(
    shift: Callable[[jax.Array], Events], alphas: jax.Array, nominal: Leaves, structure: Structure
) -> tuple[Leaves, Structure]:
    """Return the leaves of events for each alpha, None where they are the nominal ones, and their structure."""
    found: list[Any] = []

    def run(alpha: jax.Array) -> Leaves:
        leaves, after = jax.tree.flatten(shift(alpha))
        same = _same(leaves, after, nominal, structure)
        found[:] = same, after
        return [leaf for leaf, is_same in zip(leaves, same, strict=True) if not is_same]

    varied = iter(jax.vmap(run)(alphas))
    same, after = found
    return [None if is_same else next(varied) for is_same in same], after


def _flat(events: Events) -> tuple[Leaves, Structure]:
    return jax.tree.flatten(events)


def _same(leaves: Leaves, structure: Structure, others: Leaves, of_others: Structure) -> list[bool]:
    """Return which leaves are the very arrays of other events."""
    if structure != of_others:
        return [False] * len(leaves)
    return [a is b for a, b in zip(leaves, others, strict=True)]


def _joined(groups: Sequence[_Group], nominal: Leaves) -> _Group:
    """Return groups of rows as one."""
    if len(groups) == 1:
        return groups[0]
    leaves = [
        jnp.concatenate([group.filled(i, base) for group in groups])
        if any(group.leaves[i] is not None for group in groups)
        else None
        for i, base in enumerate(nominal)
    ]
    return _Group(sum(group.rows for group in groups), leaves)
