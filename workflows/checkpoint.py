"""The checkpoint of a run on disk: written whole or not at all, and read only by a run of the same settings."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hepgrad.analysis import Attempt, Checkpoint, Parameters, Record
from hepgrad.analysis.optimisation import Position, differences

from .errors import InputError
from .replacing import replacing


@dataclasses.dataclass(frozen=True)
class CheckpointFile:
    """The checkpoint of the run that is to fill a run folder; it lies beside the folder, which may hold an older run.

    Attributes
    ----------
    folder
        The run folder.
    settings
        What determines the numbers of the run, as JSON can hold it.
    """

    folder: Path
    settings: dict[str, Any]

    @property
    def path(self) -> Path:
        """The file, ``FOLDER.checkpoint.npz``."""
        return self.folder.with_name(f"{self.folder.name}.checkpoint.npz")

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint over the last one.

        Parameters
        ----------
        checkpoint
            The state between two steps.
        """
        attempts = (*checkpoint.finished, checkpoint.attempt)
        leaves = jax.tree.leaves((checkpoint.position, [(attempt.start, attempt.best) for attempt in attempts]))
        text = {"settings": self.settings, "attempts": [_told(attempt) for attempt in attempts]}
        arrays: dict[str, Any] = {f"leaf{i}": np.asarray(_bare(leaf)) for i, leaf in enumerate(leaves)}
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            # JSON keeps floating-point numbers without loss
            np.savez(file, text=np.asarray(json.dumps(text)), **arrays)

    def load(self, parameters: Parameters, optimizer: optax.GradientTransformation) -> Checkpoint:
        """Read the checkpoint.

        Parameters
        ----------
        parameters
            Where the run started.
        optimizer
            The run's optimiser, for the structure of its state.

        Raises
        ------
        InputError
            When there is none, it cannot be read, or it belongs to a run of other settings (names them).
        """
        if not self.path.exists():
            raise InputError(f"there is no interrupted run to go on with: {self.path} does not exist")
        try:
            # nothing is unpickled: a file from a stranger can be wrong, but it cannot run code
            with self.path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                text = json.loads(str(file["text"]))
                arrays = [file[f"leaf{i}"] for i in range(len(file.files) - 1)]
            saved, told = text["settings"], text["attempts"]
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"the checkpoint {self.path} cannot be read ({error}); start without --resume") from error
        other = differences(json.loads(json.dumps(self.settings)), saved)
        if other:
            raise InputError(
                f"the checkpoint {self.path} is of a run with other settings ({', '.join(other)}); repeat them, or "
                "start without --resume"
            )
        coordinates = parameters.scaled()
        like = (Position(coordinates, optimizer.init(coordinates)), [(parameters, parameters)] * len(told))
        leaves, structure = jax.tree.flatten(like)
        if [np.shape(_bare(leaf)) for leaf in leaves] != [array.shape for array in arrays]:
            raise InputError(f"the checkpoint {self.path} holds other arrays than this run; start without --resume")
        restored = [_as_before(array, leaf) for array, leaf in zip(arrays, leaves, strict=True)]
        position, points = jax.tree.unflatten(structure, restored)
        attempts = tuple(_attempt(start, best, facts) for (start, best), facts in zip(points, told, strict=True))
        return Checkpoint(position, attempts[-1], attempts[:-1])

    def remove(self) -> None:
        """Remove the file, if it is there."""
        self.path.unlink(missing_ok=True)


def _told(attempt: Attempt) -> dict[str, Any]:
    history = [dataclasses.asdict(record) for record in attempt.history]
    found = {"best_value": attempt.best_value, "best_step": attempt.best_step, "failed": attempt.failed}
    return {**found, "history": history}


def _attempt(start: Parameters, best: Parameters, facts: dict[str, Any]) -> Attempt:
    history = tuple(Record(**record) for record in facts["history"])
    return Attempt(start, best, facts["best_value"], facts["best_step"], history, facts.get("failed", 0))


def _bare(leaf: Any) -> Any:
    """Return a leaf as numbers: a random key by its data."""
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _as_before(array: np.ndarray, leaf: Any) -> jax.Array:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(leaf))
    return jnp.asarray(array, leaf.dtype)
