"""Lorentz boosts, and the angle at which something decays."""

from __future__ import annotations

from typing import Any

import jax

from hepgrad import ragged as rg

from ..selection.cut import Values
from . import formulas
from .momenta import Momentum
from .singular import norm, safe_divide


def velocity(p: Momentum) -> tuple[Any, Any, Any]:
    """Return the velocity ``p / E`` of particles in units of c, three components; 0 where the energy is 0.

    Parameters
    ----------
    p
        Four-momenta.
    """
    return tuple(rg.apply(safe_divide, part, p.energy) for part in (p.px, p.py, p.pz))


def boost(p: Momentum, bx: Values, by: Values, bz: Values) -> Momentum:
    """Return four-momenta as seen from a frame in which what was at rest moves with the given velocity.

    ``E' = gamma (E + b . p)`` and ``p' = p + b (gamma**2 / (gamma + 1) b . p + gamma E)``, ``gamma = 1 / sqrt(1 -
    b**2)``. To go into a rest frame use `to_rest_frame`, which loses no precision when the frame is fast.

    Parameters
    ----------
    p
        Four-momenta.
    bx, by, bz
        Velocity in units of c, flat or ragged. NaN is returned where it is 1 or more: there is no such frame.

    Examples
    --------
    >>> from hepgrad.analysis.kinematics import boost, momentum
    >>> moving = boost(momentum(0.0, 0.0, 0.0, 3.0), 0.0, 0.0, 0.8)
    >>> print(f"{moving.pz:.3f} {moving.energy:.3f}")
    4.000 5.000
    """
    return Momentum(*rg.apply(formulas.boosted_by, *p.components, bx, by, bz, operation="boost"))


def to_rest_frame(p: Momentum, frame: Momentum) -> Momentum:
    """Return four-momenta in the rest frame of others.

    With ``P`` the frame's momentum and ``M`` its mass: ``E* = (E_P E - P . p) / M``, ``p* = p - P (E + E*) / (E_P +
    M)``.

    Parameters
    ----------
    p
        Four-momenta.
    frame
        Four-momenta of what is to be at rest; one per event, or one per object. A massless one has no rest frame:
        ``p`` is returned unchanged there, which is what an event without a candidate (all components 0) needs.

    Examples
    --------
    >>> from hepgrad.analysis.kinematics import momentum, to_rest_frame
    >>> top = momentum(300.0, 1.0, 0.5, 172.5)
    >>> print(f"{to_rest_frame(top, top).energy:.1f}")
    172.5
    """
    return Momentum(*rg.apply(formulas.in_rest_frame, *p.components, *frame.components, operation="to_rest_frame"))


def cos_decay_angle(daughter: Momentum, parent: Momentum) -> Any:
    """Return the cosine of the decay (helicity) angle.

    The angle between the daughter's momentum in the parent's rest frame and the parent's own momentum; its
    distribution tells the spin and the polarisation of the parent. For the helicity of the W in top decays give both
    in the rest frame of the top: ``cos_decay_angle(to_rest_frame(lepton, top), to_rest_frame(w, top))``.

    Parameters
    ----------
    daughter, parent
        Four-momenta. The result is 0, with derivative 0, where the angle is not defined: one of the two is at rest.

    Examples
    --------
    >>> from hepgrad.analysis.kinematics import boost, cos_decay_angle, momentum
    >>> w, lepton = momentum(0.0, 0.0, 0.0, 80.4), momentum(40.2, 0.0, 0.0, 0.0)
    >>> w, lepton = boost(w, 0.6, 0.0, 0.0), boost(lepton, 0.6, 0.0, 0.0)
    >>> print(f"{cos_decay_angle(lepton, w):.3f}")
    1.000
    """
    at_rest = to_rest_frame(daughter, parent)
    return rg.apply(_cosine, *at_rest.components[:3], *parent.components[:3], operation="cos_decay_angle")


def _cosine(ax: jax.Array, ay: jax.Array, az: jax.Array, bx: jax.Array, by: jax.Array, bz: jax.Array) -> jax.Array:
    return safe_divide(ax * bx + ay * by + az * bz, norm(ax, ay, az) * norm(bx, by, bz))
