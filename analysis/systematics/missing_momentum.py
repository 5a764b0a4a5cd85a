"""What the missing momentum takes up of changed jets: all of it, or what the type-1 correction of JME counts."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias

import jax.numpy as jnp

from hepgrad import ragged as rg

from ..kinematics import safe_sqrt
from ..selection.events import Events
from ..selection.objects import Objects


@dataclasses.dataclass(frozen=True)
class TypeOne:
    r"""The type-1 correction of the missing momentum, as the JME group of CMS prescribes it for changed jets.

    .. math:: \vec p_T^{miss} \to \vec p_T^{miss}
        - \sum_{jets} (1 - f_\mu) (p_T^{new} - p_T) (\cos\varphi, \sin\varphi)

    over the jets that have :math:`p_T (1 - f_\mu) > 15` GeV before the change and less than 90 % electromagnetic
    energy, with the part :math:`f_\mu` of muons, which the correction of jets does not concern. Jets below count as
    unclustered energy (CMS's nanoAOD-tools, jetmetUncertainties). Give it in the place of the name of the missing
    momentum, as in ``EnergyScale("Jet", 0.02, met=TypeOne())``.

    Attributes
    ----------
    met
        Name of the missing momentum, a record with ``pt`` and ``phi``.
    threshold
        In GeV, without the muons.
    muons
        The field with the part of muons; "" when jets have none.
    electromagnetic
        Fields whose sum is the electromagnetic part of the energy; none when jets have no such fields.
    most
        What this part has to be below.

    Examples
    --------
    >>> from hepgrad.analysis.systematics import TypeOne
    >>> TypeOne("PuppiMET").fields
    ('muonSubtrFactor', 'neEmEF', 'chEmEF')
    """

    met: str = "MET"
    threshold: float = 15.0
    muons: str = "muonSubtrFactor"
    electromagnetic: tuple[str, ...] = ("neEmEF", "chEmEF")
    most: float = 0.9

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of jets that it looks at."""
        return (*filter(None, [self.muons]), *self.electromagnetic)

    def change(self, jets: Objects, pt: Any) -> Any:
        """Return what counts of the change of each jet's transverse momentum.

        Parameters
        ----------
        jets
            Before the change, in GeV.
        pt
            After it.

        Raises
        ------
        ValueError
            When jets lack a field.
        """
        if missing := [name for name in self.fields if name not in jets.fields]:
            raise ValueError(
                f"the type-1 correction of {self.met} needs the fields {missing} of jets; read them, or say that there "
                "are none: TypeOne(muons='', electromagnetic=())"
            )
        without = 1 - jets[self.muons] if self.muons else 1.0
        counts = jets.pt * without > self.threshold
        if self.electromagnetic:
            counts = counts & (sum((jets[name] for name in self.electromagnetic), 0.0) < self.most)
        return rg.where(counts, (pt - jets.pt) * without, 0.0)


# the name of the missing momentum, which takes up the whole change; how it does; or None, when it stays
Missing: TypeAlias = str | TypeOne | None


def name_of(missing: Missing) -> str | None:
    """Return the name of the missing momentum."""
    return missing.met if isinstance(missing, TypeOne) else missing


def propagated(events: Events, missing: str | TypeOne, jets: Objects, pt: Any) -> dict[str, Any]:
    """Return the missing momentum by name, after the jets have other transverse momenta."""
    name = name_of(missing)
    assert name is not None
    added = missing.change(jets, pt) if isinstance(missing, TypeOne) else pt - jets.pt
    found = getattr(events, name)
    px = found.pt * jnp.cos(found.phi) - rg.sum(added * rg.cos(jets.phi), axis=1)
    py = found.pt * jnp.sin(found.phi) - rg.sum(added * rg.sin(jets.phi), axis=1)
    return {name: with_momentum(found, px, py)}


def with_momentum(missing: Any, px: Any, py: Any) -> Any:
    """Return the missing momentum with other components.

    It is a record with ``pt`` and ``phi``; components are in the unit of ``pt``.
    """
    missing = rg.with_field(missing, safe_sqrt(px**2 + py**2), "pt")
    # the angle of nothing is 0, with derivative 0
    nothing = (px == 0) & (py == 0)
    return rg.with_field(missing, jnp.where(nothing, 0, jnp.arctan2(py, jnp.where(nothing, 1, px))), "phi")
