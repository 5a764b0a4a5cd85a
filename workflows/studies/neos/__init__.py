"""neos' blobs: a network and its bins that are trained for the expected exclusion of a signal, systematics included."""

from __future__ import annotations

from .study import NEOS as NEOS
from .study import Neos as Neos
