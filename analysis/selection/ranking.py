"""Which object of an event leads, where a collection is not stored by falling pT.

Collections keep the order of their file, since columns such as ``Jet_genJetIdx`` point into it. Where that is not the
order of falling pT a column goes along that says which object comes first, and those quantities follow it that ask for
the leading object. Where the two orders agree, as in most files, there is no such column and nothing to follow.
"""

from __future__ import annotations

from typing import Any

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

PT = "pt"
# no branch of a file can have this name
RANKING = "objects by falling pt"


def by_falling(values: np.ndarray, offsets: np.ndarray) -> np.ndarray | None:
    """Return which object of each event has the highest value, which one the second highest, and so on.

    Of equal values (shape (objects,), such as the pT) the one stored first comes first, and NaN comes last.
    ``offsets``, shape (events + 1,), tell where the objects of each event begin. The result is int32, shape (objects,):
    positions in the event; None when the objects are stored in that order.

    Examples
    --------
    >>> import numpy as np
    >>> from hepgrad.analysis.selection.ranking import by_falling
    >>> by_falling(np.array([30.0, 90.0, 40.0, 50.0]), np.array([0, 3, 4]))
    array([1, 2, 0, 0], dtype=int32)
    >>> by_falling(np.array([90.0, 40.0, 50.0]), np.array([0, 2, 3])) is None
    True
    """
    starts = offsets[:-1] - offsets[0]
    rising = np.append(False, values[1:] > values[:-1])
    rising[starts[starts < len(values)]] = False
    if not rising.any():
        return None
    counts = np.diff(offsets)
    events = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((-values.astype(np.float64), events))
    return (order - np.repeat(starts, counts)).astype(np.int32)


def with_ranking(events: ak.Array) -> ak.Array:
    """Return events in which every collection that has a pt and is not stored by it says which object leads."""
    for name in events.fields:
        if (order := ranking_of(events[name])) is not None:
            events = ranked(events, name, order)
    return events


def ranking_of(collection: ak.Array) -> np.ndarray | None:
    """Return which object of each event leads, as `by_falling` does; None also for what is no collection with a pt."""
    if collection.ndim < 2 or PT not in collection.fields or collection[PT].ndim != 2:
        return None
    offsets = np.append(0, np.cumsum(ak.to_numpy(ak.num(collection[PT]))))
    return by_falling(ak.to_numpy(ak.flatten(collection[PT])), offsets)


def ranked(events: ak.Array, name: str, order: np.ndarray | None) -> ak.Array:
    """Return events in which one collection says which object leads.

    The order is as from `by_falling`: None where objects are stored in it.
    """
    collection = events[name]
    counts = ak.num(collection[PT])
    rows = ak.local_index(collection[PT]) if order is None else ak.unflatten(ak.Array(order), counts)
    return ak.with_field(events, ak.with_field(collection, ak.values_astype(rows, np.int32), RANKING), name)


def in_order(array: rg.RaggedArray, order: rg.RaggedArray) -> rg.RaggedArray:
    """Return the objects of each event in another order.

    The order has the same rows: the position of the object that comes first, of the second, and so on.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis.selection.ranking import in_order
    >>> pt = rg.from_lists([[30.0, 90.0, 40.0], [50.0]])
    >>> rg.to_list(in_order(pt, rg.from_lists([[1, 2, 0], [0]])))
    [[90.0, 40.0, 30.0], [50.0]]
    """
    positions: Any = order.content
    # known to be inside their rows: unlike an index that may be anything they need no check while the program runs
    places = array.offsets.at[array.row_ids].get(mode="clip", indices_are_sorted=True) + positions
    taken = jax.tree.map(lambda leaf: jnp.asarray(leaf).at[places].get(mode="clip"), array.content)
    return array.with_content(taken)
