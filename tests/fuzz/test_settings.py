"""Attacks on settings: what is accepted has the right type and lies in range, and the rest is an `InputError`."""

from __future__ import annotations

import math
from pathlib import Path

from hypothesis import strategies as st

from hepgrad.workflows import InputError
from hepgrad.workflows.analyses.zprime import ZPRIME
from hepgrad.workflows.settings.config import as_toml, configured, effective_settings, parse_settings, read_settings
from hepgrad.workflows.settings.ranges import RANGES

SETTINGS = effective_settings(ZPRIME)


def keys(table, prefix=()):
    for key, value in table.items():
        yield from keys(value, (*prefix, key)) if isinstance(value, dict) else [(*prefix, key)]


KEYS = list(keys(SETTINGS))
numbers = st.one_of(st.integers(-3, 3), st.integers(), st.floats())
values = st.one_of(
    numbers,
    st.booleans(),
    st.text(max_size=6),
    st.sampled_from(["True", "False", "true", "nan", "none", "loosest", "refuse", "drop", "1e3"]),
    st.lists(numbers, max_size=3),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), numbers, max_size=1),
    st.dates(),
)


def check(workflow) -> None:
    for name, allowed in RANGES.items():
        allowed.check(getattr(workflow, name), name)
    for spec in workflow.parameters.specs.values():
        assert type(spec.frozen) is bool
        assert all(type(text) is str for text in (spec.unit, spec.label, spec.description))
        assert math.isfinite(spec.scale) and spec.scale > 0
        if spec.width is not None:
            assert math.isfinite(spec.width) and spec.width > 0
    assert 0 < workflow.anneal.stop <= workflow.anneal.start < math.inf
    assert workflow.not_finite in ("refuse", "drop", "keep")
    assert isinstance(workflow.data, Path)
    assert all(isinstance(name, str) and name for process in workflow.processes for name in process.datasets)


def test_settings(attack, tmp_path):
    file = tmp_path / "again.toml"

    @attack("settings", changes=st.lists(st.tuples(st.sampled_from(KEYS), values), min_size=1, max_size=3))
    def _(changes):
        settings: dict = {}
        for path, value in changes:
            *parents, last = path
            table = settings
            for parent in parents:
                table = table.setdefault(parent, {})
            table[last] = value
        try:
            workflow = configured(ZPRIME, settings, origin="attack")
        except InputError as error:
            assert str(error).startswith("attack: ")
            return
        check(workflow)
        # and it comes back from the file that a run leaves
        file.write_text(as_toml(effective_settings(workflow)), encoding="utf-8")
        again = configured(ZPRIME, read_settings(file), origin="attack")
        assert effective_settings(again) == effective_settings(workflow)


def test_misspelt_settings(attack):
    @attack("misspelt settings", path=st.sampled_from(KEYS), place=st.integers(0, 30), letter=st.sampled_from("xyz_-"))
    def _(path, place, letter):
        *parents, last = path
        wrong = f"{last[: place % (len(last) + 1)]}{letter}{last[place % (len(last) + 1) :]}"
        settings: dict = {wrong: 1}
        for parent in reversed(parents):
            settings = {parent: settings}
        try:
            configured(ZPRIME, settings, origin="attack")
        except InputError as error:
            assert "did you mean" in str(error)
        else:
            raise AssertionError(f"{wrong} was accepted")


def test_settings_of_the_command_line(attack):
    @attack("settings of the command line", path=st.sampled_from(KEYS), text=st.text(max_size=12))
    def _(path, text):
        try:
            check(configured(ZPRIME, parse_settings([f"{'.'.join(path)}={text}"]), origin="--set"))
        except InputError as error:
            assert str(error)
