"""Cutflow: how many events of each process survive each step, and how many only that step removes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from .events import Events


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Tally:
    """Counted events.

    Attributes
    ----------
    yields
        Weighted, shape (steps, processes).
    variance
        Sum of squared weights, shape (steps, processes).
    raw
        Numbers of simulated events, shape (steps, processes).
    """

    yields: jax.Array
    variance: jax.Array
    raw: jax.Array

    @classmethod
    def of(cls, passed: Sequence[jax.Array], weight: jax.Array, groups: jax.Array, num_groups: int) -> Tally:
        """Count the events of one block.

        Parameters
        ----------
        passed
            For each step, the probability of each event, shape (events,).
        weight
            Shape (events,).
        groups
            int32, shape (events,): the process of each event; ``num_groups`` and above is left out.
        num_groups
            The number of processes.
        """
        stacked = jnp.stack(list(passed))

        def total(per_event: jax.Array) -> jax.Array:
            return jax.vmap(lambda row: jax.ops.segment_sum(row, groups, num_groups))(per_event)

        return cls(total(stacked * weight), total(stacked * weight**2), total(stacked))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Cutflow(Tally):
    """Events that pass each named selection step and those before it.

    Attributes
    ----------
    n_minus_1
        Events that pass all selections but this one, named or not, in the order of the steps: what they lack to
        `yields` is what this step alone removes. For the first step, events that pass everything.
    steps
        Titles, beginning with "all events" (static).
    """

    n_minus_1: Tally
    steps: tuple[str, ...] = dataclasses.field(metadata={"static": True})

    @classmethod
    def of_events(cls, events: Events, groups: jax.Array, num_groups: int) -> Cutflow:
        """Count the events of one block.

        Parameters
        ----------
        events
            Selected events, with the steps they recorded.
        groups, num_groups
            As for `Tally.of`.
        """
        weight = events.weight.content
        everything = jnp.ones_like(weight)
        steps = [passed.content for passed in events.cutflow.values()]
        after = Tally.of([everything, *steps], weight, groups, num_groups)
        passes = {name: passed.content for name, passed in events.passes.items()}
        others = [_product(everything, passes, without=name) for name in events.cutflow]
        n_minus_1 = Tally.of([events.probability.content, *others], weight, groups, num_groups)
        return cls(after.yields, after.variance, after.raw, n_minus_1, ("all events", *events.cutflow))


def _product(product: jax.Array, passes: Mapping[str, jax.Array], *, without: str) -> jax.Array:
    for name, passed in passes.items():
        product = product if name == without else product * passed
    return product
