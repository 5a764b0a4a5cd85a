"""Official corrections beside correctionlib: how many items a second, and how long each takes to compile.

Every correction of every file, each with one choice of words, at the same random points for both. correctionlib
evaluates whole NumPy arrays at once; hepgrad's program is compiled for the same arrays.
"""

from __future__ import annotations

import dataclasses
import gzip
import itertools
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import correctionlib
import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from hepgrad.analysis.corrections import read_corrections

from .programs import processor_seconds
from .runner import Comparison, Size, measure

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "corrections_cms2018ul"
POINTS = 100_000
# of the corrections of a file, quick takes one in so many
EVERY = {"quick": 10, "full": 1}
ROUNDS = 5
PATIENCE = 0.5


@dataclasses.dataclass(frozen=True)
class Timing:
    """One correction.

    ``compiling`` are processor seconds to trace and compile, in single precision, ``ours`` and ``rival`` seconds for
    all points.
    """

    file: str
    name: str
    compiling: float
    ours: float
    rival: float

    @property
    def ratio(self) -> float:
        """Our time over correctionlib's."""
        return self.ours / self.rival


def report(size: Size, console: Console) -> list[dict[str, Any]]:
    """Print a line for each file, and return the numbers of each correction.

    Quick takes one correction in ten.
    """
    table = Table(
        "file", "corrections", title=f"{POINTS:,} points, single precision beside correctionlib; medians and worst"
    )
    for heading in ("ours / (M/s)", "theirs / (M/s)", "time ratio", "worst", "compile / s", "worst"):
        table.add_column(heading, justify="right")
    rows: list[dict[str, Any]] = []
    for path in sorted(FOLDER.glob("*.json.gz")):
        timings = list(_timings(path, EVERY[size]))
        rows += [dataclasses.asdict(each) | {"ratio": each.ratio} for each in timings]
        ours, rival = (len(timings) * POINTS / sum(getattr(each, of) for each in timings) for of in ("ours", "rival"))
        ratios, compiling = ([getattr(each, of) for each in timings] for of in ("ratio", "compiling"))
        table.add_row(
            path.name.partition(".")[0],
            str(len(timings)),
            *(f"{number / 1e6:.1f}" for number in (ours, rival)),
            *(f"{number:.2f}" for number in (statistics.median(ratios), max(ratios))),
            *(f"{number:.2f}" for number in (statistics.median(compiling), max(compiling))),
        )
    console.print(table)
    return rows


def _timings(path: Path, every: int) -> Iterator[Timing]:
    """Time the corrections of one file, those that are stacked of others, too."""
    content = json.loads(gzip.decompress(path.read_bytes()))
    found, theirs = read_corrections(path), correctionlib.CorrectionSet.from_file(str(path))
    described = [*content["corrections"], *(content.get("compound_corrections") or ())]
    simple = {each["name"]: each for each in content["corrections"]}
    for correction in described[::every]:
        name = correction["name"]
        rival = theirs[name] if name in simple else theirs.compound[name]
        domain = [simple[each]["data"] for each in correction.get("stack", [name])]
        words, values = _accepted(correction, domain, rival)
        mine = jax.jit(lambda *numbers, f=found[name], words=words: f(*_merged(words, numbers)))
        numbers = [np.asarray(v, np.float32 if v.dtype.kind == "f" else np.int32) for v in values]
        start = processor_seconds()
        program = mine.lower(*numbers).compile()
        compiling = processor_seconds() - start
        on_device = [jax.device_put(each) for each in numbers]
        arguments = _merged(words, values)
        comparison = Comparison(
            name,
            {"jit": lambda p=program, a=on_device: jax.block_until_ready(p(*a))},
            {"correctionlib": lambda r=rival, a=arguments: r.evaluate(*a)},
        )
        medians, _ = measure(comparison, rounds=ROUNDS, patience=PATIENCE)
        yield Timing(path.name, name, compiling, medians["ours", "jit"], medians["rival", "correctionlib"])


def _merged(words: list[str | None], numbers: Any) -> list[Any]:
    """Return inputs in order: words, and numbers in the places between."""
    left = iter(numbers)
    return [next(left) if word is None else word for word in words]


def _accepted(correction: Any, domain: list[Any], rival: Any) -> tuple[list[str | None], list[np.ndarray]]:
    """Return words that the correction knows, and points in the middle of everything that it distinguishes."""
    seen: dict[str, set[Any]] = {each["name"]: set() for each in correction["inputs"]}
    for tree in domain:
        _look(tree, seen)
    rng = np.random.default_rng(0)
    names = {each["name"]: each["type"] for each in correction["inputs"]}
    for combination in itertools.product(*(sorted(seen[n]) for n, kind in names.items() if kind == "string")):
        left = iter(combination)
        words = [next(left) if kind == "string" else None for kind in names.values()]
        values = [_numbers(seen[n], kind, POINTS, rng) for n, kind in names.items() if kind != "string"]
        if (kept := _inside(rival, words, values)) is not None:
            return words, [each[kept] for each in values]
    raise ValueError(f"correctionlib accepts no point of {correction['name']!r}")


def _inside(rival: Any, words: list[str | None], values: list[np.ndarray]) -> np.ndarray | None:
    """Return indices of as many points that correctionlib accepts; None when it takes none of the first ones."""
    good = []
    for i in range(200):
        try:
            rival.evaluate(*_merged(words, [each[i].item() for each in values]))
        except (RuntimeError, IndexError):
            continue
        good.append(i)
    if not good:
        return None
    if len(good) == 200:
        try:
            rival.evaluate(*_merged(words, values))
        except (RuntimeError, IndexError):
            pass
        else:
            return np.arange(POINTS)
    return np.resize(np.array(good), POINTS)


def _look(node: Any, seen: dict[str, set[Any]]) -> None:
    if not isinstance(node, dict):
        return
    content = node.get("content", ())
    if node["nodetype"] == "category":
        seen[node["input"]].update(item["key"] for item in content)
        content = [item["value"] for item in content]
    elif node["nodetype"] == "binning":
        seen[node["input"]].update(map(float, node["edges"]))
    elif node["nodetype"] == "multibinning":
        for name, edges in zip(node["inputs"], node["edges"], strict=True):
            seen[name].update(map(float, edges))
    for each in content:
        _look(each, seen)


def _numbers(seen: set[Any], kind: str, count: int, rng: np.random.Generator) -> np.ndarray:
    if kind == "int":
        return rng.choice(np.array(sorted(seen) or [0]), count)
    edges = np.array(sorted(seen) or [1.0, 100.0])
    edges = edges[np.isfinite(edges)]
    return rng.uniform(edges[0], edges[-1], count)
