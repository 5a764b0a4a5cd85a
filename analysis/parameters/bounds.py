"""How parameters are kept inside their bounds while an optimiser moves them."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .optimisable import Optimisable
from .parameters import Parameters

# what the optimiser moves: a number, an array or a tree for each free parameter, by name
Coordinates: TypeAlias = dict[str, Any]


class Bounds(abc.ABC):
    """Coordinates for an optimiser that knows no bounds, and the way back to parameters that keep them."""

    @abc.abstractmethod
    def coordinates(self, parameters: Parameters) -> Coordinates:
        """Return the coordinates of the free parameters; a step of 1 moves each by about its scale.

        Parameters
        ----------
        parameters
            Where to start.
        """

    @abc.abstractmethod
    def parameters(self, coordinates: Coordinates, like: Parameters) -> Parameters:
        """Return the parameters at some coordinates, inside their bounds; differentiable.

        Parameters
        ----------
        coordinates
            Of all free parameters.
        like
            Gives the rest: bounds, scales, and the values of frozen parameters.
        """

    @abc.abstractmethod
    def restored(self, coordinates: Coordinates, like: Parameters) -> Coordinates:
        """Return coordinates that are allowed, after an optimiser has moved them.

        Parameters
        ----------
        coordinates, like
            As for `parameters`.
        """


@dataclasses.dataclass(frozen=True)
class Projection(Bounds):
    """Move the values themselves, in units of their scales, and after each step put those outside back on the bound.

    A parameter reaches its bound, and stays there as long as the gradient points outwards.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis import Parameter, Parameters, Projection
    >>> cuts = Parameters(met=Parameter(50.0, bounds=(20, 120)))
    >>> Projection().coordinates(cuts)
    {'met': Array(5., dtype=float32)}
    >>> Projection().restored({"met": jnp.array(99.0)}, cuts)
    {'met': Array(12., dtype=float32)}
    """

    def coordinates(self, parameters: Parameters) -> Coordinates:
        """Return the values in units of their scales."""
        return parameters.scaled()

    def parameters(self, coordinates: Coordinates, like: Parameters) -> Parameters:
        """Return the values in their own units; the derivative is that of the multiplication also on a bound."""
        values = like.from_scaled(coordinates)
        return like.with_free({k: jax.tree.map(_rounded, values[k], *like.specs[k].box()) for k in like.free})

    def restored(self, coordinates: Coordinates, like: Parameters) -> Coordinates:
        """Return each coordinate inside its bounds, or on the one it is beyond."""
        # weights keep their precision, whatever that of the bounds is
        low, high = (
            jax.tree.map(lambda bound, x: jnp.asarray(bound, x.dtype), bounds, coordinates)
            for bounds in like.scaled_bounds()
        )
        return optax.projections.projection_box(coordinates, low, high)


@dataclasses.dataclass(frozen=True)
class Smooth(Bounds):
    """Move an unbounded variable u, of which the value is a sigmoid between the bounds.

    ``value = low + (high - low) sigmoid(4 u scale / (high - low))``: in the middle of the range one unit of u is one
    scale, and towards a bound the value moves ever more slowly and never arrives. Weights have no bounds and are moved
    as they are.

    Raises
    ------
    ValueError
        When a parameter starts on a bound, which lies at infinity.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis import Parameter, Parameters, Smooth
    >>> cuts = Parameters(met=Parameter(70.0, bounds=(20, 120)))
    >>> Smooth().coordinates(cuts)
    {'met': Array(0., dtype=float32)}
    >>> [f"{Smooth().parameters({'met': jnp.array(u)}, cuts)['met']:.1f}" for u in (1.0, 10.0, 100.0)]
    ['79.9', '118.2', '120.0']
    """

    def coordinates(self, parameters: Parameters) -> Coordinates:
        """Return u for each value, which must be known."""
        return {
            k: _unbounded(k, parameters[k], spec) if _has_bounds(spec) else spec.scaled(parameters[k])
            for k, spec in _free(parameters)
        }

    def parameters(self, coordinates: Coordinates, like: Parameters) -> Parameters:
        """Return the value for each u."""
        return like.with_free(
            {
                k: _bounded(coordinates[k], spec) if _has_bounds(spec) else spec.from_scaled(coordinates[k])
                for k, spec in _free(like)
            }
        )

    def restored(self, coordinates: Coordinates, like: Parameters) -> Coordinates:
        """Return the coordinates, all of which are allowed."""
        return coordinates


def _free(parameters: Parameters) -> list[tuple[str, Optimisable]]:
    return [(k, parameters.specs[k]) for k in parameters.free]


def _has_bounds(spec: Optimisable) -> bool:
    return all(np.all(np.isfinite(bound)) for bound in jax.tree.leaves(spec.box()))


def _unbounded(name: str, value: jax.Array, spec: Optimisable) -> jax.Array:
    low, high = spec.box()
    share = (np.asarray(value, float) - low) / (high - low)
    if not np.all((share > 0) & (share < 1)):
        raise ValueError(
            f"parameter {name!r} starts on a bound, which a smooth transform never reaches; start inside, or keep the "
            "bounds by Projection()"
        )
    return jnp.asarray(np.log(share / (1 - share)) * (high - low) / (4 * np.asarray(spec.scale)), float)


def _bounded(u: jax.Array, spec: Optimisable) -> jax.Array:
    u = jnp.asarray(u)
    low, high = (jnp.asarray(bound, u.dtype) for bound in spec.box())
    steps = 4 * u * jnp.asarray(spec.scale, u.dtype) / (high - low)
    # a weighted mean of the bounds, which loses no precision near either
    return _rounded(low * jax.nn.sigmoid(-steps) + high * jax.nn.sigmoid(steps), low, high)


def _rounded(value: jax.Array, low: Any, high: Any) -> jax.Array:
    """Undo what rounding may have put outside the bounds, with the derivative left as it is."""
    inside = jnp.clip(value, jnp.asarray(low, value.dtype), jnp.asarray(high, value.dtype))
    return jax.lax.stop_gradient(inside) + (value - jax.lax.stop_gradient(value))
