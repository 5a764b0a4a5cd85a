"""Workflows: what a definition must agree on, and changes from the command line."""

from __future__ import annotations

import dataclasses

import pytest

from hepgrad.workflows import InputError, Process


def test_signal_of_processes_and_model_agree(tiny):
    processes = [Process("signal"), Process("top", signal=True), Process("multijet")]
    with pytest.raises(ValueError, match=r"marked as signal are \['top'\], but .* signal is \['signal'\]"):
        dataclasses.replace(tiny.TINY, processes=processes)


def test_names_are_unique(tiny):
    with pytest.raises(ValueError, match="every process needs a name of its own"):
        dataclasses.replace(tiny.TINY, processes=[Process("signal", signal=True), Process("signal", signal=True)])


def test_other_datasets(tiny):
    changed = tiny.TINY.with_datasets({"top": ["top_boosted", "top_rest"]})
    assert [process.datasets for process in changed.processes] == [
        ("signal",),
        ("top_boosted", "top_rest"),
        ("multijet_low", "multijet_high"),
    ]
    with pytest.raises(InputError, match=r"has no process 'ttbar'; .*signal, top, multijet"):
        tiny.TINY.with_datasets({"ttbar": ["top_boosted"]})


def test_other_start(tiny):
    assert float(tiny.TINY.with_start({"met": 45}).parameters["met"]) == 45.0
    with pytest.raises(InputError, match=r"parameter 'met': the start 5.0 lies outside the bounds \[10, 100\] GeV"):
        tiny.TINY.with_start({"met": 5.0})
    with pytest.raises(InputError, match=r"no parameter 'mass'; the parameters are \['jet_pt', 'met', 'ht'\]"):
        tiny.TINY.with_start({"mass": 5.0})
