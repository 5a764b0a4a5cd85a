"""The folders that are used where none is named; imported without JAX, for ``--help``."""

from __future__ import annotations

from pathlib import Path

RUNS = Path("hepgrad-runs")
# samples that are kept, and shards
CACHE = Path("hepgrad-cache")
# of the checkpoint of a run, behind the name of its folder
CHECKPOINT = ".checkpoint.npz"
