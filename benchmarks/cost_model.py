"""How long a step takes on a cluster, told from what can be measured on one machine.

A step reads the events twice, forward and backward, and sums the histograms and then the gradient over all devices.
With ``n`` events on ``d`` devices, each of which handles ``r`` events per second, histograms of ``h`` bytes, a network
with latency ``l`` and bandwidth ``b``, a ring or tree of all-reduces, and a fixed overhead ``o`` of a step,

    step = n / (d r) + 2 (ceil(log2 d) l + 2 h / b) + o,

and, where events are streamed from disks that read ``s`` bytes per second on each node, at least ``2 n e / (d s)`` for
``e`` bytes per event.
"""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """What a step depends on.

    Attributes
    ----------
    devices
        How many.
    rate
        Events per second and device, forward and backward.
    latency
        Of one message, in s.
    bandwidth
        Of the network, in bytes per second.
    overhead
        Of a step, in s: launching programs, the statistical model, the optimiser.
    disk
        What each device reads from disk, in bytes per second; infinite where events are in memory.
    """

    devices: int
    rate: float
    latency: float = 0.0
    bandwidth: float = math.inf
    overhead: float = 0.0
    disk: float = math.inf

    def step(self, events: float, histograms: float, bytes_per_event: float = 0.0) -> float:
        """Return the seconds that a step takes.

        Histograms are in bytes; ``bytes_per_event`` is of the columns that are read.

        Examples
        --------
        >>> from benchmarks.cost_model import Cluster
        >>> gpus = Cluster(devices=64, rate=2e8, latency=20e-6, bandwidth=25e9, overhead=5e-3)
        >>> round(gpus.step(1e9, histograms=1e5), 4)
        0.0834
        """
        each = events / self.devices
        computed = max(each / self.rate, 2 * each * bytes_per_event / self.disk)
        rounds = math.ceil(math.log2(self.devices))
        exchanged = 2 * (rounds * self.latency + (2 * histograms / self.bandwidth if self.devices > 1 else 0.0))
        return computed + exchanged + self.overhead
