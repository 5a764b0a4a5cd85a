"""Where `hepgrad.workflows.analyses.zprime` can also be imported from."""

from __future__ import annotations

from .analyses.zprime import ZPRIME as ZPRIME
