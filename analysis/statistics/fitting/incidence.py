"""The order of the parameters in Newton's equations: those that meet others first, those of single bins last."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from ..histfactory.layout import ModelLayout
from ..histfactory.structure import slots


@dataclasses.dataclass(frozen=True, eq=False)
class Arrangement:
    """Which parameters of a model are local, and where all of them lie; arrays of int32.

    Attributes
    ----------
    scalars
        Parameters that act on whole samples, shape (scalars,).
    binned
        Parameters of single bins, shape (binned,).
    local
        Those of `binned` that share no bin with each other, as many as were found, shape (local,).
    rest
        All others: `scalars`, then what is left of `binned`.
    order
        Where each parameter is in ``rest`` and ``local``, one after the other, shape (parameters,).
    visits
        Places in `Slots.parameter`, as one axis, that hold each of `binned`, shape (places, binned); its size stands
        for none.
    """

    scalars: np.ndarray
    binned: np.ndarray
    local: np.ndarray
    rest: np.ndarray
    order: np.ndarray
    visits: np.ndarray


@functools.lru_cache(maxsize=64)
def arrangement(layout: ModelLayout) -> Arrangement:
    """Return the arrangement of the parameters of the models with this layout.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.fitting.incidence import arrangement
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, StatError
    >>> sample = FitSample("signal", [4.0, 3.0], [NormFactor("mu"), StatError("mc", sumw2=[1.0, 1.0])])
    >>> print(arrangement(Model([FitChannel("SR", [sample])]).layout).local)
    [1 2]
    """
    scalar = np.concatenate([np.full(each.size, each.is_scalar) for each in layout.parameter_sets])
    binned = np.flatnonzero(~scalar)
    holder = slots(layout).parameter.ravel()
    places = np.argsort(holder, kind="stable")[: np.count_nonzero(holder < layout.size)]
    number = np.bincount(holder[places], minlength=layout.size)
    start = np.cumsum(number) - number
    visits = np.full((int(number.max(initial=0)), layout.size), holder.size)
    visits[np.arange(places.size) - start[holder[places]], holder[places]] = places

    local, taken = np.zeros(layout.size, bool), np.zeros(layout.bins + 1, bool)
    bins = np.where(visits < holder.size, visits % layout.bins, layout.bins)
    for parameter in binned[np.argsort(number[binned], kind="stable")]:
        mine = bins[:, parameter]
        if not taken[mine[mine < layout.bins]].any():
            local[parameter] = True
            taken[mine] = True
    rest = np.concatenate([np.flatnonzero(scalar), np.flatnonzero(~scalar & ~local)])
    order = np.argsort(np.concatenate([rest, np.flatnonzero(local)]))
    parts = np.flatnonzero(scalar), binned, np.flatnonzero(local), rest, order, visits[:, binned]
    return Arrangement(*(part.astype(np.int32) for part in parts))
