"""Networks of ONNX and PyTorch: their values, derivatives, as a stage, and what cannot be converted."""

from __future__ import annotations

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Events, Hard, Parameter, Parameters, Weights
from hepgrad.analysis.stages import Score, from_onnx, from_torch

onnx = pytest.importorskip("onnx")
RNG = np.random.default_rng(0)
SIZES = [(3, 8), (8,), (8, 2), (2,)]
NUMBERS = [RNG.normal(size=size).astype(np.float32) for size in SIZES]
X = RNG.normal(size=(6, 3)).astype(np.float32)


def graph(*nodes, rows="rows", numbers=NUMBERS):
    """Return what is in a file with these nodes; features are "x", numbers "w0" and so on, the output is "y"."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = [onnx.numpy_helper.from_array(x, f"w{i}") for i, x in enumerate(numbers)]
    ends = [helper.make_tensor_value_info(name, kind, [rows, None]) for name in "xy"]
    made = helper.make_graph(
        [helper.make_node(*node[:3], **node[3]) for node in nodes], "g", ends[:1], ends[1:], weights
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


CLASSIFIER = (
    ("Gemm", ["x", "w0", "w1"], ["a"], {}),
    ("Relu", ["a"], ["b"], {}),
    ("Gemm", ["b", "w2", "w3"], ["c"], {}),
    ("Softmax", ["c"], ["y"], {}),
)


def by_hand(x):
    a, b, c, d = NUMBERS
    z = np.exp(np.maximum(x @ a + b, 0) @ c + d)
    return z / z.sum(axis=1, keepdims=True)


@pytest.mark.thorough
@pytest.mark.parametrize("rows", ["rows", 1])
def test_values_and_derivatives(rows, tmp_path):
    (tmp_path / "tagger.onnx").write_bytes(graph(*CLASSIFIER, rows=rows))
    network = from_onnx(tmp_path / "tagger.onnx", column=1)
    assert (network.inputs, network.output) == (("x",), "y")
    np.testing.assert_allclose(jax.jit(network.__call__)(network.weights, X), by_hand(X)[:, 1], rtol=1e-5)
    with jax.enable_x64(True):
        x = jnp.asarray(X, float)

        def total(x):
            return jnp.sum(network(network.weights, x))

        step = 1e-6 * np.eye(3)[0]
        numeric = (by_hand(X + step)[:, 1] - by_hand(X - step)[:, 1]) / 2e-6
        np.testing.assert_allclose(jax.grad(total)(x)[:, 0], numeric, rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(jax.jvp(total, (x,), (jnp.asarray(np.tile(step, (6, 1))),))[1], 1e-6 * numeric.sum())


@pytest.fixture
def jets():
    rows = ak.unflatten(np.arange(6), [2, 0, 4])
    fields = {name: ak.unflatten(X[:, i], ak.num(rows)) for i, name in enumerate(("pt", "eta", "mass"))}
    return Events.of(rg.RecordArray({"Jet": rg.from_awkward(ak.zip(fields))}), jnp.ones(3))


def test_as_a_stage_it_keeps_its_weights_or_is_trained_further(jets):
    network = from_onnx(graph(*CLASSIFIER), column=0)
    stage = Score("tag", network, ["pt", "eta", "mass"], collection="Jet")
    assert stage.parameters == () and hash(stage)
    tags = stage(jets, Parameters().cuts(Hard())).Jet.tag
    np.testing.assert_allclose(rg.to_numpy(rg.flatten(tags)), by_hand(X)[:, 0], rtol=1e-5)
    free = Score("tag", network.__call__, ["pt", "eta", "mass"], collection="Jet")
    assert free.parameters == ("tag",)
    cuts = Parameters(tag=Weights(dict(network.weights)), c=Parameter(0.5, bounds=(0, 1)))

    def total(cuts):
        return rg.sum(free(jets, cuts.cuts(Hard())).Jet.tag)

    slopes = jax.tree.leaves(jax.grad(total)(cuts))
    assert sum(float(jnp.abs(slope).sum()) > 0 for slope in slopes) == len(NUMBERS)


def test_what_cannot_be_converted(tmp_path):
    with pytest.raises(ValueError, match=r"the node 'node 0' is of kind 'LSTM', which has no translation.*scored_once"):
        from_onnx(graph(("LSTM", ["x", "w0", "w2"], ["y"], {"hidden_size": 2})))
    with pytest.raises(ValueError, match="has no output 'z', only"):
        from_onnx(graph(*CLASSIFIER), output="z")
    with pytest.raises(ValueError, match="fixes the number of rows to 4; export it with a free first axis"):
        from_onnx(graph(*CLASSIFIER, rows=4))
    (tmp_path / "t.onnx").write_bytes(b"no network")
    with pytest.raises(ValueError, match=r"t\.onnx is no ONNX file"):
        from_onnx(tmp_path / "t.onnx")
    network = from_onnx(graph(*CLASSIFIER))
    with pytest.raises(ValueError, match=r"the node '.*' \(Gemm\) does not fit its inputs \(x: \(6, 2\), w0: \(3, 8\)"):
        network(network.weights, X[:, :2])
    with pytest.raises(ValueError, match="is a function of"):
        network(network.weights, X, X)


@pytest.mark.filterwarnings("ignore")  # of the tracer and the exporter
def test_networks_of_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    layers = [
        nn.Linear(3, 8),
        nn.BatchNorm1d(8),
        nn.SiLU(),
        nn.Dropout(0.2),
        nn.LayerNorm(8),
        nn.Linear(8, 1),
        nn.Sigmoid(),
    ]
    perceptron = nn.Sequential(*layers).eval()

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.classes = nn.Linear(2, 8), nn.Linear(8, 2)
            self.encode = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)

        def forward(self, x):
            return torch.softmax(self.classes(self.encode(self.embed(x)).mean(1)), -1)

    script = torch.jit.trace(perceptron, torch.zeros(2, 3))
    script.save(str(tmp_path / "script.pt"))
    x = RNG.normal(size=(5, 4, 2)).astype(np.float32)
    transformer = Transformer().eval()
    for model, features, shape, torchs in (
        (perceptron, X, 3, perceptron),
        (script, X, 3, perceptron),
        (tmp_path / "script.pt", X, 3, perceptron),
        (transformer, x, (4, 2), transformer),
    ):
        network = from_torch(model, shape)
        expected = torchs(torch.tensor(features)).detach().numpy()
        np.testing.assert_allclose(network(network.weights, features), expected, rtol=1e-5, atol=1e-6)
    torch.save(perceptron.state_dict(), tmp_path / "state.pt")
    for what in (tmp_path / "state.pt", perceptron.state_dict()):
        with pytest.raises(ValueError, match=r"load a state dict into its module"):
            from_torch(what, 3)
