"""A search like the public 1Lbb: a background likelihood with many regions, and a patch set of signals in a plane."""

from __future__ import annotations

import json

import numpy as np

from hepgrad.analysis.statistics.histfactory import digest


def normsys(name, width):
    return {"name": name, "type": "normsys", "data": {"hi": 1 + width, "lo": 1 / (1 + width)}}


def background(regions, bins, sources, seed=0):
    """Return a workspace without signal: three samples, normalisations from control regions, shapes, statistics."""
    rng = np.random.default_rng(seed)
    channels, observations = [], []
    for r in range(regions):
        falling = np.exp(-0.6 * np.arange(bins)) * (120 if r % 2 else 40)
        samples = []
        for s, name in enumerate(("ttbar", "wjets", "st")):
            yields = falling * (0.6, 0.3, 0.1)[s] * rng.uniform(0.8, 1.2, bins)
            modifiers = [{"name": f"mu_{name}", "type": "normfactor", "data": None}] if s < 2 else []
            for k in range(sources):
                if k % 3 == s:
                    up = yields * (1 + 0.06 * rng.normal(size=bins))
                    varied = {"hi_data": up.tolist(), "lo_data": (2 * yields - up).tolist()}
                    modifiers.append({"name": f"shape_{k}", "type": "histosys", "data": varied})
                else:
                    modifiers.append(normsys(f"norm_{k}", 0.04))
            errors = (0.05 * yields).tolist()
            modifiers.append({"name": f"staterror_{r}", "type": "staterror", "data": errors})
            samples.append({"name": name, "data": yields.tolist(), "modifiers": modifiers})
        total = np.sum([sample["data"] for sample in samples], axis=0)
        channels.append({"name": f"region_{r}", "samples": samples})
        observations.append({"name": f"region_{r}", "data": rng.poisson(total).astype(float).tolist()})
    parameters = [{"name": name, "bounds": [[0.0, 5.0]]} for name in ("mu_ttbar", "mu_wjets")]
    return {
        "channels": channels,
        "observations": observations,
        "measurements": [{"name": "search", "config": {"poi": "mu_SIG", "parameters": parameters}}],
        "version": "1.0.0",
    }


def patch_set(workspace, number):
    """Return signals in the plane of two masses, heavier ones with fewer events; in the even regions only."""
    side = int(np.ceil(np.sqrt(number)))
    patches = []
    for i in range(number):
        heavy, light = 200 + 60 * (i // side), 10 * (i % side)
        operations = []
        for r, channel in enumerate(workspace["channels"]):
            if r % 2:
                continue
            bins = len(channel["samples"][0]["data"])
            shape = np.exp(-0.5 * (np.arange(bins) - 0.6 * bins * heavy / 800) ** 2 / 2)
            yields = (12 * np.exp(-(heavy - 200) / 180) * (1 - 0.002 * light) * shape).tolist()
            modifiers = [{"name": "mu_SIG", "type": "normfactor", "data": None}, normsys("norm_1", 0.04)]
            modifiers.append({"name": f"staterror_{r}", "type": "staterror", "data": [0.1 * y for y in yields]})
            signal = {"name": f"C1N2_{heavy}_{light}", "data": yields, "modifiers": modifiers}
            operations.append({"op": "add", "path": f"/channels/{r}/samples/0", "value": signal})
        metadata = {"name": f"C1N2_{heavy}_{light}", "values": [heavy, light]}
        patches.append({"metadata": metadata, "patch": operations})
    about = {"description": "signals", "references": {"hepdata": "ins1234567"}, "labels": ["heavy", "light"]}
    return {
        "metadata": {**about, "digests": {"sha256": digest(workspace)}},
        "patches": patches,
        "version": "1.0.0",
    }


def write(folder, *, regions, bins, sources, signals):
    """Write both into a folder, and return their paths."""
    workspace = background(regions, bins, sources)
    paths = folder / "background.json", folder / "patchset.json"
    for path, content in zip(paths, (workspace, patch_set(workspace, signals)), strict=True):
        path.write_text(json.dumps(content))
    return paths
