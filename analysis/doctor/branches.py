"""Branches that are read for nothing, or used without being declared."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax

from hepgrad import ragged as rg

from ..data.dataset import Dataset
from ..parameters.parameters import Parameters
from ..selection.cut import Hard
from ..selection.ranking import PT, RANKING
from .diagnosis import Finding, Severity
from .patient import Patient
from .reach import inputs_that_matter


def examine_branches(patient: Patient) -> Iterator[Finding]:
    """Look for branches that are declared and do not reach a histogram, or reach one without being declared."""
    used = {branch for branch, matters in _branches(_matter(patient)[1].columns) if matters}
    declared = set(patient.analysis.reads)
    for branch in sorted(declared - used):
        yield Finding(
            Severity.WARNING,
            f"branch {branch}",
            "a stage declares that it reads it, and no histogram depends on it",
            "reading, storing and copying it costs time and memory; or the line that should use it is missing",
            "remove it from `reads`, or use it",
        )
    for branch in sorted(used - declared):
        yield Finding(
            Severity.WARNING,
            f"branch {branch}",
            "histograms depend on it, and no stage declares that it reads it",
            "a reader loads what is declared; with files the analysis would fail",
            "add it to the `reads` of the stage that uses it",
        )


def examine_use(patient: Patient) -> Iterator[Finding]:
    """Look for free parameters that no histogram depends on."""
    parameters = _matter(patient)[0]
    for name in parameters.free:
        if not any(jax.tree.leaves(parameters[name])):
            yield Finding(
                Severity.ERROR,
                f"parameter {name}",
                "no histogram depends on it",
                "an optimiser cannot move what nothing depends on",
                "use it in a stage, freeze it, or remove it",
            )


def _matter(patient: Patient) -> tuple[Parameters, Dataset]:
    """Return parameters and data with a bool in place of each array: whether the histograms depend on it."""
    data = patient.data
    first = jax.tree.map(lambda leaf: leaf[:1], (data.columns, data.weight, data.process))
    block = dataclasses.replace(data, **dict(zip(("columns", "weight", "process"), first, strict=True)))
    return inputs_that_matter(
        lambda parameters, data: patient.analysis.histograms(data, parameters, Hard()), patient.parameters, block
    )


def _branches(columns: rg.RecordArray) -> Iterator[tuple[str, bool]]:
    for name, column in columns.columns.items():
        content: Any = column.content if isinstance(column, rg.RaggedArray) else column
        fields = content.columns if isinstance(content, rg.RecordArray) else {"": content}
        for field, leaves in fields.items():
            # who leads follows from the pT
            known_as = PT if field == RANKING else field
            yield f"{name}_{known_as}" if field else name, any(jax.tree.leaves(leaves))
