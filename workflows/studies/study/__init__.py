"""Benchmarks of the literature: workflows that draw their events and compare their answer with published numbers."""

from __future__ import annotations

from .network import Network as Network
from .network import initial as initial
from .network import logits as logits
from .session import Session as Session
from .study import Findings as Findings
from .study import Study as Study
from .training import Loss as Loss
from .training import Training as Training
from .training import train as train
