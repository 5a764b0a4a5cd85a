"""The commands of the command line, one module each: ``add`` declares it, ``carry_out`` runs it.

The modules import JAX only when they run, so that ``hepgrad --help`` is quick.
"""

from __future__ import annotations
