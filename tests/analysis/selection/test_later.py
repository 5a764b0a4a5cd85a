"""Columns that are computed when somebody asks for them."""

from __future__ import annotations

import jax.numpy as jnp

import hepgrad.ragged as rg
from hepgrad.analysis import Events
from hepgrad.analysis.selection.event_numbers import event_numbers
from hepgrad.analysis.selection.later import Later


def test_they_are_computed_together_where_all_numbers_are_looked_at():
    asked = []

    def together():
        asked.append(1)
        return {"up": jnp.array([1.0, jnp.nan]), "down": jnp.array([0.5, 0.5])}

    events = Events.of(rg.RecordArray({"x": jnp.array([1.0, 2.0])}), jnp.ones(2))
    events = events.with_field(up=Later(together, "up"), down=Later(together, "down"))
    assert not asked
    numbers = event_numbers(events, jnp.array([True, True]))
    assert (int(numbers["up"].not_finite), int(numbers["down"].not_finite), len(asked)) == (1, 0, 1)
    assert events.down.tolist() == [0.5, 0.5]
