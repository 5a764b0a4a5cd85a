"""The three-jet system of a hadronic top decay."""

from __future__ import annotations

import functools
import operator
from typing import Any

from hepgrad import ragged as rg

from ..selection.cut import Pass, as_probability
from ..selection.objects import Objects
from .object_systems import MEMBERS, systems


def trijets(
    jets: Objects,
    btagged: Pass | rg.RaggedArray,
    *,
    max_objects: int | None = None,
    capacity: int | None = None,
) -> Objects:
    """Return all three-jet systems with a b-tagged jet, the one of the highest pT first.

    The leading one is the top-quark candidate of the Analysis Grand Challenge: its mass peaks at the top mass. A system
    passes with ``p_1 p_2 p_3 (1 - (1 - q_1) (1 - q_2) (1 - q_3))``, where ``q`` is the probability to be b-tagged, and
    leads with that times ``prod(1 - p')`` over the systems of higher pT. This takes systems that share jets for
    independent: exact in the hard reading, an approximation in the soft one (the mean mass is a few per cent too large
    for cuts some 5 GeV wide).

    Parameters
    ----------
    jets
        A collection with the fields ``pt``, ``eta``, ``phi`` and ``mass``.
    btagged
        A `Pass` per jet, or ragged booleans.
    max_objects, capacity
        Bounds on the memory inside ``jit``, as for `systems`: a block needs room for the sum of ``n (n - 1) (n - 2) /
        6`` over its events.

    Returns
    -------
    Objects
        With ``first``, ``second``, ``third`` (the jets, with the b-tag probability as their field ``btagged``), ``pt``,
        ``eta``, ``phi`` and ``mass`` of the system.

    Raises
    ------
    CapacityError
        When the systems do not fit.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Objects
    >>> from hepgrad.analysis.reconstruction import trijets
    >>> event = [
    ...     {"pt": 90.0, "eta": 0.0, "phi": 0.0, "mass": 10.0, "btag": 0.1},
    ...     {"pt": 60.0, "eta": 0.5, "phi": 1.5, "mass": 8.0, "btag": 0.9},
    ...     {"pt": 40.0, "eta": -1.0, "phi": 0.5, "mass": 5.0, "btag": 0.2},
    ...     {"pt": 30.0, "eta": 1.0, "phi": 3.0, "mass": 5.0, "btag": 0.3},
    ... ]
    >>> jets = Objects.of(rg.from_lists([event, event[:2]]))
    >>> tops = trijets(jets, jets.btag > 0.5)
    >>> tops.leading("mass", fill_value=0.0), tops.leading("pt", fill_value=0.0)
    (Array([159.51216,   0.     ], dtype=float32), Array([151.57838,   0.     ], dtype=float32))
    """
    tagged = jets.with_field(btagged=as_probability(btagged, jets.probability))
    trios = systems(tagged, 3, max_objects=max_objects, capacity=capacity)
    untagged: Any = functools.reduce(operator.mul, (1 - trios[name].btagged for name in MEMBERS[:3]))
    return trios.select(~Pass(untagged)).ordered_by("pt")
