"""Documents point at what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(path for pattern in ("*.md", "docs/**/*.md", "workflows/**/*.md") for path in ROOT.glob(pattern))
# of the packages and of the rest, in code or not
PLACE = re.compile(r"(?<![\w/.~-])((?:ragged|analysis|workflows|tests|benchmarks|docs|examples|tools)/[\w/.-]*[\w/])")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    links = [link for link in links if link and "reference/" not in link]  # written when the site is built
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_are_named_are_there(path):
    named = set(PLACE.findall(path.read_text(encoding="utf-8")))
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
