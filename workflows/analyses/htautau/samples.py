"""The samples: CMS open data of 2012 and the simulation that goes with them, their files and their normalisation."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ...errors import InputError
from ...read import Fileset, Sample

# Of H -> tau tau at 125 GeV (LHC Higgs Cross Section Working Group, arXiv:1610.07922). All simulated Higgs bosons decay
# to tau leptons, while the cross-sections that are published with the samples, and the column ``weight`` of the files,
# are those of production alone: without it the signal would be sixteen times too large.
BRANCHING_FRACTION = 0.0627


@dataclasses.dataclass(frozen=True)
class Simulation:
    """A simulated sample.

    Attributes
    ----------
    file
        Name of its file.
    cross_section
        At 8 TeV in pb, times the branching fraction where one is simulated alone.
    generated
        The number of events before the selection that made the file; each counts for the same.
    """

    file: str
    cross_section: float
    generated: int


# production cross-sections and numbers of events are those of the published analysis, record 12350
SIMULATION = {
    "ggh": Simulation("GluGluToHToTauTauSkim.root", 19.6 * BRANCHING_FRACTION, 476_963),
    "vbf": Simulation("VBF_HToTauTauSkim.root", 1.55 * BRANCHING_FRACTION, 491_653),
    "dy": Simulation("DYJetsToLLSkim.root", 3503.7, 30_458_871),
    "ttbar": Simulation("TTbarSkim.root", 225.2, 6_423_106),
    "w1": Simulation("W1JetsToLNuSkim.root", 6381.2, 29_784_800),
    "w2": Simulation("W2JetsToLNuSkim.root", 2039.8, 30_693_853),
    "w3": Simulation("W3JetsToLNuSkim.root", 612.5, 15_241_144),
}

# the sample of all collision data that are there, and the integrated luminosity of each of its files in 1/pb
DATA = "data"
PERIODS = {"Run2012B_TauPlusXSkim.root": 4412.0, "Run2012C_TauPlusXSkim.root": 7055.0}

HOW_TO_GET_THEM = (
    "this workflow has no events of its own; it runs on CMS open data of 2012 (CC0): take the data sets of the records "
    "12351 to 12359 of the CERN Open Data portal (https://opendata.cern.ch/record/12350 describes them), run the "
    "program skim.cxx of record 12350 on each, put what it writes into one folder and give that with --data FOLDER: "
    f"{', '.join(simulation.file for simulation in SIMULATION.values())}, and one or both of {' and '.join(PERIODS)}"
)


def find_samples(folder: Path) -> Fileset:
    """Return the samples of a folder with the files of the published selection.

    Raises `InputError` when it is no folder or lacks files; says which, and where to get them.
    """
    needed = [simulation.file for simulation in SIMULATION.values()]
    missing = [name for name in needed if not (folder / name).is_file()]
    periods = [name for name in PERIODS if (folder / name).is_file()]
    if not periods:
        missing.append(next(iter(PERIODS)))
    if missing:
        what = f"the folder {folder} lacks {', '.join(missing)}" if folder.is_dir() else f"there is no folder {folder}"
        raise InputError(f"{what}; {HOW_TO_GET_THEM}")
    source = folder / "*Skim.root"
    samples = {
        name: Sample(
            name,
            (str(folder / simulation.file),),
            source,
            cross_section=simulation.cross_section,
            sum_of_weights=float(simulation.generated),
            weight="",
            shares=(1.0,),
        )
        for name, simulation in SIMULATION.items()
    }
    files = tuple(str(folder / name) for name in periods)
    samples[DATA] = Sample(DATA, files, source, weight="", luminosity=sum(PERIODS[name] for name in periods))
    return Fileset(source, samples)
