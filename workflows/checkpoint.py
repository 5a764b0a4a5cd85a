"""The checkpoint of a run on disk: written whole or not at all, and read only by a run of the same settings."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hepgrad.analysis import Attempt, Checkpoint, Parameters, StepRecord
from hepgrad.analysis.optimisation import Position, differences

from .defaults import CHECKPOINT
from .errors import InputError, blaming
from .files.lock import beside
from .files.replacing import leftovers, replacing

FORMAT = "hepgrad checkpoint, version 1"
# how the file begins, whatever happened to the rest of it
BEGINNING = (b"PK\x03\x04", b"text.npy")


@dataclasses.dataclass(frozen=True)
class CheckpointFile:
    """The checkpoint of the run that is to fill a run folder; it lies beside the folder, which may hold an older run.

    ``settings`` are what determines the numbers of the run, as JSON can hold it.
    """

    folder: Path
    settings: dict[str, Any]

    @property
    def path(self) -> Path:
        """The file, ``FOLDER.checkpoint.npz``."""
        return beside(self.folder, CHECKPOINT)

    def tidy(self) -> None:
        """Remove what a killed process left half written."""
        for file in leftovers(self.path):
            file.unlink(missing_ok=True)

    def begin(self, *, overwrite: bool) -> None:
        """Make room for a run that does not go on with an earlier one.

        ``overwrite`` is whether the checkpoint of an interrupted run may be lost. Raises `InputError` when there is one
        and it may not, or when the file is something else.
        """
        if not (self.path.exists() or self.path.is_symlink()):
            return
        if not self._is_ours():
            raise InputError(f"{self.path} is no checkpoint of hepgrad; move it away, or choose another folder")
        if not overwrite:
            raise InputError(
                f"an interrupted run left {self.path}; go on with it by --resume (resume=True), or start again by "
                "--overwrite (overwrite=True)"
            )
        self.remove()

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint over the last one."""
        descents = [(fold, each) for fold, done in enumerate(checkpoint.folds) for each in done]
        descents += [(len(checkpoint.folds), each) for each in (*checkpoint.finished, checkpoint.attempt)]
        attempts = [attempt for _, attempt in descents]
        leaves = jax.tree.leaves((checkpoint.position, [(attempt.start, attempt.best) for attempt in attempts]))
        # JSON keeps floating-point numbers without loss
        told = {"format": FORMAT, "settings": self.settings, "attempts": [_told(*each) for each in descents]}
        text, arrays = json.dumps(told), [np.asarray(_bare(leaf)) for leaf in leaves]
        named: dict[str, Any] = {f"leaf{i}": array for i, array in enumerate(arrays)}
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            np.savez(file, text=np.asarray(text), checksum=np.asarray(_checksum(text, arrays)), **named)

    def load(self, parameters: Parameters, optimizer: optax.GradientTransformation) -> Checkpoint:
        """Read the checkpoint.

        ``parameters`` are where the run started; the optimiser is for the structure of its state. Raises `InputError`
        when there is none, it cannot be read, or it belongs to a run of other settings (names them).
        """
        if not self.path.exists():
            raise InputError(
                f"there is no interrupted run to go on with: {self.path} does not exist; begin without --resume"
            )
        with blaming(f"start again with --overwrite, the checkpoint {self.path} cannot be read"):
            saved, told, arrays = self._read()
            other = differences(json.loads(json.dumps(self.settings)), saved)
        if other:
            raise InputError(
                f"the checkpoint {self.path} is of a run with other settings ({', '.join(other)}); repeat them, or "
                "start again with --overwrite"
            )
        coordinates = parameters.scaled()
        like = (Position(coordinates, optimizer.init(coordinates)), [(parameters, parameters)] * len(told))
        leaves, structure = jax.tree.flatten(like)
        expected = [(np.shape(bare), bare.dtype.kind) for bare in map(_bare, leaves)]
        if expected != [(array.shape, array.dtype.kind) for array in arrays]:
            raise InputError(
                f"the checkpoint {self.path} holds other arrays than this run; start again with --overwrite"
            )
        with blaming(f"start again with --overwrite, the checkpoint {self.path} was changed"):
            restored = [_as_before(array, leaf) for array, leaf in zip(arrays, leaves, strict=True)]
            position, points = jax.tree.unflatten(structure, restored)
            names = parameters.numbers()
            attempts = tuple(
                _attempt(start, best, facts, names) for (start, best), facts in zip(points, told, strict=True)
            )
            if not all(np.isfinite(_bare(leaf)).all() for leaf in jax.tree.leaves((position.coordinates, points))):
                raise ValueError("it holds numbers that are not finite")
        # those of the fold that was interrupted, and of the ones before it; without folds there is one
        folds = [_whole(facts.get("fold", 0)) for facts in told]
        by_fold = [tuple(a for a, of in zip(attempts, folds, strict=True) if of == n) for n in range(folds[-1] + 1)]
        return Checkpoint(position, attempts[-1], by_fold[-1][:-1], tuple(by_fold[:-1]))

    def _read(self) -> tuple[dict[str, Any], list[Any], list[np.ndarray]]:
        """Return the settings, what is told of the descents, and the arrays."""
        if not self.path.is_file():
            raise ValueError("it is not a file")
        # nothing is unpickled: a file from a stranger can be wrong, but it cannot run code
        with self.path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            text = str(file["text"])
            arrays = [file[f"leaf{i}"] for i in range(sum(name.startswith("leaf") for name in file.files))]
            checksum = str(file["checksum"]) if "checksum" in file.files else None
        content = json.loads(text)
        # those of earlier versions have neither a format nor a checksum
        if (found := content.get("format")) not in (None, FORMAT):
            raise ValueError(f"it has the format {found!r}, this version reads {FORMAT!r}")
        if (found or checksum) and checksum != _checksum(text, arrays):
            raise ValueError("it was changed or damaged: it does not have the checksum it says")
        saved, told = content["settings"], content["attempts"]
        if not isinstance(saved, dict) or not isinstance(told, list) or not told:
            raise TypeError("it does not tell the settings and the descents of a run")
        return saved, told, arrays

    def _is_ours(self) -> bool:
        if not self.path.is_file():
            return False
        with self.path.open("rb") as file:
            beginning = file.read(64)
        return all(part in beginning for part in BEGINNING)

    def remove(self) -> None:
        """Remove the file, if it is there."""
        self.path.unlink(missing_ok=True)


def _told(fold: int, attempt: Attempt) -> dict[str, Any]:
    history = [dataclasses.asdict(record) for record in attempt.history]
    found = {"best_value": attempt.best_value, "best_step": attempt.best_step, "failed": attempt.failed, "fold": fold}
    return {**found, "history": history}


def _attempt(start: Parameters, best: Parameters, facts: Mapping[str, Any], names: Collection[str]) -> Attempt:
    history = tuple(_record(entry, names) for entry in facts["history"])
    return Attempt(
        start, best, _number(facts["best_value"]), _whole(facts["best_step"]), history, _whole(facts.get("failed", 0))
    )


def _record(entry: dict[str, Any], names: Collection[str]) -> StepRecord:
    """Return a step, all of whose fields are what they should be."""
    values, slopes = entry.pop("values"), entry.pop("slopes")
    if set(values) != set(names):
        raise ValueError(f"a step has the values of {sorted(values)}, not those of {sorted(names)}")
    values, slopes = ({name: _number(value) for name, value in each.items()} for each in (values, slopes))
    step = _whole(entry.pop("step"))
    rest: dict[str, Any] = {name: _number(value) for name, value in entry.items()}
    return StepRecord(step=step, values=values, slopes=slopes, **rest)


def _number(value: Any) -> Any:
    if not isinstance(value, int | float):
        raise TypeError(f"expected a number, got {value!r}")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"expected the number of a step, got {value!r}")
    return value


def _checksum(text: str, arrays: Collection[np.ndarray]) -> str:
    found = hashlib.sha256(text.encode())
    for array in arrays:
        found.update(f"{array.dtype.str} {array.shape} ".encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _bare(leaf: Any) -> Any:
    """Return a leaf as numbers: a random key by its data."""
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _as_before(array: np.ndarray, leaf: Any) -> jax.Array:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(leaf))
    return jnp.asarray(array, leaf.dtype)
