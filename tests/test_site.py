"""The sources of the site are complete and consistent; the build itself (slow) turns every warning into an error."""

from __future__ import annotations

import html
import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.glob("**/*.md"))
TABLES = re.compile(r"```\{toctree\}\n(.*?)```", flags=re.DOTALL)


# pages that are notebooks say so before their title
NOTEBOOK = re.compile(r"\A---\nfile_format: mystnb\n.*?^---\n\n", flags=re.DOTALL | re.MULTILINE)
CODE = re.compile(r"^```(?:python|py|\{code-cell\})\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
GUIDES = [DOCS / "quickstart.md", DOCS / "first_analysis.md", *DOCS.glob("howto/*.md"), *DOCS.glob("tutorials/*.md")]
# whose names users write
TAUGHT_PACKAGES = [
    *("ragged", "analysis", "analysis.kinematics", "analysis.reconstruction", "analysis.stages", "analysis.statistics"),
    *("analysis.systematics", "workflows"),
]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def listed(page: Path) -> list[Path]:
    """Return the pages in the tables of contents of a page, in their order."""
    entries = [line.strip() for table in TABLES.findall(page.read_text("utf-8")) for line in table.splitlines()]
    return [(page.parent / entry).resolve() for entry in entries if entry and not entry.startswith(":")]


def test_every_page_is_in_one_table_of_contents():
    contents = [path for page in PAGES for path in listed(page)]
    assert sorted(path for path in contents if contents.count(path) > 1) == []
    assert [name(page) for page in PAGES if page.with_suffix("") not in contents] == ["docs/index.md"]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_tables_of_contents_name_pages_that_exist(page):
    generated = DOCS / "reference"  # written before each build
    missing = [path for path in listed(page) if not path.with_suffix(".md").exists() and path.parent != generated]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_say_something(page):
    text = TABLES.sub("", NOTEBOOK.sub("", page.read_text("utf-8")))
    title, _, body = text.partition("\n")
    assert re.fullmatch(r"# \S.*", title)
    assert len(re.sub(r"[^A-Za-z]", "", body)) > 60


def links(page: Path) -> list[str]:
    prose = re.sub(r"^(```|~~~).*?^\1", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link]


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings, as forges and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_a_file_and_a_heading(page):
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if target.is_relative_to(DOCS / "reference"):
            continue
        if not target.is_file() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def words(pages: Iterable[Path]) -> set[str]:
    """Return the names that pages use in Python, or write between backticks."""
    found = set()
    for page in pages:
        text = page.read_text("utf-8")
        prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        found.update(re.findall(r"\w+", " ".join([*CODE.findall(text), *re.findall(r"`([^`]+)`", prose)])))
    return found


@pytest.mark.parametrize("package", ["ragged", "analysis", "workflows"])
def test_every_public_name_is_used_or_explained_on_a_page(package):
    """Whoever works from the site alone meets each name beside the reference."""
    known = words(PAGES)
    assert [name for name in importlib.import_module(f"hepgrad.{package}").__all__ if name not in known] == []


@pytest.mark.parametrize("package", TAUGHT_PACKAGES)
def test_every_name_that_users_write_is_in_a_guide_or_a_tutorial(package):
    """Of NumPy's functions, which are there by NumPy's names, one sentence tells."""
    known = words(GUIDES)
    public = importlib.import_module(f"hepgrad.{package}").__all__
    assert [name for name in public if name not in known and not hasattr(np, name)] == []


def test_notebooks_are_tutorials_and_the_others_are_not():
    notebooks = {page for page in PAGES if NOTEBOOK.match(page.read_text("utf-8"))}
    assert notebooks == {page for page in PAGES if page.parent.name == "tutorials" and page.name != "index.md"}
    for page in notebooks:
        assert "```python" not in page.read_text("utf-8"), "what stands in a notebook runs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site, notebooks included; minutes."""
    pytest.importorskip("myst_nb", reason="needs the extra `docs`")
    folder = tmp_path_factory.mktemp("site")
    options = ["--fail-on-warning", "--keep-going", "--quiet", "-c", str(DOCS), "-d", str(folder / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, str(ROOT), str(folder / "site")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_has_every_public_name(site, monkeypatch):
    reference = "".join(page.read_text("utf-8") for page in (site / "docs" / "reference").glob("*.html"))
    described = set(re.findall(r'id="(hepgrad\.[\w.]+)"', reference))
    monkeypatch.syspath_prepend(DOCS / "_site")
    public_reference = importlib.import_module("public_reference")
    homes = public_reference.homes(list(public_reference.faces()))
    public = Path(__file__).with_name("public_api.txt").read_text("utf-8").split()
    assert sorted(f"{package}.{name}" for package, name in homes) == public
    assert sorted({f"{home}.{name}" for (_, name), home in homes.items()} - described) == []
    pages = {path: path.read_text("utf-8") for path in site.glob("**/*.html") if "_static" not in path.parts}
    # whatever is drawn comes from the site itself, and every link within it leads to a file
    elsewhere = re.compile(r'<(?:script|img|link)[^>]*(?:src|href)="https?:')
    assert [path for path, text in pages.items() if elsewhere.search(text)] == []
    followed = re.compile(r'(?:src|href)="(?!\w+:)([^"#?]+)')
    assert [
        (path, link)
        for path, text in pages.items()
        for link in followed.findall(text)
        if not (path.parent / link).exists()
    ] == []


# opens the pages one after the other in a frame as wide as a telephone, and tells what sticks out of it
ON_A_TELEPHONE = """<!DOCTYPE html>
<iframe style="width: 390px; height: 900px; border: 0"></iframe><pre></pre>
<script>
(async () => {
  const frame = document.querySelector("iframe"), found = [];
  for (const page of PAGES) {
    await new Promise(done => { frame.onload = done; frame.src = page; });
    const inside = frame.contentDocument;
    const links = [...inside.querySelectorAll(".prev-next-area a")];
    const cut = links.filter(link => link.scrollWidth > link.clientWidth + 1);
    // what is wider has to lie in something that can be moved sideways
    const wide = [...inside.querySelectorAll("main *")].filter(element =>
      element.getBoundingClientRect().right > 391
      && !element.closest("pre, .pst-scrollable-table-container, .cell_output"));
    const all = inside.documentElement.scrollWidth > 390 || cut.length || wide.length;
    if (all) found.push([page, ...[...cut, ...wide].map(element => element.textContent.trim()).slice(0, 3)]);
  }
  document.querySelector("pre").textContent = JSON.stringify(found);
})();
</script>"""


@pytest.mark.slow
def test_pages_fit_the_screen_of_a_telephone(site):
    browser = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("needs a browser")
    pages = sorted(f"docs/{page.relative_to(DOCS).with_suffix('.html').as_posix()}" for page in PAGES)
    (site / "telephone.html").write_text(ON_A_TELEPHONE.replace("PAGES", json.dumps(pages)), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    command += ["--virtual-time-budget=120000", "--dump-dom", (site / "telephone.html").as_uri()]
    seen = subprocess.run(command, capture_output=True, text=True, timeout=300).stdout
    found = re.search("<pre>(.*?)</pre>", seen, flags=re.DOTALL)
    assert json.loads(html.unescape(found[1])) == []
