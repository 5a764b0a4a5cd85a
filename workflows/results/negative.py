"""Bins in which a process counts for less than nothing, which a likelihood takes for nothing."""

from __future__ import annotations

import numpy as np

from hepgrad.analysis import Analysis, Point


def negative_bins(analysis: Analysis, point: Point) -> list[str]:
    """Return a line for each process and channel with such bins, with hard cuts on the held-out events.

    Negative weights and data-driven estimates make them, where few events are left. `TemplateModel` counts them as 0,
    so that its prediction is larger than the sum of the weights, by as much as the line tells. There are no lines for a
    model that leaves them as they are.
    """
    if analysis.model.likelihood is None:
        return []
    processes = list(point.hard_held_out.yields)
    lines = []
    for channel in analysis.channels:
        sumw = np.asarray(channel.axis.select(point.hard_held_out.histograms[channel.name].sumw))
        for process, bins in zip(processes, sumw, strict=True):
            if (below := bins[bins < 0]).size:
                lines.append(
                    f"{process}: {below.size} of {bins.size} bins of {channel.name} hold less than nothing, "
                    f"{below.sum():.2f} events in all, and count as 0"
                )
    return lines
