"""What the packages show is written down, so that a change of it is seen."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LIST = Path(__file__).with_name("public_api.txt")
PACKAGES = ("hepgrad.ragged", "hepgrad.analysis", "hepgrad.workflows")


def faces() -> Iterator[str]:
    """Yield the packages that declare what they show."""
    for name in PACKAGES:
        yield name
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            if module.ispkg and hasattr(importlib.import_module(module.name), "__all__"):
                yield module.name


def public_api() -> list[str]:
    return sorted(f"{face}.{name}" for face in faces() for name in importlib.import_module(face).__all__)


IMPORT_ALL = """
import importlib, pkgutil, sys, jax
for name in sys.argv[1:]:
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
        if module.name.rpartition(".")[2] != "__main__":
            importlib.import_module(module.name)
# refused once JAX has started its devices
jax.config.update("jax_num_cpu_devices", 2)
"""


@pytest.mark.thorough
def test_imports_start_no_device():
    """What runs on several machines has to say so to JAX before."""
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL, *PACKAGES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_list_is_up_to_date():
    """Write it anew with ``python tests/test_public_api.py``, and tell users of the change in the changelog."""
    assert public_api() == LIST.read_text(encoding="utf-8").split()


@pytest.mark.parametrize("face", list(faces()))
def test_what_is_declared_is_there_and_completed(face):
    package = importlib.import_module(face)
    assert [name for name in package.__all__ if not hasattr(package, name)] == []
    assert set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize("face", list(faces()))
def test_no_name_hides_a_module(face):
    """What has the name of a module would be found in its place by ``import package.module as m``."""
    package = importlib.import_module(face)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert sorted(modules.intersection(package.__all__)) == []


def functions_of(module: types.ModuleType) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, owner (a class, or the function itself) and function of everything that a module defines."""
    for name, value in vars(module).items():
        if getattr(value, "__module__", "") != module.__name__:
            continue
        if inspect.isclass(value):
            for method, function in vars(value).items():
                inner = getattr(function, "fget", getattr(function, "__func__", getattr(function, "func", function)))
                yield f"{name}.{method}", value, inner
        elif callable(value):
            yield name, value, value


def test_what_nobody_sees_has_no_tables_of_parameters():
    """Types and names say it; what they do not say is prose. Methods that a public class inherits are public."""
    public = [getattr(package, name) for package in map(importlib.import_module, faces()) for name in package.__all__]
    shown = {id(base) for value in public for base in (value.__mro__ if inspect.isclass(value) else [value])}
    shown |= {id(inspect.unwrap(value)) for value in public if callable(value)}
    table = re.compile(r"^\s*Parameters\n\s*---", re.MULTILINE)
    wordy = []
    for package in PACKAGES:
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not found.name.endswith("__main__"):
                functions = functions_of(importlib.import_module(found.name))
                seen = ((name, function) for name, owner, function in functions if id(owner) not in shown)
                wordy += [f"{found.name}.{name}" for name, function in seen if table.search(function.__doc__ or "")]
    assert wordy == []


def test_old_names_are_there():
    """Not in the list, but imported by scripts of before."""
    for face in ("hepgrad.analysis", "hepgrad.analysis.statistics", "hepgrad.analysis.statistics.histfactory"):
        package = importlib.import_module(face)
        assert package.Sample is package.FitSample
    for face in ("hepgrad.analysis", "hepgrad.analysis.optimisation"):
        package = importlib.import_module(face)
        assert package.Record is package.StepRecord


if __name__ == "__main__":
    LIST.write_text("\n".join(public_api()) + "\n", encoding="utf-8")
