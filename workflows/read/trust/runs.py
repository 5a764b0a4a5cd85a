"""What a NanoAOD file says itself of the events that were generated for it: its tree ``Runs``."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import awkward as ak
import numpy as np

from ..files.tree import opened_file
from ..sample import WEIGHT, Sample

RUNS = "Runs"
# with an underscore in the first versions of NanoAOD
SUMS = ("genEventSumw", "genEventSumw_")


def generated_weights(directory: Any) -> float | None:
    """Return the sum of the weights of all events that were generated for a file; None when it does not say."""
    if RUNS not in directory:
        return None
    tree = directory[RUNS]
    branch = next((name for name in SUMS if name in tree.keys()), None)  # noqa: SIM118  # a tree is no mapping
    if branch is None:
        return None
    sums = np.asarray(ak.to_numpy(ak.flatten(tree[branch].array(library="ak"), axis=None)), np.float64)
    return float(sums.sum()) if len(sums) and np.isfinite(sums).all() else None


def with_sum_of_files(sample: Sample) -> Sample:
    """Return a sample with the sum of weights that its files say, if the fileset says none and all of them do."""
    if sample.sum_of_weights is not None or sample.luminosity is not None or sample.weight != WEIGHT:
        return sample
    sums = []
    for file in sample.files:
        try:
            with opened_file(file) as directory:
                told = generated_weights(directory)
        except Exception:  # reading it will tell what is wrong with it
            return sample
        if told is None:
            return sample
        sums.append(told)
    return dataclasses.replace(sample, sum_of_weights=math.fsum(sums))
