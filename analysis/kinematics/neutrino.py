"""The neutrino of a leptonic W decay."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from hepgrad import ragged as rg

from ..selection.cut import Values
from .momenta import Momentum
from .singular import norm, safe_divide, safe_sqrt


def neutrino_from_w(lepton: Momentum, met_pt: Values, met_phi: Values, w_mass: float = 80.4) -> Momentum:
    """Return the neutrino of a leptonic W decay, whose transverse momentum is the missing one.

    With ``mu = w_mass**2 / 2 + pT(lepton) . pT(nu)`` the mass constraint is quadratic in the longitudinal momentum,
    ``pz = (mu pz_l +- E_l sqrt(mu**2 - pT_l**2 pT_nu**2)) / pT_l**2``. The solution of smaller ``|pz|`` is taken, and
    the real part where the solutions are complex, which is where the transverse mass exceeds ``w_mass`` (the usual
    choice in top-quark analyses; the mass of lepton and neutrino is then larger than that). The derivative grows
    without limit as the square root approaches 0 from above.

    Parameters
    ----------
    lepton
        The charged lepton, taken as massless. Without transverse momentum it says nothing: ``pz`` is 0 there.
    met_pt, met_phi
        Missing transverse momentum (GeV) and its azimuth.
    w_mass
        In GeV.

    Examples
    --------
    >>> from hepgrad.analysis.kinematics import momentum, neutrino_from_w
    >>> lepton = momentum(40.0, 0.5, 0.0, 0.0)
    >>> neutrino = neutrino_from_w(lepton, 30.0, 2.0)
    >>> print(f"{(lepton + neutrino).mass:.3f}")
    80.400
    """

    def solve(
        px: jax.Array, py: jax.Array, pz: jax.Array, energy: jax.Array, met: jax.Array, phi: jax.Array
    ) -> tuple[Any, ...]:
        nx, ny = met * jnp.cos(phi), met * jnp.sin(phi)
        pt = norm(px, py)
        mu = w_mass**2 / 2 + px * nx + py * ny
        # a difference of squares in float32 is better taken as a product
        spread = energy * safe_sqrt((mu - pt * met) * (mu + pt * met))
        centre = mu * pz
        nz = safe_divide(jnp.where(centre > 0, centre - spread, centre + spread), pt**2)
        return nx, ny, nz, norm(met, nz)

    return Momentum(*rg.apply(solve, *lepton.components, met_pt, met_phi, operation="neutrino_from_w"))
