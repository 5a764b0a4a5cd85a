"""Event categories: exclusive, in order of precedence, and together everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def exclusive(passes: Mapping[str, Any], *, rest: str) -> dict[str, Any]:
    """Return the probability of each category: that of its pass, and of no pass of a category before it.

    Category k has ``p_k prod_{j < k} (1 - p_j)`` and the rest ``prod_j (1 - p_j)``, which add up to 1. Passes are in
    order of precedence, ``rest`` is the name of the category of events that pass none. Raises `ValueError` without a
    category, or when one has the name of the rest.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.selection.categories import exclusive
    >>> passes = {"vbf": jnp.array([1.0, 0.5]), "boosted": jnp.array([1.0, 0.5])}
    >>> for name, p in exclusive(passes, rest="other").items():
    ...     print(name, p)
    vbf [1.  0.5]
    boosted [0.   0.25]
    other [0.   0.25]
    """
    if not passes or rest in passes:
        raise ValueError(f"needs categories with names other than {rest!r}, the rest's; got {list(passes)}")
    categories = {}
    left: Any = 1
    for name, p in passes.items():
        categories[name] = left * p
        left = left * (1 - p)
    return {**categories, rest: left}
