"""Which format a likelihood has, and how it is read."""

from __future__ import annotations

from pathlib import Path

from hepgrad.analysis.statistics.exchange import from_hs3, is_hs3
from hepgrad.analysis.statistics.exchange.datacards import Interpretation

from ..errors import InputError
from ..results.file_names import WORKSPACE
from .datacards import read_datacard
from .reading import Document, PatchLike, WorkspaceLike, read_workspace


def document(
    workspace: WorkspaceLike,
    *,
    patch: PatchLike | None = None,
    interpretation: Interpretation = "combine",
    measurement: str | None = None,
) -> Document:
    """Read a likelihood in whatever format it has: by its suffix a datacard, otherwise JSON of pyhf or HS3.

    ``workspace`` is a path or URL, a run folder, or a workspace as ``json.load`` returns it; ``patch`` is as in
    `hepgrad.workflows.from_workspace`; ``measurement`` is the analysis that is read of an HS3 document where all of
    them differ. Raises `InputError` when it cannot be read.
    """
    if isinstance(workspace, str | Path) and Path(workspace).is_dir():
        workspace = Path(workspace) / WORKSPACE
    source = str(workspace) if isinstance(workspace, str | Path) else ""
    if source.endswith((".txt", ".card", ".dat")):
        if patch is not None:
            raise InputError(f"{source} is a datacard, which has no JSON to patch")
        return read_datacard(source, interpretation=interpretation)
    content = read_workspace(workspace, patch=patch)
    if not is_hs3(content):
        return Document(source, content)
    try:
        return Document(source, from_hs3(content, analysis=measurement))
    except ValueError as error:
        where = source or "the HS3 document"
        raise InputError(f"{where} cannot be fitted (--measurement chooses one of its analyses): {error}") from None
