"""The model against pyhf, and as a differentiable, compiled function of its histograms."""

from __future__ import annotations

import json
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest
from jax.test_util import check_grads

from hepgrad.analysis.statistics.fitting import fit
from hepgrad.analysis.statistics.histfactory import (
    FitChannel,
    FitSample,
    HistoSys,
    Model,
    NormFactor,
    NormSys,
    StatError,
    from_workspace,
)

pytestmark = pytest.mark.usefixtures("quick_compilation")

CODES = [("code4", "code4p"), ("code1", "code0"), ("code4", "code2")]


def points(model, number, seed=0):
    """Random parameters about the start; the pulls within 1, where pyhf's code2 is right."""
    rng = np.random.default_rng(seed)
    start = np.asarray(model.config.suggested_init())
    return [
        np.where(start == 0, rng.uniform(-1, 1, start.size), start * rng.uniform(0.6, 1.5, start.size))
        for _ in range(number)
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("normsys_code, histosys_code", CODES)
def test_every_modifier_equals_pyhf(x64, workspace, in_pyhf, normsys_code, histosys_code):
    settings = {"normsys": {"interpcode": normsys_code}, "histosys": {"interpcode": histosys_code}}
    theirs, expected_data = in_pyhf(workspace, modifier_settings=settings)
    ours, data = from_workspace(workspace, normsys_code=normsys_code, histosys_code=histosys_code)
    config = theirs.config
    assert list(ours.parameter_names) == config.par_names
    assert ours.parameter_of_interest == config.poi_name and ours.index("mu") == config.poi_index
    np.testing.assert_array_equal(ours.initial, config.suggested_init())
    np.testing.assert_array_equal(ours.bounds, config.suggested_bounds())
    np.testing.assert_array_equal(ours.fixed, config.suggested_fixed())
    np.testing.assert_allclose(data, expected_data, rtol=1e-15)
    for parameters in points(theirs, 5):
        np.testing.assert_allclose(ours.expected_data(parameters), theirs.expected_data(parameters), rtol=1e-12)
        np.testing.assert_allclose(
            ours.logpdf(parameters, data), theirs.logpdf(parameters, expected_data)[0], rtol=1e-12
        )
        main, auxiliary = ours.split(data)
        for part in ("mainlogpdf", "constraint_logpdf"):
            arguments = main if part == "mainlogpdf" else auxiliary
            expected = getattr(theirs, part)(np.asarray(arguments), parameters)
            np.testing.assert_allclose(getattr(ours, part)(parameters, arguments), expected, rtol=1e-12)


def test_agc_workspace_equals_pyhf(x64, shared_data, in_pyhf):
    workspace = json.loads((shared_data / "agc/workspace_1_file_per_process.json").read_text(encoding="utf-8"))
    theirs, expected_data = in_pyhf(workspace)
    ours, data = from_workspace(workspace)
    assert list(ours.parameter_names) == theirs.config.par_names
    for parameters in points(theirs, 20):
        np.testing.assert_allclose(
            ours.logpdf(parameters, data), theirs.logpdf(parameters, expected_data)[0], rtol=1e-12
        )


def test_deviance_is_minus_twice_the_log_likelihood_ratio(x64, workspace, in_pyhf):
    ours, data = from_workspace(workspace)
    theirs, _ = in_pyhf(workspace)
    difference = [ours.deviance(x, data) + 2 * ours.logpdf(x, data) for x in points(theirs, 5)]
    np.testing.assert_allclose(difference, difference[0], rtol=1e-12)
    x = points(theirs, 1)[0]
    assert ours.deviance(x, ours.expected_data(x)) == 0


def test_named_views(x64, workspace):
    model, data = from_workspace(workspace)
    parameters = model.vector({"mu": 2.0, "free": [0.8, 1.2]})
    named = model.named(parameters)
    assert named["mu"] == 2 and named["theory"] == 0
    assert model.logpdf({"mu": 2.0, "free": [0.8, 1.2]}, data) == model.logpdf(parameters, data)
    np.testing.assert_array_equal(named["free"], [0.8, 1.2])
    np.testing.assert_array_equal(parameters[model.index("free")], [0.8, 1.2])
    channels = model.by_channel(model.split(data)[0])
    np.testing.assert_array_equal(channels["SR"], [70, 61, 5])
    by_sample = model.expected_samples(parameters)
    assert model.layout.sample_names == ("background", "other", "signal")
    np.testing.assert_allclose(by_sample.sum(axis=0), model.expected_actualdata(parameters))


def small(yields, *, systematics=1):
    """Build a model from one array of yields (2 samples, 3 bins), with as many pairs of systematics as asked."""
    signal, background = yields
    shapes = [HistoSys(f"shape{i}", hi=background * 1.1, lo=background * 0.95 - 0.3) for i in range(systematics)]
    norms = [NormSys(f"norm{i}", hi=1.05 + 0 * signal[0], lo=0.93) for i in range(systematics)]
    samples = [
        FitSample("signal", signal, [NormFactor("mu"), *norms, StatError("mc", sumw2=0.3 * signal)]),
        FitSample("background", background, [*shapes, *norms, StatError("mc", sumw2=0.1 * background**2)]),
    ]
    return Model([FitChannel("bins", samples)], parameter_of_interest="mu")


YIELDS = np.array([[3.0, 6.0, 1.0], [50.0, 30.0, 20.0]])
DATA = np.array([55.0, 31.0, 26.0])


def without_zeros(workspace):
    """Return the workspace with 1 for each 0, where yields and uncertainties that vanish fix parameters."""
    return json.loads(re.sub(r"\b0\.0\b", "1.0", json.dumps(workspace)))


def test_derivatives_equal_central_differences(x64, workspace):
    model, data = from_workspace(without_zeros(workspace))
    parameters = model.vector({"theory": 0.4, "jes": -0.3})
    check_grads(lambda model, x: model.logpdf(x, data), (model, parameters), order=1, rtol=1e-5)


def test_derivatives_are_finite_at_zero_yields_and_uncertainties(x64, workspace):
    model, data = from_workspace(workspace)

    @jax.jit
    def slopes(model, parameters):
        return [jax.grad(f, argnums=(0, 1))(model, parameters, data) for f in (Model.logpdf, Model.deviance)]

    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes(model, model.initial)))


@jax.jit
def log_probability(yields, pull):
    model = small(yields)
    parameters = model.vector({"mu": 1.2, "shape0": pull, "norm0": -pull})
    return model.logpdf(parameters, model.data({"bins": DATA}))


@pytest.mark.thorough
def test_derivatives_with_respect_to_traced_histograms(x64):
    check_grads(log_probability, (jnp.asarray(YIELDS), 0.4), order=1, rtol=1e-5)


def test_derivatives_at_the_joints_of_the_interpolation(x64):
    pulls = jnp.array([-1.0, 0.0, 1.0])
    slopes = jax.jit(jax.vmap(jax.jacrev(log_probability, argnums=(0, 1)), (None, 0)))
    step = 1e-6
    below, at, above = (slopes(jnp.asarray(YIELDS), pulls + shift) for shift in (-step, 0, step))
    for left, value, right in zip(below, at, above, strict=True):
        np.testing.assert_allclose(value, (left + right) / 2, rtol=1e-6)


def test_one_compilation_serves_all_yields_and_vmaps(x64):
    traces = []

    @jax.jit
    def compiled(yields):
        traces.append(1)
        model = small(yields)
        return model.logpdf(model.initial, model.expected_data(model.vector({"mu": 1.5})))

    many = jnp.asarray(YIELDS) * jnp.linspace(0.5, 2, 4)[:, None, None]
    one_by_one = [compiled(yields) for yields in many]
    assert len(traces) == 1
    np.testing.assert_allclose(jax.vmap(compiled)(many), one_by_one, rtol=1e-12)
    model = small(YIELDS)
    eager = model.logpdf(model.initial, model.expected_data(model.vector({"mu": 1.5})))
    np.testing.assert_allclose(compiled(YIELDS), eager, rtol=1e-12)


def test_the_model_is_a_pytree_of_few_arrays(x64):
    model = small(YIELDS)
    leaves, structure = jax.tree.flatten(model)
    assert jax.tree.unflatten(structure, leaves).logpdf(model.initial, model.data({"bins": DATA})) == model.logpdf(
        model.initial, model.data({"bins": DATA})
    )
    slope = jax.grad(lambda model: model.logpdf(model.initial, model.data({"bins": DATA})))(model)
    assert slope.templates.nominal.shape == (2, 3) and slope.layout == model.layout


def test_the_program_does_not_grow_with_the_number_of_systematics(x64):
    def operations(systematics):
        model = small(YIELDS, systematics=systematics)
        slope = jax.make_jaxpr(jax.grad(lambda model, x: model.deviance(x, model.data({"bins": DATA})), argnums=(0, 1)))
        return len(str(slope(model, model.initial)).splitlines())

    assert operations(32) <= 1.1 * operations(4)  # only the tree of a product over factors has log2(n) levels


def test_one_model_in_both_precisions():
    model = small(YIELDS)
    single = model.logpdf(model.initial, model.data({"bins": DATA}))
    assert single.dtype == jnp.float32
    with jax.enable_x64():
        double = small(YIELDS)
        precise = double.logpdf(double.initial, double.data({"bins": DATA}))
        assert precise.dtype == jnp.float64
        np.testing.assert_allclose(single, precise, rtol=1e-5)
        np.testing.assert_allclose(model.logpdf(model.initial, model.data({"bins": DATA})), precise, rtol=1e-5)


@pytest.mark.parametrize("observed, expected", [(0.0, 0.0), (2.0, -np.inf)])
def test_bins_without_expectation(x64, observed, expected):
    model = Model([FitChannel("bin", [FitSample("signal", [0.0], [NormFactor("mu")])])])
    value, slope = jax.value_and_grad(model.logpdf)(model.initial, model.data({"bin": [observed]}))
    assert value == expected and np.isfinite(slope).all()
    assert model.deviance(model.initial, model.data({"bin": [observed]})) == (np.inf if observed else 0)


def test_negative_expectations_are_impossible(x64):
    model = Model([FitChannel("bin", [FitSample("signal", [3.0], [NormFactor("mu")])])])
    assert model.logpdf([-1.0], [0.0]) == -np.inf


def with_negative_yields():
    """Samples that are negative in a bin, with every kind of modifier; the total is positive."""
    shape = {"hi_data": [52.0, -0.7, 31.0], "lo_data": [47.0, -0.4, 28.0]}
    negative = [
        {"name": "xsec", "type": "normsys", "data": {"hi": 1.2, "lo": 0.9}},
        {"name": "jes", "type": "histosys", "data": shape},
        {"name": "mc", "type": "staterror", "data": [2.0, 0.5, 1.0]},
        {"name": "model", "type": "shapesys", "data": [2.0, 0.3, 1.0]},
    ]
    positive = [{"name": "mc", "type": "staterror", "data": [1.0, 2.0, 1.5]}]
    signal = [{"name": "mu", "type": "normfactor", "data": None}]
    return {
        "channels": [
            {
                "name": "c",
                "samples": [
                    {"name": "s", "data": [5.0, 6.0, -0.2], "modifiers": signal},
                    {"name": "b", "data": [50.0, -0.5, 30.0], "modifiers": negative},
                    {"name": "b2", "data": [10.0, 20.0, 5.0], "modifiers": positive},
                ],
            }
        ],
        "observations": [{"name": "c", "data": [60.0, 25.0, 33.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_negative_yields_of_a_sample(x64, in_pyhf):
    workspace = with_negative_yields()
    model, data = from_workspace(workspace)
    theirs, their_data = in_pyhf(workspace)
    np.testing.assert_allclose(data, their_data, rtol=1e-14)
    np.testing.assert_array_equal(model.fixed, theirs.config.suggested_fixed())
    rng = np.random.default_rng(1)
    for _ in range(5):
        parameters = np.asarray(model.initial) + 0.2 * rng.normal(size=len(model.initial)) * ~np.asarray(model.fixed)
        expected = theirs.logpdf(parameters, their_data)[0]
        np.testing.assert_allclose(model.logpdf(parameters, data), expected, rtol=1e-12)
    best = fit(model, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        at, twice_nll = pyhf.infer.mle.fit(their_data, theirs, return_fitted_val=True)
    assert 2 * float(best.nll) <= float(twice_nll) + 1e-9
    np.testing.assert_allclose(best.parameters, at, atol=5e-3)


def test_data_are_impossible_where_the_sum_of_all_samples_is_negative(x64):
    samples = [FitSample("s", [1.0], [NormFactor("mu")]), FitSample("b", [-3.0])]
    model = Model([FitChannel("c", samples)], parameter_of_interest="mu")
    assert model.logpdf([2.0], [1.0]) == -np.inf
    np.testing.assert_allclose(model.logpdf([4.0], [1.0]), -1.0, rtol=1e-12)
