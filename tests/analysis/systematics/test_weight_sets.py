"""Many weights as one source: filled at once, combined as the sets ask, renormalised, differentiable, exported."""

from __future__ import annotations

import dataclasses

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest

from benchmarks.programs import equations
from hepgrad.analysis import (
    Analysis,
    Channel,
    Dataset,
    Events,
    Hard,
    Parameter,
    Parameters,
    Regular,
    Soft,
    stage,
    to_workspace,
)
from hepgrad.analysis.statistics import TemplateModel
from hepgrad.analysis.systematics import SEVEN_POINTS, WeightSet, WeightVariation, varied_sums

pytestmark = pytest.mark.usefixtures("quick_compilation", "x64")

AXIS = Regular(3, 0, 90)
CUTS = Parameters(c=Parameter(20.0, bounds=(0, 60), width=5.0))
MEMBERS, EVENTS = 9, 80
RNG = np.random.default_rng(3)
X = {name: RNG.uniform(0, 90, EVENTS) for name in ("s", "b", "data")}
WEIGHTS = {name: 1 + RNG.normal(0, 0.2, (EVENTS, MEMBERS)) + X[name][:, None] / 300 for name in ("s", "b")}


@stage(reads=["x"])
def keep(events, cut):
    return events.select(events.x > cut.c)


def analysis(*sources):
    return Analysis([keep], [Channel("c", "x", AXIS)], TemplateModel(["s"], sources), "discovery")


@pytest.fixture(scope="module")
def data():
    with jax.enable_x64():
        samples = {
            # what is no simulation has no weights
            name: ak.zip(
                {"x": x, "LHE": ak.Array(WEIGHTS[name].tolist() if name in WEIGHTS else [[]] * EVENTS)}, depth_limit=1
            )
            for name, x in X.items()
        }
        return Dataset.from_awkward(
            samples, {"s": np.full(80, 0.1), "b": np.ones(80), "data": np.ones(80)}, block_size=64
        )


def pdf(combination="replicas", members=range(1, MEMBERS), **more):
    return WeightSet("pdf", "LHE", members, combination, **{"processes": ["s", "b"], **more})


def brute_force(name, factor=None, cut=20.0):
    """Return the histogram of a process with other weights."""
    weight = (0.1 if name == "s" else 1.0) * (np.ones(EVENTS) if factor is None else factor)
    passed = X[name] > cut
    return np.histogram(X[name][passed], AXIS.edges, weights=weight[passed])[0]


COMBINED = {
    "hessian": lambda n, m: (np.sqrt(((m - n) ** 2).sum(0)),) * 2,
    "replicas": lambda n, m: (np.std(m, axis=0, ddof=1),) * 2,
    "envelope": lambda n, m: (n - np.minimum(m.min(0), n), np.maximum(m.max(0), n) - n),
    "hessian pairs": lambda n, m: tuple(
        np.sqrt(
            sum(np.maximum(np.maximum(s * (a - n), s * (b - n)), 0) ** 2 for a, b in zip(m[::2], m[1::2], strict=True))
        )
        for s in (-1, 1)
    ),
    "pair": lambda n, m: (n - m[1], m[0] - n),
}


@pytest.mark.thorough
@pytest.mark.parametrize("combination", COMBINED)
def test_templates_are_those_of_brute_force(data, combination):
    members = {"envelope": SEVEN_POINTS, "pair": (2, 5)}.get(combination, range(1, MEMBERS))
    source = pdf(combination, members, scale=0.5)
    physics = analysis(source)
    templates = physics.histograms(data, CUTS, Hard())
    model = physics.model.build(templates, {"c": AXIS}, data.processes, data.typical_weight)
    for sample in model.channels[0].samples:
        found = [modifier for modifier in sample.modifiers if modifier.name == "pdf"]
        assert [modifier.type for modifier in found] == (["histosys"] if sample.name != "data" else [])
        if sample.name == "data":
            continue
        nominal = brute_force(sample.name)
        each = np.array([brute_force(sample.name, WEIGHTS[sample.name][:, k]) for k in members])
        down, up = COMBINED[combination](nominal, each)
        np.testing.assert_allclose(found[0].lo, np.maximum(nominal - down / 2, 0), rtol=1e-6)
        np.testing.assert_allclose(found[0].hi, nominal + up / 2, rtol=1e-6)
        row = templates.up[f"pdf[{members[0]}]"]["c"]
        np.testing.assert_allclose(AXIS.select(row.sumw[data.processes.index(sample.name)]), each[0], rtol=1e-6)


def test_only_the_acceptance_is_uncertain(data):
    source = pdf("hessian")
    sums = varied_sums(source, data)
    assert sorted(sums) == ["b", "s"]
    np.testing.assert_allclose(sums["b"], WEIGHTS["b"][:, 1:].mean(0), rtol=1e-6)
    without = analysis(dataclasses.replace(source, sums=sums))
    no_cut = CUTS.with_free({"c": jnp.asarray(0.0)})
    model = without.model.build(
        without.histograms(data, no_cut, Hard()), {"c": AXIS}, data.processes, data.typical_weight
    )
    sample = next(sample for sample in model.channels[0].samples if sample.name == "b")
    (found,) = [modifier for modifier in sample.modifiers if modifier.name == "pdf"]
    each = np.array([brute_force("b", WEIGHTS["b"][:, k], 0) / sums["b"][k - 1] for k in range(1, MEMBERS)])
    np.testing.assert_allclose(each.sum(1), EVENTS, rtol=1e-6)
    np.testing.assert_allclose(
        found.hi - sample.yields, COMBINED["hessian"](brute_force("b", cut=0), each)[1], rtol=1e-5
    )


def test_weights_relative_to_one_of_them_and_from_a_function(data):
    relative = pdf(members=[3, 4], reference=0).factors
    columns, weight, _ = jax.tree.map(lambda leaf: leaf[0], (data.columns, data.weight, data.process))
    from_lists = relative(events := Events.of(columns, weight))
    np.testing.assert_allclose(from_lists[:, :60], (WEIGHTS["s"][:60, 3:5] / WEIGHTS["s"][:60, :1]).T, rtol=1e-6)
    matrix = jnp.asarray(WEIGHTS["s"][:64])
    made = WeightSet("pdf", lambda events: matrix, [3, 4], "replicas", reference=0)
    np.testing.assert_allclose(made.factors(events)[:, :60], from_lists[:, :60], rtol=1e-6)


@pytest.mark.thorough
def test_derivatives(data):
    physics = analysis(pdf("hessian"))

    def up(value):
        parameters = CUTS.with_free({"c": value})
        templates = physics.histograms(data, parameters, Soft())
        model = physics.model.build(templates, {"c": AXIS}, data.processes, data.typical_weight)
        return jnp.stack(
            [modifier.hi for s in model.channels[0].samples for modifier in s.modifiers if modifier.name == "pdf"]
        )

    value = jnp.asarray(20.0)
    numeric = (up(value + 1e-4) - up(value - 1e-4)) / 2e-4
    np.testing.assert_allclose(jax.jacfwd(up)(value), numeric, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(jax.jacrev(up)(value), numeric, rtol=1e-5, atol=1e-7)


def test_the_program_does_not_grow_with_the_members(data):
    def size(number):
        matrix = jnp.ones((64, 101))
        physics = analysis(WeightSet("pdf", lambda events: matrix, range(1, number + 1), "replicas"))

        def total(parameters):
            templates = physics.histograms(data, parameters, Soft())
            model = physics.model.build(templates, {"c": AXIS}, data.processes, data.typical_weight)
            return jnp.sum(model.expected_data(model.initial))

        return equations(jax.make_jaxpr(jax.grad(total))(CUTS).jaxpr)

    # few and many are filled in two ways
    assert size(30) == size(4) and size(100) == size(40)


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
def test_exported_with_the_model(data):
    physics = analysis(pdf("envelope"), WeightVariation("isr", lambda events: 1 + events.x / 500))
    templates = physics.histograms(data, CUTS, Hard())
    model = physics.model.build(templates, {"c": AXIS}, data.processes, data.typical_weight)
    observed = model.expected_data(model.initial)
    workspace = pyhf.Workspace(to_workspace(model, observed))
    theirs = workspace.model()
    point = np.array(model.initial)
    point[model.index("pdf")] = 0.7
    np.testing.assert_allclose(model.logpdf(point, observed), theirs.logpdf(point, workspace.data(theirs)), rtol=1e-7)


def test_an_event_with_too_few_weights_stops(data):
    told = r"pdf: \d+ of \d+ events lack weights, .* 0 to 40 of 'LHE'; name the processes"
    with pytest.raises(ValueError, match=told):
        analysis(pdf(members=[3, 40])).histograms(data, CUTS, Hard())
    with pytest.raises(ValueError, match="lack weights"):
        # the observed events have none
        analysis(pdf(processes=None)).histograms(data, CUTS, Hard())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"combination": "rms"}, "must be one of"),
        ({"combination": "hessian pairs", "members": [1, 2, 3]}, "3 members are none that make"),
        ({"combination": "pair", "members": [1]}, "1 members"),
        ({"scale": 0.0}, "must be positive"),
        ({"sums": {"s": [1.0, 2.0]}}, "must be 8 positive numbers"),
    ],
)
def test_what_is_none_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        pdf(**change)


@pytest.mark.parametrize("number", [4, 40], ids=["few", "many"])
def test_what_is_no_number_is_of_no_consequence_for_events_that_do_not_count(data, number):
    """Few members and many are filled in two ways."""

    def weights(events):
        counts = jnp.asarray(events.weight) != 0
        return jnp.where(counts[:, None], 1.5, jnp.nan) * jnp.ones(100)

    def total(parameters):
        templates = analysis(WeightSet("pdf", weights, range(number), "envelope")).histograms(data, parameters, Soft())
        return jnp.sum(templates.up["pdf[3]"]["c"].sumw), jnp.sum(templates.nominal["c"].sumw)

    varied, nominal = total(CUTS)
    np.testing.assert_allclose(varied, 1.5 * nominal)
    slopes = [jax.grad(lambda at, i=i: total(at)[i], allow_int=True)(CUTS)["c"] for i in range(2)]
    np.testing.assert_allclose(slopes[0], 1.5 * slopes[1])
