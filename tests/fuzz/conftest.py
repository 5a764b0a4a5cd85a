"""Attacks: what is thrown at hepgrad on purpose, how often, and how often it held.

A test of this folder asks for the fixture `attack` and names the class of what it tries:

    def test_damaged_manifests(attack, entry):
        @attack("manifests", at=integers(0, 10_000))
        def _(at):
            ...  # an assertion that fails is a fall

Each such test runs a few times with all other tests, and often with ``make fuzz``, which writes the counts into
``docs/reliability.md``.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import importlib.util
import io
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy, floats, lists, none, recursive, sampled_from, text

ROW = re.compile(r"^\| (?P<kind>[^|]+?) +\| +(?P<tries>\d+) \| +(?P<held>\d+) \|$", re.MULTILINE)
TABLE = re.compile(r"(?<=<!-- counts -->\n).*(?=\n<!-- end of counts -->)", re.DOTALL)
# by class: how often it was tried, and how often it held
BOOK: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.fuzz)


@dataclasses.dataclass(frozen=True)
class Attack:
    """Tries a function with many examples at once, and counts."""

    tries: int

    def __call__(
        self, what: str, /, *, share: float = 1.0, **strategies: SearchStrategy[Any]
    ) -> Callable[[Callable[..., None]], None]:
        """Return a decorator that calls a function with examples; one that takes long gets a share of the tries."""

        def carry_out(body: Callable[..., None]) -> None:
            def counted(**example: Any) -> None:
                BOOK[what][0] += 1
                body(**example)
                BOOK[what][1] += 1

            often = settings(
                max_examples=max(1, round(self.tries * share)),
                deadline=None,
                database=None,
                # a fall is looked into by hand: shrinking takes longer than everything else
                phases=[Phase.generate],
                # the quick part is the same every time, the long one is not
                derandomize=self.tries < 100,
                suppress_health_check=list(HealthCheck),
            )
            often(given(**strategies)(counted))()

        return carry_out


@pytest.fixture
def attack(request) -> Attack:
    """What tries and counts."""
    return Attack(request.config.getoption("--tries"))


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """The last line of what went wrong."""
        return self.err.strip().rpartition("\n")[2]


@pytest.fixture(scope="session")
def command() -> Callable[..., Ended]:
    """Run the command line in this process, and return how it ended; a traceback fails the test."""
    from hepgrad.workflows.cli.program import main

    def run(*arguments: object) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as stop:  # from argparse
                code = int(stop.code or 0)
        ended = Ended(code, out.getvalue(), err.getvalue())
        assert "--debug" in arguments or "Traceback" not in ended.err
        assert code == 0 or ended.message.startswith("hepgrad"), ended
        assert code != 70, ended  # an error that nobody foresaw
        return ended

    return run


def pytest_sessionfinish(session: pytest.Session) -> None:
    page = session.config.getoption("--counts")
    if page is None or not BOOK:
        return
    page = Path(page)
    text = page.read_text(encoding="utf-8")
    counts = {row["kind"]: (int(row["tries"]), int(row["held"])) for row in ROW.finditer(text)}
    counts |= {kind: (tries, held) for kind, (tries, held) in BOOK.items()}
    width = max(map(len, counts))
    rows = [f"| {kind:{width}} | {tries:5} | {held:5} |" for kind, (tries, held) in sorted(counts.items())]
    lines = [f"| {'what is attacked':{width}} | tries |  held |", f"| {'-' * width} | ----: | ----: |", *rows]
    page.write_text(TABLE.sub(lambda _: "\n".join(lines), text), encoding="utf-8")


@pytest.fixture(scope="session")
def tiny():
    """The module with the tiny workflow of ``tests/workflows``; ``tiny:TINY`` also names it on the command line."""
    specification = importlib.util.spec_from_file_location("tiny", Path(__file__).parents[1] / "workflows" / "tiny.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules["tiny"] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_events(tiny, tmp_path_factory):
    """The folder with its events."""
    return tiny.write_events(tmp_path_factory.mktemp("tiny") / "events")


@pytest.fixture(scope="session")
def finished(tiny, tiny_events, tmp_path_factory):
    """A run folder of it."""
    from hepgrad.workflows import execution

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execution, "write_report", lambda *arguments: None)
        execution.run(tiny.TINY, data=tiny_events, output=folder, quiet=True, steps=3)
    return folder


@pytest.fixture
def fresh(tmp_path):
    """Return a folder that is new for every example."""
    numbers = itertools.count()

    def make() -> Path:
        folder = tmp_path / f"try{next(numbers)}"
        folder.mkdir()
        return folder

    return make


@pytest.fixture(scope="session")
def any_json() -> SearchStrategy[Any]:
    """Whatever JSON can hold."""
    odd = sampled_from([True, False, "", "../..", -1, 0, 10**30, 1e308, "nan"])
    return recursive(none() | odd | text(max_size=5) | floats(), lambda inner: lists(inner, max_size=2), max_leaves=4)


@pytest.fixture(scope="session")
def changed_json() -> Callable[[Any, int, Any], Any]:
    """Return JSON in which one place, chosen by a number, is something else; a place is a value or a missing key."""

    def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
            yield (*path, key)
            if isinstance(inner, dict | list):
                yield from places(inner, (*path, key))

    def changed(value: Any, where: int, new: Any) -> Any:
        value = json.loads(json.dumps(value))
        every = list(places(value))
        *path, last = every[where % len(every)]
        node = value
        for key in path:
            node = node[key]
        if new is None and isinstance(node, dict):
            del node[last]
        else:
            node[last] = new
        return value

    return changed


@pytest.fixture(scope="session")
def hostile() -> SearchStrategy[str]:
    """Texts that would like to be something else: code, markup, formulas, commands of a terminal, paths, TeX."""
    return sampled_from(HOSTILE) | text(max_size=40) | text(alphabet="$\\{}^_[]/=+-@\"'#\n\r\t;: a", max_size=30)


HOSTILE = [
    "GeV\nimport os; os.mkdir('executed')",
    "GeV\rraise SystemExit",
    "\f\v\x1c\u2028\x85 os.mkdir('executed')",
    '"""\nimport os; os.mkdir("executed")\n"""',
    "'); import os; os.mkdir('executed') #",
    r"$\xi\to\nu\upsilon$",
    r"$H \to \tau\tau$",
    "$p_T",
    r"$\undefined{x$",
    r"a $ b $ c $ d_{",
    r"\N{BEL} \u12 \x",
    "[bold red]not[/bold red] [/]",
    "[link=file:///etc/passwd]x[/link]",
    "\x1b]0;title\x07\x1b[2J\x1b[31m",
    "\u202eetirw",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1",
    "@SUM(A1)",
    "'=1",
    "\t=1",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "..",
    ".",
    "~",
    "CON",
    "x" * 300,
    "\ud800",
    "\x00",
    "<script>alert(1)</script>",
    "{{7*7}} ${x} %s %n",
    "_hidden",
    "class",
    "select",
    "日本語 😀 é",
    "a;1",
    "a:b",
]
