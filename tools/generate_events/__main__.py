"""The command line, and the way from Pythia to a ROOT file."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from .branches import SKIM_LEPTON_PT, SKIM_MUON_PT, reconstruct_boosted, reconstruct_resolved
from .generation import (
    COMMON_SETTINGS,
    GeneratedBatch,
    cross_section_pb,
    make_generator,
    make_lepton_filter,
    optional_import,
)
from .samples import TTBAR_SAMPLES, ZPRIME_SAMPLES, Sample

BATCH = 400  # events clustered together


@dataclass(frozen=True)
class Campaign:
    """The samples of one workflow, and which of their events are kept."""

    samples: dict[str, Sample]
    lepton_kinds: tuple[int, ...]  # PDG numbers of the leptons that are asked for
    min_lepton_pt: float  # GeV
    reconstruct: Callable[[np.random.Generator, GeneratedBatch], dict[str, Any] | None]


CAMPAIGNS = {
    "zprime": Campaign(ZPRIME_SAMPLES, (13,), SKIM_MUON_PT, reconstruct_boosted),
    "ttbar-agc": Campaign(TTBAR_SAMPLES, (11, 13), SKIM_LEPTON_PT, reconstruct_resolved),
}


def write_tree(path: Path, branches: dict[str, Any]) -> None:
    """Write the branches as one TTree; the shorter ``file["Events"] = ...`` would write an RNTuple."""
    types = {k: v.dtype if isinstance(v, np.ndarray) else ak.type(v).content for k, v in branches.items()}
    with uproot.recreate(path, compression=uproot.LZMA(9)) as file:
        file.mktree("Events", types, title="simulated events").extend(branches)


def generate(campaign: Campaign, name: str, sample: Sample, seed: int, events: int, output: Path) -> dict[str, Any]:
    """Generate, reconstruct, skim and write one sample; returns its entry of ``fileset.json``."""
    seed += sample.number
    rng = np.random.default_rng(seed)
    lepton_filter = make_lepton_filter(campaign.lepton_kinds)
    pythia = lepton_filter.pythia = make_generator(sample.settings, seed, lepton_filter)
    kept: list[dict[str, Any]] = []
    started = reported = time.monotonic()
    while lepton_filter.generated < events:
        batch = GeneratedBatch()
        while len(batch.weights) < BATCH and lepton_filter.generated < events:
            if pythia.next():
                batch.append(pythia, campaign.lepton_kinds, campaign.min_lepton_pt)
        branches = campaign.reconstruct(rng, batch) if batch.weights else None
        if branches is not None:
            kept.append(branches)
        if time.monotonic() - reported > 5.0 or lepton_filter.generated >= events:
            reported = time.monotonic()
            done = f"{lepton_filter.generated}/{events} generated, {sum(len(b['MET_pt']) for b in kept)} kept"
            print(f"{name}: {done}, {reported - started:.0f} s", file=sys.stderr, flush=True)
    lepton_filter.pythia = None  # a reference cycle through C++ would never be freed

    if not kept:
        raise SystemExit(f"{name}: none of {events} events passed the skim; generate more")
    branches = {key: ak.concatenate([b[key] for b in kept]) for key in kept[0]}
    branches = {key: value if value.ndim > 1 else value.to_numpy() for key, value in branches.items()}
    entries = len(branches["MET_pt"])
    branches["event"] = sample.number * 100_000 + np.arange(1, entries + 1, dtype=np.uint64)
    branches["run"] = np.ones(entries, np.uint32)
    write_tree(output / f"{name}.root", branches)

    sumw = lepton_filter.sum_of_weights
    file_entry = {"path": f"{name}.root", "nevts": entries, "sumw": sumw, "seed": seed}
    generator_xsec = cross_section_pb(sample.settings, seed)
    return {
        "files": [file_entry],
        "nevts_total": entries,
        "nevts_generated": lepton_filter.generated,
        "sumw_total": sumw,
        "xsec_pb": sample.benchmark_xsec_pb or generator_xsec,
        "xsec_pb_generator": generator_xsec,
        "pythia_settings": f"{COMMON_SETTINGS} {sample.settings}".split(),
    }


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Generate the embedded events of a workflow.")
    parser.add_argument("workflow", choices=CAMPAIGNS, help="whose events")
    parser.add_argument("--output", type=Path, required=True, help="folder for the files")
    parser.add_argument("--samples", nargs="+", metavar="NAME", help="default: all of the workflow")
    parser.add_argument("--seed", type=int, default=20240, help="base seed; each sample adds its number")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of generated events")
    options = parser.parse_args(arguments)
    campaign = CAMPAIGNS[options.workflow]
    names = options.samples or list(campaign.samples)
    if unknown := sorted(set(names) - set(campaign.samples)):
        parser.error(f"{options.workflow} has no sample {unknown[0]!r}; it has {', '.join(campaign.samples)}")

    for package in ("pythia8mc", "fastjet", "vector"):
        optional_import(package)
    options.output.mkdir(parents=True, exist_ok=True)
    fileset_path = options.output / "fileset.json"
    for name in names:
        sample = campaign.samples[name]
        entry = generate(campaign, name, sample, options.seed, int(options.scale * sample.events), options.output)
        fileset = json.loads(fileset_path.read_text()) if fileset_path.exists() else {}
        fileset.setdefault(sample.process or name, {})[sample.variation] = entry
        ordered = {key: fileset[key] for key in campaign.samples if key in fileset}
        fileset_path.write_text(json.dumps(ordered, indent=1) + "\n")


if __name__ == "__main__":
    main()
