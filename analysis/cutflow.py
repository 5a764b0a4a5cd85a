"""Cutflow: how many events of each process survive each step, in the hard reading."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from .events import Events


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Cutflow:
    """Events that pass each named selection step, cumulatively.

    Attributes
    ----------
    yields
        Weighted, shape (steps, processes).
    variance
        Sum of squared weights, shape (steps, processes).
    raw
        Numbers of simulated events, shape (steps, processes).
    steps
        Titles, beginning with "all events" (static).
    """

    yields: jax.Array
    variance: jax.Array
    raw: jax.Array
    steps: tuple[str, ...] = dataclasses.field(metadata={"static": True})

    @classmethod
    def of(cls, events: Events, groups: jax.Array, num_groups: int) -> Cutflow:
        """Count the events of one block.

        Parameters
        ----------
        events
            Selected events, with the steps they recorded.
        groups
            int32, shape (events,): the process of each event; ``num_groups`` and above is left out.
        num_groups
            The number of processes.
        """
        passed = jnp.stack([jnp.ones_like(events.weight), *events.cutflow.values()])

        def total(per_event: jax.Array) -> jax.Array:
            return jax.vmap(lambda row: jax.ops.segment_sum(row, groups, num_groups))(per_event)

        w = events.weight
        return cls(total(passed * w), total(passed * w**2), total(passed), ("all events", *events.cutflow))
