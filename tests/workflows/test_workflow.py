"""Workflows: what a definition must agree on, and changes from the command line."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from hepgrad.analysis import Parameter, Parameters, Projection, Weights
from hepgrad.workflows import Process


def test_signal_of_processes_and_model_agree(tiny):
    processes = [Process("signal"), Process("top", signal=True), Process("multijet")]
    with pytest.raises(ValueError, match=r"marked as signal are \['top'\], but .* signal is \['signal'\]"):
        dataclasses.replace(tiny.TINY, processes=processes)


def test_names_are_unique(tiny):
    with pytest.raises(ValueError, match="every process needs a name of its own"):
        dataclasses.replace(tiny.TINY, processes=[Process("signal", signal=True), Process("signal", signal=True)])


def test_it_shows_itself(tiny):
    told = tiny.TINY._repr_html_()
    assert repr(tiny.TINY).startswith("Workflow('tiny', processes=['signal', ")
    for part in (*(process.name for process in tiny.TINY.processes), *tiny.TINY.parameters, "signal"):
        assert f">{part}</td>" in told


def test_only_weights_of_networks_decay(tiny):
    parameters = Parameters(ht=Parameter(60.0, bounds=(50, 300), width=15.0), network=Weights({"w": jnp.array([0.3])}))
    workflow = dataclasses.replace(tiny.TINY, parameters=parameters, learning_rate=0.5, weight_decay=0.2)
    at = Projection().coordinates(parameters)
    # without a slope Adam stands still, and what moves is decay: 10 % of the value
    updates, _ = workflow.optimizer.update(jax.tree.map(jnp.zeros_like, at), workflow.optimizer.init(at), at)
    assert updates["ht"] == 0.0
    assert jnp.allclose(updates["network"]["w"], -0.1 * at["network"]["w"])


def test_a_negative_weight_decay_is_refused(tiny):
    with pytest.raises(ValueError, match="workflow 'tiny': the weight decay cannot be negative, got"):
        dataclasses.replace(tiny.TINY, weight_decay=-0.1)
