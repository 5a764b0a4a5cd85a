"""Times comparisons: everybody's functions take turns in one process, and the medians are compared."""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import itertools
import random
import statistics
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import jax
from rich.console import Console
from rich.table import Table

Size = Literal["quick", "full"]
ROUNDS = {"quick": 5, "full": 15}
# A comparison with a slow rival ends after this many seconds, though not before a median means something.
PATIENCE = {"quick": 2.0, "full": 12.0}
FEWEST_ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Functions without arguments that do the same work and return when it is done.

    Attributes
    ----------
    name
        What is done.
    ours
        Our ways to do it, for example "eager" and "jit".
    rivals
        The others by name. One that raises is left out, with its reason.
    once
        Names of what is called only once, before the others, because it takes minutes, or because the first call is
        what is timed.
    """

    name: str
    ours: Mapping[str, Callable[[], object]]
    rivals: Mapping[str, Callable[[], object]]
    once: Collection[str] = ()


@dataclasses.dataclass(frozen=True)
class Timing:
    """One of our ways against one rival; ``ratio`` is our time over the rival's."""

    benchmark: str
    case: str
    rival: str
    ratio: float
    seconds: float
    rival_seconds: float


def benchmarks() -> list[str]:
    """Return the names of all benchmarks."""
    folder = Path(__file__).parent
    return sorted(path.stem for path in folder.glob("*.py") if "\ndef comparisons(" in path.read_text(encoding="utf-8"))


def run(
    benchmark: str, size: Size, tell: Callable[[str], object] | None = None, **settings: Any
) -> Iterator[tuple[list[Timing], list[str]]]:
    """Run a benchmark, with settings of its own, one comparison after the other.

    ``tell`` is called with what was just done. Timings are one for each of our ways and rival; notes say which rivals
    cannot do what, and why.
    """
    comparisons: Iterable[Comparison] = importlib.import_module(f"benchmarks.{benchmark}").comparisons(size, **settings)
    for comparison in comparisons:
        medians, reasons = measure(comparison, rounds=ROUNDS[size], patience=PATIENCE[size], tell=tell)
        timings = []
        for way, rival in itertools.product(comparison.ours, comparison.rivals):
            if ("rival", rival) in medians:
                mine, other = medians["ours", way], medians["rival", rival]
                timings.append(Timing(benchmark, f"{comparison.name} ({way})", rival, mine / other, mine, other))
        yield timings, [f"{comparison.name}: {rival} fails: {reason}" for rival, reason in reasons.items()]


def measure(
    comparison: Comparison, *, rounds: int, patience: float, tell: Callable[[str], object] | None = None
) -> tuple[dict[tuple[str, str], float], dict[str, str]]:
    """Return the median seconds of each function, all of them called in turn, and why rivals failed.

    A rival that fails at once is left out; one that fails now and then is timed when it does not.
    """
    functions = {("ours", name): function for name, function in comparison.ours.items()}
    functions |= {("rival", name): function for name, function in comparison.rivals.items()}
    times: dict[tuple[str, str], list[float]] = {name: [] for name in functions}
    reasons: dict[str, str] = {}
    begin = time.perf_counter()
    for done in range(-1, rounds):
        if done == 0:
            begin = time.perf_counter()
        if done >= FEWEST_ROUNDS and time.perf_counter() - begin > patience:
            break
        # nobody always finds the cache as the same other one left it
        turns = random.Random(done).sample(list(functions), len(functions))
        for side, name in sorted(turns, key=lambda turn: turn[1] not in comparison.once):
            once = name in comparison.once
            if once and done >= 0:
                continue
            start = time.perf_counter()
            try:
                functions[side, name]()
            except Exception as error:
                if side == "ours":
                    raise
                reasons[name] = str(error).strip().splitlines()[0][:120]
                if done < 0:
                    del functions[side, name]
            else:
                seconds = time.perf_counter() - start
                # the first round compiles
                times[side, name] += [seconds] if done >= 0 or once else []
                if tell and done < 0:
                    tell(f"{comparison.name}: {name} took {seconds:.3g} s at first")
    return {key: statistics.median(each) for key, each in times.items() if each}, reasons


def show(timings: Iterable[Timing], notes: Iterable[str], console: Console) -> None:
    """Print a table of the timings and the notes below it."""
    table = Table("benchmark", "case", "rival")
    for heading in ("ours / ms", "rival / ms", "ratio"):
        table.add_column(heading, justify="right")
    case = None
    for each in timings:
        if case not in (None, each.case):
            table.add_section()
        case = each.case
        ours, theirs = f"{1e3 * each.seconds:.3g}", f"{1e3 * each.rival_seconds:.3g}"
        style = "green" if each.ratio <= 1 else "yellow"
        table.add_row(each.benchmark, each.case, each.rival, ours, theirs, f"[{style}]{each.ratio:.3g}[/]")
    console.print(table)
    for note in notes:
        console.print(note, markup=False)


def as_markdown(timings: Iterable[Timing]) -> str:
    """Return a section with the timings and the device they were taken on."""
    device = jax.devices()[0].device_kind
    lines = [
        f"\n## On {device}, {datetime.date.today().isoformat()}, jax {jax.__version__}\n",
        "| benchmark | case | rival | ours / ms | rival / ms | ratio |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    for each in timings:
        numbers = f"{1e3 * each.seconds:.3g} | {1e3 * each.rival_seconds:.3g} | {each.ratio:.3g}"
        lines.append(f"| {each.benchmark} | {each.case} | {each.rival} | {numbers} |")
    return "\n".join(lines) + "\n"
