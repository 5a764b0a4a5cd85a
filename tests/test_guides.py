"""The Python in the guides, tutorials and the quickstart runs as it stands, one piece after the other on each page."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
GUIDES = [
    DOCS / "quickstart.md",
    *sorted(path for room in ("howto", "migration", "tutorials") for path in (DOCS / room).glob("*.md")),
]
PYTHON = re.compile(r"^```python\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
# what only this page needs; where it is not installed the page cannot be tried
NEEDS = {
    "pyhf_and_cabinetry.md": ("pyhf",),
    "tmva_and_optuna.md": ("optuna",),
    "hand_over.md": ("pyhf",),
}


@pytest.fixture
def precision_as_before() -> Iterator[None]:
    """Take back what a page, as a script of its own, sets for the whole process."""
    before = jax.config.read("jax_enable_x64")
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")  # pyhf's
@pytest.mark.usefixtures("quick_compilation", "precision_as_before")
@pytest.mark.parametrize(
    "page", [page for page in GUIDES if page.name != "index.md"], ids=lambda page: page.relative_to(DOCS).as_posix()
)
def test_code_on_the_page_runs(page, tmp_path, monkeypatch):
    for module in NEEDS.get(page.name, ()):
        pytest.importorskip(module)
    pieces = list(PYTHON.finditer(page.read_text("utf-8")))
    assert pieces
    monkeypatch.chdir(tmp_path)
    # a module, so that what is defined here has a home, as in a script
    module = types.ModuleType(page.stem)
    monkeypatch.setitem(sys.modules, page.stem, module)
    for piece in pieces:
        line = page.read_text("utf-8").count("\n", 0, piece.start(1))
        exec(compile("\n" * line + piece[1], page, "exec"), module.__dict__)
