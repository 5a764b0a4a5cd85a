"""Whole analyses on real files: reading, run folders, reports and the command line.

Names are imported when they are first used, so that ``hepgrad --help`` need not wait for JAX. ``__init__.pyi`` says
where from.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
