"""Where `hepgrad.workflows.analyses.htautau` can also be imported from."""

from __future__ import annotations

from .analyses.htautau import HTAUTAU as HTAUTAU
