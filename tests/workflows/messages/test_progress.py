"""Progress: a bar on a terminal, some lines in a log, nothing when quiet."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from hepgrad.analysis import StepRecord
from hepgrad.analysis.statistics.objectives import merit
from hepgrad.workflows.messages.progress import progress


def shown(steps, **console):
    buffer = io.StringIO()
    with progress(Console(file=buffer, width=100, **console), steps, merit("discovery")) as watchers:
        for step in range(steps):
            for watcher in watchers:
                watcher(StepRecord(step, 1.0 + step, 0.5, 2.0, {}), steps)
    return buffer.getvalue()


@pytest.mark.parametrize("steps", [1, 7, 10, 11, 300])
def test_a_log_gets_at_most_ten_lines(steps):
    lines = shown(steps, force_terminal=False).splitlines()
    assert len(lines) == min(steps, 10)
    assert lines[-1] == f"step {steps} of {steps}  significance {steps:.3f}  width 0.50  0 s left"


def test_a_terminal_gets_a_bar():
    text = shown(20, force_terminal=True)
    assert "optimising" in text
    assert "20/20" in text
    assert "significance 20.000" in text


def test_quiet():
    assert shown(20, quiet=True) == ""
    assert shown(20, quiet=True, force_terminal=True) == ""
