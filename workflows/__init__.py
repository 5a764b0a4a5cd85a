"""Whole analyses on real files: reading, run folders, reports and the command line.

Names are imported when they are first used, so that ``hepgrad --help`` need not wait for JAX.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cache import Cache as Cache
    from .compile_cache import enable_compile_cache as enable_compile_cache
    from .errors import InputError as InputError
    from .errors import InputWarning as InputWarning
    from .execution import run as run
    from .fitting import LikelihoodFit as LikelihoodFit
    from .fitting import SignalLimits as SignalLimits
    from .fitting import convert as convert
    from .fitting import fit as fit
    from .fitting import from_workspace as from_workspace
    from .fitting import limits as limits
    from .read import FLAT as FLAT
    from .read import NANOAOD as NANOAOD
    from .read import Fileset as Fileset
    from .read import Layout as Layout
    from .read import Sample as Sample
    from .read import load as load
    from .read import read_events as read_events
    from .read.process import Process as Process
    from .reporting import remake_report as remake_report
    from .reporting import report as report
    from .results.bootstrap import bootstrap_folds as bootstrap_folds
    from .results.robustness import Robustness as Robustness
    from .results.robustness import robustness as robustness
    from .results.run_files import read_histograms as read_histograms
    from .results.run_folder import RunFolder as RunFolder
    from .results.stored_result import StoredResult as StoredResult
    from .scanning.of_workflows import scan as scan
    from .skim import Loosest as Loosest
    from .studies.study import Findings as Findings
    from .studies.study import Study as Study
    from .workflow import Workflow as Workflow

_HOME = {
    "Cache": "cache",
    "FLAT": "read",
    "Fileset": "read",
    "Findings": "studies.study",
    "InputError": "errors",
    "InputWarning": "errors",
    "Layout": "read",
    "LikelihoodFit": "fitting",
    "Loosest": "skim",
    "NANOAOD": "read",
    "Process": "read.process",
    "Robustness": "results.robustness",
    "RunFolder": "results.run_folder",
    "Sample": "read",
    "SignalLimits": "fitting",
    "StoredResult": "results.stored_result",
    "Study": "studies.study",
    "Workflow": "workflow",
    "bootstrap_folds": "results.bootstrap",
    "convert": "fitting",
    "fit": "fitting",
    "from_workspace": "fitting",
    "limits": "fitting",
    "enable_compile_cache": "compile_cache",
    "load": "read",
    "read_events": "read",
    "read_histograms": "results.run_files",
    "remake_report": "reporting",
    "report": "reporting",
    "robustness": "results.robustness",
    "run": "execution",
    "scan": "scanning.of_workflows",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
