"""What the stages of a script use, with cuts that an event passes or not, in plain Awkward Array.

The modules are copied into every script, one after the other: they import no more than Awkward Array, uproot and hist.
"""

from __future__ import annotations

import ast
from pathlib import Path

from ...read.estimates import loose_leptons
from . import elsewhere, filling, folds, formulas, functions, objects, systems

PARTS = (formulas, objects, systems, functions, folds, loose_leptons, filling, elsewhere)


def is_known(name: str) -> bool:
    """Return whether a script has a function or a class of this name."""
    return any(hasattr(part, name) for part in PARTS)


def is_in_rg(name: str) -> bool:
    """Return whether the script's ``rg`` has a function of this name."""
    return hasattr(functions.rg, name)


def runtime_source() -> str:
    """Return the parts as one piece of Python, all imports at its beginning."""
    imports, pieces = {"import math", "import operator", "import sys", "import types"}, []
    for part in PARTS:
        text = Path(str(part.__file__)).read_text(encoding="utf-8")
        _, _, *body = ast.parse(text).body  # without docstring and the import of annotations
        found = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        imports |= {ast.unparse(node) for node in found if not getattr(node, "level", 0)}
        pieces.append("\n".join(text.splitlines()[max(node.end_lineno or 0 for node in found) :]).strip())
    return "\n\n\n".join(["\n".join(sorted(imports)), *pieces])
