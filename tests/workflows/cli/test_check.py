"""`hepgrad check`: findings as a table, and an exit code that a script can use."""

from __future__ import annotations

import jax
import pytest

from hepgrad.analysis import Diagnosis, Finding, Severity
from hepgrad.workflows import execution
from hepgrad.workflows.analyses.zprime import ZPRIME
from hepgrad.workflows.cli.program import main


@pytest.mark.thorough
def test_a_workflow_that_can_run(tiny, tiny_events, capsys):
    assert main(["check", "tiny:TINY", "--data", str(tiny_events)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "looked at processes, columns and weights" in " ".join(out.split())
    assert "error" not in out


@pytest.mark.parametrize(("severity", "code"), [(Severity.WARNING, 0), (Severity.ERROR, 1)])
def test_exit_code(tiny, tiny_events, capsys, monkeypatch, severity, code):
    finding = Finding(severity, "parameter met", "it is stuck", "nothing moves", "let it go")
    monkeypatch.setattr(execution, "check", lambda *arguments: Diagnosis((finding,), ("everything",)))
    assert main(["check", "tiny:TINY", "--data", str(tiny_events)]) == code
    assert "it is stuck" in capsys.readouterr().out


def test_missing_data(tiny, capsys):
    assert main(["check", "tiny:TINY", "--data", "nowhere"]) == 2
    assert "there is no file nowhere" in capsys.readouterr().err


@pytest.mark.slow
def test_nothing_is_wrong_with_the_zprime_workflow():
    with jax.enable_x64(True):
        assert not execution.examine(ZPRIME).findings
