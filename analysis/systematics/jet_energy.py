"""Jet energies as the JME group of CMS wants them: official levels, hybrid smearing, sources of uncertainty by name."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from ..corrections import CompoundCorrection, Correction
from ..kinematics import delta_r, safe_sqrt
from ..printing import meant
from ..selection.events import Events
from ..selection.objects import Objects
from .energy import EnergyScale, scaled
from .missing_momentum import Missing, TypeOne, name_of, with_momentum
from .random import normal_by_event
from .sources import KinematicVariation

AnyCorrection: TypeAlias = Correction | CompoundCorrection

# the 27 sources of the full set for Run 2
JES_SOURCES = (
    "AbsoluteStat",
    "AbsoluteScale",
    "AbsoluteMPFBias",
    "Fragmentation",
    "SinglePionECAL",
    "SinglePionHCAL",
    "FlavorQCD",
    "TimePtEta",
    "RelativeJEREC1",
    "RelativeJEREC2",
    "RelativeJERHF",
    "RelativePtBB",
    "RelativePtEC1",
    "RelativePtEC2",
    "RelativePtHF",
    "RelativeBal",
    "RelativeSample",
    "RelativeFSR",
    "RelativeStatFSR",
    "RelativeStatEC",
    "RelativeStatHF",
    "PileUpDataMC",
    "PileUpPtRef",
    "PileUpPtBB",
    "PileUpPtEC1",
    "PileUpPtEC2",
    "PileUpPtHF",
)
# how a file names the sources of a set with fewer of them, CMS's 11; the sum of all is none of them
REDUCED, SUM = "Regrouped_", "Regrouped_Total"
# a generated jet is a match within half of the cone and three standard deviations
MATCHING_WIDTHS = 3.0


@dataclasses.dataclass(frozen=True)
class OfJets:
    """An official correction as a function of jets.

    It has any of the inputs JetPt, JetEta, JetPhi, JetA and Rho, and ``words`` by name of input.
    """

    correction: AnyCorrection
    words: tuple[tuple[str, str], ...] = ()

    def __call__(self, jets: Objects, rho: Any = None) -> Any:
        """Return the correction of each jet.

        Jets have ``pt`` and ``eta``, and ``phi`` and ``area`` where asked for; ``rho`` is the pile-up density of each
        event.
        """
        words = dict(self.words)
        fields = {"JetPt": "pt", "JetEta": "eta", "JetPhi": "phi", "JetA": "area"}

        def value(name: str) -> Any:
            if name in words:
                return words[name]
            if name == "Rho":
                return rg.broadcast_arrays(rho, jets.pt)[0]
            if name not in fields:
                raise ValueError(f"the correction {self.correction.name!r} has an input {name!r}, which jets have not")
            return jets[fields[name]]

        return self.correction(*map(value, self.correction.inputs))


@dataclasses.dataclass(frozen=True)
class JetResolution:
    r"""Correct the energies of simulated jets, and smear them to the resolution in data by the hybrid method of JME.

    With the scale factor s of the resolution, a jet that matches a generated one (:math:`\Delta R < R / 2` and
    :math:`|p_T - p_T^{gen}| < 3 \sigma p_T`) is multiplied by :math:`1 + (s - 1)(p_T - p_T^{gen}) / p_T`, any other by
    :math:`1 + N(0, \sigma) \sqrt{\max(s^2 - 1, 0)}`; not below a hundredth. The random number is fixed by seed, event
    number and place in the row. The shift of a `KinematicVariation`, at whose nominal point jets are smeared, too.

    Attributes
    ----------
    resolution, scale_factor
        Official, such as ``..._PtResolution_AK4PFchs`` and ``..._ScaleFactor_AK4PFchs``.
    levels
        Official energy corrections of all levels, applied before to ``pt`` and ``mass`` without those that they have
        (``rawFactor``); None leaves them as they are.
    collection, generated
        Of jets, with ``genJetIdx``, and of generated ones.
    radius
        Of the jets' cone.
    rho, event
        Names of the columns with the pile-up density and the event number.
    met
        The missing momentum that takes up what smearing and correction change (a name, or `TypeOne`), or None.
    seed
        Of the random numbers.
    """

    resolution: AnyCorrection
    scale_factor: AnyCorrection
    levels: AnyCorrection | None = None
    collection: str = "Jet"
    generated: str = "GenJet"
    radius: float = 0.4
    rho: str = "fixedGridRhoFastjetAll"
    event: str = "event"
    met: Missing = "MET"
    seed: int = 0

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns it needs, as branches are named."""
        fields = ["genJetIdx", *(["area", "rawFactor"] if self.levels else [])]
        generated = [f"{self.generated}_{name}" for name in ("pt", "eta", "phi")]
        of_jets = _reads(self.collection, self.met)
        return (*of_jets, *(f"{self.collection}_{name}" for name in fields), *generated, self.rho, self.event)

    def __call__(self, events: Events, alpha: jax.Array | float) -> Events:
        """Return the events with corrected and smeared jets.

        Parameters
        ----------
        events
            Before any selection.
        alpha
            The shift of the scale factor in standard deviations.
        """
        rho = getattr(events, self.rho)
        if self.levels is not None:
            jets: Objects = getattr(events, self.collection)
            raw = jets.with_field(pt=jets.pt * (1 - jets.rawFactor))
            corrected = (1 - jets.rawFactor) * OfJets(self.levels)(raw, rho)
            events = scaled(events, self.collection, corrected, met=self.met)
        jets = getattr(events, self.collection)
        words = ("nom", "up", "down")
        central, up, down = (OfJets(self.scale_factor, (("systematic", word),))(jets) for word in words)
        shift = jnp.asarray(alpha, jnp.float32)
        scale = (
            central
            + jnp.where(shift > 0, shift, 0) * (up - central)
            + jnp.where(shift < 0, shift, 0) * (central - down)
        )
        width = OfJets(self.resolution)(jets, rho)
        random = normal_by_event(getattr(events, self.event), jets.array, seed=self.seed)
        stochastic = 1 + random * width * rg.apply(lambda s: safe_sqrt(s**2 - 1), scale)
        pt, near = self._generated(events, jets)
        matched = near & (abs(jets.pt - pt) < MATCHING_WIDTHS * width * jets.pt)
        factor = rg.where(matched, 1 + (scale - 1) * (jets.pt - pt) / jets.pt, stochastic)
        return scaled(events, self.collection, np.maximum(factor, 0.01), met=self.met)

    def _generated(self, events: Events, jets: Objects) -> tuple[Any, Any]:
        """Return the transverse momentum of the generated jet of each jet, and whether it is there and near."""
        generated = getattr(events, self.generated).array
        # one more in each row, for jets without any
        number = rg.broadcast_arrays(rg.num(generated, axis=1), jets.pt)[0]
        there = (jets.genJetIdx >= 0) & (jets.genJetIdx < number)
        index = rg.where(there, jets.genJetIdx, number)

        def of_generated(name: str) -> Any:
            nothing = rg.singletons(jnp.zeros(len(events), jnp.float32))
            return rg.concatenate([generated[name], nothing], axis=1)[index]

        distance = delta_r(jets.eta, jets.phi, of_generated("eta"), of_generated("phi"))
        return of_generated("pt"), there & (distance < self.radius / 2)


def jet_energy_sources(
    corrections: Mapping[str, AnyCorrection],
    tag: str,
    algorithm: str,
    sources: Sequence[str] | Literal["full", "reduced"] = "full",
    *,
    collection: str = "Jet",
    met: Missing = "MET",
    name: str = "jes",
) -> list[KinematicVariation]:
    """Return official uncertainties of jet energies as sources, each of which runs the selection again.

    Parameters
    ----------
    corrections
        Of a file, by `read_corrections`.
    tag, algorithm
        As in the names of the file: ``"Summer19UL18_V5_MC"`` and ``"AK4PFchs"``.
    sources
        Their names between the two; or ``"full"``, CMS's 27, `JES_SOURCES`, or ``"reduced"``, the 11 that are combined
        of them (``Regrouped_Absolute`` and so on), where a file has it.
    collection, met
        As for `EnergyScale`.
    name
        With which the names of the sources begin, as in ``"jes_FlavorQCD"``.

    Raises
    ------
    KeyError
        When the file lacks one, or has no reduced set.
    ValueError
        When a word is given that is neither.

    Examples
    --------
    >>> from hepgrad.analysis.corrections import Correction
    >>> from hepgrad.analysis.systematics import jet_energy_sources
    >>> inputs = [{"name": name, "type": "real"} for name in ("JetPt", "JetEta")]
    >>> one = {"version": 1, "output": {"name": "change", "type": "real"}, "inputs": inputs, "data": 0.02}
    >>> names = [f"V5_Regrouped_{source}_AK4" for source in ("FlavorQCD", "HF_2018", "Total")]
    >>> corrections = {name: Correction.from_dict({"name": name, **one}) for name in names}
    >>> [source.name for source in jet_energy_sources(corrections, "V5", "AK4", "reduced")]
    ['jes_Regrouped_FlavorQCD', 'jes_Regrouped_HF_2018']
    """
    made = []
    for source in _named(corrections, tag, algorithm, sources):
        full = f"{tag}_{source}_{algorithm}"
        if full not in corrections:
            raise KeyError(
                f"there is no correction {full!r}{meant(full, corrections)}; there are {', '.join(corrections)}"
            )
        shift = EnergyScale(collection, OfJets(corrections[full]), met=met)
        made.append(KinematicVariation(f"{name}_{source}", shift, reads=_reads(collection, met)))
    return made


def _named(corrections: Mapping[str, AnyCorrection], tag: str, algorithm: str, sources: Sequence[str]) -> Sequence[str]:
    """Return the names of the sources of a set."""
    if not isinstance(sources, str):
        return sources
    if sources == "full":
        return JES_SOURCES
    if sources != "reduced":
        raise ValueError(f"sources are a list of names, 'full' or 'reduced', got {sources!r}")
    before, after = f"{tag}_", f"_{algorithm}"
    of_jets = [
        name[len(before) : -len(after)] for name in corrections if name.startswith(before) and name.endswith(after)
    ]
    found = [name for name in of_jets if name.startswith(REDUCED) and name != SUM]
    if not found:
        raise KeyError(
            f"there is no reduced set, {before}{REDUCED}...{after}, among {len(corrections)} corrections; there are "
            f"the sources {', '.join(of_jets) or 'of no such jets'}: name those you want, or take the 'full' set"
        )
    return found


@dataclasses.dataclass(frozen=True)
class Together:
    """Shifts one after the other, by the same number of standard deviations."""

    shifts: tuple[Callable[[Events, jax.Array | float], Events], ...]

    def __call__(self, events: Events, alpha: jax.Array | float) -> Events:
        """Return the shifted events; the arguments are those of `EnergyScale`."""
        for shift in self.shifts:
            events = shift(events, alpha)
        return events


def together(*lists: Sequence[KinematicVariation]) -> list[KinematicVariation]:
    """Return sources of several collections, of which those with one name shift all of them at once: jets of two radii.

    So they are correlated in the selection, too: an event with jets of both radii is selected with both shifted. For
    collections that are not correlated, keep the lists apart, with names of their own (``name="jes_ak8"``).

    Parameters
    ----------
    *lists
        Of sources, such as `jet_energy_sources` returns; the missing momentum follows one of them (``met=None`` for the
        others), or the same particles count twice.

    Raises
    ------
    ValueError
        When two of one name differ in what they act on.

    Examples
    --------
    >>> from hepgrad.analysis.systematics import EnergyScale, KinematicVariation, together
    >>> small = [KinematicVariation(f"jes_{n}", EnergyScale("Jet", 0.02), reads=["Jet_pt"]) for n in ("a", "b")]
    >>> large = [KinematicVariation("jes_a", EnergyScale("FatJet", 0.03, met=None), reads=["FatJet_pt"])]
    >>> [(source.name, source.reads) for source in together(small, large)]
    [('jes_a', ('Jet_pt', 'FatJet_pt')), ('jes_b', ('Jet_pt',))]
    """
    groups: dict[str, list[KinematicVariation]] = {}
    for source in itertools.chain(*lists):
        groups.setdefault(source.name, []).append(source)
    made = []
    for name, (first, *others) in groups.items():
        reads = tuple(dict.fromkeys(itertools.chain(first.reads, *(other.reads for other in others))))
        for other in others:
            if dataclasses.replace(other, shift=first.shift, reads=first.reads) != first:
                raise ValueError(f"{name}: sources that move together act on the same processes and channels")
        shifts = tuple(each.shift for each in (first, *others))
        made.append(dataclasses.replace(first, shift=Together(shifts), reads=reads) if others else first)
    return made


def _reads(collection: str, met: Missing) -> tuple[str, ...]:
    """Return the columns of jets and of missing momentum that a shift of jets needs, as branches are named."""
    fields = ("pt", "eta", "phi", *(met.fields if isinstance(met, TypeOne) else ()))
    missing = [f"{name}_{each}" for each in ("pt", "phi")] if (name := name_of(met)) else []
    return (*(f"{collection}_{each}" for each in fields), *missing)


@dataclasses.dataclass(frozen=True)
class HEMIssue:
    r"""Scale jets down where two modules of the hadronic endcap calorimeter were off during a part of 2018 (HEM15/16).

    As the JME group of CMS recommends: jets above 15 GeV with tight identification and
    :math:`-1.57 < \varphi < -0.87` lose 20 % in :math:`-2.5 < \eta < -1.3` and 35 % in :math:`-3.0 < \eta < -2.5`.
    The shift of a one-sided `KinematicVariation`; for a part of the data, scale it: `part`.

    Attributes
    ----------
    collection
        Of jets, with ``pt``, ``eta`` and ``phi``.
    met
        As for `EnergyScale`.
    identification
        The field whose second bit is tight identification; "" for all jets.
    part
        Of the data that is concerned: the shift at one standard deviation is that part of the full one. 0.65 of the
        luminosity of 2018 was recorded with the modules off.

    Examples
    --------
    >>> from hepgrad.analysis.systematics import HEMIssue, KinematicVariation
    >>> hem = HEMIssue()
    >>> KinematicVariation("hem", hem, one_sided=True, reads=hem.reads).reads
    ('Jet_pt', 'Jet_eta', 'Jet_phi', 'MET_pt', 'MET_phi', 'Jet_jetId')
    """

    collection: str = "Jet"
    met: Missing = "MET"
    identification: str = "jetId"
    part: float = 1.0

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns it needs, as branches are named."""
        identification = [f"{self.collection}_{self.identification}"] if self.identification else []
        return (*_reads(self.collection, self.met), *identification)

    def __call__(self, events: Events, alpha: jax.Array | float) -> Events:
        """Return the events with shifted jets; the arguments are those of `EnergyScale`."""
        jets: Objects = getattr(events, self.collection)
        here = (jets.pt > 15) & (jets.phi > -1.57) & (jets.phi < -0.87)
        if self.identification:
            here = here & ((jets[self.identification] & 2) > 0)
        lost = rg.where((jets.eta > -2.5) & (jets.eta < -1.3), 0.2, 0.0)
        lost = rg.where(here, rg.where((jets.eta > -3.0) & (jets.eta <= -2.5), 0.35, lost), 0.0)
        return scaled(events, self.collection, 1 - alpha * self.part * lost, met=self.met)


@dataclasses.dataclass(frozen=True)
class UnclusteredEnergy:
    """Shift the missing momentum by the uncertainty of what is in no jet and no lepton.

    Attributes
    ----------
    met
        Name of the missing momentum.
    delta_x, delta_y
        Names of its fields with the change at one standard deviation, in GeV.
    """

    met: str = "MET"
    delta_x: str = "MetUnclustEnUpDeltaX"
    delta_y: str = "MetUnclustEnUpDeltaY"

    def __call__(self, events: Events, alpha: jax.Array | float) -> Events:
        """Return the events with shifted missing momentum; the arguments are those of `EnergyScale`."""
        missing = getattr(events, self.met)
        px = missing.pt * jnp.cos(missing.phi) + alpha * missing[self.delta_x]
        py = missing.pt * jnp.sin(missing.phi) + alpha * missing[self.delta_y]
        return events.with_field(**{self.met: with_momentum(missing, px, py)})
