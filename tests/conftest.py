"""Fixtures for all tests."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import mmap
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _xla_knows(option: str) -> bool:
    """Return whether a compiler flag is in the installed jaxlib, which ends the process for one that is not."""
    folders = importlib.util.find_spec("jaxlib").submodule_search_locations
    for library in (each for folder in folders for each in Path(folder).glob("*.so")):
        with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content.find(option.encode()) >= 0:
                return True
    return False


# Compiling takes most of the time of most tests, whose programs run once. XLA's older way to write the code of a fusion
# takes about four fifths of the time of its newer one, and the code is nearly as fast; processes that tests start use
# it as well. XLA reads the variable once, hence before JAX is imported. What the variable says already comes last and
# wins: `XLA_FLAGS=--xla_cpu_use_fusion_emitters=true make test` compiles as users do.
if _xla_knows("xla_cpu_use_fusion_emitters"):
    os.environ["XLA_FLAGS"] = f"--xla_cpu_use_fusion_emitters=false {os.environ.get('XLA_FLAGS', '')}".strip()

import jax  # noqa: E402 - after the variable

ROOT = Path(__file__).resolve().parent.parent
SETTLED = pytest.StashKey[int]()  # the memory of the process after it last dropped its programs
MOST_GROWTH = 600 * 2**20


@pytest.fixture(scope="session", autouse=True)
def _compile_cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what the command line compiles out of the cache folder of the user."""
    os.environ["HEPGRAD_COMPILE_CACHE"] = str(tmp_path_factory.mktemp("compiled"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare how often the tests of ``tests/fuzz`` try, and where they write down how often they held."""
    parser.addoption("--tries", type=int, default=3, help="how often each attack of tests/fuzz is tried (default: 3)")
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


def resident() -> int:
    """Return the bytes of memory that this process holds; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def forget_programs(config: pytest.Config) -> None:
    """Drop all that was compiled, about a megabyte for each program, and give the memory back to the system."""
    jax.clear_caches()
    with contextlib.suppress(OSError, AttributeError):  # the GNU C library alone keeps what is freed
        ctypes.CDLL(None).malloc_trim(0)
    config.stash[SETTLED] = resident()


@pytest.fixture(scope="module", autouse=True)
def _programs_of_one_file(request: pytest.FixtureRequest) -> Iterator[None]:
    """Drop what was compiled for the tests of one file, which those of the next do not use: a process stays small."""
    yield
    forget_programs(request.config)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Drop the programs of a file that compiles very many also between its tests."""
    if resident() > item.config.stash.setdefault(SETTLED, resident()) + MOST_GROWTH:
        gc.collect()
        forget_programs(item.config)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder with real and simulated events that is kept beside the repository, or skip the test."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the data folder ../shared/data beside the repository, which is not there")
    return folder


def _module(file: Path) -> ModuleType:
    """Return a module that lies in no package."""
    specification = importlib.util.spec_from_file_location(file.stem, file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[file.stem] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def flagged() -> ModuleType:
    """Return the module ``flagged``, which lies beside this file: an analysis whose fits fail by rule."""
    return _module(Path(__file__).with_name("flagged.py"))


@pytest.fixture(scope="session")
def example_on_foreign_files(shared_data: Path) -> Callable[[str, Path], Any]:
    """Return a function that makes the workflow of an example; what it writes about its files goes into a folder."""

    def made(name: str, folder: Path) -> Any:
        module = _module(ROOT / "examples" / f"{name}.py")
        match name:
            case "zz_dimuon":
                files = shared_data / "skhep" / "uproot-HZZ.root", shared_data / "hep_tutorial_cms2011"
                return module.workflow(*files, folder / "fileset.json")
            case "z_dimuon":
                return module.workflow(shared_data / "coffea", folder / "fileset.json")
        return module.workflow(shared_data / "pythia13tev")

    return made
