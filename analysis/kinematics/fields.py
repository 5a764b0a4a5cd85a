"""Which fields a particle has: the one place that knows the names."""

from __future__ import annotations

from typing import Any

COLLIDER = ("pt", "eta", "phi", "mass")
# the energy goes by either name
CARTESIAN = (("px", "py", "pz", "energy"), ("px", "py", "pz", "E"))


def has_fields(particle: Any, names: tuple[str, ...]) -> bool:
    """Return whether records or a collection have all these fields."""
    return set(names) <= set(getattr(particle, "fields", ()))


def take_fields(particle: Any, names: tuple[str, ...], *, operation: str) -> tuple[Any, ...]:
    """Return the values of some fields.

    Particles are ragged records, a record per event, a collection, or anything with such attributes. Raises `TypeError`
    when a field is missing; says which, and which there are.
    """
    values = tuple(getattr(particle, name, None) for name in names)
    missing = [name for name, value in zip(names, values, strict=True) if value is None]
    if missing:
        there = getattr(particle, "fields", None)
        raise TypeError(
            f"{operation}: needs records with the fields {', '.join(names)}; "
            + (f"{', '.join(missing)} is not among {there}" if there else f"got {type(particle).__name__}")
        )
    return values
