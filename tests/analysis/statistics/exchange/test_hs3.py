"""HS3 documents: the same log-probabilities after writing and reading, and faults that are told."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hepgrad.analysis.statistics.exchange import from_hs3, to_hs3
from hepgrad.analysis.statistics.histfactory import from_workspace

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture
def everything(search):
    """Every modifier, a luminosity, parameters with settings, and a staterror over two channels."""
    signal, background = search["channels"][0]["samples"]
    signal["modifiers"].append({"name": "lumi_total", "type": "lumi", "data": None})
    background["modifiers"].append({"name": "fakes", "type": "shapesys", "data": [4.0, 6.0]})
    control = search["channels"][1]["samples"][0]
    control["modifiers"] += [
        {"name": "free", "type": "shapefactor", "data": None},
        {"name": "mc_SR", "type": "staterror", "data": [5.0]},
    ]
    search["measurements"][0]["config"]["parameters"] += [
        {"name": "lumi_total", "auxdata": [1.0], "sigmas": [0.02], "bounds": [[0.5, 1.5]], "inits": [1.0]},
        {"name": "xsec", "auxdata": [0.4]},
        {"name": "k", "fixed": True, "inits": [1.1]},
    ]
    search["measurements"].pop()
    return search


def test_writing_and_reading_gives_the_same_log_probability(x64, everything):
    after = from_hs3(json.loads(json.dumps(to_hs3(everything))))
    one, data = from_workspace(everything)
    other, other_data = from_workspace(after)
    # a staterror over two channels is one for each; CR comes first
    renamed = {"mc_SR_SR[0]": "mc_SR[1]", "mc_SR_SR[1]": "mc_SR[2]"}
    index = np.array([one.parameter_names.index(renamed.get(name, name)) for name in other.parameter_names])
    assert sorted(index) == list(range(len(one.parameter_names)))
    np.testing.assert_array_equal(np.asarray(other.bounds), np.asarray(one.bounds)[index])
    np.testing.assert_array_equal(np.asarray(other.initial), np.asarray(one.initial)[index])
    np.testing.assert_array_equal(np.asarray(other.fixed), np.asarray(one.fixed)[index])
    assert other.parameter_of_interest == "mu"
    rng = np.random.default_rng(0)
    for _ in range(3):
        point = np.asarray(one.initial) + 0.2 * rng.normal(size=len(index))
        expected = float(one.logpdf(point, data))
        assert float(other.logpdf(point[index], other_data)) == pytest.approx(expected, rel=1e-12)


def test_several_measurements_are_analyses(search):
    document = to_hs3(search)
    assert [analysis["name"] for analysis in document["analyses"]] == ["search", "background"]
    after = from_hs3(document)
    assert [entry["config"]["poi"] for entry in after["measurements"]] == ["mu", "k"]
    assert after["channels"] == sorted(search["channels"], key=lambda channel: channel["name"]) or (
        [c["name"] for c in after["channels"]] == [c["name"] for c in search["channels"]]
    )


def test_constraints_are_those_of_each_measurement(everything):
    """A luminosity and a source with other auxiliary measurements in the second analysis."""
    first = everything["measurements"][0]
    parameters = [
        {**entry, **({"sigmas": [0.05]} if entry["name"] == "lumi_total" else {"auxdata": [0.7]})}
        for entry in first["config"]["parameters"]
        if entry["name"] in ("lumi_total", "xsec")
    ]
    everything["measurements"].append({"name": "other", "config": {**first["config"], "parameters": parameters}})
    after = from_hs3(to_hs3(everything))
    told = [{entry["name"]: entry for entry in m["config"]["parameters"]} for m in after["measurements"]]
    assert [each["lumi_total"]["sigmas"] for each in told] == [[0.02], [0.05]]
    assert [each["xsec"]["auxdata"] for each in told] == [[0.4], [0.7]]


def test_conventions_of_roofit(everything):
    document = to_hs3(everything)
    sr = next(entry for entry in document["distributions"] if entry["name"] == "SR")
    background = next(sample for sample in sr["samples"] if sample["name"] == "background")
    assert background["data"]["errors"] == [3.0, 2.0]
    fakes = next(modifier for modifier in background["modifiers"] if modifier["name"] == "fakes")
    np.testing.assert_allclose(fakes["data"]["vals"], [4 / 50, 6 / 60])
    lumi = next(entry for entry in document["distributions"] if entry["type"] == "gaussian_dist")
    assert (lumi["mean"], lumi["x"], lumi["sigma"]) == ("lumi_total", 1.0, 0.02)


def changed(document, path, value):
    copied = json.loads(json.dumps(document))
    parent = copied
    for key in path[:-1]:
        parent = parent[key]
    if value is None:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return copied


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("analyses",), None, "an HS3 document needs 'analyses'"),
        (("analyses",), [], "analyses is empty"),
        (("analyses", 0, "likelihood"), "x", "there is no 'x'; there are"),
        (("likelihoods", 0, "data"), ["observed_SR"], "has 2 distributions and 1 data"),
        (("distributions", 0, "type"), "gaussian_dist", "is a 'gaussian_dist'; only histfactory_dist is read"),
        (("distributions", 0, "samples", 0, "data"), None, "sample 'background' in 'CR' needs 'data'"),
        (("distributions", 0, "samples", 0, "modifiers", 0, "data"), {"hi": 1.1}, "modifier 'xsec' .* needs 'lo'"),
        (
            ("distributions", 0, "samples", 0, "modifiers", 0, "constraint"),
            "LogNormal",
            "is a 'normsys' with the constraint 'LogNormal', which HistFactory does not have",
        ),
        (("data", 0, "contents"), ["x"], "contents.0. must be a finite number"),
        (("data", 1, "name"), "observed_CR", "data has entries of the same name"),
        (("analyses", 0, "init"), "start", "there is no 'start'; there are"),
        (
            ("domains", 0, "axes", 0, "name"),
            None,
            "axes of the domain 'default_domain'.* must be an object with a 'name'",
        ),
        (("parameter_points", 0, "parameters", 0, "value"), None, "the start of '.*' needs 'value'"),
    ],
)
def test_faults_are_told(search, path, value, message):
    search["measurements"].pop()
    with pytest.raises(ValueError, match=message):
        from_hs3(changed(to_hs3(search), path, value))
