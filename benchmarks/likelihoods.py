"""Fits, tests and limits of whole likelihoods, against pyhf; and how time grows with the number of parameters.

``python -m benchmarks likelihoods --workspace FILE --workspace FILE`` takes workspaces of your own, for instance
public ones; by default one is made with 181 parameters ("full"). Large likelihoods (751 and 2,801 parameters) are
compared with single evaluations of the log-probability in pyhf, because a fit there takes minutes to hours. "cold"
includes compilation. pyhf runs in a process of its own. Its fits with NumPy, its tests and limits are run once, which
with JAX includes compilation; with NumPy tests and limits take minutes to hours, and are left out.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

from hepgrad.analysis.statistics.fitting import fit
from hepgrad.analysis.statistics.histfactory import from_workspace, to_workspace
from hepgrad.analysis.statistics.inference import hypotest, pseudo_data, toy_statistics, upper_limit
from hepgrad.analysis.statistics.objectives import Discovery

from .discovery import search
from .runner import Comparison, Size

# channels, bins, samples, nuisance parameters
SHAPES = {"quick": (2, 5, 3, 8), "full": (6, 20, 6, 60)}
LARGE = {"quick": [(5, 10, 4, 20)], "full": [(20, 30, 10, 150), (50, 50, 12, 300)]}


def comparisons(size: Size, workspaces: Sequence[Path] = ()) -> Iterator[Comparison]:
    """Yield fit, test and limit of each workspace, then the large likelihoods.

    ``workspaces`` are read instead of the one that is made here.
    """
    for path in workspaces:
        yield from against_pyhf(path.stem, json.loads(path.read_text(encoding="utf-8")))
    if workspaces:
        return
    with jax.enable_x64(True):
        model = search(*SHAPES[size])
        data = pseudo_data(model, model.vector({"mu": 0.0}), jax.random.key(1), 1)[0]
        workspace = to_workspace(model, data)
    yield from against_pyhf(f"{model.layout.size} parameters", workspace)
    for shape in LARGE[size]:
        yield large(shape)


def against_pyhf(name: str, workspace: dict[str, Any]) -> Iterator[Comparison]:
    """Yield the comparisons of one workspace."""
    with jax.enable_x64(True):
        model, data = from_workspace(workspace)
    tasks: dict[str, tuple[Callable[[], Any], Sequence[str]]] = {
        "fit": (lambda: fit(model, data), ("jax", "numpy")),
        "CLs": (lambda: hypotest(1.0, model, data).CLs_obs, ("jax",)),
        "limit": (lambda: upper_limit(model, data).observed, ("jax",)),
    }
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        for task, (ours, backends) in tasks.items():
            ways = {"compiled": functools.partial(_in_double, ours), "cold": functools.partial(_cold, ours)}
            rivals = {
                f"pyhf ({backend}, scipy)": lambda task=task, backend=backend: process.submit(
                    run_in_pyhf, task, backend, json.dumps(workspace)
                ).result()
                for backend in backends
            }
            slow = [rival for rival in rivals if task != "fit" or "numpy" in rival]
            yield Comparison(f"{name}: {task}", ways, rivals, once=["cold", *slow])


def run_in_pyhf(task: str, backend: str, workspace: str) -> None:
    """Do one of the tasks."""
    import pyhf

    pyhf.set_backend(backend, "scipy")
    model, data = in_pyhf(json.loads(workspace))
    if task == "fit":
        pyhf.infer.mle.fit(data, model)
    elif task == "CLs":
        pyhf.infer.hypotest(1.0, data, model, return_expected_set=True)
    else:
        # on a grid, because the search for the root, which takes more tests, fails with the backend jax
        pyhf.infer.intervals.upper_limits.upper_limit(data, model, scan=np.linspace(0.1, 4, 5))


def large(shape: tuple[int, int, int, int]) -> Comparison:
    """Return the comparison of one large likelihood with evaluations in pyhf."""
    with jax.enable_x64(True):
        model = search(*shape)
        significance = jax.jit(jax.value_and_grad(Discovery()))
    keys = iter(range(1_000_000))

    def toys() -> Any:
        return toy_statistics(0.0, model, model.initial, jax.random.key(next(keys)), number=2, test_stat="q0")

    @functools.cache
    def evaluation() -> Callable[[], Any]:
        with jax.enable_x64(True):
            theirs, their_data = in_pyhf(to_workspace(model, model.expected_data(model.initial)))
        point = np.asarray(theirs.config.suggested_init())
        return lambda: theirs.logpdf(point, their_data)

    ways = {
        "value and gradient of the significance": lambda: _in_double(lambda: significance(model)),
        "two toys, free and conditional fit": lambda: _in_double(toys),
    }
    return Comparison(f"{model.layout.size} parameters", ways, {"pyhf, one log-probability": lambda: evaluation()()})


def in_pyhf(workspace: dict[str, Any]) -> tuple[Any, Any]:
    """Return model and data of the first measurement in pyhf."""
    import pyhf

    config = workspace["measurements"][0]["config"]
    spec = {"channels": workspace["channels"], "parameters": config["parameters"]}
    model = pyhf.Model(spec, poi_name=config["poi"], validate=False)
    observed = {each["name"]: each["data"] for each in workspace["observations"]}
    main = [count for channel in model.config.channels for count in observed[channel]]
    return model, [*main, *model.config.auxdata]


def _in_double(function: Callable[[], Any]) -> None:
    with jax.enable_x64(True):
        jax.block_until_ready(function())


def _cold(function: Callable[[], Any]) -> None:
    jax.clear_caches()
    _in_double(function)
