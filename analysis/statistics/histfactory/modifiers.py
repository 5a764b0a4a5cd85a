"""What can change the yields of a sample: the modifiers of the HistFactory specification, with its names.

Modifiers of the same name share their parameters, in all samples and channels.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import jax

_static = {"static": True}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class NormFactor:
    """A free scale factor, for instance a signal strength.

    Attributes
    ----------
    name
        Of the parameter; start 1, bounds (0, 10).

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import NormFactor
    >>> NormFactor("mu").type
    'normfactor'
    """

    type: ClassVar[str] = "normfactor"
    name: str = dataclasses.field(metadata=_static)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ShapeFactor:
    """A free scale factor for every bin, for instance of a background that data determine.

    Attributes
    ----------
    name
        Of the vector of parameters, one for each bin of the channel; start 1, bounds (0, 10). Channels that share the
        name share the factors, bin by bin.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import ShapeFactor
    >>> ShapeFactor("multijet_shape").name
    'multijet_shape'
    """

    type: ClassVar[str] = "shapefactor"
    name: str = dataclasses.field(metadata=_static)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Lumi:
    """The integrated luminosity, a scale factor with a Gaussian constraint.

    Its `ParameterConfig` must give `auxdata` (the measured value) and `sigmas` (its absolute uncertainty).

    Attributes
    ----------
    name
        Of the parameter; the specification knows only ``"lumi"``.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import Lumi
    >>> Lumi()
    Lumi(name='lumi')
    """

    type: ClassVar[str] = "lumi"
    name: str = dataclasses.field(default="lumi", metadata=_static)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class NormSys:
    """An uncertainty of the normalisation: a factor that depends on a parameter with unit Gaussian constraint.

    Attributes
    ----------
    name
        Of the parameter; start 0, bounds (-5, 5).
    hi, lo
        Factor at +1 and -1 standard deviations, scalars, not negative.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import NormSys
    >>> NormSys("lumi", hi=1.02, lo=0.98).hi
    1.02
    """

    type: ClassVar[str] = "normsys"
    name: str = dataclasses.field(metadata=_static)
    _: dataclasses.KW_ONLY
    hi: Any
    lo: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class HistoSys:
    """An uncertainty of the shape: interpolation between templates, with unit Gaussian constraint.

    Attributes
    ----------
    name
        Of the parameter; start 0, bounds (-5, 5). A `NormSys` of the same name shares it.
    hi, lo
        Yields at +1 and -1 standard deviations, shape (bins,).

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import HistoSys
    >>> HistoSys("jes", hi=[11.0, 5.0], lo=[9.0, 5.5]).type
    'histosys'
    """

    type: ClassVar[str] = "histosys"
    name: str = dataclasses.field(metadata=_static)
    _: dataclasses.KW_ONLY
    hi: Any
    lo: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ShapeSys:
    """An uncorrelated uncertainty in every bin of one sample: scale factors with Poisson constraints.

    Attributes
    ----------
    name
        Of the vector of parameters, one for each bin; start 1, bounds (1e-10, 10). No other modifier may share it.
    uncertainties
        Absolute, in events, shape (bins,). A bin with uncertainty or yield 0 has a fixed parameter.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import ShapeSys
    >>> ShapeSys("multijet_stat", uncertainties=[3.0, 7.0]).type
    'shapesys'
    """

    type: ClassVar[str] = "shapesys"
    name: str = dataclasses.field(metadata=_static)
    _: dataclasses.KW_ONLY
    uncertainties: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class StatError:
    """The finite simulation: one scale factor for each bin, shared by the samples that carry it (Barlow-Beeston lite).

    The width of its Gaussian constraint is the quadratic sum of the samples' uncertainties over the sum of their
    yields.

    Attributes
    ----------
    name
        Of the vector of parameters, one for each bin; start 1, bounds (1e-10, 10). Usually one name for each channel.
    sumw2
        Variance of each bin of this sample: the sum of squared weights, shape (bins,).
    uncertainties
        Or its square root, in events, shape (bins,): give one of the two. Where all samples have uncertainty 0, or
        their yields sum to 0, the parameter is fixed.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import StatError
    >>> StatError("staterror_4j1b", sumw2=[4.0, 9.0]).type
    'staterror'
    """

    type: ClassVar[str] = "staterror"
    name: str = dataclasses.field(metadata=_static)
    _: dataclasses.KW_ONLY
    sumw2: Any = None
    uncertainties: Any = None


Modifier = NormFactor | ShapeFactor | Lumi | NormSys | HistoSys | ShapeSys | StatError
