"""Equinox modules as networks."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax


@dataclasses.dataclass(frozen=True)
class EquinoxNetwork:
    """What remains of an Equinox module without its weights; see `from_equinox`.

    Attributes
    ----------
    static
        The module with None in the place of its weights.
    """

    static: Any

    def __call__(self, weights: Any, features: jax.Array) -> jax.Array:
        """Return the module's output for each row of features.

        Parameters
        ----------
        weights
            The other part of the module.
        features
            Shape (n, features).
        """
        # only those who have such a module need the package
        import equinox as eqx

        return jax.vmap(eqx.combine(weights, self.static))(features)


def from_equinox(module: Any) -> tuple[EquinoxNetwork, Any]:
    """Return an Equinox module as a network for `Score`, and its weights for `Weights`.

    Two modules that differ in their weights only share a compiled program.

    Parameters
    ----------
    module
        A function of the features of one event or object that returns one score.

    Raises
    ------
    ImportError
        When Equinox is not installed: ``pip install hepgrad[nn]``.

    Examples
    --------
    >>> import equinox as eqx, jax
    >>> from hepgrad.analysis import Weights
    >>> from hepgrad.analysis.stages import Score, from_equinox
    >>> network, weights = from_equinox(eqx.nn.MLP(2, 1, width_size=8, depth=1, key=jax.random.key(0)))
    >>> score = Score("nn", network, ["sum(Jet.pt)", "MET.pt"])
    >>> Weights(weights).text(weights)
    '33 numbers'
    """
    try:
        import equinox as eqx
    except ImportError as error:
        raise ImportError("Equinox is not installed; it comes with `pip install hepgrad[nn]`") from error
    weights, static = eqx.partition(module, eqx.is_inexact_array)
    return EquinoxNetwork(static), weights
