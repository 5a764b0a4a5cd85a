"""neos' blobs: exact numbers, derivatives, pyhf's opinion, and what the trained network reaches."""

from __future__ import annotations

import dataclasses
import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import pyhf
import pytest

from hepgrad.analysis.statistics.fitting import fit
from hepgrad.workflows.scanning.search import search
from hepgrad.workflows.studies.neos import NEOS
from hepgrad.workflows.studies.neos.losses import ExpectedCLs
from hepgrad.workflows.studies.neos.problem import CENTRES, YIELDS, classifier_shapes, draw
from hepgrad.workflows.studies.neos.summary import Summary
from hepgrad.workflows.studies.neos.table import Row
from hepgrad.workflows.studies.neos.templates import hard_shapes, soft_shapes, statistical_model

pytestmark = [
    pytest.mark.usefixtures("x64"),
    pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning"),  # pyhf's
]


def exact_scores(events):
    """The probability of signal, by its definition: densities of unit covariance."""
    signal, background = (jnp.exp(-0.5 * jnp.sum((events - centre) ** 2, axis=-1)) for centre in CENTRES[:2])
    return signal / (signal + background)


def test_exact_classifier():
    scores = jax.jit(exact_scores)(draw(jax.random.key(0), 20_000))
    np.testing.assert_allclose(hard_shapes(scores, np.linspace(0, 1, 5)), classifier_shapes(), atol=0.01)


def test_soft_histograms_become_hard():
    scores, edges = jax.random.uniform(jax.random.key(0), (4, 500)), jnp.array([0.0, 0.2, 0.6, 0.7, 1.0])
    np.testing.assert_allclose(soft_shapes(scores, edges, 1e-5), hard_shapes(scores, edges), atol=1e-3)
    np.testing.assert_allclose(jnp.sum(soft_shapes(scores, edges, 0.3), axis=1), 1)


@pytest.mark.thorough
def test_pyhf_finds_the_same():
    shapes = classifier_shapes()
    signal, background, up, down = (np.asarray(shapes) * np.array(YIELDS)[:, None] + 1e-3).tolist()
    systematic = {"name": "position", "type": "histosys", "data": {"hi_data": up, "lo_data": down}}
    samples = [
        {"name": "signal", "data": signal, "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
        {"name": "background", "data": background, "modifiers": [systematic]},
    ]
    model = pyhf.Model({"channels": [{"name": "score", "samples": samples}]})
    ours = Row.of("", statistical_model(shapes))

    def at(mu):
        parameters = model.config.suggested_init()
        parameters[model.config.poi_index] = mu
        return model.expected_data(parameters)

    cls = pyhf.infer.hypotest(1.0, at(0.0), model, test_stat="q")
    p0 = pyhf.infer.hypotest(0.0, at(1.0), model, test_stat="q0")
    assert ours.cls == pytest.approx(cls, rel=1e-4)
    assert ours.p0 == pytest.approx(p0, rel=1e-4)


@pytest.mark.thorough
def test_fits_find_the_lowest_minimum():
    """The background's position can be mistaken in two ways: the likelihood without signal has two minima."""
    model = statistical_model(classifier_shapes())

    @jax.jit
    def profile(mu, data):
        grid = jnp.linspace(-5, 5, 2001)
        return jax.vmap(lambda position: model.deviance(model.vector({"mu": mu, "position": position}), data))(grid)

    for true, tested, minima in ((0.0, 1.0, 1), (1.0, 0.0, 2)):
        data = model.expected_data(model.vector({"mu": true}))
        scan = profile(tested, data)
        assert jnp.sum((scan[1:-1] < scan[:-2]) & (scan[1:-1] < scan[2:])) == minima
        assert fit(model, data, fixed={"mu": tested}).deviance.item() == pytest.approx(float(scan.min()), abs=1e-3)


@pytest.mark.thorough
def test_gradient_of_the_loss():
    events = jnp.asarray(draw(jax.random.key(0), 200), float)
    start = jax.tree.map(lambda x: jnp.asarray(x, float), Summary.initial(jax.random.key(1), (8,)))
    direction = jax.tree.map(lambda x: jnp.sin(jnp.arange(x.size) + 1.0).reshape(x.shape), start)

    @jax.jit
    @jax.value_and_grad
    def along(step):
        return ExpectedCLs()(jax.tree.map(lambda x, d: x + step * d, start, direction), events)

    h = 1e-6  # there are kinks nearby
    np.testing.assert_allclose(along(0.0)[1], (along(h)[0] - along(-h)[0]) / (2 * h), rtol=1e-5)


@pytest.mark.thorough
def test_small_study_leaves_a_run_folder(tmp_path):
    small = dataclasses.replace(NEOS, steps=3, events=200)
    findings = small.run(output=tmp_path / "run", quiet=True)
    assert [row["goal"] for row in findings.numbers["rows"]] == [
        "CLs",
        "cross-entropy",
        "cross-entropy, shifted too",
        "exact classifier",
    ]
    assert "| published " in (tmp_path / "run" / "tables.md").read_text()
    workspace = pyhf.Workspace(json.loads((tmp_path / "run" / "workspace.json").read_text()))
    assert workspace.model().config.poi_name == "mu"
    assert findings.numbers["rows"][3]["cls"] == pytest.approx(7.7e-6, rel=0.01)


@pytest.mark.slow
def test_trained_network(tmp_path):
    """After 60 steps the expected CLs is below the published 8.6e-7, and far below that of classifiers."""
    started = time.monotonic()
    findings = NEOS.run(output=tmp_path / "run", quiet=True)
    assert time.monotonic() - started < 5 * 60
    trained, *others = findings.numbers["rows"]
    assert trained["cls"] < 1e-6
    assert all(trained["cls"] < 0.3 * other["cls"] for other in others)
    assert trained["seconds_per_step"] < 1.0
    workspace = pyhf.Workspace(json.loads((tmp_path / "run" / "workspace.json").read_text()))
    model = workspace.model()
    cls = pyhf.infer.hypotest(1.0, workspace.data(model), model, test_stat="q")
    assert trained["cls"] == pytest.approx(cls, rel=1e-3)


@pytest.mark.slow
def test_random_networks_are_searched_with_the_same_numbers():
    contest = dataclasses.replace(NEOS, events=1000).contest()
    found = search(contest, trials=4)
    events = draw(jax.random.split(jax.random.key(NEOS.seed), 4)[0], 1000)
    row = Row.of("", statistical_model(hard_shapes(found.best.scores(events), found.best.edges)))
    assert found.train[1] == found.objectives.max() == pytest.approx(-np.log(row.cls))
