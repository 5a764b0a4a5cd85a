"""Sources of uncertainty that do nothing, and those that are pruned."""

from __future__ import annotations

from collections.abc import Iterator

from ..statistics.effects import Effects
from ..systematics import Nuisance, Source
from ..systematics.contract import acts_on, nuisances_of, templates_only
from .diagnosis import Finding, Severity
from .patient import Patient

# relative to the nominal yield of a bin, in single precision
NOTHING = 1e-6
# so many places are named
NAMED = 4


def examine_sources(patient: Patient) -> Iterator[Finding]:
    """Look for sources that change no template with hard cuts, and tell where a change is pruned."""
    data, model, channels = patient.data, patient.analysis.model, patient.analysis.channels
    if not model.systematics:
        return
    only = templates_only(model.systematics)
    names = {*data.processes, *(channel.name for channel in channels)}
    known = [source for source in model.systematics if _named(source) <= names]
    axes = {channel.name: channel.axis_at(patient.parameters) for channel in channels}
    found = Effects.of(model.signal, known, patient.hard_templates, axes, data.processes)
    for source in model.systematics:
        acts = f"it acts on processes {source.processes} in channels {source.channels}"
        if source not in known:
            yield _does_nothing(source.name, f"{acts}; there are {', '.join(sorted(names))}")
            continue
        places = [
            (process, channel.name)
            for channel in channels
            for process in data.processes
            if process not in only
            and acts_on(source, process, channel.name)
            and any(nuisance.acts_on(process, channel.name) for nuisance in nuisances_of(source))
        ]
        if not places:
            yield _does_nothing(source.name, acts)
        elif source.modifier == "histosys":
            effects = {place: found.largest(source.name, *place) for place in places}
            if max(before for before, _ in effects.values()) <= NOTHING:
                yield _does_nothing(source.name, "with hard cuts all of its templates are the nominal ones")
                continue
            pruned = {place: before for place, (before, after) in effects.items() if before > NOTHING >= after}
            if pruned:
                largest = sorted(pruned, key=lambda place: -pruned[place])[:NAMED]
                named = ", ".join(
                    f"{process} in {channel} ({pruned[process, channel]:.2%})" for process, channel in largest
                )
                yield Finding(
                    Severity.NOTE,
                    f"source {source.name}",
                    f"it is pruned in {len(pruned)} of {len(effects)} pairs of process and channel: {named}"
                    + (", ..." if len(pruned) > len(largest) else ""),
                    "there the fit does not know of it; the numbers are its largest effect in a bin",
                    "leave it if that is small beside the statistics of the data, else lower the threshold",
                )


def _named(source: Source) -> set[str]:
    """Return the processes and channels that a source names."""
    parts: list[Source | Nuisance] = [source, *source.nuisances]
    named = {name for part in parts for name in (*(part.processes or ()), *(part.channels or ()))}
    return named.union(source.samples)


def _does_nothing(name: str, told: str) -> Finding:
    return Finding(
        Severity.WARNING,
        f"source {name}",
        f"it does nothing: {told}",
        "an uncertainty that was meant to be there is not: a column that no stage uses, objects that are shifted after "
        "the selection has looked at them, a name that is misspelt; or it is too small to move one simulated event",
        "correct it, or leave it out",
    )
