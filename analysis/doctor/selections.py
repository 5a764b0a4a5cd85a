"""Selections that reject everything or nothing, and histograms that too few simulated events fill."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .diagnosis import Finding, Severity
from .patient import Patient

# below this the relative uncertainty of a bin's content exceeds 30 %
FEW_EVENTS = 10.0


def examine_selections(patient: Patient) -> Iterator[Finding]:
    """Look for named selections that reject everything or nothing with hard cuts."""
    steps, raw = patient.cutflow.steps, np.asarray(patient.cutflow.raw)
    for i, step in enumerate(steps[1:], 1):
        before, after = raw[i - 1], raw[i]
        subject = f"selection {step!r}"
        for kind, of_kind in (("signal", patient.is_signal), ("background", patient.is_background)):
            if before[of_kind].sum() and not after[of_kind].sum():
                yield Finding(
                    Severity.ERROR if kind == "signal" else Severity.WARNING,
                    subject,
                    f"with hard cuts none of {before[of_kind].sum():.0f} simulated {kind} events passes",
                    "where nothing is left the objective is 0 or rests on a floor, and no cut is better than another",
                    "start from looser cuts, and check the units of what is compared",
                )
        if before.sum() and np.array_equal(before, after):
            yield Finding(
                Severity.NOTE,
                subject,
                f"with hard cuts all of {before.sum():.0f} simulated events pass",
                "a selection that rejects nothing cannot be optimised from its rejected side",
                "leave it if it is meant as a safeguard, else start from a tighter cut",
            )


def examine_lost_processes(patient: Patient) -> Iterator[Finding]:
    """Look for backgrounds of which events are expected, and not one simulated event passes everything."""
    flow = patient.cutflow
    passing = np.asarray(flow.n_minus_1.raw)[0]  # the first line: all selections are made
    yields, variance, raw = (np.asarray(part)[0] for part in (flow.yields, flow.variance, flow.raw))
    if not passing[patient.is_background].any():
        return  # told of the selection that rejects them all
    for index in np.flatnonzero(patient.is_background & (raw > 0) & (passing == 0)):
        yield Finding(
            Severity.WARNING,
            f"process {patient.data.processes[index]}",
            f"{yields[index]:,.0f} +- {np.sqrt(variance[index]):,.0f} events are expected before the selection, and "
            f"none of the {raw[index]:.0f} simulated ones passes it",
            "it counts as no background at all, although one simulated event stands for "
            f"{yields[index] / raw[index]:,.3g} events: the true yield may be as large as a few of these",
            "simulate more of it, estimate it from data, or give its yield an uncertainty of that size",
        )


def examine_thresholds(patient: Patient) -> Iterator[Finding]:
    """Look for thresholds on one side of everything that is compared with them."""
    for name, distance in patient.distances.items():
        passing = np.count_nonzero(distance > 0)
        if distance.size and passing in (0, distance.size):
            verb, severity = ("rejects", Severity.WARNING) if passing == 0 else ("accepts", Severity.NOTE)
            yield Finding(
                severity,
                f"parameter {name}",
                f"the hard cut at the start {verb} everything that it is compared with, {distance.size} values",
                "hard cuts see no difference when it moves a little, so that only the soft reading can guide it",
                "start it inside the data, and check the units of what is compared",
            )


def examine_statistics(patient: Patient) -> Iterator[Finding]:
    """Look for bins with few effective events, ``(sum w)**2 / sum w**2``, with hard cuts."""
    for channel in patient.analysis.channels:
        counts = patient.hard_histograms[channel.name]
        for kind, of_kind in (("background", patient.is_background), ("signal", patient.is_signal)):
            sumw, sumw2 = (
                np.asarray(channel.axis.select(sums[of_kind].sum(axis=0)), float)
                for sums in (counts.sumw, counts.sumw2)
            )
            if kind == "signal":
                sumw, sumw2 = sumw.sum(keepdims=True), sumw2.sum(keepdims=True)
            effective = sumw**2 / np.where(sumw2 > 0, sumw2, 1)
            few = np.flatnonzero(effective < FEW_EVENTS)
            if few.size:
                worst = ", ".join(f"{effective[i]:.1f} in bin {i}" for i in few[np.argsort(effective[few])][:3])
                told = f"{few.size} of {effective.size} bins have fewer than {FEW_EVENTS:g} effective {kind} events"
                whole = f"only {effective.min():.1f} effective {kind} events are selected"
                yield Finding(
                    Severity.WARNING,
                    f"channel {channel.name}",
                    whole if kind == "signal" else f"{told} with hard cuts ({worst})",
                    "an optimiser follows the fluctuations of so few events, and its gain will not repeat itself",
                    "simulate more events, merge bins, loosen the start, or ask for a MinimumYield",
                )
