"""Sources that share a parameter, are split into several, or act in some places only: in the fit and in pyhf."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest

from hepgrad.analysis import Counts, Regular, to_workspace
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.statistics.exchange import format_datacard, from_datacard, parse_datacard, to_datacard
from hepgrad.analysis.statistics.histfactory import from_workspace
from hepgrad.analysis.systematics import (
    FreeNormalisation,
    Normalisation,
    Nuisance,
    Templates,
    WeightVariation,
    decorrelated,
    partially_correlated,
    shared,
)

pytestmark = pytest.mark.usefixtures("quick_compilation", "x64")

PROCESSES = ("signal", "top16", "top17", "other")
AXES = {"sr": Regular(2, 0, 1), "cr": Regular(1, 0, 1)}
NOMINAL = {"sr": [[3.0, 4.0], [20, 30], [25, 35], [10, 9]], "cr": [[0.5], [90.0], [80.0], [40.0]]}
CHANGES = {"a": 0.10, "b": -0.04}


def source(name, **more):
    return WeightVariation(name, lambda events: 1.0, lambda events: 1.0, **more)


def built(*sources):
    """Return the model of templates in which source a changes yields by +-10 %, and b by -+4 %."""

    def counts(factor):
        return {
            name: Counts(
                jnp.pad(factor * jnp.array(rows), ((0, 0), (1, 1))), jnp.pad(jnp.array(rows), ((0, 0), (1, 1)))
            )
            for name, rows in NOMINAL.items()
        }

    names = [each.name for each in sources if isinstance(each, WeightVariation)]
    up, down = ({name: counts(1 + side * CHANGES[name]) for name in names} for side in (1, -1))
    return TemplateModel(["signal"], sources).build(Templates(counts(1.0), down, up), AXES, PROCESSES, jnp.ones(4))


def changes(model, kind="histosys"):
    """Return the relative change upwards by parameter, channel and process."""
    found = {}
    for channel in model.channels:
        for sample in channel.samples:
            for modifier in sample.modifiers:
                if modifier.type == kind:
                    value = modifier.hi[0] / sample.yields[0] - 1 if kind == "histosys" else modifier.hi - 1
                    found.setdefault(modifier.name, {})[channel.name, sample.name] = round(float(value), 6)
    return found


def same_as_pyhf(model):
    observed = model.expected_data(model.initial)
    workspace = pyhf.Workspace(to_workspace(model, observed))
    theirs = workspace.model()
    assert tuple(theirs.config.par_names) == model.parameter_names
    point = np.array(model.initial)
    for name, value in zip(model.parameter_names, np.linspace(-0.6, 0.8, len(point)), strict=True):
        if not name.startswith(("mu", "staterror", "free")):
            point[model.parameter_names.index(name)] = value
    ours = model.logpdf(point, observed)
    np.testing.assert_allclose(ours, theirs.logpdf(point, workspace.data(theirs)), rtol=1e-9)


everywhere = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


@pytest.mark.thorough
@everywhere
def test_a_source_in_some_channels_only():
    model = built(
        source("a", channels=["sr"]),
        Normalisation("lumi", 0.02, channels=["cr"], processes=["other"]),
        FreeNormalisation("free", ["other"], channels=["cr"]),
    )
    assert changes(model) == {"a": {("sr", process): 0.1 for process in PROCESSES}}
    assert changes(model, "normsys") == {"lumi": {("cr", "other"): 0.02}}
    free = {(c.name, s.name) for c in model.channels for s in c.samples for m in s.modifiers if m.name == "free"}
    assert free == {("cr", "other")}
    same_as_pyhf(model)


@everywhere
def test_sources_that_share_a_parameter():
    tops, others = ["top16", "top17"], ["other"]
    model = built(
        *shared("theory", source("a", processes=tops), source("b", processes=[*others, "top17"])),
        *shared("size", Normalisation("n", 0.05, tops), Normalisation("m", 0.1, ["top17"])),
    )
    assert changes(model) == {
        "theory": {(c, p): change for c in AXES for p, change in (("top16", 0.1), ("top17", 0.06), ("other", -0.04))}
    }
    assert changes(model, "normsys") == {
        "size": {(c, p): change for c in AXES for p, change in (("top16", 0.05), ("top17", 0.155))}
    }
    same_as_pyhf(model)


@everywhere
def test_a_normalisation_and_a_shape_share_a_parameter():
    model = built(*shared("both", source("a"), Normalisation("n", 0.05, ["top16"])))
    assert set(changes(model)) == set(changes(model, "normsys")) == {"both"}
    assert sum(name == "both" for name in model.parameter_names) == 1
    same_as_pyhf(model)


@everywhere
def test_a_correlation_between_years_is_two_parameters_made_of_three():
    years = {"2016": ["top16"], "2017": ["top17"]}
    model = built(
        partially_correlated(source("a"), 0.36, processes=years),
        partially_correlated(Normalisation("n", 0.1), 0.25, processes=years),
    )
    assert changes(model) == {
        "a": {(c, p): 0.06 for c in AXES for p in ("top16", "top17")},
        "a_2016": {(c, "top16"): 0.08 for c in AXES},
        "a_2017": {(c, "top17"): 0.08 for c in AXES},
    }
    assert changes(model, "normsys")["n"]["sr", "top16"] == round(1.1**0.5 - 1, 6)
    same_as_pyhf(model)
    # in the linear approximation the yields of two years have this covariance
    slopes = jax.jacfwd(lambda p: model.expected_data(p)[:3])(jnp.asarray(model.initial))
    slopes = slopes[:, [model.index(name) for name in ("a", "a_2016", "a_2017")]]
    yields = np.array([NOMINAL["cr"][1][0], NOMINAL["cr"][2][0]])
    variance = (yields**2).sum() + 2 * 0.36 * yields.prod()
    np.testing.assert_allclose(np.sum(slopes[0] ** 2), 0.01 * variance, rtol=1e-6)


@everywhere
@pytest.mark.parametrize("correlation", [0.0, 1.0])
def test_the_ends_of_partial_correlation(correlation):
    model = built(partially_correlated(source("a"), correlation, processes=["top16", "top17"]))
    assert set(changes(model)) == ({"a"} if correlation else {"a_top16", "a_top17"})


@everywhere
def test_copies_by_region_and_by_process():
    by_region = changes(built(decorrelated(source("a"), channels=["sr", "cr"])))
    assert by_region == {f"a_{c}": {(c, p): 0.1 for p in PROCESSES} for c in AXES}
    model = built(decorrelated(source("a"), processes={"top": ["top16", "top17"], "rest": ["other"]}), source("b"))
    assert {name: len(where) for name, where in changes(model).items()} == {"a_top": 4, "a_rest": 2, "b": 8}
    same_as_pyhf(model)


@everywhere
def test_against_the_parameter():
    opposite = dataclasses.replace(source("a"), nuisances=[Nuisance("p", -0.5)])
    model = built(opposite, dataclasses.replace(Normalisation("n", (-0.2, 0.1)), nuisances=[Nuisance("q", -1.0)]))
    assert changes(model)["p"]["sr", "other"] == -0.05
    assert changes(model, "normsys")["q"]["sr", "other"] == -0.2
    same_as_pyhf(model)


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"name the channels \['vr'\]; there are \['cr', 'sr'\]"):
        built(source("a", channels=["vr"]))
    with pytest.raises(ValueError, match=r"names the processes \['top18'\]"):
        built(decorrelated(source("a"), processes=["top18"]))
    with pytest.raises(ValueError, match="either of processes or of channels"):
        decorrelated(source("a"))
    with pytest.raises(ValueError, match=r"\['x'\] are in more than one group of processes"):
        decorrelated(source("a"), processes={"one": ["x"], "two": ["x", "y"]})
    with pytest.raises(ValueError, match="between 0 and 1, got"):
        partially_correlated(source("a"), 1.5, channels=["sr"])
    with pytest.raises(ValueError, match="between -1 and 1, not 0"):
        Nuisance("a", 0.0)


@everywhere
def test_correlations_are_written_into_datacards():
    years = {"2016": ["top16"], "2017": ["top17"]}
    model = built(
        *shared("theory", source("a", processes=["top16"]), Normalisation("n", 0.05, ["other"])),
        partially_correlated(source("b"), 0.36, processes=years),
        decorrelated(Normalisation("m", 0.1), channels=["sr", "cr"]),
    )
    workspace = to_workspace(model, model.expected_data(model.initial))
    card, histograms = to_datacard(workspace)
    again, codes = from_datacard(
        parse_datacard(format_datacard(card)), lambda file, path: histograms.get(path), interpretation="histfactory"
    )
    (ours, data), (theirs, same_data) = from_workspace(workspace), from_workspace(again, **codes)
    names = [name.replace("prop_bin", "staterror_") for name in theirs.parameter_names]
    assert {"theory", "b", "b_2016", "b_2017", "m_sr", "m_cr"} <= set(names)
    order = [ours.parameter_names.index("mu" if name == "r" else name) for name in names]
    assert sorted(order) == list(range(len(ours.parameter_names)))
    point = np.asarray(ours.initial) + 0.3 * np.random.default_rng(1).normal(size=len(order)) * ~np.asarray(ours.fixed)
    np.testing.assert_allclose(theirs.logpdf(point[order], same_data), ours.logpdf(point, data), rtol=1e-12)
