"""The tiny workflow, its events, and one run of it, for all tests of this folder."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import io
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny():
    """The module ``tiny``, which lies beside this file; ``tiny:TINY`` also names it on the command line."""
    specification = importlib.util.spec_from_file_location("tiny", Path(__file__).with_name("tiny.py"))
    module = importlib.util.module_from_spec(specification)
    sys.modules["tiny"] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_events(tiny, tmp_path_factory):
    """The folder with the tiny workflow's events."""
    return tiny.write_events(tmp_path_factory.mktemp("tiny") / "events")


@pytest.fixture(scope="session")
def finished(tiny, tiny_events, tmp_path_factory):
    """The tiny workflow, what it found, and its run folder."""
    from hepgrad.workflows import run

    workflow = dataclasses.replace(tiny.TINY, data=tiny_events)
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        result = run(workflow, output=folder, quiet=True)
    assert printed.getvalue() == ""
    return workflow, result, folder
