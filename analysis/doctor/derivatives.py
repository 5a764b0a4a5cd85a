"""Derivatives that are zero, not finite, or not those of the function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from ..data.pool import Pool
from ..optimisation.culprit import find_culprit, find_failure
from ..optimisation.goal import Goal
from ..selection.cut import Soft
from .branches import examine_use
from .diagnosis import Finding, Severity
from .patient import Patient

# of a parameter's scale
STEP = 0.02
AGREEMENT = 0.02


def examine_gradient(patient: Patient) -> Iterator[Finding]:
    """Look for free parameters without a derivative in the soft reading, and for a fit that fails."""
    (value, converged), slope = patient.slope
    if not all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((value, slope))):
        culprit = find_culprit(Goal(patient.analysis), Pool.of(patient.data), patient.parameters, Soft())
        yield Finding(
            Severity.ERROR,
            "gradient",
            f"the objective is {float(value):g}, and {culprit}",
            "the first step would end the optimisation",
            "guard what divides by zero or takes a root of zero: select the safe values before, not after",
        )
        return
    if not converged:
        yield Finding(
            Severity.ERROR,
            "fit",
            find_failure(Goal(patient.analysis), Pool.of(patient.data), patient.parameters, Soft()),
            "a step on a failed fit would lead anywhere, so that the first one would end the optimisation",
            "give sparse backgrounds more events or fewer bins, and smooth, symmetrise or prune large shape variations",
        )
        return
    unused = {finding.subject: finding for finding in examine_use(patient)}
    for name in patient.parameters.free:
        subject = f"parameter {name}"
        if subject in unused:
            yield unused[subject]
        elif not any(np.any(leaf) for leaf in jax.tree.leaves(slope[name])):
            yield Finding(
                Severity.ERROR,
                subject,
                "the derivative of the objective with respect to it is exactly 0",
                "an optimiser leaves it where it starts",
                "compare with the parameter itself (x > cut.name) and not with its `.value`, do not round it, and "
                "check that its stage is not frozen and that events are left",
            )


def examine_differences(patient: Patient) -> Iterator[Finding]:
    """Compare each derivative with central differences; for an array, along the direction of its gradient.

    Two step sizes tell how far differences can be trusted: a disagreement is reported only where it is larger than
    the difference between the two, than the rounding of the events' precision, and than 2 %.
    """
    (value, converged), slope = patient.slope
    if not converged:
        return
    rounding = float(np.finfo(patient.data.weight.dtype).eps) * max(abs(float(value)), 1.0)
    objective = rg.checked(patient.soft_objective)
    for name in patient.parameters.free:
        direction, derivative = _direction(slope[name], patient.parameters.specs[name].scale)
        if not derivative > 0 or not np.isfinite(derivative):
            continue

        def along(step: float, name: str = name, direction: Any = direction) -> float:
            moved = jax.tree.map(lambda x, d: x + step * d, patient.parameters[name], direction)
            free = {**{k: patient.parameters[k] for k in patient.parameters.free}, name: moved}
            return float(objective(patient.parameters.with_free(free), patient.data).believed)

        near, far = ((along(h) - along(-h)) / (2 * h) for h in (STEP, 2 * STEP))
        if np.isnan(near + far):
            yield Finding(
                Severity.WARNING,
                f"parameter {name}",
                f"a fit fails when it moves by {2 * STEP:g} of its scale",
                "the optimisation ends where a fit fails",
                "give sparse backgrounds more events or fewer bins, and smooth, symmetrise or prune large variations",
            )
            continue
        trusted = 3 * abs(near - far) + 10 * rounding / STEP + AGREEMENT * abs(derivative)
        if abs(near - derivative) > trusted:
            yield Finding(
                Severity.ERROR,
                f"parameter {name}",
                f"the derivative is {derivative:.4g} per step of its scale, finite differences give {near:.4g}",
                "the optimiser is told a wrong direction or length",
                "look for values that are rounded, sorted, or taken out of the gradient (stop_gradient), for hard "
                "comparisons with the parameter's `.value`, and for a derivative written by hand",
            )


def _direction(slope: Any, scale: Any) -> tuple[Any, float]:
    """Return the direction of a gradient, in units of the scale, and the derivative along it."""
    scaled = jax.tree.map(lambda s: s * jnp.asarray(scale, s.dtype), slope)
    length = float(np.sqrt(sum(float(jnp.sum(s**2)) for s in jax.tree.leaves(scaled))))
    safe = length if length > 0 else 1.0
    return jax.tree.map(lambda s: s / safe * jnp.asarray(scale, s.dtype), scaled), length
