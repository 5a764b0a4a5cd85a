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

from hepgrad.analysis import Checkpoint, Parameters, Record

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
        leaves = jax.tree.leaves((checkpoint.scaled, checkpoint.state))
        text = {
            "settings": self.settings,
            "best": checkpoint.best.to_dict(),
            "best_value": checkpoint.best_value,
            "history": [dataclasses.asdict(record) for record in checkpoint.history],
        }
        arrays: dict[str, Any] = {f"leaf{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
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
        scaled = parameters.scaled()
        leaves, structure = jax.tree.flatten((scaled, optimizer.init(scaled)))
        try:
            with self.path.open("rb") as raw, np.load(raw) as file:
                text = json.loads(str(file["text"]))
                arrays = [jnp.asarray(file[f"leaf{i}"], leaf.dtype) for i, leaf in enumerate(leaves)]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"the checkpoint {self.path} cannot be read ({error}); start without --resume") from error
        present = json.loads(json.dumps(self.settings))
        other = sorted(k for k in present | text["settings"] if present.get(k) != text["settings"].get(k))
        if other:
            raise InputError(
                f"the checkpoint {self.path} is of a run with other settings ({', '.join(other)}); repeat them, or "
                "start without --resume"
            )
        values, state = jax.tree.unflatten(structure, arrays)
        history = tuple(Record(**record) for record in text["history"])
        best = parameters.replace(**{name: text["best"][name] for name in parameters.free})
        return Checkpoint(values, state, best, text["best_value"], history)

    def remove(self) -> None:
        """Remove the file, if it is there."""
        self.path.unlink(missing_ok=True)
