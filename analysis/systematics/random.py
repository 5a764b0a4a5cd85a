"""Random numbers that belong to an event: the same in any order, any block, any process and any number of passes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.extend.random import threefry_2x32

from hepgrad import ragged as rg


def normal_by_event(event: jax.Array, rows: rg.RaggedArray, *, seed: int, stream: int = 0) -> rg.RaggedArray:
    """Return one standard normal number for each object, fixed by its event's number and its place in the row.

    The bits are those of the counter-based generator Threefry-2x32 (Salmon et al., SC'11, doi:10.1145/2063384.2063405,
    JAX's own), with the event number and the object's index as counter.

    Parameters
    ----------
    event
        Integers, shape (events,): the event numbers, different within a process. Of larger ones the low 32 bits count.
    rows
        The objects; only their rows are looked at.
    seed
        Of the whole analysis.
    stream
        Tells several uses for the same objects apart.

    Returns
    -------
    RaggedArray
        float32, with the rows of ``rows``.

    Raises
    ------
    TypeError
        When the event numbers are not integers.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis.systematics import normal_by_event
    >>> pt = rg.from_lists([[50.0, 30.0], [40.0]])
    >>> there = normal_by_event(jnp.array([7, 8]), pt, seed=1)
    >>> back = normal_by_event(jnp.array([8, 7]), pt[::-1], seed=1)
    >>> there.to_list() == back.to_list()[::-1]
    True
    """
    if not jnp.issubdtype(event.dtype, jnp.integer):
        raise TypeError(f"event numbers must be integers, got {event.dtype}")
    index = rg.local_index(rows)
    number = rg.broadcast_arrays(event.astype(jnp.uint32), index)[0]
    counter = jnp.concatenate([number.content, index.content.astype(jnp.uint32)])
    bits, _ = jnp.split(threefry_2x32(jnp.array([seed, stream], jnp.uint32), counter), 2)
    # 23 random bits and a half: never 0 and never 1
    uniform = (bits >> 9).astype(jnp.float32) * 2**-23 + 2**-24
    return rows.with_content(jax.scipy.special.ndtri(uniform))
