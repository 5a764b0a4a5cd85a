"""The weights of a network, optimised together with the cuts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from ..selection.cut import Reading
from .optimisable import Optimisable, check_description, take_entry

DESCRIPTION = ("scale", "frozen", "label", "description")


@dataclasses.dataclass(frozen=True)
class Weights(Optimisable):
    """A pytree of arrays without bounds; in a stage ``cut.name`` is simply the tree.

    Two are equal when they differ only in where they start.

    Attributes
    ----------
    value
        Where the optimisation starts: any pytree of floating-point arrays, for instance the parameters of a Flax
        module, or the arrays of an Equinox module, ``eqx.filter(model, eqx.is_inexact_array)``.
    scale
        Natural unit of a step: the optimiser sees ``value / scale``. With 0.1 a learning rate that moves a cut by a
        tenth of its range in ten steps moves a weight by 0.1.
    frozen
        Frozen weights keep their values.
    label
        How plots name them; their own name by default.
    description
        A sentence for tables.
    shapes
        Of the arrays.

    Raises
    ------
    TypeError
        When the tree holds something else than floating-point arrays, or nothing.
    ValueError
        When the scale is not positive. `Parameters` adds the name.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis import Parameter, Parameters, Soft, Weights
    >>> cuts = Parameters(
    ...     met=Parameter(50.0, bounds=(20, 150), unit="GeV"),
    ...     net=Weights({"w": jnp.ones((2, 3)), "b": jnp.zeros(3)}, description="score of the top jets"),
    ... )
    >>> cuts
    Parameters(met=50 GeV, net=9 numbers)
    >>> cuts.cuts(Soft()).net["b"]
    Array([0., 0., 0.], dtype=float32)
    """

    value: Any = dataclasses.field(compare=False)
    _: dataclasses.KW_ONLY
    scale: float = 0.1
    frozen: bool = False
    width: None = dataclasses.field(default=None, init=False)
    unit: str = dataclasses.field(default="", init=False)
    label: str = ""
    description: str = ""
    # compared, unlike the value: programs for arrays of different shapes are different programs
    shapes: tuple[tuple[int, ...], ...] = dataclasses.field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale must be positive, got {self.scale}")
        check_description(self)
        leaves = jax.tree_util.tree_leaves_with_path(self.value)
        if not leaves:
            raise TypeError("a network needs at least one array of weights")
        if len({_name(path) for path, _ in leaves}) < len(leaves):
            raise ValueError("two arrays have the same path; use names without '/'")
        object.__setattr__(self, "shapes", tuple(np.shape(leaf) for _, leaf in leaves))
        for path, leaf in leaves:
            if not (hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)):
                what = f"numbers of type {leaf.dtype}" if hasattr(leaf, "dtype") else type(leaf).__name__
                raise TypeError(
                    f"{_name(path) or 'the tree'} holds {what}; weights are floating-point arrays: split the rest of a "
                    "module off, for instance with eqx.partition(model, eqx.is_inexact_array)"
                )

    def checked(self, value: Any) -> Any:
        """Return a tree of arrays of the types of the start.

        Parameters
        ----------
        value
            A tree of the structure and shapes of the start, or its arrays by path, as `plain` returns them.

        Raises
        ------
        ValueError
            When the structure or the shape of an array is another one.
        """
        leaves, structure = jax.tree_util.tree_flatten_with_path(self.value)
        names = [_name(path) for path, _ in leaves]
        if isinstance(value, Mapping) and set(value) == set(names):
            given = [value[name] for name in names]
        elif _same_structure(value, self.value):
            given = jax.tree.leaves(value)
        else:
            raise ValueError(f"needs a tree with the arrays {names}, got {jax.tree.structure(value)}")
        arrays = [np.asarray(new, old.dtype) for new, (_, old) in zip(given, leaves, strict=True)]
        for name, new, (_, old) in zip(names, arrays, leaves, strict=True):
            if new.shape != old.shape:
                raise ValueError(f"{name} needs an array of shape {old.shape}, got {new.shape}")
        return jax.tree.unflatten(structure, arrays)

    def in_stage(self, value: Any, reading: Reading) -> Any:
        """Return the tree."""
        return value

    def box(self) -> tuple[Any, Any]:
        """Return infinite bounds."""
        high = jax.tree.map(lambda leaf: np.full(leaf.shape, np.inf), self.value)
        return jax.tree.map(np.negative, high), high

    def plain(self, value: Any) -> dict[str, Any]:
        """Return a known tree as nested lists by path, such as ``{"layers/0/weight": [[0.1, 0.2]]}``."""
        return {_name(path): np.asarray(leaf).tolist() for path, leaf in jax.tree_util.tree_leaves_with_path(value)}

    def elements(self, value: Any) -> dict[str, float]:
        """Return nothing: a history does not follow single weights."""
        return {}

    def text(self, value: Any) -> str:
        """Return how many weights there are."""
        return f"{sum(leaf.size for leaf in jax.tree.leaves(value))} numbers"

    @property
    def limits(self) -> str:
        """There are none."""
        return "none"

    def to_entry(self, value: Any) -> dict[str, Any]:
        """Return the description with a value in place of the start, for JSON."""
        plain = self.plain(value)
        return {
            "weights": plain,
            "nested": _same_structure(_nested(plain), value),
            **{name: getattr(self, name) for name in DESCRIPTION},
        }

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any], tree: Any) -> Self:
        """Return what `to_entry` wrote down; nested dictionaries need no tree."""
        fields = take_entry(entry, ("weights", "nested", *DESCRIPTION), "weights")
        plain, nested = fields.pop("weights"), fields.pop("nested", False)
        if tree is None and not nested:
            raise ValueError(
                "the weights are no nested dictionaries; give a tree of their structure, trees={name: ...}"
            )
        spec = cls(_nested(plain) if tree is None else tree, **fields)
        return dataclasses.replace(spec, value=spec.checked(plain))


def _same_structure(a: Any, b: Any) -> bool:
    structures: list[Any] = [jax.tree.structure(a), jax.tree.structure(b)]
    return bool(structures[0] == structures[1])


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _nested(plain: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, values in plain.items():
        *parents, last = name.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = np.asarray(values, float)
    return tree
