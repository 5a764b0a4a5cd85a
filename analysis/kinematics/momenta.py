"""Four-momenta in Cartesian components: what can be added and boosted."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from typing import Any

import jax

from hepgrad import ragged as rg

from ..selection.cut import Values
from . import formulas
from .fields import CARTESIAN, COLLIDER, has_fields, take_fields
from .singular import norm, safe_sqrt


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Momentum:
    """Four-momenta in Cartesian components, in GeV: one per event, or one per object.

    Momenta are added and subtracted; one per event broadcasts against one per object. Every derived quantity has
    finite derivatives everywhere, 0 at its singular point (a massless or vanishing momentum).

    The mass of a light, fast particle is lost in ``E**2 - |p|**2``: in float32 the squared mass is wrong by about
    ``1e-7 E**2``. `invariant_mass` takes pt, eta, phi and mass and has no such error.

    Attributes
    ----------
    px, py, pz, energy
        Arrays of one shape, or ragged arrays with the same rows.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis.kinematics import Momentum
    >>> jets = rg.from_lists([[{"pt": 30.0, "eta": 0.0, "phi": 0.0, "mass": 40.0}], []])
    >>> p = Momentum.of(jets)
    >>> p.energy, (p + p).mass
    (<RaggedArray [[50.0], []] type='2 * var * float32'>, <RaggedArray [[80.0], []] type='2 * var * float32'>)
    """

    px: Values
    py: Values
    pz: Values
    energy: Values

    @classmethod
    def of(cls, particle: Any) -> Momentum:
        """Return the four-momenta of particles.

        Parameters
        ----------
        particle
            A collection (`Objects`), ragged records, or one record per event, with the fields ``pt``, ``eta``, ``phi``
            and ``mass``, or ``px``, ``py``, ``pz`` and ``energy`` (or ``E``). Momenta are returned as they are.

        Raises
        ------
        TypeError
            When fields are missing.
        """
        if isinstance(particle, Momentum):
            return particle
        for names in CARTESIAN:
            if has_fields(particle, names):
                return cls(*take_fields(particle, names, operation="Momentum.of"))
        return momentum(*take_fields(particle, COLLIDER, operation="Momentum.of"))

    def to_records(self) -> Any:
        """Return records with the fields ``pt``, ``eta``, ``phi`` and ``mass``.

        A momentum along the beam has no such coordinates: it gets ``pt`` 0 and an infinite ``eta``.
        """
        return rg.zip({name: getattr(self, name) for name in COLLIDER})

    def __add__(self, other: Momentum) -> Momentum:
        return self._componentwise(operator.add, other)

    def __sub__(self, other: Momentum) -> Momentum:
        return self._componentwise(operator.sub, other)

    def _componentwise(self, function: Callable[[Any, Any], Any], other: Momentum) -> Momentum:
        if not isinstance(other, Momentum):
            return NotImplemented
        return Momentum(*map(function, self.components, other.components))

    @property
    def components(self) -> tuple[Values, Values, Values, Values]:
        """The attributes as a tuple: px, py, pz, energy."""
        return self.px, self.py, self.pz, self.energy

    @property
    def pt(self) -> Any:
        """The transverse momentum ``sqrt(px**2 + py**2)``, in GeV."""
        return rg.apply(norm, self.px, self.py)

    @property
    def p(self) -> Any:
        """The magnitude of the three-momentum, in GeV."""
        return rg.apply(norm, self.px, self.py, self.pz)

    @property
    def eta(self) -> Any:
        """The pseudorapidity ``-log(tan(theta / 2))``; infinite along the beam, 0 for a vanishing momentum."""
        return rg.apply(formulas.hyperbolic_angle, self.pz, self.pt)

    @property
    def phi(self) -> Any:
        """The azimuth in [-pi, pi]; 0 without transverse momentum."""
        return rg.apply(formulas.azimuth, self.px, self.py)

    @property
    def mass(self) -> Any:
        """The invariant mass ``sqrt(E**2 - |p|**2)`` in GeV; 0 where rounding makes its square negative."""
        return rg.apply(safe_sqrt, self.mass_squared)

    @property
    def mass_squared(self) -> Any:
        """The squared invariant mass ``E**2 - |p|**2`` in GeV**2; rounding can make it negative."""
        return rg.apply(_mass_squared, *self.components)

    @property
    def transverse_mass(self) -> Any:
        """The particle's own transverse mass ``sqrt(m**2 + pT**2) = sqrt((E - pz) (E + pz))``, in GeV."""
        return rg.apply(_transverse_mass, self.pz, self.energy)

    @property
    def rapidity(self) -> Any:
        """The rapidity ``log((E + pz) / (E - pz)) / 2``; infinite for a massless momentum along the beam."""
        return rg.apply(formulas.hyperbolic_angle, self.pz, self.transverse_mass)


def momentum(pt: Values, eta: Values, phi: Values, mass: Values) -> Momentum:
    """Return the four-momenta of particles given in collider coordinates.

    Finite in float32 up to a pseudorapidity of about 40. Where ``pt`` is 0 so is ``pz``, whatever ``eta`` is: a
    momentum along the beam cannot be given in these coordinates.

    Parameters
    ----------
    pt, mass
        In GeV, flat or ragged. Only the square of the mass enters.
    eta, phi
        Pseudorapidity and azimuth (radians).

    Examples
    --------
    >>> from hepgrad.analysis.kinematics import momentum
    >>> import jax.numpy as jnp
    >>> p = momentum(jnp.float32(3.0), jnp.float32(0.0), jnp.float32(0.0), jnp.float32(4.0))
    >>> print(p.energy, p.mass)
    5.0 4.0
    """
    return Momentum(*rg.apply(formulas.cartesian, pt, eta, phi, mass, operation="momentum"))


def rapidity(pt: Values, eta: Values, mass: Values) -> Any:
    """Return the rapidity ``asinh(pz / sqrt(m**2 + pT**2))`` from collider coordinates, accurate at any eta in float32.

    Parameters
    ----------
    pt, mass
        In GeV, flat or ragged.
    eta
        Pseudorapidity.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis.kinematics import rapidity
    >>> print(rapidity(jnp.float32(30.0), jnp.float32(2.0), jnp.float32(0.0)))
    2.0
    """
    return rg.apply(formulas.rapidity, pt, eta, mass)


def _mass_squared(px: jax.Array, py: jax.Array, pz: jax.Array, energy: jax.Array) -> jax.Array:
    return energy**2 - px**2 - py**2 - pz**2


def _transverse_mass(pz: jax.Array, energy: jax.Array) -> jax.Array:
    return safe_sqrt((energy - pz) * (energy + pz))
