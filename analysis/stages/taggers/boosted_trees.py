"""Boosted decision trees, hard as they were trained, or soft when asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...corrections.bins import at_least_as_precise
from .tree_files import NEVER, ZERO, of_lightgbm, of_xgboost

# LightGBM's smallest number that is not 0
_TINY = 1e-35

LINKS: Mapping[str, Callable[[jax.Array], jax.Array]] = {
    "identity": lambda margin: margin,
    "logistic": jax.nn.sigmoid,
    "exponential": jnp.exp,
    "softmax": lambda margin: jax.nn.softmax(margin, axis=0),
}


@dataclasses.dataclass(frozen=True, eq=False)
class BoostedTrees:
    """A forest as a network for `Score`, which brings its numbers with it.

    The value is that of the library that trained it. Its derivative is zero, as the trees are steps; `softened` makes
    another function, which has one.

    Attributes
    ----------
    feature, threshold, left, right, missing_left, missing
        Shape (trees, nodes): a feature below the threshold goes to the left, an absent one where the node says; leaves
        are their own children. ``missing`` says what is absent: never, NaN, or NaN and 0.
    value
        Shape (trees, nodes), of the leaves.
    group
        Shape (trees,): the class that a tree belongs to.
    base
        Shape (classes,): what the trees are added to.
    depth
        Most steps from the root to a leaf.
    link
        From sums to scores: ``"identity"``, ``"logistic"``, ``"exponential"`` or ``"softmax"``.
    column
        The class whose score is returned.
    widths
        Of each feature, in its unit, for soft trees; None for hard ones.
    """

    feature: np.ndarray = dataclasses.field(repr=False)
    threshold: np.ndarray = dataclasses.field(repr=False)
    left: np.ndarray = dataclasses.field(repr=False)
    right: np.ndarray = dataclasses.field(repr=False)
    missing_left: np.ndarray = dataclasses.field(repr=False)
    missing: np.ndarray = dataclasses.field(repr=False)
    value: np.ndarray = dataclasses.field(repr=False)
    group: np.ndarray = dataclasses.field(repr=False)
    base: np.ndarray = dataclasses.field(repr=False)
    depth: int
    link: str
    column: int = 0
    widths: tuple[float, ...] | None = None
    weights: tuple[()] = ()

    @classmethod
    def from_xgboost(cls, path: str | Path, *, column: int = 0) -> BoostedTrees:
        """Read a model that XGBoost has saved as JSON (``booster.save_model("model.json")``).

        Parameters
        ----------
        path
            The file, compressed with gzip or not.
        column
            Of several classes, the one whose score is wanted.

        Raises
        ------
        ValueError
            When it is no such file, or has something that is not known: linear models, categories, other objectives.
        """
        return cls(**of_xgboost(path), column=column)._checked(path)

    @classmethod
    def from_lightgbm(cls, path: str | Path, *, column: int = 0) -> BoostedTrees:
        """Read a model that LightGBM has saved as text (``booster.save_model("model.txt")``).

        Parameters
        ----------
        path, column
            As for `from_xgboost`.

        Raises
        ------
        ValueError
            When it is no such file, or has something that is not known: categories, linear trees, other objectives.
        """
        return cls(**of_lightgbm(path), column=column)._checked(path)

    def _checked(self, path: str | Path) -> BoostedTrees:
        if not 0 <= self.column < len(self.base):
            raise ValueError(f"{path} has {len(self.base)} classes, there is no number {self.column}")
        return self

    @property
    def features(self) -> int:
        """The least number of features that it is a function of."""
        return int(self.feature.max()) + 1

    def softened(self, widths: Sequence[float]) -> BoostedTrees:
        """Return a smooth surrogate: a feature goes to the left with probability sigmoid((threshold - x) / width).

        The score is the expectation over the paths, which becomes that of the hard trees as the widths become 0.

        Parameters
        ----------
        widths
            Of each feature, in its unit.

        Raises
        ------
        ValueError
            When there are too few, or one is not positive.
        """
        if len(widths) < self.features or not min(widths) > 0:
            raise ValueError(
                f"soft trees need a positive width for each of {self.features} features, got {list(widths)}"
            )
        return dataclasses.replace(self, widths=tuple(map(float, widths)))

    def __call__(self, weights: Any, features: jax.Array) -> jax.Array:
        """Return scores of shape (n,).

        Parameters
        ----------
        weights
            Not used: the trees are what they are.
        features
            Shape (n, features), in the order of the training.

        Raises
        ------
        ValueError
            When there are too few features.
        """
        if features.shape[1] < self.features:
            raise ValueError(f"the trees are functions of {self.features} features, got {features.shape[1]}")
        features = jnp.asarray(features)
        # a number of another precision is below the threshold when it is below the next one of that precision
        threshold = at_least_as_precise(self.threshold, features.dtype)
        arrays = (self.feature, threshold, self.left, self.right, self.missing_left, self.missing)
        trees = (*map(jnp.asarray, arrays), jnp.asarray(self.value, features.dtype), jnp.asarray(self.group))
        base = jnp.broadcast_to(jnp.asarray(self.base, features.dtype)[:, None], (len(self.base), len(features)))

        def add(total: jax.Array, tree: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
            *nodes, value, group = tree
            found = self._hard(nodes, value, features) if self.widths is None else self._soft(nodes, value, features)
            return total.at[group].add(found), None

        total, _ = jax.lax.scan(add if self.widths is None else jax.checkpoint(add), base, trees)
        return LINKS[self.link](total)[self.column]

    def _hard(self, nodes: Sequence[jax.Array], value: jax.Array, features: jax.Array) -> jax.Array:
        feature, threshold, left, right, missing_left, missing = nodes
        features = jax.lax.stop_gradient(features)

        def step(_: int, at: jax.Array) -> jax.Array:
            x = jnp.take_along_axis(features, feature[at][:, None], axis=1)[:, 0]
            goes_left = jnp.where(_absent(x, missing[at]), missing_left[at], _number(x) < threshold[at])
            return jnp.where(goes_left, left[at], right[at])

        start = jnp.zeros(len(features), jnp.int32)
        return value[jax.lax.fori_loop(0, self.depth, step, start)]

    def _soft(self, nodes: Sequence[jax.Array], value: jax.Array, features: jax.Array) -> jax.Array:
        """Return expectations from the leaves up: after as many steps as the tree is deep the root has its own."""
        feature, threshold, left, right, missing_left, missing = nodes
        x, width = features[:, feature], jnp.asarray(self.widths, features.dtype)[feature]
        probability = jnp.where(
            _absent(x, missing), missing_left.astype(x.dtype), jax.nn.sigmoid((threshold - _number(x)) / width)
        )
        expected = jnp.broadcast_to(value, x.shape)
        for _ in range(self.depth):
            expected = probability * expected[:, left] + (1 - probability) * expected[:, right]
        return expected[:, 0]


def _absent(x: jax.Array, missing: jax.Array) -> jax.Array:
    return ((missing > NEVER) & jnp.isnan(x)) | ((missing == ZERO) & (jnp.abs(x) <= _TINY))


def _number(x: jax.Array) -> jax.Array:
    return jnp.where(jnp.isnan(x), 0, x)
