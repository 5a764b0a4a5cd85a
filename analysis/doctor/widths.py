"""Widths of soft cuts that do not fit what is cut."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..comparisons import reach_of, spread
from .diagnosis import Finding, Severity
from .patient import Patient

# a normal distribution has 1.35 standard deviations between its quartiles
TOO_WIDE = 1.0
# events or objects within two widths of the threshold, on which the gradient rests
TOO_FEW = 20


def examine_widths(patient: Patient) -> Iterator[Finding]:
    """Look for widths larger than the spread of the data, or so small that hardly anything lies within them."""
    for name, distance in patient.distances.items():
        spec = patient.parameters.specs[name]
        if spec.frozen:
            continue
        quartiles = spread(distance, reach_of(patient.parameters, name))
        near = int(np.count_nonzero(np.abs(distance) < 2))
        if quartiles < TOO_WIDE:
            yield Finding(
                Severity.WARNING,
                f"parameter {name}",
                f"its width is {1 / quartiles:.1f} times the distance between the quartiles of what it cuts"
                if quartiles > 0
                else "its width is far larger than the spread of what it cuts",
                "so soft a cut hardly selects, and its optimum says little about that of the hard cut",
                "choose a smaller width, or take them all from the data with measured_widths",
            )
        elif near < TOO_FEW:
            yield Finding(
                Severity.WARNING,
                f"parameter {name}",
                f"only {near} of {distance.size} values lie within two widths of the start",
                "the gradient rests on these few and is mostly noise",
                "choose a larger width, or take them all from the data with measured_widths",
            )
