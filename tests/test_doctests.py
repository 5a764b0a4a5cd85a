"""Every example in a docstring gives the result it shows."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

PACKAGES = ("hepgrad.ragged", "hepgrad.analysis", "hepgrad.workflows")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules() -> list[str]:
    names = [*PACKAGES, "benchmarks.cost_model"]
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        # A module that cannot be imported stays in the list, so that its own test shows the reason.
        names += [module.name for module in pkgutil.walk_packages(path, f"{package}.", onerror=lambda name: None)]
    return sorted(name for name in names if not name.endswith(".__main__"))


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=OPTIONS)
    for example in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name)):
        runner.run(example, out=report.append)
    assert not runner.failures, "".join(report)
