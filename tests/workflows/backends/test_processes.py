"""Several processes of one run: when one dies all end, and a restart goes on to the same result."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hepgrad.workflows.cli.program import main

pytestmark = pytest.mark.thorough

HERE = Path(__file__).parent.parent
# the report takes longer than everything else, and is made from what is compared
PROGRAM = """
import sys
from hepgrad.workflows import cli, execution
execution.write_report = lambda *arguments: None
sys.exit(cli.main(sys.argv[1:]))
"""


def start(tiny_events, cache, output, *options):
    """Start both processes of a run."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listening.getsockname()[1]}"
    command = [sys.executable, "-c", PROGRAM, "run", "tiny:TINY", "--data", tiny_events]
    command += [] if cache is None else ["--cache", cache]
    command += ["--steps", "150", "--set", "block_size=100", "replicas=2", "--output", output, "--quiet"]
    command += ["--backend", "devices", "--processes", "2", "--coordinator", address, *options]
    # their many programs run only once
    environment = {**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "true"}
    commands = [[*map(str, command), "--process", str(i)] for i in (0, 1)]
    return [subprocess.Popen(c, cwd=HERE, env=environment, stderr=subprocess.PIPE, text=True) for c in commands]


@pytest.fixture(scope="module")
def whole(tiny_events, tmp_path_factory):
    """The cache and the run folder of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    running = start(tiny_events, folder / "cache", folder / "run")
    messages = [process.communicate(timeout=300)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], messages
    return folder / "cache", folder / "run"


@pytest.mark.parametrize("victim", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_process_is_killed(victim, whole, tiny_events, tmp_path):
    """A real SIGKILL; the other process ends with an error by itself, and the run goes on to the bit."""
    (cache, expected), checkpoint = whole, tmp_path / "parts.checkpoint.npz"
    parts = start(tiny_events, cache, tmp_path / "parts")
    while not checkpoint.exists():
        assert all(process.poll() is None for process in parts)
        time.sleep(0.01)
    parts[victim].send_signal(signal.SIGKILL)
    began = time.monotonic()
    parts[1 - victim].communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert parts[1 - victim].returncode != 0
    assert parts[victim].communicate() and parts[victim].returncode == -signal.SIGKILL
    assert not (tmp_path / "parts" / "run.json").exists()

    again = start(tiny_events, cache, tmp_path / "parts", "--resume")
    messages = [process.communicate(timeout=300)[1] for process in again]
    assert [process.returncode for process in again] == [0, 0], messages
    for name in ("parameters.json", "history.csv", "result.json", "histograms.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (expected / name).read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--process", "1"], "go with --processes"),
        (["--processes", "2"], "needs --process, the number of this one"),
        (["--processes", "2", "--process", "0"], "add --backend devices"),
        (["--processes", "2", "--process", "2", "--backend", "devices"], "the numbers are 0 to 1"),
        (
            ["--processes", "2", "--process", "0", "--backend", "devices", "--coordinator", "here"],
            "--coordinator here: expected HOST:PORT",
        ),
        (["--scheduler", "tcp://127.0.0.1:1"], "goes with --backend dask"),
    ],
)
def test_options_that_do_not_fit(options, message, capsys, monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    assert main(["run", "tiny:TINY", *options]) == 2
    assert message in capsys.readouterr().err


def test_the_coordinator_listens_to_this_machine_alone(monkeypatch):
    """Without an address nobody else can connect; with one, it listens there and nowhere else."""
    from hepgrad.workflows.backends import processes

    given = {}
    monkeypatch.setattr(processes.jax.distributed, "initialize", lambda address, **more: given.update(more))
    monkeypatch.setattr(processes.jax.distributed, "shutdown", lambda: None)
    monkeypatch.setattr(processes.jax.config, "update", lambda name, value: None)
    with processes.joined(None, 2, 0):
        assert given["coordinator_bind_address"].startswith("127.0.0.1:")
    with processes.joined("10.0.0.1:99", 2, 1):
        assert given["coordinator_bind_address"] == "10.0.0.1:99"


def test_without_a_cache(tiny_events, tmp_path):
    """Processes cannot share what they read otherwise; they say so and end."""
    running = start(tiny_events, None, tmp_path / "out")
    messages = [process.communicate(timeout=120)[1] for process in running]
    assert all(process.returncode not in (0, -signal.SIGKILL) for process in running)
    assert any("by way of a cache that all of them see" in message for message in messages)
