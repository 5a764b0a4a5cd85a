"""Workflows: what a definition must agree on, and changes from the command line."""

from __future__ import annotations

import dataclasses

import pytest

from hepgrad.workflows import Process


def test_signal_of_processes_and_model_agree(tiny):
    processes = [Process("signal"), Process("top", signal=True), Process("multijet")]
    with pytest.raises(ValueError, match=r"marked as signal are \['top'\], but .* signal is \['signal'\]"):
        dataclasses.replace(tiny.TINY, processes=processes)


def test_names_are_unique(tiny):
    with pytest.raises(ValueError, match="every process needs a name of its own"):
        dataclasses.replace(tiny.TINY, processes=[Process("signal", signal=True), Process("signal", signal=True)])
