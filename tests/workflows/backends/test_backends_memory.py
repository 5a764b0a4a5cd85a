"""How much memory a gradient takes, as the operating system sees it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hepgrad.workflows.cache.store import stored
from hepgrad.workflows.read.collect import Collected
from hepgrad.workflows.read.packing.columns import Columns
from hepgrad.workflows.read.packing.packing import Strand

EVENTS, COLUMNS, OBJECTS = 10_000, 20, 5.0


@pytest.mark.slow
def test_a_gradient_takes_at_most_three_times_the_memory_of_its_shard(tmp_path):
    """A million events with 20 jagged columns, all of which the analysis uses, in blocks of the default size."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(OBJECTS, EVENTS)
    values = {("Jet", f"x{i}"): rng.exponential(50, counts.sum()).astype(np.float32) for i in range(COLUMNS)}
    piece = Columns(EVENTS, values, {"Jet": np.append(0, np.cumsum(counts))})
    folders = []
    for pieces in (4, 100):
        # the pieces share their memory
        half = [Strand(0, [piece] * pieces, 1.0, None)]
        kept = stored(Collected((half, half), list(values), ["signal"], (None,)), tmp_path, shard_bytes=2**30)
        folders.append(kept.folder)
    (shard,) = kept.half(0).files
    size = shard.stat().st_size
    # values, and what belongs to each event
    assert 4 * COLUMNS * OBJECTS * 1e6 < size < 4.8 * COLUMNS * OBJECTS * 1e6

    script = Path(__file__).with_name("peak.py")
    done = subprocess.run(
        [sys.executable, str(script), *map(str, folders)], capture_output=True, text=True, timeout=300
    )
    shutil.rmtree(tmp_path / "shards")
    assert done.returncode == 0, done.stderr
    before, peak, (few, many) = json.loads(done.stdout)
    print(f"{(peak - before) / size:.2f} times the shard's {size / 1e6:.0f} MB")
    assert peak - before <= 3 * size
    # all of its events were seen, and their pages count
    assert many == pytest.approx(25 * few, rel=1e-3) and few != 0
    assert peak - before > 0.9 * size
