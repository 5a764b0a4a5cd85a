"""Fixtures for all tests."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import jax
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def x64() -> Iterator[None]:
    """Compute in double precision for the duration of one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def quick_compilation() -> Iterator[None]:
    """Compile quickly and not well: for modules whose many programs run only once."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder with real and simulated events that is kept beside the repository, or skip the test."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the data folder ../shared/data beside the repository, which is not there")
    return folder


@pytest.fixture(scope="session")
def flagged() -> ModuleType:
    """Return the module ``flagged``, which lies beside this file: an analysis whose fits fail by rule."""
    specification = importlib.util.spec_from_file_location("flagged", Path(__file__).with_name("flagged.py"))
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["flagged"] = module
    specification.loader.exec_module(module)
    return module
