"""Documents of HS3 as RooFit, pyhs3 and the standard's examples build them: what is read, and what is refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import norm, poisson

from hepgrad.analysis.statistics.exchange import from_hs3
from hepgrad.analysis.statistics.histfactory import from_workspace

pytestmark = pytest.mark.usefixtures("quick_compilation")


def normfactor(name):
    return {"name": name, "type": "normfactor", "parameter": name}


@pytest.fixture
def document():
    """As RooFit writes: an analysis for each data set, no start of its own, a luminosity that is held."""
    axes = [{"name": "obs_x_SR", "min": 0.0, "max": 2.0, "nbins": 2}]
    fakes = {"name": "fakes", "type": "shapesys", "constraint": "Poisson", "data": {"vals": [0.1, 0.2]}}
    background = {
        "name": "background",
        "data": {"contents": [40.0, 30.0], "errors": [4.0, 2.0]},
        "modifiers": [normfactor("Lumi"), {**fakes, "parameters": ["gamma_fakes_bin_0", "gamma_fakes_bin_1"]}],
    }
    signal = {
        "name": "signal",
        "data": {"contents": [5.0, 9.0], "errors": [1.0, 0.5]},
        "modifiers": [normfactor("Lumi"), normfactor("mu")],
    }
    channel = {"name": "model_SR", "type": "histfactory_dist", "axes": axes, "samples": [background, signal]}
    start = [{"name": "Lumi", "value": 1.0, "const": True}, {"name": "mu", "value": 1.0}]
    kinds = ("asimovData", "obsData")
    return {
        "metadata": {"hs3_version": "0.2"},
        "distributions": [channel],
        "data": [
            {"name": f"{kind}_SR", "type": "binned", "axes": axes, "contents": contents}
            for kind, contents in zip(kinds, ([45, 39], [51, 33]), strict=True)
        ],
        "likelihoods": [{"name": f"sim_{k}", "distributions": ["model_SR"], "data": [f"{k}_SR"]} for k in kinds],
        "analyses": [
            {"name": f"sim_{k}", "likelihood": f"sim_{k}", "parameters_of_interest": ["mu"], "domains": [f"poi_{k}"]}
            for k in kinds
        ],
        "domains": [
            {"name": f"poi_{k}", "type": "product_domain", "axes": [{"name": "mu", "min": -1.0, "max": 7.0}]}
            for k in kinds
        ],
        "parameter_points": [{"name": "default_values", "parameters": start}],
    }


def read(document):
    return from_workspace(from_hs3(document, analysis="sim_obsData"))


def with_modifier(document, modifier, *, sample=0, distributions=(), **channel):
    changed = copy.deepcopy(document)
    changed["distributions"][0]["samples"][sample]["modifiers"].append(modifier)
    changed["distributions"][0] |= channel
    changed["distributions"] += distributions
    return changed


def probability(document, **parameters):
    """Log-probability at the start, but for these parameters."""
    model, data = read(document)
    point = np.array(model.initial)
    for name, value in parameters.items():
        point[model.parameter_names.index(name)] = value
    return float(model.logpdf(point, data))


def test_analyses_of_observed_and_asimov_data_are_told_apart(document):
    workspace = from_hs3(document, analysis="sim_asimovData")
    assert workspace["observations"] == [{"name": "model_SR", "data": [45.0, 39.0]}]
    with pytest.raises(ValueError, match=r"\['sim_asimovData', 'sim_obsData'\] differ .* of 'model_SR'.*choose"):
        from_hs3(document)
    with pytest.raises(ValueError, match="there is no 'sim'; there are"):
        from_hs3(document, analysis="sim")


def test_a_start_without_a_name_is_that_of_roofit(x64, document):
    model, data = read(document)
    assert dict(zip(model.parameter_names, np.asarray(model.fixed), strict=True))["Lumi"]
    bounds = dict(zip(model.parameter_names, np.asarray(model.bounds).tolist(), strict=True))
    assert bounds["mu"] == [-1.0, 7.0]
    effective = [100, 25]
    expected = poisson.logpmf([51, 33], [45, 39]).sum() + poisson.logpmf(effective, effective).sum()
    assert float(model.logpdf(model.initial, data)) == pytest.approx(expected, rel=1e-12)


SHIFT = {"lo": {"contents": [42.0, 27.0]}, "hi": {"contents": [38.0, 33.0]}}
UNIT = {"name": "jes_constraint", "type": "gaussian_dist", "mean": "alpha_jes", "x": 0.0, "sigma": 1.0}


def test_a_constraint_may_be_a_distribution(x64, document):
    jes = {"name": "jes", "type": "histosys", "parameter": "alpha_jes", "data": SHIFT}
    plain = with_modifier(document, {**jes, "constraint": "Gauss"})
    poly = {"type": "add", "in": "poly6", "out": "poly1"}
    expected = probability(plain, alpha_jes=0.7)
    for named in ({"constraint": "jes_constraint"}, {"constraints": ["jes_constraint"]}):
        changed = with_modifier(document, {**jes, **named}, distributions=[UNIT], default_interpolation=poly)
        assert probability(changed, alpha_jes=0.7) == pytest.approx(expected, rel=1e-12)
    unnamed = {"type": "histosys", "parameters": ["alpha_jes"], "data": SHIFT}
    assert probability(with_modifier(document, unnamed), alpha_jes=0.7) == pytest.approx(expected, rel=1e-12)
    legacy = {"name": "jes", "type": "histosys", "data": SHIFT}
    assert probability(with_modifier(document, legacy), alpha_jes=0.7) == pytest.approx(expected, rel=1e-12)
    wide = {**UNIT, "sigma": 2.0}
    with pytest.raises(ValueError, match=r"'alpha_jes' has the width 2\.0; HistFactory has 1"):
        read(with_modifier(document, {**jes, "constraint": "jes_constraint"}, distributions=[wide]))


def test_a_factor_with_a_gaussian_term_is_a_luminosity(x64, document):
    term = {"name": "scale_term", "type": "gaussian_dist", "x": "scale", "mean": "nom_scale", "sigma": "width"}
    changed = with_modifier(document, {**normfactor("scale"), "constraint": "scale_term"}, distributions=[term])
    aux = with_modifier(document, normfactor("scale"), distributions=[term])
    aux["likelihoods"][1]["aux_distributions"] = ["scale_term"]
    for one in (changed, aux):
        one["parameter_points"][0]["parameters"] += [
            {"name": "nom_scale", "value": 1.0, "const": True},
            {"name": "width", "value": 0.05, "const": True},
            {"name": "scale", "value": 1.0},
        ]
        moved = probability(one, scale=1.1)
        expected = poisson.logpmf([51, 33], [5 + 40 * 1.1, 9 + 30 * 1.1]).sum() + norm.logpdf(1.1, 1.0, 0.05)
        constant = probability(document) - poisson.logpmf([51, 33], [45, 39]).sum()
        assert moved == pytest.approx(expected + constant, rel=1e-12)


STAT = {"name": "mcstat", "type": "staterror"}


def test_simulated_statistics_of_one_sample(x64, document):
    constant = probability(document) - poisson.logpmf([51, 33], [45, 39]).sum()
    main = poisson.logpmf([51, 33], [5 + 40 * 1.2, 9 + 30]).sum()
    relative = np.array([0.1, 2 / 30])
    for said in ({}, {"constraint": "Poisson"}):
        found = probability(with_modifier(document, {**STAT, **said}), **{"mcstat_model_SR[0]": 1.2})
        effective = relative**-2
        term = poisson.logpmf(np.round(effective, 9), effective * [1.2, 1.0]).sum()
        assert found == pytest.approx(main + term + constant, rel=1e-9)
    gauss = {"staterror": {"constraint_type": "Gauss"}}
    for changed in (with_modifier(document, {**STAT, "constraint": "Gauss"}), with_modifier(document, STAT, **gauss)):
        found = probability(changed, **{"mcstat_model_SR[0]": 1.2})
        assert found == pytest.approx(main + norm.logpdf(1.0, [1.2, 1.0], relative).sum() + constant, rel=1e-12)


def test_simulated_statistics_of_two_samples_with_poisson_constraint(x64, document):
    changed = with_modifier(with_modifier(document, STAT), STAT, sample=1)
    constant = probability(document) - poisson.logpmf([51, 33], [45, 39]).sum()
    model, _ = read(changed)
    names = [name for name in model.parameter_names if name.startswith("mcstat")]
    effective = np.array([45, 39]) ** 2 / (np.array([4, 2]) ** 2 + np.array([1, 0.5]) ** 2)
    at = np.array([1.1, 0.95])
    # Poisson densities of numbers that are no integers
    terms = effective * np.log(effective * at) - effective * at - gammaln(effective + 1)
    expected = poisson.logpmf([51, 33], np.array([45, 39]) * at).sum() + terms.sum() + constant
    assert probability(changed, **dict(zip(names, at, strict=True))) == pytest.approx(expected, rel=1e-9)


def test_a_gaussian_shapesys_and_bins_that_are_held(x64, document):
    shape = {"name": "qcd", "type": "shapesys", "constraint": "Gauss", "data": {"vals": [0.3, 0.1]}}
    changed = with_modifier(document, shape)
    constant = probability(document) - poisson.logpmf([51, 33], [45, 39]).sum()
    expected = poisson.logpmf([51, 33], [5 + 40 * 1.2, 39]).sum() + norm.logpdf(1.0, [1.2, 1.0], [0.3, 0.1]).sum()
    assert probability(changed, **{"qcd[0]": 1.2}) == pytest.approx(expected + constant, rel=1e-12)
    changed["parameter_points"][0]["parameters"].append({"name": "gamma_qcd_bin_1", "value": 1.0, "const": True})
    model, _ = read(changed)
    held = dict(zip(model.parameter_names, np.asarray(model.fixed), strict=True))
    assert held["qcd[1]"] and not held["qcd[0]"]
    changed["parameter_points"][0]["parameters"][-1]["value"] = 1.2
    with pytest.raises(ValueError, match=r"'gamma_qcd_bin_1' is held at 1\.2"):
        read(changed)
    threshold = with_modifier(document, STAT, staterror={"constraint_type": "Gauss", "relThreshold": 0.08})
    model, _ = read(threshold)
    held = dict(zip(model.parameter_names, np.asarray(model.fixed), strict=True))
    assert held["mcstat_model_SR[1]"] and not held["mcstat_model_SR[0]"]
    # the threshold is for all samples together: 0.1 of 5 counts beside 4 of 40
    both = with_modifier(threshold, STAT, sample=1)
    both["distributions"][0]["samples"][1]["data"]["errors"][0] = 0.1
    model, _ = read(both)
    held = dict(zip(model.parameter_names, np.asarray(model.fixed), strict=True))
    assert held["mcstat_model_SR[1]"] and not held["mcstat_model_SR[0]"]
    width = float(model.constraints.variance[model.index("mcstat_model_SR")][0])
    assert width == pytest.approx((4**2 + 0.1**2) / 45**2, rel=1e-12)


FACTOR = {"name": "xsec", "type": "normsys", "parameter": "alpha_xsec", "data": {"hi": 1.1, "lo": 0.9}}
LOGNORMAL = {"name": "far", "type": "lognormal_dist", "x": "alpha_xsec", "mu": 0, "sigma": 1}


@pytest.mark.parametrize(
    ("modifier", "distributions", "message"),
    [
        ({**FACTOR, "interpolation": 1}, [], "'xsec' .* interpolates by 1; only code4 is read"),
        ({**FACTOR, "interpolation": {"type": "mult", "in": "exp", "out": None}}, [], "'exp'.* only code4 is read"),
        ({**FACTOR, "constraint": "far"}, [LOGNORMAL], "by 'far', a 'lognormal_dist'; only gaussian_dist is read"),
        ({**FACTOR, "constraint": "unknown"}, [], "is a 'normsys' with the constraint 'unknown'"),
        ({**FACTOR, "constraints": [None]}, [], "is a 'normsys' with the constraint 'none'"),
        ({"name": "f", "type": "shapesys", "constraint": "Const", "data": {"vals": [0, 0]}}, [], "constraint 'Const'"),
        ({"name": "f", "type": "custom"}, [], "is a 'custom' with the constraint 'none'"),
        ({"type": "normfactor"}, [], "must be an object with a 'name', a 'parameter' or 'parameters'"),
        ({"type": "shapefactor", "parameters": ["a"]}, [], "'a' has 1 parameters for 2 bins"),
        (
            {"name": "other", "type": "shapefactor", "parameters": ["gamma_fakes_bin_0", "x"]},
            [],
            "'fakes' and 'other' share the parameter 'gamma_fakes_bin_0'",
        ),
    ],
)
def test_what_a_workspace_has_not_is_refused(document, modifier, distributions, message):
    with pytest.raises(ValueError, match=message):
        read(with_modifier(document, modifier, distributions=distributions))


def test_constraints_of_bins_are_as_wide_as_the_data_say(document):
    names = ["first", "second"]
    one = {"type": "gaussian_dist", "x": 1.0, "mean": "gamma"}
    widths = [{**one, "name": "first", "sigma": 0.1}, {**one, "name": "second", "sigma": 0.3}]
    factor = {"name": "f", "type": "shapesys", "constraints": names, "data": {"vals": [0.1, 0.3]}}
    model, _ = read(with_modifier(document, factor, distributions=widths))
    np.testing.assert_allclose(model.constraints.variance[model.index("f")], [0.1**2, 0.3**2], rtol=1e-6)
    with pytest.raises(ValueError, match=r"'f' of .* by 'second' of relative width 0.3, and its data say 0.2"):
        read(with_modifier(document, {**factor, "data": {"vals": [0.1, 0.2]}}, distributions=widths))
    counts = [{"name": name, "type": "poisson_dist", "x": 100, "mean": "scaled"} for name in names]
    with pytest.raises(ValueError, match=r"'f' of .* by 'second' of relative width 0.1, and its data say 0.3"):
        read(with_modifier(document, factor, distributions=counts))
    with pytest.raises(ValueError, match="has 1 constraints for 2 bins"):
        read(with_modifier(document, {**factor, "constraints": ["first"]}, distributions=widths))
    twice = with_modifier(document, factor, distributions=widths)
    with pytest.raises(ValueError, match="acts on other samples, too"):
        read(with_modifier(twice, factor, sample=1))


def test_a_constraint_is_of_its_own_parameter(document):
    other = {**UNIT, "mean": "alpha_other", "sigma": 2.0}
    with pytest.raises(ValueError, match="by 'jes_constraint', which is about other parameters"):
        read(with_modifier(document, {**FACTOR, "constraint_name": "jes_constraint"}, distributions=[other]))


def test_terms_of_the_likelihood_are_not_lost(document):
    changed = with_modifier(document, FACTOR, distributions=[LOGNORMAL])
    changed["likelihoods"][1]["aux_distributions"] = ["far"]
    with pytest.raises(ValueError, match="the term 'far', a 'lognormal_dist' that constrains no parameter"):
        read(changed)
