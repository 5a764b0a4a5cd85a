"""What a measurement shows beside its numbers: scans, goodness of fit, yields, and the limits of many signals."""

from __future__ import annotations

from .goodness import GoodnessOfFit, ToyGoodness, goodness_of_fit, toy_goodness_of_fit
from .likelihood_scan import Scan, scan
from .upper_limits import limits
from .yields import ExpectedYields, postfit_yields, prefit_yields

__all__ = [
    "ExpectedYields",
    "GoodnessOfFit",
    "Scan",
    "ToyGoodness",
    "goodness_of_fit",
    "limits",
    "postfit_yields",
    "prefit_yields",
    "scan",
    "toy_goodness_of_fit",
]


def __dir__() -> list[str]:
    return __all__
