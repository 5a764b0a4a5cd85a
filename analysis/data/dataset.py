"""A data set in blocks: equal pieces with local offsets, so that one compiled program reduces each to a histogram."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from ..selection.events import Events
from ..selection.ranking import with_ranking
from .precision import largest_beyond


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Dataset:
    """Simulated events of all processes, as a stack of equal blocks.

    Attributes
    ----------
    columns
        What was read, one record per event; every leaf has a leading axis of length ``blocks``.
    weight
        Shape (blocks, events): what each event counts for; 0 for the events that fill up the last block.
    process
        int32, shape (blocks, events): index into ``processes``, and ``len(processes)`` for the events that fill up the
        last block.
    typical_weight
        Shape (processes,): what one simulated event counts for, ``sum(w**2) / sum(w)`` before any selection; infinite
        where the weights do not add up to a positive number.
    processes
        Names, in order (static).
    """

    columns: rg.RecordArray
    weight: jax.Array
    process: jax.Array
    typical_weight: jax.Array
    processes: tuple[str, ...] = dataclasses.field(metadata={"static": True})

    @property
    def events(self) -> Events:
        """The events before any selection; every leaf has a leading axis of length ``blocks``."""
        return jax.vmap(Events.of)(self.columns, self.weight)

    @property
    def blocks(self) -> int:
        """The number of blocks."""
        return int(self.process.shape[0])

    @classmethod
    def from_awkward(
        cls, samples: Mapping[str, ak.Array], weights: Mapping[str, np.ndarray], *, block_size: int | None = None
    ) -> Dataset:
        """Pack events into blocks.

        Parameters
        ----------
        samples
            For each process, one record per event: collections (``Jet``), records (``MET``), numbers. Collections with
            a ``pt`` need not be sorted by it: their leading object is the one with the highest pT all the same.
        weights
            For each process, the event weights, shape (events,).
        block_size
            Events per block. If there are fewer in all, their number is rounded up to three significant bits, so that
            data sets of similar size share compiled programs. By default `default_block_size`.

        Raises
        ------
        ValueError
            For a process without events, without weights, with a weight that is not finite, or with other columns
            than the first one; for numbers that are too large for the precision in which JAX computes.

        Examples
        --------
        >>> import awkward as ak, numpy as np
        >>> from hepgrad.analysis import Dataset
        >>> jets = ak.zip({"pt": [[50.0, 30.0], [], [40.0]]})
        >>> events = ak.zip({"Jet": jets, "MET_pt": [10.0, 20.0, 30.0]}, depth_limit=1)
        >>> data = Dataset.from_awkward({"ttbar": events}, {"ttbar": np.ones(3)}, block_size=2)
        >>> data.blocks, data.process.tolist()
        (2, [[0, 0], [0, 1]])
        """
        processes = tuple(samples)
        first = samples[processes[0]].fields
        for name, sample in samples.items():
            _check_sample(name, sample, weights.get(name), first)
        merged = with_ranking(ak.concatenate([samples[p] for p in processes]))
        weight = np.concatenate([np.asarray(weights[p], np.float32) for p in processes])
        process = np.repeat(np.arange(len(processes), dtype=np.int32), [len(samples[p]) for p in processes])

        block_size = min(block_size or default_block_size(), _round_up(len(merged), 3))
        blocks = -(-len(merged) // block_size)
        # the last block is filled up with copies of real events, so that no function meets a value it would not meet
        # otherwise; they count for nothing. Of different events, so that they have the usual number of objects
        missing = blocks * block_size - len(merged)
        index = (np.arange(blocks * block_size) % len(merged)).reshape(blocks, block_size)
        weight = weight[index]
        process = process[index]
        if missing:
            weight[-1, -missing:] = 0
            process[-1, -missing:] = len(processes)
        pieces = [merged[i] for i in index]
        columns = rg.RecordArray({name: _stack([piece[name] for piece in pieces]) for name in merged.fields})
        sums = [(np.sum(np.square(w)), np.sum(w)) for w in map(np.asarray, weights.values())]
        typical = [sumw2 / sumw if sumw > 0 else np.inf for sumw2, sumw in sums]
        return cls(columns, jnp.asarray(weight), jnp.asarray(process), jnp.asarray(typical, jnp.float32), processes)

    @property
    def numbers(self) -> dict[str, int]:
        """How many simulated events there are of each process; outside `jit`."""
        found = np.bincount(np.asarray(self.process).ravel(), minlength=len(self.processes) + 1)
        return dict(zip(self.processes, found.tolist(), strict=False))

    def __repr__(self) -> str:
        try:
            told = ", ".join(f"{name} {number:,}" for name, number in self.numbers.items())
        except (TypeError, ValueError):  # inside a program there are no numbers yet
            told = ", ".join(self.processes)
        return f"Dataset({told})"


def default_block_size() -> int:
    """Return how many events make a good block on the device that JAX computes on.

    On a CPU the temporaries of a block should stay in the cache; a GPU wants enough events to keep it busy.
    """
    (device,) = jnp.zeros(()).devices()
    return 16_384 if device.platform == "cpu" else 1_048_576


def _check_sample(name: str, sample: ak.Array, weight: Any, columns: list[str]) -> None:
    if len(sample) == 0:
        raise ValueError(f"process {name!r} has no events")
    if weight is None or len(weight) != len(sample):
        raise ValueError(
            f"process {name!r} has {len(sample)} events but {0 if weight is None else len(weight)} weights"
        )
    bad = int(np.count_nonzero(~np.isfinite(weight)))
    if bad:
        raise ValueError(f"process {name!r}: {bad} of {len(weight)} event weights are NaN or infinite")
    for place, values in _floats(sample):
        wanted = np.dtype(jax.dtypes.canonicalize_dtype(values.dtype))
        if (largest := largest_beyond([values], wanted)) is not None:
            raise ValueError(
                f"process {name!r}: values of {place} up to {largest:g} do not fit into {wanted}, where they would be "
                "infinite; enable jax_enable_x64, or correct them"
            )
    if (largest := largest_beyond([np.asarray(weight)], np.dtype(np.float32))) is not None:
        raise ValueError(f"process {name!r}: event weights up to {largest:g} do not fit into float32")
    if sample.fields != columns:
        raise ValueError(f"process {name!r} has the columns {sample.fields}, the first process has {columns}")


def _floats(sample: ak.Array) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the columns of floating-point numbers, flat, by name."""
    for name in sample.fields:
        for field in sample[name].fields or [""]:
            column = sample[name][field] if field else sample[name]
            if not column.fields:
                values = np.asarray(ak.flatten(column, axis=None))
                if values.dtype.kind == "f":
                    yield f"{name}_{field}" if field else name, values


def _stack(pieces: list[ak.Array]) -> Any:
    """Convert the pieces of one column to one capacity and stack their buffers."""
    if pieces[0].ndim == 1:
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *(rg.from_awkward(piece) for piece in pieces))
    counts = [ak.num(piece, axis=1) for piece in pieces]
    # rounded up, so that similar data sets (the two halves of one) share a compiled program
    capacity = _round_up(max(int(ak.sum(n)) for n in counts), 4)
    longest = -(-max(1, *(int(ak.max(n)) for n in counts)) // 8) * 8
    ragged = [rg.from_awkward(piece, capacity=capacity, max_length=longest) for piece in pieces]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *ragged)


def _round_up(n: int, bits: int) -> int:
    """Round a size up to so many significant bits: with three it grows by at most a quarter, with four by an eighth."""
    step = 2 ** max(0, n.bit_length() - bits)
    return max(1, -(-n // step) * step)
