"""What the packages show is written down, so that a change of it is seen."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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


if __name__ == "__main__":
    LIST.write_text("\n".join(public_api()) + "\n", encoding="utf-8")
