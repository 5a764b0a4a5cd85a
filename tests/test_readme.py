"""The README's Python examples run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


@pytest.mark.thorough
def test_examples_run_one_after_the_other(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    names = {"__name__": "readme"}
    for source in EXAMPLES:
        exec(compile(source, "README.md", "exec"), names)
        assert capsys.readouterr().out


def test_the_complete_example_is_short():
    assert sum(bool(line.strip()) for line in EXAMPLES[0].splitlines()) <= 40
