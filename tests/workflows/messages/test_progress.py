"""Progress: a bar on a terminal, some lines in a log, nothing when quiet."""

from __future__ import annotations

import io

import jax
import jax.numpy as jnp
import pytest
from jax import monitoring
from rich.console import Console

from hepgrad.analysis import StepRecord
from hepgrad.analysis.statistics.objectives import merit
from hepgrad.workflows.messages.compilations import COMPILED, LOWERED, compilations, doing
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


def test_a_log_tells_of_what_took_long_to_compile():
    buffer = io.StringIO()
    with progress(Console(file=buffer, width=100), 3, merit("discovery")):
        for name, seconds in (("small", 0.2), ("step", 27.3), ("fit", 8.0)):
            monitoring.record_event_duration_secs(LOWERED, 0.1, fun_name=name)
            monitoring.record_event_duration_secs(COMPILED, seconds, fun_name=name)
    monitoring.record_event_duration_secs(COMPILED, 50.0, fun_name="later")
    assert buffer.getvalue().splitlines() == [
        "compiled program 1 of 1 in 27 s",
        "compiled program 2 of 2 in 8 s",
    ]


def test_a_terminal_tells_what_is_compiled():
    """Both programs at once, the shorter one first; then one more."""
    now = [0.0]
    told = []
    with compilations() as programs:
        programs._clock = lambda: now[0]
        for at, event, name in (
            (0, LOWERED, "step"),
            (2, LOWERED, "fit"),
            (9, COMPILED, "fit"),
            (20, COMPILED, "step"),
        ):
            now[0] = float(at)
            monitoring.record_event_duration_secs(event, 0.1 if event == LOWERED else at - 1.0, fun_name=name)
            now[0] += 1.5
            told.append(programs.told())
    assert told == [
        "compiling 1 of 1, 2 s",
        "compiling 1 of 2, 4 s",
        "compiling 2 of 2, 10 s",
        "",
    ]


def test_jax_says_when_it_compiles():
    """With the events of the version of JAX that is installed."""
    seen = []
    with compilations() as programs:
        programs._clock = lambda: seen.append("asked") or 0.0
        jnp.arange(7.0).sum().block_until_ready()
        before = len(seen)
        jax.jit(lambda x: jnp.sin(x) + 11.25)(jnp.ones(3))
    assert len(seen) > before


@pytest.mark.parametrize("is_terminal", [True, False])
def test_other_work_has_a_line_of_its_own(is_terminal):
    buffer = io.StringIO()
    with doing(Console(file=buffer, width=100, force_terminal=is_terminal), "writing the results"):
        pass
    assert ("writing the results" in buffer.getvalue()) == is_terminal


CELL = """
from rich.console import Console
from hepgrad.analysis import StepRecord
from hepgrad.analysis.statistics.objectives import merit
from hepgrad.workflows.messages.progress import progress

with progress(Console(), 3000, merit("discovery")) as watchers:
    for step in range(3000):
        for watcher in watchers:
            watcher(StepRecord(step, 1.0 + step, 0.5, 2.0, {}), 3000)
"""


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")
def test_a_notebook_gets_one_bar_which_is_drawn_over():
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    assert output.data["text/plain"] == "step 3000 of 3000  significance 3000.000  width 0.50  0 s left"
    assert output.data["text/html"].startswith('<progress style="width: 20em" max="3000" value="3000"></progress> step')
