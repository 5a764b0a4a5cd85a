"""Where `hepgrad.workflows.studies.inferno` can also be imported from."""

from __future__ import annotations

from .studies.inferno import INFERNO as INFERNO
from .studies.inferno import Inferno as Inferno
