"""Data sets that do not fit into one compiled program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax

from ..data.dataset import Dataset
from .diagnosis import Finding, Severity
from .patient import Patient


def examine_compilation(patient: Patient) -> Iterator[Finding]:
    """Look for data sets whose arrays have another shape or type than those of the first one."""
    first, *others = patient.samples.items()
    expected = _layout(first[1])
    for name, data in others:
        layout = _layout(data)
        different = [part for part in {**expected, **layout} if expected.get(part) != layout.get(part)]
        if different:
            part = different[0]
            yield Finding(
                Severity.NOTE,
                f"events ({name})",
                f"{len(different)} arrays have another shape or type than in the part {first[0]!r}: {part} has "
                f"{layout.get(part, 'no such array')} instead of {expected.get(part, 'no such array')}",
                "every function is compiled once for each layout, which takes seconds to minutes each time",
                "split the events evenly, with the same block size; shards should have the same number of blocks",
            )


def _layout(data: Dataset) -> dict[str, str]:
    def told(leaf: Any) -> str:
        weak = " (weak)" if getattr(leaf, "weak_type", False) else ""
        return f"{leaf.dtype}{list(leaf.shape)}{weak}"

    leaves, structure = jax.tree_util.tree_flatten_with_path(data)
    return {"structure": str(structure)} | {jax.tree_util.keystr(path): told(leaf) for path, leaf in leaves}
