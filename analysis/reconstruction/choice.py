"""Choose among the systems of an event: the one nearest to a mass, or smoothly by a figure of merit."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from ..selection.objects import Objects


def nearest_in_mass(objects: Objects, mass: float) -> Objects:
    """Return a collection sorted by the distance from a mass: the leading one is the candidate for that particle.

    Parameters
    ----------
    objects
        A collection with the field ``mass``, such as all pairs of leptons (`systems`).
    mass
        In GeV, for instance 91.19 (Z) or 80.4 (W).

    Returns
    -------
    Objects
        With the new field ``mass_distance``. Systems that share objects count as independent: exact in the hard
        reading, an approximation in the soft one.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Objects
    >>> from hepgrad.analysis.reconstruction import nearest_in_mass
    >>> pairs = Objects.of(rg.from_lists([[{"mass": 30.0}, {"mass": 95.0}], []]))
    >>> nearest_in_mass(pairs, 91.19).leading("mass", fill_value=0.0)
    Array([95.,  0.], dtype=float32)
    """
    return objects.with_field(mass_distance=abs(objects.mass - mass)).ordered_by("mass_distance", ascending=True)


def smooth_choice(
    objects: Objects, field: str, *, by: str, temperature: float | jax.Array, fill_value: float | None = None
) -> rg.FlatArray:
    """Return the mean of a field with weights ``p_i exp(-x_i / temperature)``, per event: a smooth choice.

    With a chi-square as ``x`` and temperature 2 each assignment counts with its likelihood. A temperature of 0 is the
    limit of the object with the smallest ``x`` among those that can pass. Unlike in an order, nothing jumps where two
    objects change places, and nothing has to be sorted.

    Parameters
    ----------
    objects
        A collection, such as the assignments of `top_pairs`.
    field
        Name of the field to average.
    by
        Name of the field that is small for a good object.
    temperature
        In units of ``by``, above 0.
    fill_value
        The value in events without a selected object, entering with the probability ``prod(1 - p)``. Without it the
        mean is conditional on at least one, and 0 where there cannot be one, as for `Objects.leading`.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Objects
    >>> from hepgrad.analysis.reconstruction import smooth_choice
    >>> fits = Objects.of(rg.from_lists([[{"chi_square": 5.0, "mass": 120.0}, {"chi_square": 1.0, "mass": 170.0}], []]))
    >>> smooth_choice(fits, "mass", by="chi_square", temperature=2.0)
    Array([164.03984,   0.     ], dtype=float32)
    """
    p, x = objects.probability, objects[by]
    # relative to the best one that can pass, so that not all exponentials vanish
    best = jax.lax.stop_gradient(rg.min(rg.where(p > 0, x, jnp.inf), axis=1))
    weights = p * np.exp(rg.where(p > 0, best - x, 0) / temperature)
    weighed = dataclasses.replace(objects, probability=weights)
    total = weighed.count()
    possible = total > float(np.finfo(total.dtype).tiny) ** 0.25
    mean = rg.where(possible, weighed.sum(field) / rg.where(possible, total, 1), 0)
    if fill_value is None:
        return mean
    nothing = objects.none().probability
    return mean * (1 - nothing) + nothing * fill_value
