"""Networks as stages: any function of weights and features, per event and per object."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis import Dataset, Hard, Parameters, Soft, Weights
from hepgrad.analysis.stages import Observable, Perceptron, Score, from_equinox

pytestmark = pytest.mark.usefixtures("quick_compilation")

FEATURES = ["sum(Jet.pt)", "num(Jet)", "MET.pt > cut.met"]


def linear(weights, features):
    return features @ weights


def with_weights(cuts, **weights) -> Parameters:
    return Parameters(**cuts.specs, **{name: Weights(tree) for name, tree in weights.items()})


def flat(x):
    return np.asarray(x.content[: int(x.size)])


def test_features_of_events(events, cuts, run):
    weights = jnp.array([0.01, 0.5, 2.0])
    score = Score("nn", linear, FEATURES, mean=[100, 3, 0], deviation=[50, 2, 1])
    scored = run([score], events, with_weights(cuts, nn=weights), Hard())
    columns = [(events.Jet.sum("pt") - 100) / 50, (events.Jet.count() - 3) / 2, events.MET.pt > 40]
    np.testing.assert_allclose(scored.nn, np.stack(columns, axis=-1) @ weights, rtol=1e-5)
    assert score.reads == ("Jet_pt", "MET_pt")
    assert score.parameters == ("nn", "met")


def test_features_of_objects(events, cuts, run):
    network = Perceptron([3, 4, 1])
    weights = network.initial(jax.random.key(3))
    score = Score(
        "tagger", network, ["pt", "abs(eta)", "btag"], collection="Jet", mean=[50, 1, 0], deviation=[30, 1, 1]
    )
    jets = run([score], events, with_weights(cuts, tagger=weights), Hard()).Jet
    x = np.stack([(flat(jets.pt) - 50) / 30, np.abs(flat(jets.eta)) - 1, flat(jets.btag)], axis=-1)
    first, last = ({k: np.asarray(v) for k, v in layer.items()} for layer in weights)
    logit = np.tanh(x @ first["weight"] + first["bias"]) @ last["weight"] + last["bias"]
    np.testing.assert_allclose(flat(jets.tagger), 1 / (1 + np.exp(-logit[:, 0])), rtol=1e-5)
    assert score.reads == ("Jet_pt", "Jet_eta", "Jet_btag")
    assert score.makes == (("Jet_tagger", ""),)


def test_what_lies_behind_the_objects_reaches_no_weight(events, cuts):
    """The buffers end in zeros, of which the logarithm is infinite."""
    score = Score("nn", linear, ["log(pt)", "1 / pt"], collection="Jet")
    parameters = with_weights(cuts, nn=jnp.ones(2))

    @jax.jit
    @jax.grad
    def gradient(parameters):
        return jnp.sum(score(events, parameters.cuts(Soft())).Jet.sum("nn"))

    slopes = gradient(parameters)["nn"]
    pt = flat(events.Jet.pt)
    np.testing.assert_allclose(slopes, [np.log(pt).sum(), (1 / pt).sum()], rtol=1e-5)


def test_equinox_module(events, cuts, run):
    eqx = pytest.importorskip("equinox", reason="Equinox is not installed")
    modules = [eqx.nn.MLP(2, 1, width_size=3, depth=1, key=jax.random.key(seed)) for seed in (0, 1)]
    (network, weights), (other, _) = map(from_equinox, modules)
    score = Score("nn", network, ["num(Jet)", "MET.phi"])
    scored = run([score], events, with_weights(cuts, nn=weights), Hard())
    x = jnp.stack([events.Jet.count(), events.MET.phi], axis=-1)
    np.testing.assert_allclose(scored.nn, jax.vmap(modules[0])(x)[:, 0], rtol=1e-5)
    # modules that differ in their weights are one program
    assert score == Score("nn", other, ["num(Jet)", "MET.phi"])
    assert hash(score) == hash(Score("nn", other, ["num(Jet)", "MET.phi"]))


def test_flax_module(events, cuts, run):
    nn = pytest.importorskip("flax.linen", reason="Flax is not installed")
    module = nn.Sequential([nn.Dense(3), nn.tanh, nn.Dense(1)])
    weights = module.init(jax.random.key(0), np.zeros((1, 2)))
    score = Score("nn", module.apply, ["num(Jet)", "MET.phi"])
    scored = run([score], events, with_weights(cuts, nn=weights), Hard())
    x = jnp.stack([events.Jet.count(), events.MET.phi], axis=-1)
    np.testing.assert_allclose(scored.nn, module.apply(weights, x)[:, 0], rtol=1e-5)
    assert hash(score) == hash(Score("nn", module.apply, ["num(Jet)", "MET.phi"]))


@pytest.mark.parametrize("block_size", [40, 16])
def test_standardised_by_the_data(sample, cuts, block_size):
    """The mean and the deviation of the events that pass, each counted with its weight."""
    weight = np.linspace(0.5, 2, 40)
    data = Dataset.from_awkward({"all": ak.values_astype(sample, np.float32)}, {"all": weight}, block_size=block_size)
    before = [Observable("ht", "sum(Jet.pt)")]
    score = Score("nn", linear, ["ht", "MET.pt"]).standardised(data, before, cuts)
    for i, x in enumerate([ak.sum(sample.Jet.pt, axis=1), sample.MET.pt]):
        mean = np.average(x, weights=weight)
        assert score.mean[i] == pytest.approx(mean, rel=1e-6)
        assert score.deviation[i] == pytest.approx(np.sqrt(np.average((x - mean) ** 2, weights=weight)), rel=1e-5)

    tagger = Score("nn", linear, ["pt"], collection="Jet").standardised(data)
    per_jet = ak.flatten(ak.broadcast_arrays(weight, sample.Jet.pt)[0])
    assert tagger.mean[0] == pytest.approx(np.average(ak.flatten(sample.Jet.pt), weights=per_jet), rel=1e-5)
    with pytest.raises(ValueError, match="feature 'num\\(Jet\\) \\* 0' has no spread"):
        Score("nn", linear, ["num(Jet) * 0"]).standardised(data)


def test_scores_that_do_not_fit(events, cuts, run):
    with pytest.raises(ValueError, match="2 features need as many means"):
        Score("nn", linear, ["MET.pt", "MET.phi"], mean=[1.0])
    with pytest.raises(ValueError, match=r"one score for each of 40 rows of features, it returned .* \(40, 2\)"):
        run([Score("nn", linear, ["MET.pt"])], events, with_weights(cuts, nn=jnp.ones((1, 2))), Hard())
    with pytest.raises(ValueError, match="1 score"):
        Perceptron([3, 4, 2])


def test_a_network_starts_from_its_key():
    network = Perceptron([5, 8, 1])
    one, same, other = (network.initial(jax.random.key(seed)) for seed in (1, 1, 2))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), one, same))
    assert not bool((one[0]["weight"] == other[0]["weight"]).all())
    assert [layer["weight"].shape for layer in one] == [(5, 8), (8, 1)]
