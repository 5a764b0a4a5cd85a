"""One analysis, wherever its events are: the same parameters after twenty steps of Adam."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

SCRIPT = Path(__file__).with_name("descend.py")
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def start(*arguments, devices=1):
    """Start the script in a process of its own, with so many devices."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    # their many programs run only a few times
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_DISABLE_MOST_OPTIMIZATIONS": "true"}
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def result(process):
    printed = process.communicate(timeout=300)[0]
    assert process.returncode == 0
    # the library that connects processes has its own to say before
    return json.loads(printed.splitlines()[-1])


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def alone(precise_events, tmp_path_factory):
    """What one process finds with each backend."""
    return result(start(precise_events, tmp_path_factory.mktemp("cache"), devices=8))


def agrees(found, expected):
    for precision, tolerance in TOLERANCE.items():
        assert found[precision] == pytest.approx(expected[precision], rel=tolerance, abs=0)


def test_parameters_move(alone, tiny):
    for values in alone["in memory"].values():
        assert all(abs(values[name] / tiny.TINY.parameters[name] - 1) > 0.01 for name in values)


@pytest.mark.parametrize("name", ["out of core", "1 devices", "2 devices", "4 devices", "8 devices"])
def test_backends_of_one_process(name, alone):
    agrees(alone[name], alone["in memory"])


@pytest.mark.parametrize("precision", TOLERANCE)
def test_devices_exchange_histograms_alone(precision, alone):
    """In the compiled programs for eight devices."""
    found = alone[f"collectives, {precision}"]
    (histograms,) = found["histograms"]
    for part in ("forward", "backward"):
        assert 0 < sum(found[part]) <= histograms + 1000
    # all of the histograms cross, so that the collectives were found
    assert sum(found["forward"]) >= histograms


@pytest.mark.parametrize("processes", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_processes(processes, alone, precise_events, tmp_path):
    together = ["--processes", processes, "--coordinator", f"127.0.0.1:{free_port()}"]
    running = [start(precise_events, tmp_path, *together, "--process", i) for i in range(processes)]
    try:
        found = result(running[0])
        assert [process.wait(60) for process in running] == [0] * processes
    finally:
        for process in running:
            process.kill()
            process.communicate()
    agrees(found[f"{processes} processes"], alone["in memory"])
