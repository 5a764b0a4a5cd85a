"""All templates in one array: the same numbers as one selection, one histogram and one modifier after the other."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis import Channel, Counts, Hard, Regular, Soft, StraightThrough, Variable, stage
from hepgrad.analysis.histogram import Gaussian
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.systematics import (
    AlternativeSample,
    FreeNormalisation,
    KinematicVariation,
    Normalisation,
    Pruning,
    Smoothing,
    Symmetrisation,
    Templates,
    WeightVariation,
    scaled,
)

from .events import ANALYSIS, CUTS, JES, PROCESSES, dataset, samples
from .reference import built, filled

pytestmark = [pytest.mark.usefixtures("quick_compilation"), pytest.mark.thorough]


@stage(reads=("Jet_pt",), makes=("ht",))
def regions(events, cut):
    """Divide events by the number of jets."""
    return events.categorise(many=events.Jet.at_least(3), rest="few")


def with_a_column(events, alpha):
    """Shift the missing momentum, and note by how much: a column that the nominal events do not have."""
    if isinstance(alpha, float) and alpha == 0:
        return events
    met = dataclasses.replace(events.MET, columns={**events.MET.columns, "pt": events.MET.pt * (1 + 0.1 * alpha)})
    return events.with_field(MET=met, shift=0.1 * alpha * events.MET.pt)


def corrected(events, alpha):
    """Correct the jets of all events; without random numbers, which have float32 precision."""
    return scaled(events, "Jet", 1.05 + 0.03 * alpha - 0.5 / events.Jet.pt, met="MET")


SEVERAL = dataclasses.replace(
    ANALYSIS,
    stages=[*ANALYSIS.stages, regions],
    channels=[
        Channel("few", "ht", Regular(6, 30, 300, flow="fold"), region="few"),
        Channel("many", "ht", Variable([50, 100, 130, 300], flow="separate"), region="many", bandwidth=20.0),
        Channel("all", "ht", Regular(5, 0, 400), kernel=Gaussian()),
    ],
    model=TemplateModel(
        ["signal"],
        [
            Normalisation("lumi", (-0.03, 0.02)),
            # the second of them corrects all events, those of the first as well
            KinematicVariation("jes", JES, shape=(Smoothing(1.0),)),
            KinematicVariation("jer", corrected, one_sided=True),
            KinematicVariation("met", with_a_column, processes=["top"], one_sided=True, shape=(Pruning(0.01),)),
            WeightVariation("pdf", up=lambda e: 1 + 0.002 * e.ht, down=lambda e: 1 / (1 + 0.002 * e.ht)),
            WeightVariation("btag", up=lambda e: 1 + e.ht / 1000, processes=["rest"], shape=(Symmetrisation(),)),
            AlternativeSample("generator", "top", up="top_other", shape=(Symmetrisation(), Smoothing(1.0))),
            FreeNormalisation("rest_norm", ["rest"]),
        ],
        signal_statistics=["signal"],
    ),
)
AXES = {channel.name: channel.axis for channel in SEVERAL.channels}


def assert_close(ours, theirs, rtol, atol):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


@pytest.mark.parametrize(
    ("reading", "dtype", "precision"),
    [
        # hard and soft programs in one
        (StraightThrough(0.7), np.float64, 1e-12),
        (Hard(), np.float32, 2e-6),
        pytest.param(Soft(0.7), np.float64, 1e-12, marks=pytest.mark.slow),
        pytest.param(Soft(0.7), np.float32, 2e-6, marks=pytest.mark.slow),
        pytest.param(Hard(), np.float64, 1e-12, marks=pytest.mark.slow),
    ],
)
def test_templates_are_those_of_one_selection_after_the_other(reading, dtype, precision):
    with jax.enable_x64(dtype == np.float64):
        data = dataset(samples(60, dtype))

        @jax.jit
        def ours(data, parameters, reading):
            return SEVERAL.histograms(data, parameters, reading)

        def theirs(data, parameters, reading):
            found = filled(SEVERAL, data, parameters, reading)
            order = [0, *(1 + found.names.index(name) for name in expected.names)]
            return Templates.packed(
                jax.tree.map(lambda x: x[np.array(order)], found.counts), found.channels, expected.names
            )

        expected = ours(data, CUTS, reading)
        scale = float(jnp.max(expected.counts.sumw))
        assert set(expected.names) == {
            *(("jes", 1), ("jes", -1), ("jer", 1), ("met", 1), ("pdf", 1), ("pdf", -1), ("btag", 1))
        }
        # two float32 programs round differently, and a shifted jet may lie on a cut
        assert_close(expected, jax.jit(theirs)(data, CUTS, reading), precision, precision * scale)


def test_derivatives_are_those_of_one_selection_after_the_other():
    with jax.enable_x64():
        data, weights = dataset(samples(60, np.float64)), np.random.default_rng(3).uniform(0.5, 1.5, (8, 4, 20))

        def of(fill):
            def total(parameters):
                counts = fill(parameters).counts
                return jnp.sum(jnp.asarray(weights) * (counts.sumw + 0.1 * counts.sumw2))

            return jax.jit(jax.grad(total))(CUTS)

        order = SEVERAL.histograms(data, CUTS, Soft(0.7)).names
        ours = of(lambda parameters: SEVERAL.histograms(data, parameters, Soft(0.7)))

        def theirs(parameters):
            found = filled(SEVERAL, data, parameters, Soft(0.7))
            rows = np.array([0, *(1 + found.names.index(name) for name in order)])
            return Templates.packed(jax.tree.map(lambda x: x[rows], found.counts), found.channels, order)

        assert_close(ours, of(theirs), 1e-10, 1e-10)


def random_templates(rng):
    """Return templates with negative, empty and nearly empty bins."""

    def histograms():
        counts = {}
        for channel in SEVERAL.channels:
            sumw = rng.gamma(1.0, 5.0, (len(PROCESSES), channel.cells)) - 1.0
            sumw[:, 2] *= rng.uniform() < 0.5
            counts[channel.name] = Counts(jnp.asarray(sumw), jnp.asarray(np.abs(sumw) * rng.uniform(0.5, 2)))
        return counts

    two_sided, one_sided = ("jes", "pdf"), ("jer", "met", "btag")
    return Templates(
        histograms(), {name: histograms() for name in two_sided}, {name: histograms() for name in two_sided + one_sided}
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_likelihood_is_that_of_one_modifier_after_the_other(seed):
    rng = np.random.default_rng(seed)
    with jax.enable_x64():
        templates, weights = random_templates(rng), jnp.asarray(rng.uniform(0.5, 2, len(PROCESSES)))
        ours = SEVERAL.model.build(templates, AXES, PROCESSES, weights)
        theirs = built(SEVERAL.model, templates, AXES, PROCESSES, weights)
        assert ours.parameter_names == theirs.parameter_names
        # only what acts: entries of samples that a modifier does not act on have no influence
        assert_close(ours.channels, theirs.channels, 1e-12, 1e-12)
        np.testing.assert_array_equal(ours.bounds, theirs.bounds)
        np.testing.assert_array_equal(ours.fixed, theirs.fixed)
        point = np.clip(ours.initial + rng.normal(0, 0.4, ours.layout.size), 0.1, None)
        np.testing.assert_allclose(ours.expected_data(point), theirs.expected_data(point), rtol=1e-12)


def test_derivatives_of_the_likelihood_are_those_of_one_modifier_after_the_other():
    rng = np.random.default_rng(7)
    with jax.enable_x64():
        templates, weights = random_templates(rng), jnp.ones(len(PROCESSES))

        def of(build):
            def value(templates):
                model = build(templates)
                point = model.initial + 0.3
                return jnp.sum(jnp.sin(model.expected_data(point))) + jnp.sum(model.constraints.variance)

            return jax.jit(jax.grad(value))(templates)

        ours = of(lambda t: SEVERAL.model.build(t, AXES, PROCESSES, weights))
        assert_close(ours, of(lambda t: built(SEVERAL.model, t, AXES, PROCESSES, weights)), 1e-10, 1e-10)


def test_numbers_that_cannot_be_are_named():
    """With known templates, as the model of channels does."""
    templates = random_templates(np.random.default_rng(0))
    for value, told in ((np.nan, "must be finite and not negative, got nan"), (np.inf, "got inf")):
        # the third bin of the second process
        sumw = templates.counts.sumw.at[0, 1, 3].set(value)
        broken = Templates.packed(Counts(sumw, templates.counts.sumw2), templates.channels, templates.names)
        with pytest.raises(ValueError, match=rf"yields of sample 'top' in channel 'few' .*{told} in bin 2"):
            SEVERAL.model.build(broken, AXES, PROCESSES, jnp.ones(len(PROCESSES)))
