"""What the prediction is made of: samples, and what each of their events counts for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from ..errors import InputError
from .fileset import Fileset
from .process import Process
from .sample import Sample
from .trust.runs import with_sum_of_files


@dataclasses.dataclass(frozen=True)
class Ingredient:
    """What a sample adds to a process.

    Attributes
    ----------
    sample
        The sample, or a part of it (`Sample.keep`).
    factor
        Expected events per unit of weight.
    """

    sample: Sample
    factor: float


# by process
Ingredients: TypeAlias = Mapping[str, Sequence[Ingredient]]


def _check_eras(process: str, samples: Sequence[Sample], fileset: Fileset) -> None:
    """Refuse a process that has samples of some eras and none of others, which would lack their luminosity."""
    known = {sample.era for sample in fileset.samples.values() if sample.era_luminosity is not None}
    here = {sample.era for sample in samples if sample.era_luminosity is not None}
    if here and (missing := sorted(known - here)):
        raise InputError(
            f"process {process!r} has samples of the eras {', '.join(sorted(here))}, and none of {', '.join(missing)} "
            f"in {fileset.source}; it would lack the luminosity of {missing[0]}"
        )


def simulated(processes: Sequence[Process], fileset: Fileset, luminosity: float) -> Ingredients:
    """Return what processes are made of that are nothing but simulated samples.

    The sum of weights of a sample for which the fileset says none is taken from its files, if these say it themselves
    (in the tree ``Runs`` of NanoAOD).

    Parameters
    ----------
    processes
        The parts of the prediction.
    fileset
        That describes their samples.
    luminosity
        In 1/pb.

    Raises
    ------
    InputError
        When the luminosity is not positive, a sample is not in the fileset, or its normalisation is missing.
    """
    if not (np.isfinite(luminosity) and luminosity > 0):
        raise InputError(f"the luminosity must be positive, got {luminosity} /pb")
    found: dict[str, list[Ingredient]] = {}
    for process in processes:
        samples = list(map(with_sum_of_files, process.samples(fileset).values()))
        _check_eras(process.name, samples, fileset)
        found[process.name] = [Ingredient(sample, sample.events_per_weight(luminosity)) for sample in samples]
    return found
