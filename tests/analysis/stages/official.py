"""Some corrections out of official files, for both libraries, and events to correct."""

from __future__ import annotations

import gzip
import json

import awkward as ak
import correctionlib
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg
from hepgrad.analysis import Events
from hepgrad.analysis.corrections import Correction


def both(folder, file, name, words=None):
    """Return one correction as ours and as correctionlib's, with some words of its first category only."""
    content = json.loads(gzip.decompress((folder / "corrections_cms2018ul" / f"{file}.json.gz").read_bytes()))
    (found,) = (each for each in content["corrections"] if each["name"] == name)
    if words:
        found["data"]["content"] = [item for item in found["data"]["content"] if item["key"] in words]
    text = json.dumps({"schema_version": 2, "corrections": [found]})
    return Correction.from_dict(found), correctionlib.CorrectionSet.from_string(text)[name]


def sample(events=60):
    """Return events in single precision, in which some objects are outside of what corrections know."""
    rng = np.random.default_rng(17)

    def rows(mean, **fields):
        counts = rng.poisson(mean, events)
        return ak.zip({name: ak.unflatten(make(counts.sum()), counts) for name, make in fields.items()})

    jets = rows(
        4,
        pt=lambda n: rng.uniform(15, 300, n).astype(np.float32),
        eta=lambda n: rng.uniform(-3, 3, n).astype(np.float32),
        btagDeepFlavB=lambda n: rng.uniform(0, 1, n).astype(np.float32),
        hadronFlavour=lambda n: rng.choice(np.array([0, 4, 5], np.int32), n),
    )
    muons = rows(
        1.5,
        pt=lambda n: rng.uniform(5, 100, n).astype(np.float32),
        eta=lambda n: rng.uniform(-2.8, 2.8, n).astype(np.float32),
    )
    pileup = ak.zip({"nTrueInt": rng.uniform(10, 60, events).astype(np.float32)})
    return ak.zip({"Jet": jets, "Muon": muons, "Pileup": pileup}, depth_limit=1)


def events_of(sample):
    """Return them as events of weight 1."""
    columns = {name: rg.from_awkward(sample[name]) for name in sample.fields}
    return Events.of(rg.RecordArray(columns), jnp.ones(len(sample), jnp.float32))


def per_event(correction, arrays):
    """Return what correctionlib gives each object."""
    counts = ak.num(next(each for each in arrays if not isinstance(each, str)))
    flat = [each if isinstance(each, str) else ak.to_numpy(ak.flatten(each)) for each in arrays]
    flat = [each if isinstance(each, str) or each.dtype.kind == "i" else each.astype(float) for each in flat]
    return ak.unflatten(correction.evaluate(*flat), counts)
