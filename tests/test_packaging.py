"""The folders arrive as `hepgrad` and `hepgrad.*`, complete, in a wheel and in an editable installation."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("ragged", "analysis", "workflows")
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Copy what a build reads, because a build leaves files behind, and adds stale ones of an earlier build."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, copy)
    for folder in ("package", *FOLDERS):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def build(source: Path, hook: str, target: Path) -> Path:
    """Build a wheel by a hook of the build backend, with what this environment has, and unpack it."""
    command = [sys.executable, "-c", BUILD, hook, str(target)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = target.glob("hepgrad-*.whl")
    unpacked = target / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    return build(source, "build_wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def editable(source, tmp_path_factory) -> Path:
    return build(source, "build_editable", tmp_path_factory.mktemp("editable"))


# what hepgrad needs, without the editable installations that are there
INSTALLED = [Path(folder) for folder in sys.path if Path(folder).name in ("site-packages", "dist-packages")]


def isolated_python(code: str, *arguments: Path, beside: Path | None = None) -> list[str]:
    """Run code in an interpreter that sees the standard library only, whatever is installed here."""
    command = [sys.executable, "-I", "-S", "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=beside).stdout.split()


def test_wheel_has_every_file_of_the_three_folders(source, wheel):
    expected = {path.relative_to(source).as_posix() for folder in FOLDERS for path in (source / folder).rglob("*.*")}
    expected |= {path.name for path in (source / "package").iterdir()}
    packed = {path.relative_to(wheel / "hepgrad").as_posix() for path in (wheel / "hepgrad").rglob("*.*")}
    assert packed == expected


@pytest.mark.parametrize("folder", FOLDERS)
def test_wheel_says_that_it_is_typed(wheel, folder):
    assert (wheel / "hepgrad" / folder / "py.typed").is_file()


def test_nothing_is_installed_under_a_bare_name(wheel):
    """Such as `analysis`, which most physicists have."""
    (metadata,) = wheel.glob("hepgrad-*.dist-info")
    assert {path.name for path in wheel.iterdir()} == {"hepgrad", metadata.name}
    assert {path.name for path in (wheel / "hepgrad").iterdir()} == {"__init__.py", "py.typed", *FOLDERS}


@pytest.mark.thorough
def test_source_distribution_builds_the_same_wheel(source, wheel, tmp_path):
    command = [sys.executable, "-c", BUILD, "build_sdist", str(tmp_path)]
    subprocess.run(command, cwd=source, capture_output=True, text=True, check=True)
    (archive,) = tmp_path.glob("hepgrad-*.tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.glob("hepgrad-*/")
    (again := tmp_path / "wheel").mkdir()
    files = {path.relative_to(again / "unpacked") for path in build(unpacked, "build_wheel", again).rglob("*.*")}
    assert files == {path.relative_to(wheel) for path in wheel.rglob("*.*")}


FIND = """
import importlib.util, site, sys
sys.path.insert(0, "")
site.addsitedir(sys.argv[1])
sys.path += sys.argv[2:]
for name in ("hepgrad.ragged", "hepgrad.analysis", "hepgrad.workflows"):
    print(importlib.util.find_spec(name).origin)
"""


def test_a_folder_of_the_same_name_beside_the_script_hides_nothing(wheel, tmp_path):
    """A clone of the repository, or a folder with one's own ``analysis`` in it."""
    for folder in FOLDERS:
        (tmp_path / "hepgrad" / folder).mkdir(parents=True)
        (tmp_path / "hepgrad" / folder / "__init__.py").touch()
    files = isolated_python(FIND, wheel, *INSTALLED, beside=tmp_path)
    assert files == [str(wheel / "hepgrad" / folder / "__init__.py") for folder in FOLDERS]


@pytest.mark.parametrize("folders", [("results",), FOLDERS], ids=["results", "a clone"])
def test_a_folder_of_the_same_name_leaves_an_editable_installation_alone(source, editable, tmp_path, folders):
    for folder in folders:
        (tmp_path / "hepgrad" / folder).mkdir(parents=True)
        (tmp_path / "hepgrad" / folder / "__init__.py").touch()
    files = isolated_python(FIND, editable, *INSTALLED, beside=tmp_path)
    assert files == [str(source / folder / "__init__.py") for folder in FOLDERS]
    # also for whoever imports no more than its name
    code = f"{FIND}\nimport hepgrad\nprint(hepgrad.__file__, hepgrad.analysis.__file__)"
    *_, package, analysis = isolated_python(code, editable, *INSTALLED, beside=tmp_path)
    assert (package, analysis) == (str(source / "package" / "__init__.py"), str(source / "analysis" / "__init__.py"))


def test_its_packages_are_imported_when_they_are_first_used(wheel):
    code = """
import sys
sys.path[:0] = sys.argv[1:]
import hepgrad
print(*sorted(hepgrad.__all__), "jax" in sys.modules, set(hepgrad.__all__) <= set(dir(hepgrad)))
print(hepgrad.ragged.__name__)
"""
    assert isolated_python(code, wheel, *INSTALLED) == [*sorted(FOLDERS), "False", "True", "hepgrad.ragged"]


def test_wheel_installs_the_command(wheel):
    (path,) = wheel.glob("hepgrad-*.dist-info/entry_points.txt")
    entry_points = configparser.ConfigParser()
    entry_points.read(path)
    assert dict(entry_points["console_scripts"]) == {"hepgrad": "hepgrad.workflows.cli:main"}


def test_wheel_imports(wheel):
    code = """
import importlib, sys
sys.path[:0] = sys.argv[1:]
for folder in ("ragged", "analysis", "workflows"):
    print(importlib.import_module(f"hepgrad.{folder}").__file__)
"""
    files = isolated_python(code, wheel, *INSTALLED)
    assert files == [str(wheel / "hepgrad" / folder / "__init__.py") for folder in FOLDERS]


@pytest.mark.slow
def test_the_demonstration_needs_nothing_but_the_wheel(wheel, tmp_path):
    """Its events are inside; what it leaves is a whole run folder."""
    code = """
import sys
sys.path[:0] = sys.argv[1:]
from hepgrad.workflows.cli import main
sys.exit(main(["demo", "--steps", "2", "--set", "replicas=2"]))
"""
    assert "significance" in isolated_python(code, wheel, *INSTALLED, beside=tmp_path)
    assert (tmp_path / "hepgrad-runs" / "zprime" / "report.html").is_file()


def test_editable_installation_finds_the_folders(source, editable):
    code = """
import importlib.util, site, sys
site.addsitedir(sys.argv[1])
sys.path += sys.argv[2:]
for folder in ("ragged", "analysis", "workflows"):
    print(importlib.util.find_spec(f"hepgrad.{folder}").origin)
"""
    files = isolated_python(code, editable, *INSTALLED)
    assert files == [str(source / folder / "__init__.py") for folder in FOLDERS]


def test_sub_package_added_later_needs_no_new_declaration(source, tmp_path):
    later = tmp_path / "later"
    shutil.copytree(source, later, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    (later / "analysis" / "newcomer").mkdir()
    (later / "analysis" / "newcomer" / "__init__.py").touch()
    target = tmp_path / "wheel"
    target.mkdir()
    assert (build(later, "build_wheel", target) / "hepgrad" / "analysis" / "newcomer" / "__init__.py").is_file()
