"""Where `hepgrad.workflows.studies.neos` can also be imported from."""

from __future__ import annotations

from .studies.neos import NEOS as NEOS
from .studies.neos import Neos as Neos
