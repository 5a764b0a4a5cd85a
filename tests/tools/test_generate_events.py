"""The tool that made the embedded events: what it says without its extra, and that a seed fixes the events."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import awkward as ak
import pytest
import uproot

ROOT = Path(__file__).resolve().parents[2]
TOOL = [sys.executable, "-m", "tools.generate_events"]


@pytest.mark.parametrize("package", ["pythia8mc", "fastjet", "vector"])
def test_says_which_extra_is_missing(package, tmp_path):
    # None makes an import fail; the other two need not be installed for this test
    modules = dict.fromkeys(("pythia8mc", "fastjet", "vector"), "sys") | {package: "None"}
    hidden = "; ".join(f"sys.modules[{name!r}] = {value}" for name, value in modules.items())
    arguments = f"sys.argv = ['script', 'zprime', '--output', {str(tmp_path / 'out')!r}]"
    run = "runpy.run_module('tools.generate_events', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", f"import runpy, sys; {hidden}; {arguments}; {run}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 1
    assert f"{package} is needed to generate events: pip install 'hepgrad[generate]'" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(importlib.util.find_spec("pythia8mc") is None, reason="needs the extra `generate`")
@pytest.mark.parametrize(("workflow", "sample", "scale"), [("zprime", "zjets", 0.005), ("ttbar-agc", "ttbar", 0.003)])
def test_the_same_command_gives_the_same_events(workflow, sample, scale, tmp_path):
    for name in ("a", "b"):
        options = ["--samples", sample, "--scale", str(scale), "--output", tmp_path / name]
        subprocess.run([*TOOL, workflow, *options], check=True, capture_output=True, cwd=ROOT)
    a, b = (uproot.open(tmp_path / name / f"{sample}.root")["Events"].arrays() for name in ("a", "b"))
    assert len(a) > 0
    assert ak.array_equal(a, b, equal_nan=True)


def test_samples_are_those_of_the_workflow(tmp_path):
    command = [*TOOL, "ttbar-agc", "--samples", "zjets", "--output", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert "ttbar-agc has no sample 'zjets'; it has ttbar, ttbar_scaleup" in done.stderr
