"""Certified collision data: the luminosity blocks that a golden JSON lists."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from ...errors import InputError
from ...files.stored_files import read_text
from .unique_keys import without_repetitions


@dataclasses.dataclass(frozen=True)
class LumiMask:
    """Tells which events are in certified luminosity blocks.

    Attributes
    ----------
    source
        The JSON file.
    blocks
        ``(run, first, last)`` of each range of luminosity blocks, both ends included; none overlaps another.

    Examples
    --------
    >>> import awkward as ak
    >>> from hepgrad.workflows.read import LumiMask
    >>> mask = LumiMask("golden.json", ((273158, 1, 12), (273158, 20, 30)))
    >>> mask(ak.Array({"run": [273158, 273158, 273158, 1], "luminosityBlock": [12, 13, 20, 5]})).tolist()
    [True, False, True, False]
    """

    source: str
    blocks: tuple[tuple[int, int, int], ...]

    # the columns that it looks at
    READS = ("run", "luminosityBlock")

    @classmethod
    def load(cls, path: str | Path) -> LumiMask:
        """Read a mask as CMS publishes it: ``{"273158": [[1, 12], [20, 30]]}``.

        Parameters
        ----------
        path
            The JSON file.

        Raises
        ------
        InputError
            When it is missing or no such file; names the run.
        """
        source = Path(path)
        try:
            content = json.loads(read_text(source), object_pairs_hook=without_repetitions)
        except InputError as error:
            raise InputError(f"{source}: {error}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(
                f"{source} cannot be read as a list of certified luminosity blocks ({error}); it has to be a JSON file "
                'such as {"273158": [[1, 12]]}'
            ) from error
        if not isinstance(content, dict) or not any(content.values()):
            raise InputError(f'{source}: expected runs with ranges of luminosity blocks, as in {{"273158": [[1, 12]]}}')
        return cls(str(source), tuple(block for run in sorted(content) for block in _blocks(run, content[run], source)))

    def __call__(self, events: ak.Array) -> ak.Array:
        """Return which events are certified.

        Parameters
        ----------
        events
            With ``run`` and ``luminosityBlock``.
        """
        first, last = self._ends
        here = _key(ak.to_numpy(events.run), ak.to_numpy(events.luminosityBlock))
        place = np.searchsorted(first, here, side="right") - 1
        return ak.Array((place >= 0) & (here <= last[place]))

    @functools.cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        run, first, last = np.array(sorted(self.blocks), np.uint64).T
        return _key(run, first), _key(run, last)


def _key(run: np.ndarray, block: np.ndarray) -> np.ndarray:
    return (run.astype(np.uint64) << np.uint64(32)) | block.astype(np.uint64)


def _blocks(run: str, ranges: Any, source: Path) -> list[tuple[int, int, int]]:
    wrong = InputError(f"{source}: run {run!r} needs ranges of luminosity blocks such as [[1, 12]], got {ranges!r}")
    if not (run.isdecimal() and len(run) <= 10 and int(run) < 2**32 and isinstance(ranges, list)):
        raise wrong
    found: list[tuple[int, int, int]] = []
    for each in ranges:
        ends = isinstance(each, list) and len(each) == 2 and all(type(end) is int and 0 <= end < 2**32 for end in each)
        if not ends or each[0] > each[1]:
            raise wrong
    for first, last in sorted(map(tuple, ranges)):
        if found and first <= found[-1][2]:
            found[-1] = (int(run), found[-1][1], max(last, found[-1][2]))
        else:
            found.append((int(run), first, last))
    return found
