"""Shifts of measured momenta: energy scale and resolution of a collection, propagated to the missing momentum."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from ..kinematics import safe_sqrt
from ..selection.events import Events
from ..selection.objects import Objects
from .missing_momentum import Missing, propagated
from .random import normal_by_event

# a number, or a function of the objects
PerObject: TypeAlias = "float | Callable[[Objects], rg.RaggedArray]"


@dataclasses.dataclass(frozen=True)
class EnergyScale:
    """Scale the momenta of a collection by ``1 + alpha * uncertainty``.

    Attributes
    ----------
    collection
        Its name, for instance ``"Jet"``; the fields ``pt`` and, where there is one, ``mass`` are scaled.
    uncertainty
        Relative: a number (0.02 is 2 %) or a function of the objects, such as ``lambda jets: 0.01 + 0.5 / jets.pt``.
    met
        Name of the missing momentum, a record with ``pt`` and ``phi``, which takes up the difference of all objects;
        `TypeOne` for jets as in the type-1 correction; None leaves it.

    Examples
    --------
    >>> from hepgrad.analysis.systematics import EnergyScale, KinematicVariation
    >>> KinematicVariation("jes", EnergyScale("Jet", 0.02)).name
    'jes'
    """

    collection: str
    uncertainty: PerObject
    met: Missing = "MET"

    def __call__(self, events: Events, alpha: jax.Array | float) -> Events:
        """Return the events with shifted objects.

        Parameters
        ----------
        events
            Before any selection.
        alpha
            The shift in standard deviations.
        """
        if _is_zero(alpha):
            return events
        objects = getattr(events, self.collection)
        return scaled(events, self.collection, 1 + alpha * _per_object(self.uncertainty, objects), met=self.met)


@dataclasses.dataclass(frozen=True)
class EnergyResolution:
    """Smear the momenta of a collection as if its resolution in data were worse than in simulation.

    With the scale factor ``s = scale_factor + alpha * uncertainty`` of the resolution each momentum is multiplied by
    ``1 + r * resolution * sqrt(max(s**2 - 1, 0))``, with ``r`` standard normal (the stochastic smearing of CMS,
    arXiv:1607.03663), but not below a hundredth. ``r`` is fixed by seed, event number and the object's place in its
    row: it does not depend on the order of events and is the same at every step of an optimisation.

    Attributes
    ----------
    collection
        Its name, for instance ``"Jet"``; the fields ``pt`` and, where there is one, ``mass`` are scaled.
    resolution
        Relative, in simulation: a number or a function of the objects.
    scale_factor, uncertainty
        The scale factor of the resolution, at least 1, and its uncertainty.
    met
        As for `EnergyScale`.
    event
        Name of the column with the event number, which the source has to read.
    seed
        Of the random numbers.
    """

    collection: str
    resolution: PerObject
    scale_factor: float = 1.0
    uncertainty: float = 0.1
    met: Missing = "MET"
    event: str = "event"
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.scale_factor >= 1 and self.uncertainty > 0):
            raise ValueError(
                "the resolution's scale factor must be at least 1 and its uncertainty positive, got "
                f"{self.scale_factor} and {self.uncertainty}"
            )

    def __call__(self, events: Events, alpha: jax.Array | float) -> Events:
        """Return the events with smeared objects; the arguments are those of `EnergyScale`."""
        if _is_zero(alpha) and self.scale_factor == 1:
            return events
        objects = getattr(events, self.collection)
        random = normal_by_event(getattr(events, self.event), objects.array, seed=self.seed)
        worse = safe_sqrt(jnp.square(self.scale_factor + alpha * self.uncertainty) - 1)
        factor = 1 + random * _per_object(self.resolution, objects) * worse
        return scaled(events, self.collection, np.maximum(factor, 0.01), met=self.met)


def scaled(events: Events, collection: str, factor: Any, *, met: Missing) -> Events:
    """Return the events with the momenta of a collection multiplied, and the missing momentum adapted.

    Parameters
    ----------
    events
        Before any selection.
    collection
        Name of the collection.
    factor
        One for each object, or one for all.
    met
        Which missing momentum takes up the change, and how, or None.
    """
    objects: Objects = getattr(events, collection)
    momenta = {name: getattr(objects, name) * factor for name in ("pt", "mass") if name in objects.fields}
    changed = {collection: objects.with_field(**momenta)}
    if met is not None:
        changed |= propagated(events, met, objects, momenta["pt"])
    return events.with_field(**changed)


def _is_zero(alpha: jax.Array | float) -> bool:
    """Tell whether nothing is shifted at all: then the events stay as they are, to the last bit."""
    return isinstance(alpha, float) and alpha == 0


def _per_object(quantity: PerObject, objects: Objects) -> Any:
    return quantity(objects) if callable(quantity) else quantity
