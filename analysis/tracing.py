"""Whether a value is known now, or only when a compiled program runs."""

from __future__ import annotations

from typing import Any

import jax


def is_known(value: Any) -> bool:
    """Return whether a value is more than a tracer: numbers that can be checked, printed and written."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value))
