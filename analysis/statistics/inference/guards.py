"""What every inference function checks: the precision, the parameter of interest, and that its fits converged."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp

from hepgrad.ragged.tracing import is_known

from ..fitting import FitError
from ..histfactory import Model


class PrecisionWarning(UserWarning):
    """Statistics computed in float32, where fits stop up to 1e-3 standard deviations away from the optimum."""


def warn_if_single(function: str) -> None:
    """Warn (once for each place that calls the public function) when float64 is not enabled.

    ``function`` is the name of the public function, which calls this one directly.
    """
    if jnp.result_type(float) != jnp.float64:
        warnings.warn(
            f"{function} computes in float32, which is too coarse for fits (3 to 4 digits): enable float64 by "
            "jax.config.update('jax_enable_x64', True) at the start of the program, or `with jax.enable_x64(True):`",
            PrecisionWarning,
            stacklevel=3,
        )


def poi_of(model: Model) -> str:
    """Return the name of the parameter of interest.

    Raises `ValueError` when the model has none.
    """
    if model.parameter_of_interest is None:
        raise ValueError(
            "the model has no parameter of interest: give Model(..., parameter_of_interest=<name>) one of "
            f"{[parameters.name for parameters in model.layout.parameter_sets if parameters.is_scalar]}"
        )
    return model.parameter_of_interest


def component(model: Model, name: str | None) -> int:
    """Return the index of one component of the parameters; the parameter of interest by default.

    Raises `ValueError` when there is none of this name, or no parameter of interest.
    """
    name = poi_of(model) if name is None else name
    if name not in model.parameter_names:
        raise ValueError(f"there is no component {name!r} among the parameters {list(model.parameter_names)}")
    return model.parameter_names.index(name)


def require(converged: jax.Array, message: str) -> None:
    """Raise an error unless a result is known to be good; inside `jit`, where it is unknown, do nothing.

    Raises `FitError` with the message.
    """
    if is_known(converged) and not converged.all():
        raise FitError(message)
