"""Stages of other distributions, found by their entry points; each test installs one in a folder of its own."""

from __future__ import annotations

import sys

import pytest

from hepgrad.analysis import available_stages, load_stage

GOOD = """
import dataclasses
from hepgrad.analysis import stage
from hepgrad.analysis.stages import EventSelection

@stage(reads=["MET_pt"], parameters=["met"])
def missing_momentum(events, cut):
    return events.select(events.MET.pt > cut.met)

Selection = EventSelection
number = 3
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that lays down a distribution as an installer does, where Python looks for it."""

    def install(name: str, module: str, code: str, entry_points: dict[str, str]) -> None:
        site = tmp_path / name
        metadata = site / f"{name}-1.2.dist-info"
        metadata.mkdir(parents=True)
        (site / f"{module}.py").write_text(code)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        lines = [f"{key} = {value}" for key, value in entry_points.items()]
        (metadata / "entry_points.txt").write_text("\n".join(["[hepgrad.stages]", *lines, ""]))
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, module, raising=False)

    return install


def test_a_stage_of_another_distribution(install):
    install(
        "taus", "taus_stages", GOOD, {"missing": "taus_stages:missing_momentum", "selection": "taus_stages:Selection"}
    )
    assert available_stages().items() >= {"missing": "taus 1.2", "selection": "taus 1.2"}.items()
    assert "taus_stages" not in sys.modules, "listing imports nothing"
    stage = load_stage("missing")
    assert (stage.name, stage.reads, stage.parameters) == ("missing_momentum", ("MET_pt",), ("met",))
    assert load_stage("selection")(["MET.pt > cut.met"]).parameters == ("met",)


def test_an_unknown_name(install):
    install("taus", "taus_stages", GOOD, {"missing": "taus_stages:missing_momentum"})
    with pytest.raises(KeyError, match=r"no installed package offers the stage 'tau'; there is \['missing'"):
        load_stage("tau")


@pytest.mark.parametrize(
    ("code", "value", "message"),
    [
        ("import no_such_package", "broken_stages:x", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("raise RuntimeError('needs a licence')", "broken_stages:x", "RuntimeError: needs a licence"),
        ("", "broken_stages:x", "AttributeError"),
        ("", "no_such_module:x", "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_a_distribution_that_cannot_be_imported_is_named(install, code, value, message):
    install("broken", "broken_stages", code, {"tau": value})
    with pytest.raises(ImportError, match=f"the stage 'tau' of broken 1.2 cannot be imported from {value}: {message}"):
        load_stage("tau")


def test_something_else_than_a_stage(install):
    install("taus", "taus_stages", GOOD, {"number": "taus_stages:number"})
    with pytest.raises(TypeError, match=r"'number' of taus 1\.2 must be a stage .* taus_stages:number is a int"):
        load_stage("number")


def test_two_distributions_with_the_same_name(install):
    install("one", "one_stages", GOOD, {"missing": "one_stages:missing_momentum"})
    install("two", "two_stages", GOOD, {"missing": "two_stages:missing_momentum"})
    with pytest.raises(ValueError, match=r"offered by (two 1\.2 and one 1\.2|one 1\.2 and two 1\.2)"):
        load_stage("missing")
