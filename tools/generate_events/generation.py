"""Generation with Pythia: the events, and what the detector emulation needs to know of them."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

COMMON_SETTINGS = "Beams:eCM=13000. PDF:pSet=13 PartonLevel:MPI=off Print:quiet=on Random:setSeed=on"
INVISIBLE = {12, 14, 16, 18}
PROMPT_MOTHERS = {6, 15, 23, 24, 32}


def optional_import(name: str) -> ModuleType:
    """Import a package of the ``generate`` extra, or say how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SystemExit(f"{name} is needed to generate events: pip install 'hepgrad[generate]'") from error


def make_generator(settings: str, seed: int, *hooks: Any) -> Any:
    """An initialised Pythia with the common settings, the sample's settings and user hooks."""
    pythia = optional_import("pythia8mc").Pythia("", False)
    for hook in hooks:
        pythia.setUserHooksPtr(hook)
    for setting in f"{COMMON_SETTINGS} Random:seed={seed} {settings}".split():
        if not pythia.readString(setting):
            raise ValueError(f"Pythia does not know the setting {setting!r}")
    if not pythia.init():
        raise RuntimeError("Pythia could not be initialised")
    return pythia


def cross_section_pb(settings: str, seed: int, events: int = 50_000) -> float:
    """The generator's cross-section, from hard processes without showers: fast, and untouched by the filter."""
    pythia = make_generator(f"{settings} PartonLevel:all=off HadronLevel:all=off", seed)
    for _ in range(events):
        pythia.next()
    return pythia.infoPython().sigmaGen() * 1e9  # mb -> pb


def make_lepton_filter(kinds: tuple[int, ...]) -> Any:
    """A Pythia hook that drops, before the shower, events without a lepton of these kinds or a tau in the hard process.

    It adds up the number and the weights of all events, dropped or not. Pythia's own ``weightSum`` and ``sigmaGen``
    would count the accepted events only.
    """
    pythia8 = optional_import("pythia8mc")

    class LeptonFilter(pythia8.UserHooks):
        def __init__(self) -> None:
            pythia8.UserHooks.__init__(self)
            self.pythia: Any = None
            self.generated = 0
            self.sum_of_weights = 0.0

        def canVetoProcessLevel(self) -> bool:
            return True

        def doVetoProcessLevel(self, process: Any) -> bool:
            self.generated += 1
            self.sum_of_weights += self.pythia.infoPython().weight()
            return not any(p.isFinal() and p.idAbs() in (*kinds, 15) for p in process)

    return LeptonFilter()


@dataclass
class GeneratedBatch:
    """What the detector emulation needs to know of a batch of events, as rows that start with the event's index."""

    particles: list[tuple] = field(default_factory=list)  # event, pdg id, is prompt lepton, px, py, pz, energy
    hadrons: list[tuple] = field(default_factory=list)  # event, flavour, eta, phi of b and c hadrons
    quarks: list[tuple] = field(default_factory=list)  # event, number of the top, eta, phi: hadronic tops' decays
    weights: list[float] = field(default_factory=list)

    def append(self, pythia: Any, kinds: tuple[int, ...], min_pt: float) -> None:
        """Add Pythia's current event, unless it has no lepton of these kinds that could pass a skim in pT."""
        if not any(p.idAbs() in kinds and p.isFinal() and p.pT() > 0.8 * min_pt for p in pythia.event):
            return
        index = len(self.weights)
        self.weights.append(pythia.infoPython().weight())
        for p in pythia.event:
            if p.isFinal():
                if p.idAbs() not in INVISIBLE:
                    prompt = p.idAbs() in (11, 13) and is_prompt(pythia.event, p)
                    self.particles.append((index, p.id(), prompt, p.px(), p.py(), p.pz(), p.e()))
            elif p.status() < -80 and p.pT() > 5.0 and (flavour := heavy_flavour(p.idAbs())):
                self.hadrons.append((index, flavour, p.eta(), p.phi()))
        for top, quark in hadronic_top_quarks(pythia.process):
            self.quarks.append((index, top, quark.eta(), quark.phi()))


def is_prompt(record: Any, particle: Any) -> bool:
    """Whether a lepton comes from a W, Z, Z', top or tau decay, seen through its own radiating copies."""
    mother = record[particle.mother1()]
    while mother.idAbs() in (11, 13):
        mother = record[mother.mother1()]
    return mother.idAbs() in PROMPT_MOTHERS


def heavy_flavour(pdg_id: int) -> int:
    """5 for a bottom hadron, 4 for a charm hadron, 0 otherwise, from the quark digits of its PDG number."""
    digits = (pdg_id // 100 % 10, pdg_id // 1000 % 10) if 400 < pdg_id < 6000 else ()
    return 5 if 5 in digits else 4 if 4 in digits else 0


def hadronic_top_quarks(process: Any) -> Iterator[tuple[int, Any]]:
    """The b and the two W quarks of every hadronically decaying top: (number of the top in the record, quark)."""
    for number in range(process.size()):
        if process[number].idAbs() != 6 or process[number].isFinal():
            continue
        daughters = [process[d] for d in process[number].daughterList()]
        decays = [process[d] for w in daughters if w.idAbs() == 24 for d in w.daughterList()]
        if decays and decays[0].isQuark():
            yield from ((number, quark) for quark in [*decays, *(q for q in daughters if q.idAbs() != 24)])


# ----------------------------------------------------------------------------------------------- detector emulation
