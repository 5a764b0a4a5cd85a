"""Which parameter acts where: short lists of what is there, instead of large arrays of what could be."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from .layout import ModelLayout


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """The (modifier, sample) pairs of one type that act anywhere; arrays of shape (pairs,), ordered by modifier.

    Attributes
    ----------
    modifier, sample
        Indices of the axes of `ModelTemplates`.
    parameter
        Index of the parameter.
    acts
        In which channels, shape (pairs, channels), bool.
    """

    modifier: np.ndarray
    sample: np.ndarray
    parameter: np.ndarray
    acts: np.ndarray

    @property
    def size(self) -> int:
        """Number of pairs."""
        return int(self.modifier.size)


@functools.lru_cache(maxsize=64)
def pairs(layout: ModelLayout, modifier_type: str) -> Pairs:
    """Return the pairs of the ``histosys`` or ``normsys`` modifiers.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, NormSys
    >>> from hepgrad.analysis.statistics.histfactory.structure import pairs
    >>> samples = [FitSample("a", [1.0], [NormFactor("mu")]), FitSample("b", [2.0], [NormSys("xsec", hi=1.1, lo=0.9)])]
    >>> print(pairs(Model([FitChannel("SR", samples)]).layout, "normsys").sample)
    [1]
    """
    acts = layout.acts_on(modifier_type)
    modifier, sample = np.nonzero(acts.any(axis=2))
    index = layout.parameters_of(modifier_type)
    return Pairs(modifier.astype(np.int32), sample.astype(np.int32), index[modifier], acts[modifier, sample])


@dataclasses.dataclass(frozen=True, eq=False)
class Slots:
    """The parameters of single bins, bin by bin.

    Attributes
    ----------
    parameter
        The different parameters of each bin, shape (slots, bins); ``layout.size`` stands for none.
    member
        Whether a layer of `ModelLayout.bin_factor_index` holds the parameter of a slot, shape (slots, layers, samples,
        bins).
    """

    parameter: np.ndarray
    member: np.ndarray


@functools.lru_cache(maxsize=64)
def slots(layout: ModelLayout) -> Slots:
    """Return the parameters of single bins (``staterror``, ``shapesys``, ``shapefactor``) by bin.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, StatError
    >>> from hepgrad.analysis.statistics.histfactory.structure import slots
    >>> sample = FitSample("signal", [4.0, 3.0], [NormFactor("mu"), StatError("mc", sumw2=[1.0, 1.0])])
    >>> print(slots(Model([FitChannel("SR", [sample])]).layout).parameter)
    [[1 2]]
    """
    index = layout.bin_factor_index
    ordered = np.sort(index.reshape(-1, layout.bins), axis=0)
    first = ordered < layout.size
    first[1:] &= ordered[1:] != ordered[:-1]
    rank = np.cumsum(first, axis=0) - 1
    depth = int(rank.max(initial=-1)) + 1
    parameter = np.full((depth, layout.bins), layout.size, np.int32)
    rows, bins = np.nonzero(first)
    parameter[rank[rows, bins], bins] = ordered[rows, bins]
    member = (index == parameter[:, None, None, :]) & (index < layout.size)
    return Slots(parameter, member)
