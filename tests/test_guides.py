"""The Python in the guides, tutorials and the quickstart runs as it stands, one piece after the other on each page."""

from __future__ import annotations

import os
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

pytestmark = pytest.mark.thorough

DOCS = Path(__file__).resolve().parent.parent / "docs"
PYTHON = re.compile(r"^```(?:python|\{code-cell\})\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
# what only this page needs; where it is not installed the page cannot be tried
NEEDS = {
    "pyhf_and_cabinetry.md": "pyhf",
    "tmva_and_optuna.md": "optuna",
    "hand_over.md": "pyhf",
    "likelihoods.md": "pyhf",
}
NEEDS |= {"taggers.md": "onnx"}
# pages that compile an optimisation or a fit
LONG = {
    *("choices", "data_driven", "edges", "hand_over", "masses", "own_pieces", "regions", "reproducibility"),
    *("run_folder", "likelihoods", "own_parts", "scaling_out", "search", "uncertainties"),
    *("awkward_names", "neos_relaxed_evermore", "pyhf_and_cabinetry", "tmva_and_optuna", "first_cut"),
}


def pages() -> Iterator[object]:
    rooms = [sorted((DOCS / room).glob("*.md")) for room in ("howto", "migration", "tutorials")]
    for page in [DOCS / "quickstart.md", *(page for room in rooms for page in room if page.name != "index.md")]:
        marks = [pytest.mark.slow] if page.stem in LONG else []
        yield pytest.param(page, id=page.relative_to(DOCS).as_posix(), marks=marks)


@pytest.fixture
def precision_as_before() -> Iterator[None]:
    """Take back what a page, as a script of its own, sets for the whole process."""
    before = jax.config.read("jax_enable_x64")
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")  # pyhf's
@pytest.mark.usefixtures("quick_compilation", "precision_as_before")
@pytest.mark.parametrize("page", list(pages()))
def test_code_on_the_page_runs(page, tmp_path, monkeypatch):
    if page.name in NEEDS:
        pytest.importorskip(NEEDS[page.name])
    pieces = list(PYTHON.finditer(page.read_text("utf-8")))
    assert pieces
    monkeypatch.chdir(tmp_path)
    # a page may set it for its own process, and processes of other tests inherit it
    monkeypatch.setenv("XLA_FLAGS", os.environ.get("XLA_FLAGS", ""))
    # a module, so that what is defined here has a home, as in a script
    module = types.ModuleType(f"page_{page.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for piece in pieces:
        line = page.read_text("utf-8").count("\n", 0, piece.start(1))
        exec(compile("\n" * line + piece[1], page, "exec"), module.__dict__)
