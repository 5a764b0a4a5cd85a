"""Channels and samples: what a model is built from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax

from .modifiers import Modifier

_static = {"static": True}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class FitSample:
    """The expected events of one process in one channel, and what may change them.

    Attributes
    ----------
    name
        Of the process.
    yields
        Expected events in each bin, shape (bins,); NumPy or JAX, traced values included. A sample may be negative in a
        bin, as simulation with negative weights is; data are impossible where the sum of all samples is.
    modifiers
        Any number of each kind.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitSample, NormFactor
    >>> FitSample("signal", [5.0, 10.0], [NormFactor("mu")]).name
    'signal'
    """

    name: str = dataclasses.field(metadata=_static)
    yields: Any
    modifiers: Sequence[Modifier] = ()


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class FitChannel:
    """The bins of one histogram that is fitted, as the sum of its samples.

    Attributes
    ----------
    name
        Of the region.
    samples
        At least one; all with the same bins.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample
    >>> FitChannel("4j2b", [FitSample("ttbar", [20.0, 30.0])]).name
    '4j2b'
    """

    name: str = dataclasses.field(metadata=_static)
    samples: Sequence[FitSample]
