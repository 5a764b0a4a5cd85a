"""Workflows are found by name, by script and by module:object."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from hepgrad.workflows import InputError
from hepgrad.workflows.catalogue import find_workflow

TINY = Path(__file__).with_name("tiny.py")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with a script, from which nothing stays imported."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "searches").mkdir()
    names = ("first_search", "second_search", "third_search")
    for name, folder in zip(names, (".", "searches", "."), strict=True):
        shutil.copy(TINY, tmp_path / folder / f"{name}.py")
    yield tmp_path
    for name in names:
        sys.modules.pop(name, None)


NAMES = ["first_search", "first_search.py", "first_search:TINY", "searches/second_search.py", "searches/second_search"]


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_enough(here, name):
    assert find_workflow(name).name == "tiny"


def test_of_several_workflows_one_is_meant(here):
    script = here / "third_search.py"
    several = script.read_text() + "\nimport dataclasses\nOTHER = dataclasses.replace(TINY, name='other')\n"
    script.write_text(several)
    with pytest.raises(InputError, match=r"it has 2 of them \(TINY, OTHER\); say which: third_search:TI"):
        find_workflow("third_search")
    del sys.modules["third_search"]
    script.write_text(several + "WORKFLOW = OTHER\n# a comment that makes it longer\n")
    assert find_workflow("third_search").name == "other"


def test_what_is_there_is_told(here):
    told = r"no workflow 'frist_search'; .* as a script here \(frist_search.py\), .*; did you mean 'first_search'\?"
    with pytest.raises(InputError, match=told):
        find_workflow("frist_search")
    with pytest.raises(InputError, match="first_search has no 'TINI'; its workflows are TINY"):
        find_workflow("first_search:TINI")
    (here / "third_search.py").write_text("x = 1\n\ny = x / 0\n")
    with pytest.raises(
        InputError, match=r"third_search cannot be imported: ZeroDivision.* \(third_search.py, line 3\)"
    ):
        find_workflow("third_search")
    (here / "empty_search.py").write_text("x = 1\n")
    with pytest.raises(InputError, match=r"empty_search.py should define one workflow, .*; it has none"):
        find_workflow("empty_search.py")
    sys.modules.pop("empty_search")
