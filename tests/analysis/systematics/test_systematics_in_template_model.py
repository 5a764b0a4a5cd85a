"""From templates to a likelihood: the same declaration in the fit and in pyhf's exchange format."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest

from hepgrad.analysis import Counts, Hard
from hepgrad.analysis.statistics import TemplateModel, to_workspace
from hepgrad.analysis.statistics.objectives import Sigma
from hepgrad.analysis.systematics import Normalisation, Symmetrisation, Templates

from .events import ANALYSIS, AXIS, CUTS, PROCESSES, dataset, samples

pytestmark = pytest.mark.usefixtures("quick_compilation")

MODEL = ANALYSIS.model
WITH_SIGNAL_STATISTICS = dataclasses.replace(MODEL, signal_statistics=["signal"])
AXES = {"sr": AXIS}


@pytest.fixture(scope="module")
def filled():
    with jax.enable_x64():
        data = dataset(samples())
        return ANALYSIS.histograms(data, CUTS, Hard()), AXES, data.processes, data.typical_weight


@pytest.fixture(scope="module")
def built(filled):
    with jax.enable_x64():
        return filled[0], MODEL.build(*filled)


# pyhf asks jsonschema in a way that it deprecates
@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
@pytest.mark.parametrize("declared", [MODEL, WITH_SIGNAL_STATISTICS], ids=["background", "and signal"])
def test_exported_workspace_means_the_same_to_pyhf(filled, declared):
    rng = np.random.default_rng(1)
    with jax.enable_x64():
        model = declared.build(*filled)
        data = model.expected_data(model.initial)
        workspace = pyhf.Workspace(to_workspace(model, data))
        theirs = workspace.model()
        assert tuple(theirs.config.par_names) == model.parameter_names
        for _ in range(3):
            point = np.clip(model.initial + rng.normal(0, 0.3, len(model.parameter_names)), 0.05, None)
            point = np.where(model.fixed, model.initial, point)
            np.testing.assert_allclose(
                model.logpdf(point, data), theirs.logpdf(point, workspace.data(theirs)), rtol=1e-6
            )


def test_modifiers_are_those_declared(built):
    _, model = built
    (channel,) = model.channels
    modifiers = {s.name: {(m.type, m.name) for m in s.modifiers} for s in channel.samples}
    common = {("normsys", "lumi"), ("histosys", "pdf"), ("histosys", "jes"), ("histosys", "jer")}
    stat = ("staterror", "staterror_sr")
    assert modifiers == {
        "signal": {("normfactor", "mu"), *common},
        "top": {("normfactor", "top_norm"), ("histosys", "btag"), ("histosys", "generator"), stat, *common},
        "rest": {("histosys", "btag"), stat, *common},
    }


def test_one_sided_templates_are_mirrored_and_alternatives_are_templates_only(built, x64):
    templates, model = built
    top = model.channels[0].samples[[s.name for s in model.channels[0].samples].index("top")]
    nominal, other = (AXIS.select(templates["sr"].sumw[PROCESSES.index(name)]) for name in ("top", "top_other"))
    generator, jer = (next(m for m in top.modifiers if m.name == name) for name in ("generator", "jer"))
    extra = top.yields - nominal
    np.testing.assert_allclose(generator.hi, other + extra)
    np.testing.assert_allclose(generator.lo, np.maximum(2 * nominal - other, 0) + extra)
    up = AXIS.select(templates.up["jer"]["sr"].sumw[PROCESSES.index("top")])
    np.testing.assert_allclose(jer.lo, np.maximum(2 * nominal - up, 0) + extra, rtol=1e-6)


def test_empty_bins_keep_an_uncertain_background():
    counts = Counts(
        jnp.array([[0, 2.0, 2, 0], [0, 0, 8, 0], [0, 0, 4, 0]]),
        jnp.array([[0, 2.0, 2, 0], [0, 0, 16, 0], [0, 0, 8, 0]]),
    )
    model = TemplateModel(["signal"]).build(
        Templates({"sr": counts}), {"sr": dataclasses.replace(AXIS, bins=2)}, ("signal", "top", "rest"), jnp.ones(3)
    )
    signal, top, rest = model.channels[0].samples
    # twelve events of weight 2: a tenth of one of them in the empty bin, and an uncertainty of a whole one
    np.testing.assert_allclose(signal.yields, [2, 2])
    np.testing.assert_allclose(top.yields, [0.2, 8])
    np.testing.assert_allclose(rest.yields, [0, 4])
    total2 = sum(s.modifiers[-1].sumw2 for s in (top, rest))
    np.testing.assert_allclose(total2, [4, 24])


def test_signal_statistics_add_to_those_of_the_background_and_leave_its_floors():
    """With one bin, yields s and b and variances v and w, the strength has the variance (s + b + v + w) / s**2."""
    axes = {"sr": dataclasses.replace(AXIS, bins=1)}
    for background, expected_yield, expected_variance in ((40.0, 40.0, 160.0), (0.0, 0.4, 16.0)):
        # signal events of weight 3, background events of weight 4
        sumw = jnp.array([[0, 90.0, 0], [0, background, 0]])
        counts = {"sr": Counts(sumw, sumw * jnp.array([[3.0], [4.0]]))}
        declared = TemplateModel(["signal"], signal_statistics=["signal"])
        with jax.enable_x64():
            model = declared.build(counts, axes, ("signal", "rest"), jnp.array([3.0, 4.0]))
            signal, rest = model.channels[0].samples
            np.testing.assert_allclose([signal.yields, rest.yields], [[90], [expected_yield]], rtol=1e-6)
            np.testing.assert_allclose(rest.modifiers[-1].sumw2, [expected_variance], rtol=1e-6)
            variance = jnp.exp(-2 * Sigma()(model))
        np.testing.assert_allclose(variance, (90 + expected_yield + 270 + expected_variance) / 90**2, rtol=1e-6)


def test_less_than_nothing_counts_as_nothing():
    """A data-driven process with negative bins neither makes them free of background nor takes any from the others."""
    sumw = jnp.array([[0, 2.0, 2, 0], [0, 3, 8, 0], [0, -4, 6, 0]])
    axes = {"sr": dataclasses.replace(AXIS, bins=2)}
    model = TemplateModel(["signal"]).build(
        {"sr": Counts(sumw, jnp.abs(sumw))}, axes, ("signal", "top", "rest"), jnp.ones(3)
    )
    _, top, rest = model.channels[0].samples
    np.testing.assert_allclose([top.yields, rest.yields], [[3, 8], [0, 6]])
    # what is uncertain about it stays
    np.testing.assert_allclose(sum(s.modifiers[-1].sumw2 for s in (top, rest)), [7, 14])


def test_bounds_of_the_signal_strength():
    counts = {"sr": Counts(jnp.ones((2, 3)), jnp.ones((2, 3)))}
    axes = {"sr": dataclasses.replace(AXIS, bins=1)}
    for bounds, expected in ((None, (0, 10)), ((-5, 20), (-5, 20))):
        model = TemplateModel(["signal"], bounds=bounds).build(counts, axes, ("signal", "rest"), jnp.ones(2))
        assert tuple(model.bounds[model.index("mu")]) == expected


def test_treatments_are_applied():
    counts = Counts(jnp.ones((2, 3)) * 10, jnp.ones((2, 3)))
    source = dataclasses.replace(MODEL.systematics[3], name="pdf", shape=(Symmetrisation(),))
    varied = {s: {"sr": Counts(counts.sumw * f, counts.sumw2)} for s, f in (("up", 1.3), ("down", 1.0))}
    templates = Templates({"sr": counts}, {"pdf": varied["down"]}, {"pdf": varied["up"]})
    axis = dataclasses.replace(AXIS, bins=1)
    model = TemplateModel(["signal"], [source]).build(templates, {"sr": axis}, ("signal", "rest"), jnp.ones(2))
    modifier = model.channels[0].samples[1].modifiers[-1]
    np.testing.assert_allclose([modifier.lo, modifier.hi], [[8.5], [11.5]], rtol=1e-6)


def test_what_does_not_fit_is_named():
    counts = {"sr": Counts(jnp.ones((2, 5)), jnp.ones((2, 5)))}
    arguments = (Templates(counts), AXES, ("signal", "rest"), jnp.ones(2))
    with pytest.raises(ValueError, match=r"names the processes \['top'\]; there are \['signal', 'rest'\]"):
        TemplateModel(["signal"], [Normalisation("xsec", 0.1, processes=["top"])]).build(*arguments)
    with pytest.raises(ValueError, match="needs a background besides its signal"):
        TemplateModel(["signal", "rest"]).build(*arguments)
    with pytest.raises(ValueError, match="needs a name of its own"):
        TemplateModel(["signal"], [Normalisation("a", 0.1), Normalisation("a", 0.2)])
    with pytest.raises(ValueError, match="at least one signal"):
        TemplateModel([])
    with pytest.raises(ValueError, match=r"names \['top'\], which are not all signal \['signal'\]"):
        TemplateModel(["signal"], signal_statistics=["top"])
