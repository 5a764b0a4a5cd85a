"""Four-momenta per event from a collection: of all selected objects together, and of the leading one."""

from __future__ import annotations

from typing import Any

from hepgrad import ragged as rg

from ..kinematics.momenta import Momentum
from ..selection.objects import Objects

NAMES = ("px", "py", "pz", "energy")


def total_momentum(objects: Objects) -> Momentum:
    """Return the expected four-momentum of all selected objects together, ``sum(p_i * P_i)``, per event.

    Linear in the passes, hence the exact expectation. A quantity derived from it, such as its mass or pT, is that of
    the mean momentum: exact in the hard reading, an approximation in the soft one.

    Parameters
    ----------
    objects
        A collection with the fields ``pt``, ``eta``, ``phi`` and ``mass``, or Cartesian ones.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Objects
    >>> from hepgrad.analysis.reconstruction import total_momentum
    >>> jet = {"eta": 0.0, "phi": 0.0, "mass": 0.0}
    >>> jets = Objects.of(rg.from_lists([[{"pt": 50.0, **jet}, {"pt": 30.0, **jet}, {"pt": 10.0, **jet}], []]))
    >>> total_momentum(jets.select(jets.pt > 20.0)).pt
    Array([80.,  0.], dtype=float32)
    """
    sums: list[Any] = [rg.sum(objects.probability * part, axis=1) for part in Momentum.of(objects).components]
    return Momentum(*sums)


def leading_momentum(objects: Objects, *, fill_value: float | None = None) -> Momentum:
    """Return the expected four-momentum of the leading selected object, per event.

    Parameters
    ----------
    objects
        A collection with the fields ``pt``, ``eta``, ``phi`` and ``mass``, or Cartesian ones.
    fill_value
        As for `Objects.leading`: 0.0 lets an object that may be missing contribute with its probability.
    """
    components: dict[str, Any] = dict(zip(NAMES, Momentum.of(objects).components, strict=True))
    cartesian = objects.with_field(**components)
    parts: list[Any] = [cartesian.leading(name, fill_value=fill_value) for name in NAMES]
    return Momentum(*parts)
