"""The rules of the house: which way imports point, what importing may do, how much a file and a folder may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "ragged": {"ragged"},
    "analysis": {"analysis", "ragged"},
    "workflows": {"workflows", "analysis", "ragged"},
}
MAX_LINES = 450
MAX_MODULES = 15
MAX_SUPPRESSIONS = 20
SOURCES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(node: ast.AST, path: Path) -> list[str]:
    """Return the absolute names that an import statement of the file asks for (an empty list for any other node)."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        package = ("hepgrad", *path.relative_to(ROOT).parent.parts)
        base = ".".join((*package[: len(package) - node.level + 1], *filter(None, [node.module])))
    return [f"{base}.{alias.name}" for alias in node.names]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for name in imported(node, path):
            yield node.lineno, name


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_imports_point_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    wrong = []
    for line, name in imports(path):
        top, *rest = name.split(".")
        sideways = top == "hepgrad" and (not rest or rest[0] not in MAY_IMPORT[package])
        if sideways or top in MAY_IMPORT:
            wrong.append(f"{label(path)}:{line}: {name}")
    assert not wrong, f"{package} may import hepgrad.{{{', '.join(sorted(MAY_IMPORT[package]))}}} only"


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_third_party_imports_are_declared(path):
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    extras = project["optional-dependencies"]
    optional = [
        name
        for extra in ("coffea", "dask", "generate", "nn", "remote", "scan", "taggers", "torch")
        for name in extras[extra]
    ]
    declared = {re.split(r"[^\w-]", name)[0].replace("-", "_") for name in project["dependencies"] + optional}
    known = sys.stdlib_module_names | declared | {"hepgrad"}
    missing = [f"{label(path)}:{line}: {name}" for line, name in imports(path) if name.split(".")[0] not in known]
    assert not missing, "declare these in pyproject.toml, or do without them"


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_files_are_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{label(path)} has {lines} lines: split it into one file for each idea"


def module_name(path: Path) -> str:
    return ".".join(("hepgrad", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def circles(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Return the groups of modules that import each other, directly or through others."""

    def reached(start: str) -> set[str]:
        found, new = set(), set(arrows.get(start, ()))
        while new:
            found |= new
            new = {after for module in new for after in arrows.get(module, ())} - found
        return found

    behind = {module: reached(module) for module in arrows}
    groups = {frozenset({m, *(n for n in behind[m] if m in behind.get(n, ()))}) for m in arrows if m in behind[m]}
    return sorted(map(set, groups), key=sorted)


@pytest.mark.thorough
def test_imports_go_round_in_no_circle():
    """Imports of types and inside functions count: they are arrows in a reader's head. A package's face does not."""
    modules = {module_name(path) for path in SOURCES} - {f"hepgrad.{package}" for package in MAY_IMPORT}
    arrows = {}
    for path in SOURCES:
        targets = {name if name in modules else name.rpartition(".")[0] for _, name in imports(path)}
        arrows[module_name(path)] = (targets & modules) - {module_name(path)}
    assert circles(arrows) == []


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
    assert circles({"a": {"b"}, "b": {"c"}}) == []


def modules_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize("folder", sorted({path.parent for path in SOURCES}), ids=label)
def test_folders_hold_few_modules(folder):
    modules = modules_of(folder)
    assert len(modules) <= MAX_MODULES, f"{label(folder)} has {len(modules)} modules: make a room for a part of them"


def unmirrored(root: Path) -> list[str]:
    """Return the test files that have no module and no folder of their name beside them in the packages of a tree."""
    lost = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        folder = root / path.parent.relative_to(root / "tests")
        if folder == root or {"conformance", "fuzz"} & set(folder.parts):  # about all of the project, or of a package
            continue
        subjects = [folder.name, *(entry.stem for entry in folder.glob("*"))]
        if not any(f"{path.stem}_".startswith(f"test_{subject}_") for subject in subjects):
            lost.append(path.relative_to(root).as_posix())
    return lost


def test_tests_mirror_the_packages():
    """``tests/a/b/test_c_and_more.py`` is about the module or the folder ``c`` of ``a/b``, or about ``b`` itself."""
    assert not unmirrored(ROOT), "each of these needs the name of a module or a folder beside it in the packages"


def test_crowded_folders_and_lost_tests_are_found(tmp_path):
    room, tests = tmp_path / "analysis" / "room", tmp_path / "tests" / "analysis" / "room"
    for folder in (room, tests):
        folder.mkdir(parents=True)
    for name in ("__init__", *(f"m{number}" for number in range(MAX_MODULES + 1))):
        (room / f"{name}.py").touch()
    for name in ("test_m1", "test_m1_at_night", "test_room", "test_m17", "test_nothing", "helper"):
        (tests / f"{name}.py").touch()
    assert len(modules_of(room)) == MAX_MODULES + 1
    assert unmirrored(tmp_path) == ["tests/analysis/room/test_m17.py", "tests/analysis/room/test_nothing.py"]


def test_checks_are_seldom_switched_off():
    """Of types and style, in the packages and tests; what a whole folder does without is in ``pyproject.toml``."""
    switched_off = re.compile(r"#.*\b(type: ?ignore|noqa|mypy: (disable|ignore))")
    lines = [
        f"{label(path)}:{number}"
        for path in [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if switched_off.search(line)
    ]
    assert len(lines) <= MAX_SUPPRESSIONS, lines


@pytest.mark.thorough
@pytest.mark.parametrize("package", MAY_IMPORT)
def test_importing_loads_only_what_lies_below(package):
    modules = run_python(f"import sys, hepgrad.{package}; print(*sys.modules)").split()
    assert {module.split(".")[1] for module in modules if module.startswith("hepgrad.")} <= MAY_IMPORT[package]


@pytest.mark.thorough
@pytest.mark.parametrize("package", MAY_IMPORT)
def test_importing_changes_no_jax_setting(package):
    code = f"import jax; before = dict(jax.config.values); import hepgrad.{package}; print(before == jax.config.values)"
    assert run_python(code) == "True"


def test_imported_names_are_resolved():
    """The helper that the rules above stand on understands every form of import."""
    statements = {
        "import hepgrad.analysis": ["hepgrad.analysis"],
        "from hepgrad import ragged as rg": ["hepgrad.ragged"],
        "from .axis import Regular, Edges": [
            f"hepgrad.analysis.histogram.axis.{name}" for name in ("Regular", "Edges")
        ],
        "from . import axis": ["hepgrad.analysis.histogram.axis"],
        "from ..cut import Pass": ["hepgrad.analysis.cut.Pass"],
        "from ...workflows import cli": ["hepgrad.workflows.cli"],
        "x = 1": [],
    }
    path = ROOT / "analysis" / "histogram" / "kernel.py"
    assert {text: imported(ast.parse(text).body[0], path) for text in statements} == statements
