"""The optimised selection as a script in plain Awkward Array, for those who do not have hepgrad."""

from __future__ import annotations

from .script import selection_script as selection_script
from .script import write_selection as write_selection
