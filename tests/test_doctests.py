"""Every example in a docstring gives the result it shows."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from typing import Any

import pytest

PACKAGES = ("hepgrad.ragged", "hepgrad.analysis", "hepgrad.workflows")
# packages whose examples are fits, or trainings, with a program each
THOROUGH = (
    "hepgrad.analysis.optimisation.cross_fitting",
    "hepgrad.analysis.statistics.",
    "hepgrad.workflows.fitting.",
    "hepgrad.workflows.results.",
    "hepgrad.workflows.stability.",
    "hepgrad.workflows.studies.",
)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules() -> list[Any]:
    names = [*PACKAGES, "benchmarks.cost_model"]
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        # A module that cannot be imported stays in the list, so that its own test shows the reason.
        names += [module.name for module in pkgutil.walk_packages(path, f"{package}.", onerror=lambda name: None)]
    names = sorted(name for name in names if not name.endswith(".__main__"))
    return [pytest.param(n, marks=pytest.mark.thorough) if n.startswith(THOROUGH) else n for n in names]


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=OPTIONS)
    for example in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name)):
        runner.run(example, out=report.append)
    assert not runner.failures, "".join(report)
