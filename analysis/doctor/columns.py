"""Numbers that are none, and processes that are nothing."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np

from hepgrad import ragged as rg

from ..data.dataset import Dataset
from ..selection.event_numbers import event_numbers
from ..selection.events import Events
from .diagnosis import Finding, Severity
from .patient import Patient


def examine_columns(patient: Patient) -> Iterator[Finding]:
    """Look for NaN and infinities in weights and columns."""
    for sample, data in patient.samples.items():
        counts = {name: int(number) for name, number in _not_finite(data).items() if number}
        for name, number in counts.items():
            if name == "weight":
                yield Finding(
                    Severity.ERROR,
                    f"weights ({sample})",
                    f"{number} event weights are NaN or infinite",
                    "one such weight makes its bin, and with it the objective, NaN",
                    "remove these events or correct their weights",
                )
            else:
                yield Finding(
                    Severity.WARNING,
                    f"column {name} ({sample})",
                    f"{number} values are NaN or infinite",
                    "NaN passes no cut, but in a sum or a product it spreads to the objective, and in a derivative "
                    "even where the value itself is masked",
                    "reject or replace these values when the events are read",
                )


def examine_processes(patient: Patient) -> Iterator[Finding]:
    """Look for processes without events, or without a positive sum of weights."""
    for sample, data in patient.samples.items():
        weight, process = np.asarray(data.weight), np.asarray(data.process)
        for index, name in enumerate(data.processes):
            mine = weight[process == index]
            subject = f"process {name} ({sample})"
            if not mine.size:
                yield Finding(
                    Severity.ERROR,
                    subject,
                    "it has no events",
                    "the model takes it for a process that never happens",
                    "check the files and the split, or leave the process out",
                )
            elif not mine.sum(dtype=float) > 0:
                yield Finding(
                    Severity.ERROR,
                    subject,
                    f"its {mine.size} weights add up to {mine.sum(dtype=float):g}",
                    "an expected number of events is positive",
                    "check the signs of the weights and the cross-section",
                )


@rg.checked
def _not_finite(data: Dataset) -> dict[str, jax.Array]:
    def of_block(block: tuple[rg.RecordArray, jax.Array, jax.Array]) -> dict[str, jax.Array]:
        columns, weight, process = block
        numbers = event_numbers(Events.of(columns, weight), process < len(data.processes))
        return {name: each.not_finite for name, each in numbers.items() if not name.startswith("probability")}

    return jax.tree.map(lambda count: count.sum(), jax.lax.map(of_block, (data.columns, data.weight, data.process)))
