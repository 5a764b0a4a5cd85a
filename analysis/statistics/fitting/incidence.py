"""Which parameters act on single bins, which of them meet in a bin, and what follows for second derivatives."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np

from ..histfactory.layout import ModelLayout


@dataclasses.dataclass(frozen=True, eq=False)
class Incidence:
    """Structure of the Hessian of a model.

    Attributes
    ----------
    touches
        Whether a parameter acts on a single bin, shape (parameters, bins); no bin for scalar parameters.
    scalar
        Whether a parameter acts on whole samples, shape (parameters,).
    meet
        Whether two parameters act on a common bin, shape (parameters, parameters).
    colour
        A number for each parameter: no parameter of a bin meets two of one colour, scalar parameters have their own.
    separable
        Parameters of bins none of which meet each other, as many as were found, shape (parameters,).
    """

    touches: np.ndarray
    scalar: np.ndarray
    meet: np.ndarray
    colour: np.ndarray
    separable: np.ndarray


@functools.lru_cache(maxsize=64)
def incidence(layout: ModelLayout) -> Incidence:
    """Return the structure of the Hessian of the models with this layout.

    Parameters
    ----------
    layout : ModelLayout

    Examples
    --------
    >>> from hepgrad.analysis.statistics.fitting.incidence import incidence
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, Model, NormFactor, Sample, StatError
    >>> sample = Sample("signal", [4.0, 3.0], [NormFactor("mu"), StatError("mc", sumw2=[1.0, 1.0])])
    >>> print(incidence(Model([FitChannel("SR", [sample])]).layout).colour)
    [0 1 1]
    """
    touches = np.zeros((layout.size + 1, layout.bins), bool)  # the last row stands for no parameter
    for layer in layout.bin_factor_index:
        touches[layer, np.arange(layout.bins)] = True
    touches = touches[:-1]
    scalar = np.asarray(~touches.any(axis=1))
    meet = touches.astype(np.float32) @ touches.T.astype(np.float32) > 0
    conflict = meet.astype(np.float32) @ meet.astype(np.float32) > 0

    colour = np.where(scalar, np.cumsum(scalar) - 1, -1).astype(np.int32)
    separable = np.zeros(layout.size, bool)
    for parameter in np.flatnonzero(~scalar):
        taken = set(colour[conflict[parameter]].tolist())
        colour[parameter] = next(number for number in itertools.count(int(scalar.sum())) if number not in taken)
        separable[parameter] = not np.any(meet[parameter] & separable)
    return Incidence(touches, scalar, meet, colour, separable)
