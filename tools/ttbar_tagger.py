"""Trains the small forest of ``examples/ttbar_systematics.py``: top pairs against W bosons, on jets and momentum.

Run it as ``python -m tools.ttbar_tagger EVENTS examples/ttbar_tagger.txt``, EVENTS holding ttbar_101.root and others.
"""

from __future__ import annotations

import sys
from pathlib import Path

import awkward as ak
import lightgbm
import numpy as np
import uproot

SETTINGS = {"objective": "binary", "num_leaves": 4, "learning_rate": 0.3, "seed": 1, "deterministic": True}


def features(file: Path) -> np.ndarray:
    """Return the sum of momenta and the number of central jets, and the missing momentum, of events with four jets."""
    tree = uproot.open(file)["Events"]
    pt, eta, met = (tree[name].array() for name in ("Jet_pt", "Jet_eta", "MET_pt"))
    central = ak.values_astype(pt[(pt > 20) & (abs(eta) < 2.5)], float)
    found = np.stack([ak.sum(central, axis=1), ak.num(central), met], axis=-1)
    return ak.to_numpy(found[ak.num(central) >= 4])


def train(folder: Path, output: Path) -> None:
    """Train eight trees and save them; both classes weigh the same."""
    classes = [
        np.concatenate([features(file) for file in sorted(folder.glob(files))])
        for files in ("wjets_2*.root", "ttbar_10*.root")
    ]
    weight = np.concatenate([np.full(len(each), 1000 / len(each)) for each in classes])
    target = np.repeat([0, 1], [len(each) for each in classes])
    sample = lightgbm.Dataset(np.concatenate(classes), target, weight=weight)
    lightgbm.train({**SETTINGS, "num_threads": 1, "verbose": -1}, sample, 8).save_model(output)


if __name__ == "__main__":
    train(Path(sys.argv[1]), Path(sys.argv[2]))
