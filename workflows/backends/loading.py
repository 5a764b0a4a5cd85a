"""The events of a workflow, by the backend that suits them: in two halves, or in folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hepgrad.analysis import Folds, Split

from ..cache import Cache
from ..defaults import CACHE
from ..errors import InputError
from ..read import Fileset
from ..read.collect import EVENT, Recipe
from ..read.reader import ReadWatcher, Request
from ..skim import Loosest
from ..workflow import Workflow
from .backend import Backend
from .choose import find_backend
from .in_memory import InMemory


def load_events(
    workflow: Workflow,
    fileset: Fileset,
    *,
    cache: str | Path | None = None,
    skip_bad_files: bool = False,
    backend: Backend | str | None = None,
    watch: ReadWatcher | None = None,
) -> Split:
    """Return the events of a workflow.

    ``watch`` is told how far the reading has come.
    """
    backend, recipe = _prepared(workflow, fileset, cache, backend, skip_bad_files=skip_bad_files)
    return backend.load(recipe, block_size=workflow.block_size, watch=watch)


def load_folds(
    workflow: Workflow,
    fileset: Fileset,
    *,
    cache: str | Path | None = None,
    skip_bad_files: bool = False,
    backend: Backend | str | None = None,
    watch: ReadWatcher | None = None,
) -> Folds:
    """Return the events of a workflow in as many folds as it says.

    Raises `InputError` when the events do not fit into memory, have no numbers, or cannot be divided into so many
    folds.
    """
    backend, recipe = _prepared(workflow, fileset, cache, backend, skip_bad_files=skip_bad_files)
    if not isinstance(backend, InMemory):
        raise InputError(
            "cross-fitting keeps all events in the memory of one device, and this is to be done by "
            f"{type(backend).__name__}: choose --backend in-memory, or a held-out half (folds=1)"
        )
    try:
        return backend.load_folds(recipe, workflow.folds, block_size=workflow.block_size, watch=watch)
    except InputError as error:
        if f"has no branch {workflow.layout.branch(EVENT)!r}" in str(error):
            error.add_note(
                f"cross-fitting divides events by their numbers, the column {EVENT!r}; say in the layout which branch "
                "that is, or run without folds"
            )
        raise


def _prepared(
    workflow: Workflow, fileset: Fileset, cache: Any, backend: Backend | str | None, *, skip_bad_files: bool
) -> tuple[Backend, Recipe]:
    """Return what is read, and by whom."""
    skim = Loosest(workflow.analysis, workflow.parameters) if isinstance(workflow.skim, str) else workflow.skim
    request = Request(
        tuple(workflow.analysis.reads),
        tree=workflow.tree,
        layout=workflow.layout,
        skim=skim,
        skip_bad_files=skip_bad_files,
        not_finite=workflow.not_finite,
    )
    recipe = Recipe(workflow.ingredients(fileset), request, None if cache is None else Cache(Path(cache)))
    Cache(Path(cache or CACHE)).tidy()
    if backend is None or isinstance(backend, str):
        backend = find_backend(backend, recipe, Path(cache or CACHE))
    return backend, recipe
