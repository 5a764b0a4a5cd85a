"""What a measurement shows beside its numbers: scans, goodness of fit, yields, and the limits of many signals."""

from __future__ import annotations

from .goodness import GoodnessOfFit, goodness_of_fit
from .likelihood_scan import Scan, scan
from .upper_limits import limits
from .yields import ExpectedYields, postfit_yields, prefit_yields

__all__ = [
    "ExpectedYields",
    "GoodnessOfFit",
    "Scan",
    "goodness_of_fit",
    "limits",
    "postfit_yields",
    "prefit_yields",
    "scan",
]


def __dir__() -> list[str]:
    return __all__
