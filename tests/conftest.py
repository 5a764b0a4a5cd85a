"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare how often the tests of ``tests/fuzz`` try, and where they write down how often they held."""
    parser.addoption("--tries", type=int, default=5, help="how often each attack of tests/fuzz is tried (default: 5)")
    parser.addoption("--counts", metavar="FILE", help="the page whose table of attacks is brought up to date")


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
