"""The command line: one clear message for what a user may get wrong, and no traceback."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from hepgrad import workflows
from hepgrad.workflows import RunFolder
from hepgrad.workflows.cli import program
from hepgrad.workflows.cli.program import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fails(here, capsys):
    """Run the command line, which must fail, and return its message."""

    def run(*arguments):
        assert main(arguments) == 2
        err = capsys.readouterr().err
        assert err.startswith("hepgrad: ")
        assert len(err.splitlines()) == 1
        return err

    return run


@pytest.mark.thorough
def test_run(here, tiny, tiny_events, capsys):
    before = jax.config.jax_enable_x64
    earlier = RunFolder.create("hepgrad-runs/tiny")
    earlier.write_text("plots/old.png", "")
    earlier.finish({"status": "finished"})
    arguments = ["run", "tiny:TINY", "--data", str(tiny_events), "--steps", "2", "--set", "parameters.met=15"]
    arguments += ["processes.multijet.datasets=['multijet_high']", "processes.top.datasets=['top', 'multijet_low']"]
    assert main(arguments) == 2
    message = "the output folder hepgrad-runs/tiny exists and is not empty; replace the earlier run with --overwrite"
    assert message in capsys.readouterr().err

    assert main([*arguments, "--overwrite"]) == 0
    assert jax.config.jax_enable_x64 == before
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"A tiny <search>\nreading {tiny_events / 'fileset.json'}\n")
    assert out.endswith("the report is hepgrad-runs/tiny/report.html\n")
    assert "step 2 of 2" in out
    assert "Cut values" in out
    folder = here / "hepgrad-runs" / "tiny"
    assert not (folder / "plots" / "old.png").exists()
    facts = json.loads((folder / "run.json").read_text())
    assert facts["steps"] == 2
    assert facts["precision"] == {"events": "that of the files", "statistics": "float64"}
    assert list(facts["processes"]["top"]["datasets"]) == ["top", "multijet_low"]
    assert list(facts["processes"]["multijet"]["datasets"]) == ["multijet_high"]
    assert json.loads((folder / "parameters.json").read_text())["met"]["start"] == 15.0


@pytest.mark.thorough
def test_configuration_of_an_earlier_run(here, tiny, tiny_events, monkeypatch):
    monkeypatch.setattr("hepgrad.workflows.execution.write_report", lambda *arguments: None)
    arguments = ["run", "tiny:TINY", "--quiet", "--output"]
    assert main([*arguments, "one", "--data", str(tiny_events), "--steps", "2", "--set", "parameters.met=15"]) == 0
    assert main([*arguments, "two", "--config", "one/config.toml"]) == 0
    assert (here / "one" / "parameters.json").read_text() == (here / "two" / "parameters.json").read_text()


def test_settings_that_there_are_not(fails):
    assert "--set: expected KEY=VALUE" in fails("run", "zprime", "--set", "steps").replace("hepgrad: ", "--set: ")
    assert "there is no setting 'parameters.mett'; did you mean 'parameters.met'" in fails(
        "run", "zprime", "--set", "parameters.mett=3"
    )
    assert "no.toml" in fails("check", "zprime", "--config", "no.toml")


@pytest.mark.thorough
def test_scan(here, tiny, tiny_events, capsys):
    arguments = ["scan", "tiny:TINY", "--data", str(tiny_events), "--trials", "12", "--seed", "3"]
    assert main(arguments) == 0
    assert "random scan of 12 points" in capsys.readouterr().out
    folder = here / "hepgrad-runs" / "tiny-random"
    assert len((folder / "trials.csv").read_text().splitlines()) == 13
    facts = json.loads((folder / "run.json").read_text())
    assert (facts["method"], facts["trials"], facts["seed"]) == ("random", 12, 3)
    assert facts["train"][1] >= facts["train"][0]
    assert main(arguments) == 2
    assert main([*arguments, "--overwrite"]) == 0


def test_missing_data(fails, tiny, here):
    assert "there is no file nowhere" in fails("run", "tiny:TINY", "--data", "nowhere")


def test_missing_sample(fails, tiny, tiny_events):
    message = fails("run", "tiny:TINY", "--data", str(tiny_events), "--set", "processes.top.datasets=['ttop']")
    assert "there is no sample 'ttop'" in message
    assert "it has top, " in message


def test_truncated_file(fails, tiny, here):
    folder = tiny.write_events(here / "events")
    path = folder / "top.root"
    path.write_bytes(path.read_bytes()[:2000])
    assert "top.root cannot be read; it is truncated" in fails("run", "tiny:TINY", "--data", str(folder))


def test_output_that_is_not_a_run(fails, tiny, tiny_events, here):
    (here / "thesis").mkdir()
    (here / "thesis" / "chapter1.tex").write_text("")
    message = fails("run", "tiny:TINY", "--data", str(tiny_events), "--output", "thesis", "--overwrite")
    assert "thesis is not the folder of an earlier run" in message
    assert (here / "thesis" / "chapter1.tex").exists()


def test_start_outside_the_bounds(fails, tiny):
    message = fails("run", "tiny:TINY", "--set", "parameters.met=500")
    assert "parameter 'met': the start 500.0 lies outside the bounds [10, 100] GeV" in message
    message = fails("run", "tiny:TINY", "--set", "parameters.met=high")
    assert "--set: parameters.met.value: expected numbers, got 'high'" in message


def test_unknown_process(fails, tiny):
    message = fails("run", "tiny:TINY", "--set", "processes.ttbar.datasets=['top']")
    assert "--set: there is no setting 'processes.ttbar'; did you mean" in message


def test_unknown_workflow(fails):
    known = "zprime, ttbar-agc, ttbar-agc-open-data, htautau, inferno, neos"
    assert f"there is no workflow 'zprim'; there is {known}, and your own" in fails("run", "zprim")
    assert "there is no module 'nothing_like_this'" in fails("run", "nothing_like_this:SEARCH")
    assert "json:dumps should be a hepgrad.workflows.Workflow or Study, it is function" in fails("run", "json:dumps")


def test_own_workflow_in_the_present_folder(here, fails):
    (here / "half_done_search.py").write_text("WORKFLOW = None\n")
    assert "half_done_search:WORKFLOW should be a hepgrad.workflows.Workflow or Study" in fails(
        "run", "half_done_search:WORKFLOW"
    )


def test_warnings_are_one_line(here, tiny, capsys):
    folder = tiny.write_events(here / "events")
    branches = tiny.draw("top")
    momentum = np.array(branches["MET_pt"])
    momentum[3] = np.nan
    tiny.write_tree(folder / "top.root", {**branches, "MET_pt": momentum})
    (folder / "signal.root").unlink()  # stop before the optimisation
    swapped = ["processes.signal.datasets=['top']", "processes.top.datasets=['signal']", "not_finite=drop"]
    assert main(["run", "tiny:TINY", "--data", str(folder), "--set", *swapped]) == 2
    warning, error = capsys.readouterr().err.splitlines()
    assert warning.startswith("hepgrad: warning: ")
    assert "MET_pt" in warning and "these events are left out" in warning
    assert "there is no file" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "required: workflow"),
        (["run", "zprime", "--steps", "0"], "expected a positive whole number, got '0'"),
        ([], "required: COMMAND"),
    ],
)
def test_usage(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert message in capsys.readouterr().err


def test_list(capsys):
    assert main(["list"]) == 0
    assert capsys.readouterr().out.startswith("zprime ")


def test_completion(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--print-completion", "bash"])
    script = capsys.readouterr().out
    assert "--unblind" in script
    assert "_report_pos_0_COMPGEN=_shtab_compgen_dirs" in script


def test_help_and_version_do_not_wait_for_jax():
    code = """import sys
from hepgrad.workflows.cli import main
try:
    main([sys.argv[1]])
finally:
    assert "jax" not in sys.modules
"""
    for option in ("--help", "--version"):
        done = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(("usage: hepgrad", "hepgrad 0"))


def test_device(fails, tiny):
    assert "JAX finds no gpu here, only cpu (on an NVIDIA GPU" in fails("run", "tiny:TINY", "--device", "gpu")


# of the process as a whole, or written as an object of Python
OF_THE_PROCESS = {"config", "settings", "scheduler", "device", "compile_cache", "dry_run", "debug", "help"}
OF_THE_PROCESS |= {"processes", "process", "coordinator"}


@pytest.mark.parametrize("command", ["run", "scan", "report"])
def test_python_for_every_command(command):
    """`hepgrad.workflows` has a function of the same name, with the same options and the same defaults."""
    (commands,) = [action for action in program._parser()._actions if isinstance(action, argparse._SubParsersAction)]
    options = {action.dest: action.default for action in commands.choices[command]._actions}
    options = {name: default for name, default in options.items() if name not in OF_THE_PROCESS}
    function = inspect.signature(getattr(workflows, command)).parameters
    assert set(function) == set(options)
    given = {name: default for name, default in options.items() if default not in (None, argparse.SUPPRESS)}
    assert {name: list(d) if isinstance((d := function[name].default), tuple) else d for name in given} == given


SLOW = """import jax
import jax.numpy as jnp
W = jax.jit(lambda: jax.lax.reduce_window(jnp.ones(10000), 0.0, jax.lax.add, (300,), (1,), "SAME"))()
"""


@pytest.mark.thorough
def test_what_xla_says_of_slow_compilations_is_not_printed(tmp_path):
    """Its alarm goes off after two minutes for a program, and after a second where it computes a constant: here."""
    (tmp_path / "slow.py").write_text(SLOW)
    # compiled here, and with the level that JAX sets, which a process inherits that a program with JAX starts
    compiled_here = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    compiled_here["TF_CPP_MIN_LOG_LEVEL"] = "1"
    alike = {"capture_output": True, "text": True, "cwd": tmp_path, "env": compiled_here}
    as_it_is = subprocess.run([sys.executable, "slow.py"], **alike)
    if "slow_operation_alarm" not in as_it_is.stderr:
        pytest.skip("this XLA computes the constant within a second, and says nothing that could be kept back")
    command = "import sys; from hepgrad.workflows.cli import main; sys.exit(main(['check', 'slow:W']))"
    done = subprocess.run([sys.executable, "-c", command], **alike)
    assert done.returncode == 2
    assert done.stderr.startswith("hepgrad: slow:W should be a hepgrad.workflows.Workflow or Study, it is ")
    assert len(done.stderr.splitlines()) == 1
