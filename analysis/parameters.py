"""Optimisable parameters: a value, bounds, the width of its soft cut, and the unit it is quoted in."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from .cut import Cuts, Reading, Threshold


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One optimisable number.

    Attributes
    ----------
    value
        Where the optimisation starts, in ``unit``.
    bounds
        (lowest, highest) allowed value; they hold at every step.
    width
        Scale of the soft cut, in ``unit``: at ``threshold + width`` an object passes with probability 0.73. By default
        a twentieth of the range.
    unit
        For tables and plots, for instance ``"GeV"``.
    scale
        Natural unit of a step: the optimiser sees ``value / scale``, so that one learning rate fits all parameters.
        By default a tenth of the range.
    frozen
        A frozen parameter keeps its value.
    label
        How plots name it (may hold TeX between dollar signs); the parameter's own name by default.

    Raises
    ------
    ValueError
        When the bounds are not increasing, the value lies outside them, or a scale is not positive. `Parameters` adds
        the name of the parameter.

    Examples
    --------
    >>> from hepgrad.analysis import Parameter
    >>> Parameter(30.0, bounds=(20, 60), width=5.0, unit="GeV").scale
    4.0
    """

    value: float
    _: dataclasses.KW_ONLY
    bounds: tuple[float, float]
    width: float = math.nan
    unit: str = ""
    scale: float = math.nan
    frozen: bool = False
    label: str = ""

    def __post_init__(self) -> None:
        low, high = self.bounds
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"bounds must be finite and increasing, got {self.bounds}")
        if not low <= self.value <= high:
            raise ValueError(f"the start {self.value} lies outside the bounds [{low}, {high}] {self.unit}".rstrip())
        for name, share in (("width", 20), ("scale", 10)):
            if math.isnan(getattr(self, name)):
                object.__setattr__(self, name, (high - low) / share)
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


@jax.tree_util.register_pytree_with_keys_class
class Parameters(Mapping[str, jax.Array]):
    """Named parameters with their present values; a pytree whose leaves are the values of the free ones.

    Parameters
    ----------
    **parameters
        The parameters by name.

    Raises
    ------
    ValueError
        From `Parameter`, with the name of the parameter in front.

    Examples
    --------
    >>> from hepgrad.analysis import Parameter, Parameters
    >>> cuts = Parameters(met=Parameter(50.0, bounds=(20, 150), unit="GeV"), btag=Parameter(0.5, bounds=(0.1, 0.9)))
    >>> cuts.replace(met=60.0)
    Parameters(met=60 GeV, btag=0.5)
    """

    def __init__(self, **parameters: Parameter) -> None:
        self.specs = parameters
        self._values: dict[str, Any] = {k: p.value for k, p in parameters.items()}

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], tuple[tuple[str, Parameter], ...]]:
        """Return the children and the static part, as JAX asks for."""
        # the values of frozen parameters belong to the static part, through their specification
        return [(jax.tree_util.DictKey(k), _array(self._values[k])) for k in self.free], tuple(self.specs.items())

    @classmethod
    def tree_unflatten(cls, specs: tuple[tuple[str, Parameter], ...], values: Any) -> Parameters:
        """Return what `tree_flatten_with_keys` took apart; checks nothing, since JAX also puts in other leaves."""
        new = object.__new__(cls)
        new.specs = dict(specs)
        free = iter(values)
        new._values = {k: p.value if p.frozen else next(free) for k, p in specs}
        return new

    @property
    def free(self) -> list[str]:
        """The names of the parameters that the optimiser moves."""
        return [k for k, p in self.specs.items() if not p.frozen]

    def __getitem__(self, name: str) -> jax.Array:
        if name not in self.specs:
            raise KeyError(f"no parameter {name!r}; the parameters are {list(self.specs)}")
        return _array(self._values[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.specs)

    def __len__(self) -> int:
        return len(self.specs)

    def replace(self, **values: Any) -> Parameters:
        """Return parameters with other values.

        Parameters
        ----------
        **values
            New values by name, in the parameter's unit. Known values are checked against the bounds.

        Raises
        ------
        KeyError
            For a name that is not a parameter.
        ValueError
            For a value outside the bounds.
        """
        specs, new = dict(self.specs), dict(self._values)
        for name, value in values.items():
            self[name]
            if not isinstance(value, jax.core.Tracer):
                try:
                    checked = dataclasses.replace(specs[name], value=float(value))
                except ValueError as error:
                    raise ValueError(f"parameter {name!r}: {error}") from None
                if checked.frozen:
                    specs[name] = checked
                value = checked.value
            new[name] = value
        result = object.__new__(Parameters)
        result.specs, result._values = specs, new
        return result

    def cuts(self, reading: Reading) -> Cuts:
        """Return the parameters as a stage sees them: thresholds that turn comparisons into pass probabilities.

        Parameters
        ----------
        reading
            `Soft`, `Hard` or `StraightThrough`.
        """
        return Cuts({k: Threshold(value, self.specs[k].width, reading) for k, value in self.items()})

    def scaled(self) -> dict[str, jax.Array]:
        """Return the free values in units of their scale, which is what the optimiser moves."""
        return {k: self[k] / self.specs[k].scale for k in self.free}

    def from_scaled(self, scaled: Mapping[str, jax.Array]) -> Parameters:
        """Return parameters from values in units of their scale; the inverse of `scaled`.

        Parameters
        ----------
        scaled
            Values by name, of all free parameters.
        """
        leaves = [scaled[k] * self.specs[k].scale for k in self.free]
        return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(self), leaves)

    def scaled_bounds(self) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
        """Return the lower and the upper bounds of the free parameters in units of their scale."""
        low, high = ({k: jnp.asarray(self.specs[k].bounds[i] / self.specs[k].scale) for k in self.free} for i in (0, 1))
        return low, high

    def to_dict(self) -> dict[str, float]:
        """Return the values as Python floats; not inside ``jit``."""
        return {k: float(v) for k, v in self._values.items()}

    def __repr__(self) -> str:
        def show(name: str) -> str:
            value = self._values[name]
            unit = f" {self.specs[name].unit}" if self.specs[name].unit else ""
            known = not isinstance(value, jax.core.Tracer) and jnp.ndim(value) == 0
            return f"{name}={float(value):g}{unit}" if known else f"{name}={value}"

        return f"Parameters({', '.join(map(show, self.specs))})"


def _array(value: Any) -> Any:
    # numbers become arrays only when they are used: the precision is that of the caller, not that at import
    return jnp.asarray(value, float) if isinstance(value, int | float) else value
