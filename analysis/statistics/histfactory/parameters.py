"""The parameters that the modifiers ask for, in pyhf's order, with start, bounds and constraint."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

Floats = tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class ParameterConfig:
    """What to change about a parameter: pyhf's ``parameters`` of a measurement.

    Every setting is optional; a number stands for a sequence of one.

    Attributes
    ----------
    name
        Of the parameter, that is, of its modifiers.
    inits
        Where fits start.
    bounds
        (lowest, highest), or a sequence of such pairs.
    auxdata
        Value that the auxiliary measurement has observed.
    sigmas
        Width of the Gaussian constraint of a ``lumi`` (required) or a ``staterror`` (default: from the samples).
    factors
        Events of the auxiliary Poisson measurement of a ``shapesys`` (default: from the sample).
    fixed
        Whether fits hold the parameter at its start.

    Raises
    ------
    ValueError
        When a number is not finite, bounds do not increase, or a width or factor is not positive.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import ParameterConfig
    >>> ParameterConfig("lumi", auxdata=1.0, sigmas=0.02)
    ParameterConfig(name='lumi', inits=None, bounds=None, auxdata=(1.0,), sigmas=(0.02,), factors=None, fixed=None)
    """

    name: str
    _: dataclasses.KW_ONLY
    inits: float | Sequence[float] | None = None
    bounds: tuple[float, float] | Sequence[tuple[float, float]] | None = None
    auxdata: float | Sequence[float] | None = None
    sigmas: float | Sequence[float] | None = None
    factors: float | Sequence[float] | None = None
    fixed: bool | None = None

    def __post_init__(self) -> None:
        for field in ("inits", "auxdata", "sigmas", "factors"):
            value = getattr(self, field)
            if value is None:
                continue
            numbers = tuple(float(x) for x in np.atleast_1d(value))
            if not all(math.isfinite(x) and (x > 0 or field in ("inits", "auxdata")) for x in numbers):
                kind = "finite" if field in ("inits", "auxdata") else "finite and positive"
                raise ValueError(f"{field} of the parameter {self.name!r} must be {kind}, got {list(numbers)}")
            object.__setattr__(self, field, numbers)
        if self.bounds is not None:
            pairs = tuple((float(low), float(high)) for low, high in np.atleast_2d(self.bounds))
            if not all(low <= high for low, high in pairs):
                raise ValueError(f"bounds of the parameter {self.name!r} must increase, got {list(pairs)}")
            object.__setattr__(self, "bounds", pairs)


@dataclasses.dataclass(frozen=True)
class ParameterSet:
    """One named parameter, or the vector of one for each bin.

    Attributes
    ----------
    name
        Of the modifiers that it belongs to.
    type
        Modifier type; ``"normsys"`` stands for ``"histosys"`` too.
    size
        Number of components.
    initial
        Start of each component.
    bounds
        (lowest, highest) of each component.
    auxdata
        Observed auxiliary values; None when free, or when they follow from the yields (``shapesys``).
    sigmas
        Widths of the Gaussian constraint; None when there is none, or when they follow from the yields (``staterror``).
    factors
        Factors of the Poisson constraint; None when there is none, or when they follow from the yields.
    fixed
        Whether fits hold it; None when that follows from the yields (components without uncertainty are fixed).
    """

    name: str
    type: str
    size: int
    initial: Floats
    bounds: tuple[tuple[float, float], ...]
    auxdata: Floats | None
    sigmas: Floats | None
    factors: Floats | None
    fixed: bool | None

    @property
    def is_scalar(self) -> bool:
        """Whether the parameter is one number, not one for each bin."""
        return self.type not in ("shapefactor", "shapesys", "staterror")

    @property
    def constraint(self) -> str:
        """The distribution of its auxiliary measurement: ``"none"``, ``"normal"`` or ``"poisson"``."""
        if self.type == "shapesys":
            return "poisson"
        return "none" if self.type in ("normfactor", "shapefactor") else "normal"

    @property
    def component_names(self) -> tuple[str, ...]:
        """Names of the components, as in pyhf: ``name`` of a scalar, ``name[0]``, ``name[1]``, ... of a vector."""
        return (self.name,) if self.is_scalar else tuple(f"{self.name}[{i}]" for i in range(self.size))


# start, bounds, and auxiliary value and width where they do not depend on the yields or the configuration
_Default = tuple[float, tuple[float, float], float | None, float | None]
_DEFAULTS: dict[str, _Default] = {
    "normfactor": (1.0, (0.0, 10.0), None, None),
    "normsys": (0.0, (-5.0, 5.0), 0.0, 1.0),
    "shapefactor": (1.0, (0.0, 10.0), None, None),
    "shapesys": (1.0, (1e-10, 10.0), None, None),
    "staterror": (1.0, (1e-10, 10.0), 1.0, None),
}
_CONFIGURABLE = {
    "normfactor": ("inits", "bounds"),
    "normsys": ("inits", "bounds", "auxdata"),
    "lumi": ("inits", "bounds", "auxdata", "sigmas"),
    "shapefactor": ("inits", "bounds"),
    "shapesys": ("inits", "bounds", "auxdata", "factors"),
    "staterror": ("inits", "bounds", "auxdata", "sigmas"),
}


def parameter_set(name: str, modifier_type: str, size: int, config: ParameterConfig | None) -> ParameterSet:
    """Return the parameter of a modifier, with the user's settings over the defaults of its type.

    Raises `ValueError` when a setting does not apply to this type, has another number of components, the start lies
    outside the bounds, or a ``lumi`` lacks `auxdata` or `sigmas`.
    """
    modifier_type = "normsys" if modifier_type == "histosys" else modifier_type
    config = config or ParameterConfig(name)
    settings = {
        field: value
        for field in ("inits", "bounds", "auxdata", "sigmas", "factors")
        if (value := getattr(config, field)) is not None
    }
    for field, value in settings.items():
        if field not in _CONFIGURABLE[modifier_type]:
            raise ValueError(
                f"the {modifier_type} parameter {name!r} has no {field}; leave them out of its configuration"
            )
        if len(value) != size:
            raise ValueError(
                f"the parameter {name!r} has {size} components, its configuration gives {len(value)} {field}"
            )
    default: _Default
    if modifier_type == "lumi":
        if missing := [field for field in ("auxdata", "sigmas") if field not in settings]:
            raise ValueError(
                f"the lumi parameter {name!r} needs {' and '.join(missing)}: add "
                f"ParameterConfig({name!r}, auxdata=<measured luminosity>, sigmas=<its absolute uncertainty>)"
            )
        (measured,) = settings["auxdata"]
        default = measured, (0.0, 10 * measured), None, None
    else:
        default = _DEFAULTS[modifier_type]
    initial, bounds, auxdata, sigma = default
    result = ParameterSet(
        name=name,
        type=modifier_type,
        size=size,
        initial=settings.get("inits", (initial,) * size),
        bounds=settings.get("bounds", (bounds,) * size),
        auxdata=settings.get("auxdata", None if auxdata is None else (auxdata,) * size),
        sigmas=settings.get("sigmas", None if sigma is None else (sigma,) * size),
        factors=settings.get("factors"),
        fixed=config.fixed if config.fixed is not None or modifier_type in ("shapesys", "staterror") else False,
    )
    for component, start, (low, high) in zip(result.component_names, result.initial, result.bounds, strict=True):
        if not low <= start <= high:
            raise ValueError(
                f"the start {start} of the parameter {component!r} lies outside its bounds [{low}, {high}]"
            )
    return result
