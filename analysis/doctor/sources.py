"""Sources of uncertainty that do nothing, and those that are pruned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from ..systematics import ABCD, Normalisation, WeightSet
from ..systematics.shape import mirrored
from ..systematics.sources import FreeNormalisation, acts_on, templates_only
from .diagnosis import Finding, Severity
from .patient import Patient

# relative to the nominal yield of a bin, in single precision
NOTHING = 1e-6
# so many places are named
NAMED = 4


def examine_sources(patient: Patient) -> Iterator[Finding]:
    """Look for sources that change no template with hard cuts, and tell where a change is pruned."""
    data, sources = patient.data, getattr(patient.analysis.model, "systematics", ())
    only = templates_only(sources)
    for source in sources:
        places = [
            (channel, process)
            for channel in patient.analysis.channels
            for process in data.processes
            if process not in only and acts_on(source, process, channel.name)
        ]
        if not places:
            yield _does_nothing(source.name, f"it acts on processes {source.processes} in channels {source.channels}")
        elif not isinstance(source, Normalisation | FreeNormalisation | ABCD):
            effects = {
                (channel.name, process): _effects(patient, source, channel, data.processes.index(process))
                for channel, process in places
            }
            if max(before for before, _ in effects.values()) <= NOTHING:
                yield _does_nothing(source.name, "with hard cuts all of its templates are the nominal ones")
                continue
            pruned = {place: before for place, (before, after) in effects.items() if before > NOTHING >= after}
            if pruned:
                largest = sorted(pruned, key=lambda place: -pruned[place])[:NAMED]
                named = ", ".join(
                    f"{process} in {channel} ({pruned[channel, process]:.2%})" for channel, process in largest
                )
                yield Finding(
                    Severity.NOTE,
                    f"source {source.name}",
                    f"it is pruned in {len(pruned)} of {len(effects)} pairs of process and channel: {named}"
                    + (", ..." if len(pruned) > len(largest) else ""),
                    "there the fit does not know of it; the numbers are its largest effect in a bin",
                    "leave it if that is small beside the statistics of the data, else lower the threshold",
                )


def _does_nothing(name: str, told: str) -> Finding:
    return Finding(
        Severity.WARNING,
        f"source {name}",
        f"it does nothing: {told}",
        "an uncertainty that was meant to be there is not: a column that no stage uses, objects that are shifted after "
        "the selection has looked at them, a name that is misspelt; or it is too small to move one simulated event",
        "correct it, or leave it out",
    )


def _effects(patient: Patient, source: Any, channel: Any, process: int) -> tuple[float, float]:
    """Return the largest relative change of a bin, before and after what is done to the templates."""
    templates = patient.hard_templates

    def yields(histograms: Any, of: int = process) -> jax.Array:
        return jnp.maximum(jnp.asarray(channel.axis.select(histograms[channel.name].sumw[of])), 0)

    nominal = yields(templates)
    if isinstance(source, WeightSet):
        sums = dict(source.sums).get(patient.data.processes[process], (1.0,) * len(source.rows))
        members = jnp.stack([yields(templates.up[row]) / total for row, total in zip(source.rows, sums, strict=True)])
        down, up = source.combined(nominal, members)
    elif source.samples:
        numbers = [patient.data.processes.index(name) for name in source.samples]
        up, *others = (yields(templates, number) for number in numbers)
        down = others[0] if others else mirrored(nominal, up)
    else:
        up = yields(templates.up[source.name])
        below = templates.down.get(source.name)
        down = mirrored(nominal, up) if below is None else yields(below)
    treated = down, up
    for treatment in source.shape:
        treated = treatment(nominal, *treated)
    return _largest(nominal, down, up), _largest(nominal, *treated)


def _largest(nominal: jax.Array, down: jax.Array, up: jax.Array) -> float:
    change = jnp.maximum(abs(up - nominal), abs(down - nominal))
    return float(jnp.max(jnp.where(nominal > 0, change / jnp.where(nominal > 0, nominal, 1), change > 0), initial=0))
