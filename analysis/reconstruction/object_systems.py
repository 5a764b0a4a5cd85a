"""Systems of several objects of an event, as a collection of their own: every pair, every trio."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Sequence

import jax.numpy as jnp

from hepgrad import ragged as rg
from hepgrad.ragged.checks.check import check
from hepgrad.ragged.tracing import concrete

from ..kinematics.masses import invariant_mass
from ..kinematics.momenta import Momentum
from ..selection.objects import Objects

MEMBERS = ("first", "second", "third", "fourth")


def systems(objects: Objects, n: int, *, max_objects: int | None = None, capacity: int | None = None) -> Objects:
    """Return every choice of ``n`` objects of an event.

    A system passes with the product of its members' probabilities. Systems that share objects are treated as
    independent by everything that counts or ranks them: exact in the hard reading, an approximation in the soft one.

    Parameters
    ----------
    objects
        A collection with the fields ``pt``, ``eta``, ``phi`` and ``mass``.
    n
        2, 3 or 4.
    max_objects, capacity
        Bounds on the memory inside ``jit``: at most so many objects in an event, at most so many systems in a block of
        events. All objects that are stored count, selected or not. By default as many as the block could possibly have
        with its number of objects and its longest event, which is far more than it has when few events are long.

    Returns
    -------
    Objects
        With the records ``first``, ``second``, ... of the members and ``pt``, ``eta``, ``phi`` and ``mass`` of the
        system, in the order of ``itertools.combinations``.

    Raises
    ------
    CapacityError
        When an event has more than ``max_objects``, or the block more than ``capacity`` systems.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Objects
    >>> from hepgrad.analysis.reconstruction import systems
    >>> muon = {"eta": 0.0, "mass": 0.0}
    >>> event = [{"pt": 45.0, "phi": 0.0, "charge": 1, **muon}, {"pt": 45.0, "phi": 3.1415927, "charge": -1, **muon}]
    >>> pairs = systems(Objects.of(rg.from_lists([event, []])), 2)
    >>> pairs = pairs.select(pairs.first.charge * pairs.second.charge < 0)
    >>> pairs.leading("mass", fill_value=0.0)
    Array([90.,  0.], dtype=float32)
    """
    if n not in range(2, len(MEMBERS) + 1):
        raise ValueError(f"systems: n must be 2, 3 or 4, not {n}")
    names = MEMBERS[:n]
    return _with_kinematics(limited(objects, max_objects).combinations(n, fields=names, capacity=capacity), names)


def joint_systems(first: Objects, second: Objects, *, capacity: int | None = None) -> Objects:
    """Return every choice of one object of each of two collections, such as an electron and a muon.

    Parameters
    ----------
    first, second
        Collections with the fields ``pt``, ``eta``, ``phi`` and ``mass``.
    capacity
        As for `systems`.

    Returns
    -------
    Objects
        As `systems` returns them.

    Raises
    ------
    CapacityError
        When the systems do not fit.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Objects
    >>> from hepgrad.analysis.reconstruction import joint_systems
    >>> electrons = Objects.of(rg.from_lists([[{"pt": 20.0, "eta": 0.0, "phi": 0.0, "mass": 0.0}]]))
    >>> muons = Objects.of(rg.from_lists([[{"pt": 5.0, "eta": 0.0, "phi": 3.1415927, "mass": 0.0}]]))
    >>> pairs = joint_systems(electrons, muons)
    >>> rg.to_list(pairs.mass)
    [[20.0]]
    """
    names = MEMBERS[:2]
    parts = [
        rg.zip({"object": objects.array, "probability": objects.probability}, depth_limit=2)
        for objects in (first.leading_first(), second.leading_first())
    ]
    pairs = rg.cartesian(dict(zip(names, parts, strict=True)), capacity=capacity)
    members = rg.zip({name: pairs[name].object for name in names}, depth_limit=2)
    return _with_kinematics(Objects(members, pairs.first.probability * pairs.second.probability), names)


def limited(objects: Objects, max_objects: int | None) -> Objects:
    """Return the collection with a promise, that is checked, of how many objects an event has.

    None is no promise. Raises `CapacityError` when an event has more; inside ``jit`` from the running program.
    """
    array = objects.array
    if max_objects is None or (array.longest is not None and array.longest <= max_objects):
        return objects
    most = jnp.max(array.row_lengths, initial=0)

    def fail(most: int) -> None:
        raise rg.CapacityError(
            f"an event has {most} objects but max_objects={max_objects}; drop objects that no cut can "
            "accept when reading, or allow more"
        )

    known = concrete(most)
    if known is not None and known > max_objects:
        fail(int(known))
    offsets = check(array.offsets, most > max_objects, (most,), fail)
    array, probability = (
        dataclasses.replace(x, offsets=offsets, max_length=max_objects) for x in (array, objects.probability)
    )
    return dataclasses.replace(objects, array=array, probability=probability)


def _with_kinematics(systems: Objects, names: Sequence[str]) -> Objects:
    members = [systems[name] for name in names]
    total = functools.reduce(operator.add, map(Momentum.of, members))
    return systems.with_field(pt=total.pt, eta=total.eta, phi=total.phi, mass=invariant_mass(*members))
