"""The arrays of which equal blocks consist, and the data set that they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np

from hepgrad import ragged as rg
from hepgrad.analysis import Dataset

from .columns import Place

# a cache line, which XLA wants its buffers aligned to if it is to use them as they are
ALIGNMENT = 64

# what an array holds, and of which column: ("values", "Jet", "pt"), ("offsets", "Jet", ""), ("weight", "", "")
Name: TypeAlias = tuple[str, str, str]
WEIGHT, PROCESS = ("weight", "", ""), ("process", "", "")


@dataclasses.dataclass(frozen=True)
class Frame:
    """What is the same for all blocks of a data set, however many of them are in memory.

    Attributes
    ----------
    events
        Events per block.
    types
        By column, the type of its numbers.
    objects
        Room in a block for the objects of each collection.
    longest
        No event has more objects, by collection.
    processes
        Their names.
    """

    events: int
    types: Mapping[Place, np.dtype]
    objects: Mapping[str, int]
    longest: Mapping[str, int]
    processes: Sequence[str]

    def arrays(self, blocks: int) -> dict[Name, tuple[tuple[int, int], np.dtype]]:
        """Return shape and type of each array of some blocks."""
        int32, events = np.dtype(np.int32), self.events
        described = {WEIGHT: (events, np.dtype(np.float32)), PROCESS: (events, int32)}
        for name, room in self.objects.items():
            described["offsets", name, ""] = events + 1, int32
            described["rows", name, ""] = room, int32
        for place, dtype in self.types.items():
            described["values", *place] = self.objects.get(place[0], events), dtype
        return {name: ((blocks, length), dtype) for name, (length, dtype) in described.items()}

    def dataset(self, arrays: Mapping[Name, np.ndarray], typical_weight: np.ndarray) -> Dataset:
        """Return blocks as a data set, which on a CPU shares their memory where it is aligned.

        Arrays are as `arrays` describes them, filled; ``typical_weight``, shape (processes,), is that of all blocks of
        the sample.
        """
        put = {name: jax.device_put(array) for name, array in arrays.items()}

        def column(name: str) -> Any:
            members = {field: put["values", name, field] for other, field in self.types if other == name}
            content: Any = members[""] if "" in members else rg.RecordArray(members)
            if name not in self.objects:
                return content
            offsets, rows = put["offsets", name, ""], put["rows", name, ""]
            return rg.RaggedArray(offsets, rows, content, None, self.longest[name], False)

        columns = rg.RecordArray({name: column(name) for name in dict.fromkeys(name for name, _ in self.types)})
        typical = jax.device_put(np.asarray(typical_weight, np.float32))
        return Dataset(columns, put[WEIGHT], put[PROCESS], typical, tuple(self.processes))


def aligned(shape: tuple[int, int], dtype: Any) -> np.ndarray:
    """Return an array, not filled, that JAX can use on a CPU without a copy."""
    size = shape[0] * shape[1] * np.dtype(dtype).itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)
