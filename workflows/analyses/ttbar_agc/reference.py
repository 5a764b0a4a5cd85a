"""The statistical half of the analysis on histograms that the challenge's own implementation filled."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.analysis import Counts, FitChannel, HistoSys, Model, NormSys, Sample
from hepgrad.analysis.histogram import Axis
from hepgrad.analysis.systematics import Templates

from ...errors import InputError
from ...files.stored_files import read_text
from .open_data import CROSS_SECTIONS, MODEL_OPEN_DATA, TTBAR_AGC_OPEN_DATA


def reference_likelihood(histograms: str | Path, inputs: str | Path) -> tuple[Model, jax.Array]:
    """Return the likelihood that the workflow's statistical model makes of reference histograms, and their data.

    As the challenge's configuration asks (``NormPlusShape``), the effect of a source on the rate of a sample is a
    factor, apart from that on its shape. One-sided sources are mirrored in both, even below nothing.

    The histograms are named as the challenge names them: ``4j1b_ttbar``, ``4j1b_ttbar_pt_scale_up``,
    ``4j1b_pseudodata``. They hold no variances, but all events of a sample count for the same there:
    ``cross-section x luminosity / number of events``.

    Parameters
    ----------
    histograms
        JSON: by name, ``edges`` and ``contents`` with under- and overflow. They may be finer than the workflow's bins.
    inputs
        The challenge's list of files, ``nanoaod_inputs.json``, for the number of events in the first file of each
        sample: the one that the histograms were filled from.

    Returns
    -------
    model : Model
    data : jax.Array
        The pseudodata and auxiliary data, for `fit` and the functions of `hepgrad.analysis.statistics.inference`.

    Raises
    ------
    InputError
        When a file cannot be read, or a histogram is missing or has no edge where a bin of the workflow begins.
    """
    filled, listed = _read(Path(histograms)), _read(Path(inputs))
    workflow, channels = TTBAR_AGC_OPEN_DATA, TTBAR_AGC_OPEN_DATA.analysis.channels
    weights = jnp.array([_weight(process.datasets[0], listed, workflow.luminosity) for process in workflow.processes])
    measured = {process.name for process in workflow.predicted}

    def counts(channel: str, axis: Axis, suffix: str = "") -> Counts:
        rows = [
            # alternative samples are templates themselves, which nothing varies
            _rebinned(filled, f"{channel}_{process.name}{suffix if process.name in measured else ''}", axis)
            for process in workflow.processes
        ]
        sumw = jnp.stack(rows)
        return Counts(sumw, sumw * weights[:, None])

    def everywhere(suffix: str = "") -> dict[str, Counts]:
        return {channel.name: counts(channel.name, channel.axis, suffix) for channel in channels}

    up = [s.name for s in MODEL_OPEN_DATA.systematics if s.sides or s.weighted]
    # the others are one-sided
    down = [name for name in up if f"{channels[0].name}_{workflow.predicted[0].name}_{name}_down" in filled]
    templates = Templates(
        everywhere(),
        {name: everywhere(f"_{name}_down") for name in down},
        {name: everywhere(f"_{name}_up") for name in up},
    )
    axes = {channel.name: channel.axis for channel in channels}
    likelihood = MODEL_OPEN_DATA.build(templates, axes, [process.name for process in workflow.processes], weights)
    two_sided = {*down, *(s.name for s in MODEL_OPEN_DATA.systematics if len(s.samples) == 2)}
    separate = [
        FitChannel(c.name, [_rates_apart(sample, two_sided) for sample in c.samples]) for c in likelihood.channels
    ]
    likelihood = Model(
        separate, parameter_of_interest=likelihood.parameter_of_interest, parameters=likelihood.layout.configs
    )
    pseudodata = {name: axis.select(_rebinned(filled, f"{name}_pseudodata", axis)) for name, axis in axes.items()}
    return likelihood, likelihood.data(pseudodata)


def _rates_apart(sample: Sample, two_sided: Collection[str]) -> Sample:
    """Return the sample with a ``normsys`` and a ``histosys`` that leaves the rate in place of each ``histosys``."""
    total = jnp.sum(sample.yields)
    modifiers: list[Any] = []
    for modifier in sample.modifiers:
        if isinstance(modifier, HistoSys):
            rate = jnp.sum(modifier.hi) / total
            shape = modifier.hi / rate
            if modifier.name in two_sided:
                lower = jnp.sum(modifier.lo) / total
                lower_shape = modifier.lo / lower
            else:
                lower, lower_shape = 2 - rate, 2 * sample.yields - shape
            modifiers.append(NormSys(modifier.name, hi=rate, lo=lower))
            modifier = HistoSys(modifier.name, hi=shape, lo=lower_shape)
        modifiers.append(modifier)
    return Sample(sample.name, sample.yields, modifiers)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content: Mapping[str, Any] = json.loads(read_text(path))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    return content


def _weight(dataset: str, listed: Mapping[str, Any], luminosity: float) -> float:
    name, _, variation = dataset.partition(":")
    try:
        events = listed[name][variation or "nominal"]["files"][0]["nevts"]
    except (KeyError, IndexError):
        raise InputError(f"the list of files tells no number of events for {dataset!r}") from None
    return CROSS_SECTIONS[name] * luminosity / float(events)


def _rebinned(filled: Mapping[str, Any], name: str, axis: Axis) -> jax.Array:
    """Return a histogram in the bins of an axis, shape (bins + 2,)."""
    if name not in filled:
        raise InputError(f"there is no histogram {name!r}; there are {', '.join(list(filled)[:5])}, ...")
    edges, contents = (np.asarray(filled[name][key], float) for key in ("edges", "contents"))
    first = np.searchsorted(edges, axis.edges - 1e-6)
    if first[-1] == len(edges) or not np.allclose(edges[first], axis.edges):
        raise InputError(f"histogram {name!r} has no edges at {axis.edges.tolist()}, but at {edges.tolist()}")
    # what lies below the first edge is the first entry
    return jnp.asarray(np.add.reduceat(contents, [0, *(first + 1)]))
