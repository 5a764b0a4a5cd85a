"""What the derivative computes again instead of keeping it, and what it keeps because it is dear and small."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax
from jax.ad_checkpoint import checkpoint_name

P = ParamSpec("P")
T = TypeVar("T")

_KEPT = "kept"


def kept(x: jax.Array) -> jax.Array:
    """Return an array, of which the derivative of `recomputed` functions keeps the value."""
    return checkpoint_name(x, _KEPT)


def recomputed(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function that the derivative evaluates again, but for what is `kept`."""
    return jax.checkpoint(function, policy=jax.checkpoint_policies.save_only_these_names(_KEPT))
