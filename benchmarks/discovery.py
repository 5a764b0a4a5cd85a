"""Value and gradient of the expected discovery significance, against one fit in pyhf.

The model has 5 channels of 20 bins, 6 samples and 50 nuisance parameters besides the simulated statistics of each bin
("full"). We profile all of them on Asimov data and differentiate with respect to every template. pyhf only fits the
nuisance parameters without signal to the same data, by scipy's SLSQP, in a process of its own: its JAX backend sets
64-bit types for the whole process.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import jax
import numpy as np

from hepgrad.analysis.statistics.histfactory import (
    FitChannel,
    FitSample,
    HistoSys,
    Model,
    NormFactor,
    NormSys,
    StatError,
    to_workspace,
)
from hepgrad.analysis.statistics.inference import asimov_data
from hepgrad.analysis.statistics.objectives import Discovery

from .runner import Comparison, Size

# channels, bins, samples, nuisance parameters
SHAPES = {"quick": (2, 10, 3, 10), "full": (5, 20, 6, 50)}


def search(channels: int, bins: int, samples: int, nuisances: int) -> Model:
    """Return a peak over falling backgrounds; each nuisance parameter acts on every other sample of all channels."""
    rng = np.random.default_rng(5)

    def sample(index: int, channel: int) -> FitSample:
        position = np.arange(bins)
        peak = 20 * np.exp(-0.5 * ((position - rng.uniform(0.3, 0.7) * bins) / 2) ** 2)
        falling = rng.uniform(100, 1000) * np.exp(-position / bins * rng.uniform(1, 3))
        yields = falling if index else peak
        modifiers: list[Any] = [] if index else [NormFactor("mu")]
        for nuisance in range(index % 2, nuisances, 2):
            if nuisance % 4 < 2:
                modifiers.append(NormSys(f"norm{nuisance}", hi=rng.uniform(1.01, 1.08), lo=rng.uniform(0.92, 0.99)))
            else:
                slope = rng.normal(0, 0.03) * yields * np.linspace(-1, 1, bins)
                modifiers.append(HistoSys(f"shape{nuisance}", hi=yields + slope, lo=yields - slope))
        modifiers.append(StatError(f"mc{channel}", sumw2=yields * rng.uniform(0.05, 0.3)))
        return FitSample("signal" if index == 0 else f"background{index}", yields, modifiers)

    return Model(
        [FitChannel(f"channel{c}", [sample(s, c) for s in range(samples)]) for c in range(channels)],
        parameter_of_interest="mu",
    )


def comparisons(size: Size) -> Iterator[Comparison]:
    """Yield the one comparison."""
    with jax.enable_x64(True):
        model = search(*SHAPES[size])
        workspace = json.dumps(to_workspace(model, asimov_data(model, 1.0)))
        functions = {"value": jax.jit(Discovery()), "value + gradient": jax.jit(jax.value_and_grad(Discovery()))}

    def ours(function: Any) -> None:
        with jax.enable_x64(True):
            jax.block_until_ready(function(model))

    channels, bins, samples, nuisances = SHAPES[size]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        yield Comparison(
            f"{channels} x {bins} bins, {samples} samples, {nuisances} nuisance parameters",
            {name: functools.partial(ours, function) for name, function in functions.items()},
            {
                f"pyhf fit ({backend})": lambda backend=backend: process.submit(
                    fit_in_pyhf, backend, workspace
                ).result()
                for backend in ("jax", "numpy")
            },
        )


def fit_in_pyhf(backend: str, workspace: str) -> None:
    """Fit without signal."""
    import pyhf

    pyhf.set_backend(backend, "scipy")
    model, data = in_pyhf(backend, workspace)
    pyhf.infer.mle.fixed_poi_fit(0.0, data, model)


@functools.lru_cache
def in_pyhf(backend: str, workspace: str) -> tuple[Any, Any]:
    """Return model and data, which are made once for each backend."""
    import pyhf

    spec = json.loads(workspace)
    config = spec["measurements"][0]["config"]
    model = pyhf.Model(
        {"channels": spec["channels"], "parameters": config["parameters"]}, poi_name=config["poi"], validate=False
    )
    observed = {each["name"]: each["data"] for each in spec["observations"]}
    main = [count for channel in model.config.channels for count in observed[channel]]
    return model, pyhf.tensorlib.astensor([*main, *model.config.auxdata])
