"""The command line: ``hepgrad check zprime``, ``hepgrad run zprime``.

One module for each command: ``add`` declares it, ``carry_out`` runs it. The modules import JAX only when they run, so
that ``hepgrad --help`` is quick.
"""

from __future__ import annotations

from .program import main

__all__ = [
    "main",
]


def __dir__() -> list[str]:
    return __all__
