"""Events from a ROOT file, against bare uproot; and a sample from the cache, against the same from its file.

The file has NanoAOD-like collections: 20 ragged branches and a few flat ones, ROOT's default compression (zlib, level
1), one basket per branch and 50,000 events. Ours makes records of them and checks the order of each collection. The
second comparison is the whole `load`, from files to packed blocks in JAX.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import awkward as ak
import jax
import numpy as np
import uproot

from hepgrad.workflows import Fileset, Process, load, read_events
from hepgrad.workflows.cache import Cache

from .runner import Comparison, Size

EVENTS = {"quick": 50_000, "full": 500_000}
CLUSTER = 50_000
# mean number of objects, and fields
COLLECTIONS = {
    "Jet": (5.0, ("pt", "eta", "phi", "mass", "btagCSVV2", "qgl", "area")),
    "Muon": (0.7, ("pt", "eta", "phi", "mass", "pfRelIso04_all", "sip3d")),
    "Electron": (0.7, ("pt", "eta", "phi", "mass", "pfRelIso03_all", "sip3d", "dxy")),
}
FLAT = ("MET_pt", "MET_phi", "genWeight")
RAGGED = tuple(f"{name}_{field}" for name, (_, fields) in COLLECTIONS.items() for field in fields)


def write(path: Path, events: int) -> None:
    """Write events whose numbers have about as many significant bits as those of NanoAOD."""
    rng = np.random.default_rng(0)
    with uproot.recreate(path, compression=uproot.ZLIB(1)) as file:
        types = {**dict.fromkeys(RAGGED, "var * float32"), **dict.fromkeys(FLAT, np.float32)}
        tree = file.mktree("Events", types)
        for _ in range(events // CLUSTER):
            tree.extend({**_ragged(rng), **{name: _rounded(rng.exponential(40, CLUSTER)) for name in FLAT}})


def _ragged(rng: np.random.Generator) -> dict[str, ak.Array]:
    columns = {}
    for name, (mean, fields) in COLLECTIONS.items():
        count = rng.poisson(mean, CLUSTER)
        for field in fields:
            values = ak.unflatten(_rounded(rng.exponential(40, count.sum())), count)
            columns[f"{name}_{field}"] = ak.sort(values, ascending=False) if field == "pt" else values
    return columns


def _rounded(numbers: np.ndarray) -> np.ndarray:
    """Keep 12 bits of the mantissa."""
    return (numbers.astype(np.float32).view(np.uint32) & np.uint32(0xFFFFF800)).view(np.float32)


def comparisons(size: Size) -> Iterator[Comparison]:
    """Yield both comparisons."""
    events = EVENTS[size]
    branches = [*RAGGED, *FLAT]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "events.root"
        write(path, events)

        def bare() -> ak.Array:
            with uproot.open(path) as file:
                return file["Events"].arrays(branches)

        yield Comparison(
            f"{events:,} events, {len(RAGGED)} ragged and {len(FLAT)} flat branches",
            {"read_events": lambda: read_events(path, branches)},
            {"uproot": bare},
        )

        entry = {"files": [path.name], "nevts_total": events, "xsec_pb": 1.0}
        (folder / "fileset.json").write_text(json.dumps({"top": {"nominal": entry}}))
        cache = Cache(folder / "cache")

        def loaded(**options: Cache) -> None:
            split = load(Fileset.load(folder), [Process("top")], branches, luminosity=1.0, **options)
            jax.block_until_ready(split)

        yield Comparison(
            f"load {events:,} events into blocks",
            {"from the cache": lambda: loaded(cache=cache)},
            {"from the file": loaded},
        )
