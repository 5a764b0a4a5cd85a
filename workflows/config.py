"""Where `hepgrad.workflows.settings.config` can also be imported from."""

from __future__ import annotations

from .settings.config import as_toml as as_toml
from .settings.config import configured as configured
from .settings.config import effective_settings as effective_settings
from .settings.config import parse_settings as parse_settings
from .settings.config import read_settings as read_settings
