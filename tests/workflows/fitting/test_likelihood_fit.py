"""`fit` against pyhf and cabinetry, which fit the same workspace with minuit."""

from __future__ import annotations

import copy
import csv
import dataclasses
import json
import re

import cabinetry
import jax
import numpy as np
import pyhf
import pytest

from hepgrad.analysis import FitError
from hepgrad.workflows import InputError, fit

# pyhf asks jsonschema in a way that it deprecates, and cabinetry tells of its own
pytestmark = [
    pytest.mark.usefixtures("quick_compilation"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.thorough,
]


@pytest.fixture(scope="module")
def theirs(workspace):
    with pyhf_with_minuit():
        model, data = cabinetry.model_utils.model_and_data(copy.deepcopy(workspace))
        return model, data, cabinetry.fit.fit(model, data, goodness_of_fit=True)


def pyhf_with_minuit():
    import contextlib
    import warnings

    @contextlib.contextmanager
    def context():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-5, strategy=0))
            yield
            pyhf.set_backend("numpy")

    return context()


def test_estimates_and_uncertainties(result, theirs):
    found, _ = result
    model, _, fitted = theirs
    assert found.names == tuple(model.config.par_names)
    np.testing.assert_allclose(found.estimates, fitted.bestfit, atol=2e-3)
    assert found.twice_nll == pytest.approx(fitted.best_twice_nll, abs=1e-5)
    # minuit's Hessian is numerical
    np.testing.assert_allclose(found.uncertainties, fitted.uncertainty, rtol=0.02)
    np.testing.assert_allclose(found.correlation, fitted.corr_mat, atol=0.02)
    assert set(found.states) == {"free"}


def test_goodness_of_fit(result, theirs):
    found, _ = result
    assert found.goodness.ndof == 3 - 2
    assert float(found.goodness.p_value) == pytest.approx(theirs[2].goodness_of_fit, rel=1e-3)


def test_goodness_of_fit_by_pseudo_experiments(workspace, tmp_path):
    """With tens of events in all bins the asymptotic distribution holds; the files say what is printed."""
    found = fit(workspace, quantities=["goodness"], toys=400, seed=3)
    assert found.toy_goodness.failed == 0 and found.toy_goodness.chi2 == found.goodness.chi2
    assert abs(found.toy_goodness.p_value - found.goodness.p_value) < 4 * found.toy_goodness.p_error
    assert np.mean(found.toy_goodness.toys) == pytest.approx(1, abs=4 * np.sqrt(2 / 400))  # chi2 of one degree
    assert "goodness of fit, 400 pseudo-experiments: p = " in str(found)
    found.write(tmp_path / "fit")
    told = json.loads((tmp_path / "fit" / "results.json").read_text())["toy_goodness"]
    assert told["p_value"] == pytest.approx(float(found.toy_goodness.p_value)) and told["number"] == 400
    assert len((tmp_path / "fit" / "toys.csv").read_text().splitlines()) == 401
    assert {path.name for path in (tmp_path / "fit" / "plots").glob("goodness.*")} >= {"goodness.png", "goodness.pdf"}


def test_significance_and_limit(result, theirs):
    found, _ = result
    model, data, _ = theirs
    with pyhf_with_minuit():
        p0, (_, _, expected, *_) = pyhf.infer.hypotest(0.0, data, model, test_stat="q0", return_expected_set=True)
        assert found.significance.p0 == pytest.approx(float(p0), rel=2e-3)
        assert found.significance.expected == pytest.approx(-_quantile(float(expected)), rel=2e-3)
        for value, observed, bands in zip(
            found.limit.values[[1, 3]], found.limit.cls_observed[[1, 3]], found.limit.cls_expected[[1, 3]], strict=True
        ):
            cls, expected = pyhf.infer.hypotest(value, data, model, test_stat="qtilde", return_expected_set=True)
            assert observed == pytest.approx(float(cls), rel=5e-3)
            np.testing.assert_allclose(bands, np.array([float(x) for x in expected]), rtol=5e-3)
        cls = pyhf.infer.hypotest(found.limit.observed, data, model, test_stat="qtilde")
        assert float(cls) == pytest.approx(0.05, rel=5e-3)
        _, bands = pyhf.infer.hypotest(found.limit.expected[2], data, model, return_expected_set=True)
        assert float(bands[2]) == pytest.approx(0.05, rel=5e-3)
    assert np.all(np.diff(found.limit.expected) > 0)


def _quantile(p):
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


def test_scan(result, theirs):
    found, _ = result
    model, data, fitted = theirs
    assert found.scan.parameter == "mu" and found.scan.converged.all()
    with pyhf_with_minuit():
        for value, height in zip(found.scan.values, found.scan.twice_delta_nll, strict=True):
            _, twice_nll = pyhf.infer.mle.fixed_poi_fit(value, data, model, return_fitted_val=True)
            assert height == pytest.approx(float(twice_nll) - fitted.best_twice_nll, abs=2e-4)


def test_yields_before_and_after(result, theirs, workspace):
    found, _ = result
    model, _, fitted = theirs
    before, after = found.yields
    assert before.channels == ("CR", "SR") and before.samples == ("signal", "top", "wjets")
    exact = fitted._replace(bestfit=found.estimates, uncertainty=found.uncertainties, corr_mat=found.correlation)
    for ours, prediction in (
        (before, cabinetry.model_utils.prediction(model)),
        (after, cabinetry.model_utils.prediction(model, fit_results=exact)),
    ):
        for c, channel in enumerate(ours.channels):
            events, uncertainties = ours.of(channel)
            np.testing.assert_allclose(events[:-1], prediction.model_yields[c], rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(uncertainties, prediction.total_stdev_model_bins[c], rtol=1e-6, atol=1e-9)
            expected = prediction.total_stdev_model_channels[c]
            np.testing.assert_allclose(ours.total_uncertainties[:, c], expected, rtol=1e-6, atol=1e-9)


def test_impacts(result, theirs):
    found, _ = result
    model, data, fitted = theirs
    names = ["jes", "xsec", "lumi"]
    with pyhf_with_minuit():
        exact = fitted._replace(bestfit=found.estimates, uncertainty=found.uncertainties)
        for name in names:
            index = found.names.index(name)
            for sign, ours in ((1, found.impacts.postfit_up), (-1, found.impacts.postfit_down)):
                start = exact.bestfit.copy()
                start[index] += sign * exact.uncertainty[index]
                held = [i == index for i in range(len(start))]
                moved = pyhf.infer.mle.fit(data, model, init_pars=start.tolist(), fixed_params=held)
                shift = float(moved[found.names.index("mu")]) - exact.bestfit[found.names.index("mu")]
                assert float(ours[index]) == pytest.approx(shift, abs=3e-3)
            assert float(found.impacts.pull[index]) == pytest.approx(found.estimates[index], abs=1e-9)


def test_progress_is_told(result):
    _, told = result
    assert {what for what, *_ in told} == {"fit", "impacts", "significance", "limit", "scan", "goodness", "yields"}
    assert [done for what, done, _ in told if what == "scan"] == [0, 1, 2, 3, 4, 5, 1]


def test_it_prints_itself(result):
    text = str(result[0])
    for line in ("mu = ", "-2 ln L = ", "significance: ", "95 % CLs limit on mu: ", "goodness of fit (saturated)"):
        assert line in text
    assert text.index("jes") < text.index("lumi")
    # names are text, not markup
    assert "mc[0]" in text and "\\" not in text


def test_numbers_keep_their_precision_after_the_fit(result):
    found, _ = result
    assert jax.config.jax_enable_x64 is False
    for array in (found.estimates, found.correlation, found.scan.twice_delta_nll, found.yields[1].events):
        assert array.dtype == np.float64 and isinstance(array, np.ndarray)


def test_folder(result, tmp_path):
    found, _ = result
    found.write(tmp_path / "out")
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    tables = {"results.json", "run.json", *(f"{n}.csv" for n in _TABLES)}
    plots = {f"plots/{name}.{suffix}" for name in _PLOTS for suffix in ("png", "pdf")}
    assert written == tables | plots
    told = json.loads((tmp_path / "out" / "results.json").read_text())
    assert told["limit"]["observed"] == found.limit.observed
    assert {entry["parameter"]: entry["value"] for entry in told["parameters"]}["mu"] == found.estimates[
        found.names.index("mu")
    ]
    with (tmp_path / "out" / "yields.csv").open() as file:
        rows = list(csv.DictReader(file))
    total = [row for row in rows if row["channel"] == "SR" and row["sample"] == "total"]
    assert [row["bin"] for row in total] == ["0", "1", "all"]
    assert float(total[-1]["observed"]) == 126
    with pytest.raises(InputError, match="exists and is not empty"):
        found.write(tmp_path / "out")


_TABLES = ("parameters", "correlation", "impacts", "scan", "cls", "yields")
_PLOTS = ("impacts", "correlation", "scan", "limit", "yields_CR", "yields_SR")


def test_held_parameters_and_another_parameter_of_interest(workspace):
    # impacts, which the command line asks for unless told otherwise, are about a parameter that moves
    found = fit(workspace, quantities=["impacts", "yields"], fixed={"mu": -0.2, "lumi": None, "k": 1.5})
    assert found.impacts is None and found.failed == {}
    at = dict(zip(found.names, zip(found.estimates, found.states, strict=True), strict=True))
    assert (at["mu"], at["lumi"], at["k"]) == ((-0.2, "fixed"), (0.0, "fixed"), (1.5, "fixed"))
    # without impacts the parameters are told, and a held one has no uncertainty
    assert re.search(r"│ mu +│ +-0.2 │ +│ +fixed │", str(found)) and re.search(r"mc\[0\] +│ .*\d │ +free │", str(found))
    # the signal is negative, times what the fit says about the simulation's statistics
    gammas = np.array([at["mc[0]"][0], at["mc[1]"][0]])
    np.testing.assert_allclose(found.yields[1].of("SR")[0][0], -0.2 * np.array([5.0, 12.0]) * gammas, rtol=1e-9)
    other = fit(workspace, quantities=[], poi="k", data="asimov")
    assert other.parameter_of_interest == "k" and other.deviance == pytest.approx(0, abs=1e-10)
    assert str(other).startswith("k = 1 +- ")


def untouched(*_):
    pytest.fail("what cannot be is told before anything is computed")


def test_what_cannot_be_is_refused(workspace):
    with pytest.raises(InputError, match=r"quantities are .*, got 'limits'; did you mean 'limit'"):
        fit(workspace, quantities=["limits"])
    with pytest.raises(InputError, match="there is no parameter 'nu'; there are"):
        fit(workspace, fixed={"nu": 1.0})
    with pytest.raises(InputError, match="limit is about the parameter of interest 'mu', which is held"):
        fit(workspace, quantities=["limit"], fixed={"mu": 1.0})
    with pytest.raises(InputError, match="a scan needs a parameter with one component"):
        fit(workspace, quantities=["scan"], scanned="mc", watch=untouched)
    with pytest.raises(InputError, match="the scan is about the parameter 'k', which is held"):
        fit(workspace, quantities=["scan"], scanned="k", fixed={"k": 1.0}, watch=untouched)
    with pytest.raises(InputError, match="scan is about the parameter of interest 'mu', which is held"):
        fit(workspace, quantities=["scan"], fixed={"mu": 1.0}, watch=untouched)
    with pytest.raises(InputError, match=r"choose a measurement among .'search'.: there is no 'x'"):
        fit(workspace, measurement="x")


def test_a_fit_that_fails_is_no_result():
    signal = {"name": "s", "data": [5.0, 0.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    impossible = {
        "channels": [{"name": "SR", "samples": [signal]}],
        "observations": [{"name": "SR", "data": [5.0, 1.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    with pytest.raises(FitError, match=r"1.0 events are observed in bin 1 of channel 'SR', where 0.0 are expected"):
        fit(impossible, quantities=[])


def test_fits_that_fail_are_counted_and_told(result):
    from hepgrad.workflows.fitting.likelihood_fit import _partly

    found, _ = result
    parts = {name: getattr(found, name) for name in ("impacts", "scan", "limit")}
    assert _partly(found, parts) == {}
    good = np.array([True, False, True, True, True])
    parts["scan"] = dataclasses.replace(found.scan, converged=good)
    parts["impacts"] = dataclasses.replace(found.impacts, converged=np.array(found.names) != "jes")
    told = _partly(found, parts)
    assert told["impacts"] == f"the fits for 1 of {len(found.names)} parameters failed: jes"
    assert told["scan"] == f"1 of 5 points failed: {found.scan.values[1]:.4g}"
    text = str(dataclasses.replace(found, failed=told, **parts))
    assert "failed: scan: 1 of 5 points failed" in text and "jes (failed)" in text
