"""An interrupted run goes on to the same result, to the bit, and refuses a checkpoint that is not its own."""

from __future__ import annotations

import dataclasses
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

from hepgrad.analysis import Attempt, Checkpoint, Parameter, Parameters, StepRecord, Weights
from hepgrad.analysis.optimisation import Position
from hepgrad.workflows import Fileset, InputError, execution, run
from hepgrad.workflows.checkpoint import CheckpointFile
from hepgrad.workflows.cli.program import main
from hepgrad.workflows.settings.config import configured

HERE = Path(__file__).parent


@pytest.fixture
def workflow(tiny, tmp_path):
    return dataclasses.replace(tiny.TINY, data=tiny.write_events(tmp_path / "events"), steps=8)


@pytest.fixture
def checkpoint(workflow, tmp_path):
    """The file that a run of the workflow into the folder `run` would have left behind."""
    given = {**execution.settings(workflow, Fileset.load(workflow.data)), "starts": 1, "seed": 0}
    file = CheckpointFile(tmp_path / "run", given)
    coordinates = workflow.parameters.scaled()
    position = Position(coordinates, optax.adam(workflow.learning_rate).init(coordinates))
    file.save(Checkpoint(position, Attempt(workflow.parameters, workflow.parameters, 1.0)))
    return file


def test_other_settings_are_refused(workflow, checkpoint, tmp_path):
    options = {"output": tmp_path / "run", "quiet": True, "resume": True}
    with pytest.raises(InputError, match=r"other settings \(seed, start.met, steps\)"):
        run(configured(workflow, {"parameters": {"met": 30.0}}, origin="test"), steps=9, seed=2, **options)
    met = dataclasses.replace(workflow.parameters.specs["met"], bounds=(10, 90), width=7.0)
    other = dataclasses.replace(workflow, parameters=Parameters(**{**workflow.parameters.specs, "met": met}))
    with pytest.raises(InputError, match=r"other settings \(parameters.met.bounds, parameters.met.width\)"):
        run(other, **options)
    stage = dataclasses.replace(workflow.analysis.stages[0], function=lambda events, cut: events)
    other = dataclasses.replace(workflow, analysis=workflow.analysis.replace("selection", stage))
    with pytest.raises(InputError, match=r"other settings \(stages.selection.function.source\)"):
        run(other, **options)
    checkpoint.path.write_bytes(b"PK\x03\x04 truncated")
    with pytest.raises(InputError, match="cannot be read"):
        run(workflow, **options)


def test_everything_comes_back(tmp_path):
    """Arrays, weights, frozen parameters, a random key in the optimiser's state, and earlier descents."""
    parameters = Parameters(
        pt=Parameter([30.0, 50.0], bounds=(20, 80)),
        eta=Parameter(2.4, bounds=(1, 3), frozen=True),
        net=Weights([np.float32([0.1, 0.2]), np.float32(0.3)]),
    )
    for optimizer in (optax.noisy_sgd(0.1, key=jax.random.key(5)), optax.lbfgs()):
        coordinates = parameters.scaled()
        moved = parameters.replace(pt=[1 / 3 * 100, 60.0])
        record = StepRecord(0, 1 / 3, 1.0, float("nan"), moved.numbers(), bandwidth=0.5)
        attempts = [Attempt(parameters, moved, 1 / 7, 3, (record,)), Attempt(moved, parameters, -1.0)]
        saved = Checkpoint(Position(coordinates, optimizer.init(coordinates)), attempts[1], (attempts[0],))
        file = CheckpointFile(tmp_path / "run", {"a": 1})
        file.save(saved)
        loaded = file.load(parameters, optimizer)
        assert jax.tree.structure(loaded.position) == jax.tree.structure(saved.position)
        for new, old in zip(jax.tree.leaves(loaded.position), jax.tree.leaves(saved.position), strict=True):
            assert new.dtype == old.dtype
            bits = [
                jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x for x in (new, old)
            ]
            np.testing.assert_array_equal(*bits)
        for new, old in zip((*loaded.finished, loaded.attempt), attempts, strict=True):
            assert (new.best_value, new.best_step) == (old.best_value, old.best_step)
            np.testing.assert_equal(
                [dataclasses.asdict(r) for r in new.history], [dataclasses.asdict(r) for r in old.history]
            )
            for a, b in ((new.start, old.start), (new.best, old.best)):
                assert a.to_dict() == jax.tree.map(lambda x: x, b).to_dict()
    with pytest.raises(InputError, match="holds other arrays than this run"):
        file.load(parameters, optax.sgd(0.1))


def test_a_file_from_a_stranger_runs_no_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    file = CheckpointFile(tmp_path / "run", {})
    parameters = Parameters(met=Parameter(50.0, bounds=(20, 150)))
    text = np.asarray(json.dumps({"settings": {}, "attempts": [{}]}))
    for arrays in ({"text": np.array(Evil(), object)}, {"text": text, "leaf0": np.array([Evil()], object)}):
        np.savez(file.path, **arrays)
        with pytest.raises(InputError, match="cannot be read"):
            file.load(parameters, optax.sgd(0.1))
    assert not (tmp_path / "executed").exists()


# the report takes longer than everything else, and is made from what is compared
WITHOUT_REPORT = "from hepgrad.workflows import cli, execution; execution.write_report = lambda *arguments: None"


@pytest.mark.thorough
@pytest.mark.parametrize("kills", [1, pytest.param(6, marks=pytest.mark.slow)])
def test_killed_at_random_moments(kills, tiny, tiny_events, tmp_path, monkeypatch):
    """A real process and a real SIGKILL: no handler runs, and what is left on disk gives the same result to the bit."""
    monkeypatch.setattr(execution, "write_report", lambda *arguments: None)
    arguments = ["run", "tiny:TINY", "--data", str(tiny_events), "--steps", "200", "--quiet"]
    assert main([*arguments, "--output", str(tmp_path / "whole")]) == 0

    rng, checkpoint = random.Random(20261122), tmp_path / "parts.checkpoint.npz"
    command = [sys.executable, "-c", f"import sys; {WITHOUT_REPORT}; sys.exit(cli.main(sys.argv[1:]))"]
    command += [*arguments, "--output", str(tmp_path / "parts")]
    killed, finished = 0, False
    while not finished:
        before = checkpoint.stat().st_mtime_ns if killed else 0
        process = subprocess.Popen([*command, *["--resume"] * bool(killed)], cwd=HERE)
        if killed < kills:
            while process.poll() is None and not (checkpoint.exists() and checkpoint.stat().st_mtime_ns > before):
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
        code = process.wait()
        assert code in (0, -signal.SIGKILL)
        finished = code == 0
        killed += not finished
    assert killed >= 1
    for name in ("parameters.json", "history.csv", "result.json", "cutflow.csv", "histograms.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_nothing_to_resume(workflow, tmp_path):
    with pytest.raises(InputError, match="there is no interrupted run to go on with"):
        run(workflow, output=tmp_path / "run", quiet=True, resume=True)
