"""The slow and obvious way from events to templates and from these to a likelihood: loops over everything."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from hepgrad.analysis import Events
from hepgrad.analysis.statistics.counting_model import one_event
from hepgrad.analysis.statistics.histfactory import (
    FitChannel,
    FitSample,
    HistoSys,
    Model,
    NormFactor,
    NormSys,
    ParameterConfig,
    StatError,
)
from hepgrad.analysis.statistics.template_model import EMPTY_BIN
from hepgrad.analysis.systematics import (
    AlternativeSample,
    FreeNormalisation,
    KinematicVariation,
    Normalisation,
    Templates,
    WeightVariation,
    mirrored,
)


def filled(analysis, data, parameters, reading):
    """Return the templates of the only block of some data, one selection and one histogram after the other."""
    columns, weight, process = jax.tree.map(lambda leaf: leaf[0], (data.columns, data.weight, data.process))
    kinematics = [s for s in analysis.model.systematics if isinstance(s, KinematicVariation)]

    def selected(name=None, alpha=0.0):
        events = Events.of(columns, weight)
        for source in kinematics:
            events = source.shift(events, jnp.asarray(alpha, weight.dtype) if source.name == name else 0.0)
        return analysis.select(events, parameters, reading)

    def histograms(events):
        return {c.name: c.fill(events, parameters, reading, process, len(data.processes)) for c in analysis.channels}

    nominal, down, up = selected(), {}, {}
    for source in analysis.model.systematics:
        if isinstance(source, WeightVariation):
            for side, factor in ((up, source.up), (down, source.down)):
                if factor is not None:
                    # other processes than those of the source do not see it
                    mine = [i for i, name in enumerate(data.processes) if name in (source.processes or data.processes)]
                    factors = jnp.where(jnp.isin(process, jnp.array(mine)), factor(nominal), 1)
                    changed = dataclasses.replace(nominal, weight=nominal.weight * factors)
                    side[source.name] = histograms(changed)
        elif isinstance(source, KinematicVariation):
            up[source.name] = histograms(selected(source.name, 1.0))
            if not source.one_sided:
                down[source.name] = histograms(selected(source.name, -1.0))
    return Templates(histograms(nominal), down, up)


def built(declared, templates, axes, processes, typical_weight):
    """Return the likelihood of a `TemplateModel`, sample by sample and modifier by modifier."""
    alternatives = {
        s for source in declared.systematics if isinstance(source, AlternativeSample) for s in source.samples
    }
    rows = {name: i for i, name in enumerate(processes)}
    backgrounds = [name for name in processes if name not in {*declared.signal, *alternatives}]
    # statistics in the highest precision that is enabled
    templates = jax.tree.map(lambda x: x.astype(float), templates)
    heaviest = jnp.max(typical_weight[jnp.array([rows[name] for name in backgrounds])])
    channels = [_channel(declared, name, axis, templates, rows, backgrounds, heaviest) for name, axis in axes.items()]
    # a nearly empty bin has a large relative uncertainty, which pyhf's bounds of (0, 10) would cut off
    wide = [ParameterConfig(_staterror(c.name), bounds=[(1e-10, 1e6)] * len(c.samples[0].yields)) for c in channels]
    strength = ParameterConfig(declared.parameter_of_interest, bounds=declared.bounds)
    return Model(channels, parameter_of_interest=declared.parameter_of_interest, parameters=[strength, *wide])


def _channel(declared, name, axis, templates, rows, backgrounds, heaviest):
    def yields(counts, process):
        return jnp.maximum(axis.select(counts.sumw[rows[process]]), 0)

    nominal = templates.nominal[name]
    indices = jnp.array([rows[process] for process in backgrounds])
    background = jax.tree.map(lambda x: jnp.sum(x[indices], axis=0), nominal)
    event2 = one_event(background, heaviest)
    # what is missing to the floors goes to the largest background
    total = sum((yields(nominal, process) for process in backgrounds), jnp.zeros(()))
    missing = jnp.maximum(EMPTY_BIN * jnp.sqrt(event2) - total, 0)
    missing2 = jnp.maximum(event2 - axis.select(background.sumw2), 0)
    largest = jnp.argmax(jnp.sum(nominal.sumw[indices], axis=1))

    samples = []
    for process in [*declared.signal, *backgrounds]:
        here = yields(nominal, process)
        modifiers = [NormFactor(declared.parameter_of_interest)] if process in declared.signal else []
        extra, sumw2 = jnp.zeros_like(here), axis.select(nominal.sumw2[rows[process]])
        if process in backgrounds:
            is_largest = largest == backgrounds.index(process)
            extra, sumw2 = jnp.where(is_largest, missing, 0), sumw2 + jnp.where(is_largest, missing2, 0)
        if process in backgrounds or process in declared.signal_statistics:
            modifiers.append(StatError(_staterror(name), sumw2=sumw2))
        for source in declared.systematics:
            if source.processes is not None and process not in source.processes:
                continue
            if isinstance(source, FreeNormalisation):
                modifiers.append(NormFactor(source.name))
            elif isinstance(source, Normalisation):
                lo, hi = source.factors
                modifiers.append(NormSys(source.name, lo=lo, hi=hi))
            else:
                down, up = _varied(source, process, here, name, templates, yields)
                modifiers.append(HistoSys(source.name, lo=down + extra, hi=up + extra))
        samples.append(FitSample(process, here + extra, modifiers))
    return FitChannel(name, samples)


def _staterror(channel):
    return f"staterror_{channel}"


def _varied(source, process, nominal, channel, templates, yields):
    if isinstance(source, AlternativeSample):
        up = yields(templates.nominal[channel], source.up)
        down = mirrored(nominal, up) if source.down is None else yields(templates.nominal[channel], source.down)
    else:
        up = yields(templates.up[source.name][channel], process)
        one_sided = source.name not in templates.down
        down = mirrored(nominal, up) if one_sided else yields(templates.down[source.name][channel], process)
    for treatment in source.shape:
        down, up = treatment(nominal, down, up)
    return down, up
