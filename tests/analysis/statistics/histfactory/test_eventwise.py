"""Weights that are interpolated event by event: the histogram of shifted events at any shift, and its derivatives."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import (
    Analysis,
    Channel,
    Counts,
    Dataset,
    Hard,
    Parameter,
    Parameters,
    Regular,
    Soft,
    stage,
    to_workspace,
)
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.statistics.fitting.slopes import bend, slopes
from hepgrad.analysis.statistics.histfactory.evaluation import expectation
from hepgrad.analysis.statistics.objectives.luminosity import with_luminosity
from hepgrad.analysis.statistics.objectives.several import restricted
from hepgrad.analysis.systematics import Normalisation, Smoothing, Templates, WeightVariation, shared

pytestmark = pytest.mark.usefixtures("quick_compilation", "x64")

AXIS = Regular(3, 0, 90)
CUTS = Parameters(c=Parameter(20.0, bounds=(0, 60), width=5.0))
EVENTS = 200
RNG = np.random.default_rng(5)
X = {name: RNG.uniform(0, 90, EVENTS) for name in ("s", "b")}
# the logarithm of the factor at one standard deviation has both signs in every bin
LOG = {name: RNG.normal(0, 0.4, EVENTS) for name in X}


@stage(reads=["x"])
def keep(events, cut):
    return events.select(events.x > cut.c)


def up(events):
    return jnp.exp(events.log)


def lopsided(events):
    return jnp.exp(-0.5 * events.log)


def analysis(interpolation, down=None, *others, **more):
    source = WeightVariation("tail", up, down, ["b"], ["log"], interpolation=interpolation, **more)
    model = TemplateModel(["s"], [Normalisation("lumi", 0.02), source, *others])
    return Analysis([keep], [Channel("c", "x", AXIS)], model, "discovery")


@pytest.fixture(scope="module")
def data():
    with jax.enable_x64():
        samples = {name: ak.zip({"x": x, "log": LOG[name]}) for name, x in X.items()}
        return Dataset.from_awkward(samples, {"s": np.full(EVENTS, 0.1), "b": np.ones(EVENTS)}, block_size=128)


def model_of(physics, data, parameters=CUTS, reading=None):
    templates = physics.histograms(data, parameters, reading or Hard())
    return physics.model.build(templates, {"c": AXIS}, data.processes, data.typical_weight)


@pytest.fixture(scope="module")
def models(data):
    with jax.enable_x64():
        return {
            "events": model_of(analysis("events"), data),
            "templates": model_of(analysis("templates"), data),
            "lopsided": model_of(analysis("events", lopsided), data),
        }


def background(model, alphas):
    """Return the background at several shifts, shape (shifts, bins)."""
    start = model.initial.at[model.index("mu")].set(0)
    points = jnp.stack([start.at[model.index("tail")].set(alpha) for alpha in alphas])
    return np.asarray(jax.jit(jax.vmap(model.expected_data))(points))[:, :3]


def shifted(alphas, down=1.0):
    """Return the histograms with the weights at several shifts."""
    passed = X["b"] > 20
    factors = [np.exp(alpha * LOG["b"] * (1 if alpha > 0 else down))[passed] for alpha in alphas]
    return np.array([np.histogram(X["b"][passed], AXIS.edges, weights=each)[0] for each in factors])


def test_the_events_at_any_shift(models):
    knots, between = (-3, -2, -1, 0, 1, 2, 3), (-2.5, -1.4, -0.5, 0.3, 0.7, 1.5, 2.6)
    np.testing.assert_allclose(background(models["events"], knots), shifted(knots), rtol=1e-6)
    np.testing.assert_allclose(background(models["events"], between), shifted(between), rtol=0.01)
    # templates at +-1 know nothing of what the exponential does beyond
    assert np.max(np.abs(background(models["templates"], between) / shifted(between) - 1)) > 0.2
    # a straight line continues the spline
    steps = np.diff(background(models["events"], (3.0, 3.5, 4.0)), axis=0)
    np.testing.assert_allclose(steps[0], steps[1], rtol=1e-6)


def test_factors_of_their_own_below(models):
    knots = (-3, -2, -1, 1, 2)
    np.testing.assert_allclose(background(models["lopsided"], knots), shifted(knots, 0.5), rtol=1e-6)


def test_derivatives(data):
    physics, weights = analysis("events"), jnp.array([1.0, -2.0, 0.5])

    @jax.jit
    def expected(value, alpha):
        model = model_of(physics, data, CUTS.with_free({"c": value}), Soft())
        return weights @ model.expected_data(model.initial.at[model.index("tail")].set(alpha))[:3]

    at, alpha = jnp.asarray(20.0), jnp.asarray(-1.7)
    numeric = (expected(at + 1e-4, alpha) - expected(at - 1e-4, alpha)) / 2e-4
    np.testing.assert_allclose(jax.grad(expected)(at, alpha), numeric, rtol=1e-5)
    np.testing.assert_allclose(jax.jvp(lambda at: expected(at, alpha), (at,), (jnp.ones(()),))[1], numeric, rtol=1e-5)


def test_what_fits_use_is_the_derivative(models):
    model, weights = models["lopsided"], jnp.array([1.0, -2.0, 0.5])
    arrays = expectation(model.layout, model.templates)
    index = np.sort([model.index(name) for name in ("mu", "lumi", "tail")])

    @jax.jit
    def both(alpha):
        point = model.initial.at[model.index("tail")].set(alpha)
        first, parts = slopes(arrays, point)
        mine = first.jacobian[0].T, bend(arrays, parts, weights)[0]
        curvature = jax.hessian(lambda p: weights @ arrays.total(p))(point)[np.ix_(index, index)]
        return mine, (jax.jacfwd(arrays.total)(point)[:, index], curvature)

    for alpha in (-3.4, -1.2, 0.6, 2.3):
        mine, by_jax = both(jnp.asarray(alpha))
        for found, wanted in zip(mine, by_jax, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-8)


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
def test_a_workspace_has_the_templates_and_says_so(models):
    model = models["events"]
    observed = model.expected_data(model.initial)
    with pytest.warns(UserWarning, match=r"interpolation of events of tail has no place .* templates at \+-1"):
        workspace = pyhf.Workspace(to_workspace(model, observed))
    theirs = workspace.model()
    point = np.array(model.initial)
    point[model.index("tail")] = 1.0
    np.testing.assert_allclose(model.expected_data(point), theirs.expected_data(point), rtol=1e-6)


def test_what_cannot_be_is_refused(data):
    with pytest.raises(ValueError, match="must be of 'templates' or of 'events', got 'event'"):
        analysis("event")
    with pytest.raises(ValueError, match="leave out shape="):
        analysis("events", None, shape=[Smoothing()])
    (other,) = shared("tail", WeightVariation("other", up, lopsided))
    with pytest.raises(ValueError, match=r"no other source can move .* \['other'\] do"):
        model_of(analysis("events", None, other), data)
    negative = WeightVariation("neg", lambda events: events.log, interpolation="events")
    physics = Analysis([keep], [Channel("c", "x", AXIS)], TemplateModel(["s"], [negative]), "discovery")
    with pytest.raises(ValueError, match=r"neg: \d+ of \d+ events have factors that are not positive"):
        rg.checked(lambda data: physics.histograms(data, CUTS, Hard()))(data)


def test_what_scales_or_empties_yields_knows_of_all_points(models):
    model = models["events"]
    shifted_point = model.initial.at[model.index("tail")].set(2.5)
    ten_times = with_luminosity(model, 10.0).expected_data(shifted_point)[:3]
    np.testing.assert_allclose(ten_times, 10 * model.expected_data(shifted_point)[:3])
    kept = np.array([name == "b" for name in model.layout.sample_names])
    alone = restricted(model, jnp.asarray(kept), jnp.array([True, False, True])).expected_samples(shifted_point)
    np.testing.assert_array_equal(alone[~kept], 0)
    np.testing.assert_allclose(alone[kept][0], model.expected_samples(shifted_point)[kept][0] * np.array([1, 0, 1]))


def test_templates_at_one_standard_deviation_are_not_enough():
    counts = {"c": Counts(jnp.ones((2, 5)), jnp.ones((2, 5)))}
    templates = Templates(counts, down={"tail": counts}, up={"tail": counts})
    model = TemplateModel(["s"], [WeightVariation("tail", up, interpolation="events")])
    with pytest.raises(ValueError, match=r"tail: to interpolate events takes templates at \[-3, -2, 2, 3\] standard"):
        model.build(templates, {"c": AXIS}, ("s", "b"), jnp.ones(2))
