"""Reading simulated events from ROOT files."""

from __future__ import annotations

from .fileset import Fileset as Fileset
from .fileset import Sample as Sample
from .load import load as load
from .nanoaod import read_events as read_events
