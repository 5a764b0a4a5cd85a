"""What a measurement shows beside its numbers: scans, goodness of fit, yields, and the limits of many signals."""

from __future__ import annotations

from .goodness import GoodnessOfFit as GoodnessOfFit
from .goodness import goodness_of_fit as goodness_of_fit
from .limits import limits as limits
from .scan import Scan as Scan
from .scan import scan as scan
from .yields import ExpectedYields as ExpectedYields
from .yields import postfit_yields as postfit_yields
from .yields import prefit_yields as prefit_yields
