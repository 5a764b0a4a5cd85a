"""What a release says of itself is the same everywhere, and its demonstration is a run."""

from __future__ import annotations

import argparse
import re
import tomllib
from pathlib import Path

from hepgrad.workflows.cli import program, run

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_the_version_is_the_newest_of_the_changelog_and_that_to_cite():
    versions = re.findall(r"^## \[(.+?)\]", text("CHANGELOG.md"), flags=re.MULTILINE)
    assert next(version for version in versions if version != "Unreleased") == PROJECT["version"]
    assert f"\nversion: {PROJECT['version']}\n" in text("CITATION.cff")


def test_the_dates_of_changelog_and_citation_agree():
    (date,) = re.findall(r"^date-released: (\S+)$", text("CITATION.cff"), flags=re.MULTILINE)
    assert f"## [{PROJECT['version']}] - {date}" in text("CHANGELOG.md")


def test_the_supported_pythons_are_those_that_are_declared():
    declared = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert f"| Python | {', '.join(declared)} |" in text("docs/support.md")
    assert PROJECT["requires-python"] == f">={declared[0]}"
    (jax,) = (each for each in PROJECT["dependencies"] if each.startswith("jax>"))
    assert f"| JAX | {jax.removeprefix('jax>=')} and newer" in text("docs/support.md")


def test_the_demonstration_is_a_run_of_events_that_come_along():
    arguments = program._parser().parse_args(["demo", "--steps", "3"])
    assert (arguments.workflow, arguments.steps, arguments.data) == ("zprime", 3, None)
    assert arguments.carry_out is run.carry_out


def test_the_demonstration_takes_every_option_of_a_run():
    (commands,) = [each for each in program._parser()._actions if isinstance(each, argparse._SubParsersAction)]
    options = {name: {each.dest for each in commands.choices[name]._actions} for name in ("demo", "run")}
    assert options["demo"] == options["run"] - {"workflow"}
