"""How much memory events would take, told from the first file of each sample."""

from __future__ import annotations

from ..collect import Recipe
from ..events import branches_of
from .paths import is_remote
from .tree import opened


def estimated_bytes(recipe: Recipe) -> int:
    """Return about how many bytes the columns of a recipe have, before any skim.

    The columns of the first file of each sample are taken to be like those of its other files. Files on servers are not
    asked, nor does a file count that cannot be read: reading it will tell why.
    """
    request, total = recipe.request, 0
    for sample in recipe.samples():
        first = sample.files[0]
        if is_remote(first):
            continue
        branches, _ = branches_of(request.of(sample), request.layout_of(sample))
        try:
            with opened(first, branches, request.tree) as events:
                # the fields of an RNTuple do not tell: then the size of the file has to do
                told = all(hasattr(events[name], "uncompressed_bytes") for name in branches)
                size = sum(events[name].uncompressed_bytes for name in branches) if told else events.file.fEND
        except Exception:
            continue
        total += len(sample.files) * size
    return total
