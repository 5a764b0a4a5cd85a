"""Export of cached samples as Parquet files, for other tools."""

from __future__ import annotations

from pathlib import Path

import awkward as ak

from ..errors import InputError
from ..files.replacing import replacing
from .entry import Entry


def export_parquet(entry: Entry, folder: Path, name: str) -> list[Path]:
    """Write the events of an entry, one Parquet file for each shard, and return the files.

    The names are ``NAME-HALF-SHARD.parquet``: half 0 has the events with an even index in the sample, half 1 those
    with an odd one. ``awkward.from_parquet`` reads a file, or all of a folder at once.

    Parameters
    ----------
    entry
        A sample in the cache.
    folder
        Is created; files of these names are replaced.
    name
        With which the names of the files begin.

    Raises
    ------
    InputError
        When pyarrow is not installed, or the entry is damaged.
    """
    written = []
    for half, pieces in enumerate(entry.load().halves):
        for shard, piece in enumerate(pieces):
            path = folder / f"{name}-{half}-{shard:05}.parquet"
            with replacing(path) as temporary:
                try:
                    ak.to_parquet(piece.to_awkward(), temporary)
                except ImportError as error:
                    raise InputError("Parquet needs pyarrow: install hepgrad with its extra `parquet`") from error
            written.append(path)
    return written
