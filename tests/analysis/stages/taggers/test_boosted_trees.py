"""Boosted trees: the values of the libraries that trained them, soft ones on request, and what is refused."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis.stages import BoostedTrees, Score

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])
WITH_GAPS = np.where(RNG.random(X.shape) < 0.1, np.nan, np.where(RNG.random(X.shape) < 0.1, 0, X)).astype(np.float32)


def walked(tree, row):
    """Return the value of one row in a tree of XGBoost's JSON, one step after the other."""
    node = 0
    while tree["left_children"][node] >= 0:
        x, threshold = row[tree["split_indices"][node]], np.float32(tree["split_conditions"][node])
        left = tree["default_left"][node] if np.isnan(x) else x < threshold
        node = tree["left_children" if left else "right_children"][node]
    return tree["split_conditions"][node]


def small_tree(**changed):
    """Return XGBoost's JSON of one tree: 1 for x0 < 0.5, else 2 for x1 < -1, else 3; an absent x0 goes to the right."""
    tree = {
        "left_children": [1, -1, 3, -1, -1],
        "right_children": [2, -1, 4, -1, -1],
        "split_indices": [0, 0, 1, 0, 0],
        "split_conditions": [0.5, 1.0, -1.0, 2.0, 3.0],
        "default_left": [0, 0, 1, 0, 0],
        "split_type": [0, 0, 0, 0, 0],
    }
    learner = {
        "gradient_booster": {"name": "gbtree", "model": {"trees": [tree | changed.pop("tree", {})], "tree_info": [0]}},
        "objective": {"name": "reg:squarederror"},
        "learner_model_param": {"num_class": "0", "base_score": "1E-1"},
    }
    return {"learner": learner | changed}


@pytest.fixture
def small(tmp_path):
    def make(**changed):
        path = tmp_path / "model.json"
        path.write_text(json.dumps(small_tree(**changed)))
        return path

    return make


def test_a_tree_on_paper(small):
    trees = BoostedTrees.from_xgboost(small())
    rows = jnp.array([[0.4999, 0.0], [0.5, -1.5], [7.0, -1.0], [np.nan, np.nan]])
    np.testing.assert_allclose(jax.jit(lambda x: trees((), x))(rows), [1.1, 2.1, 3.1, 2.1], rtol=1e-6)
    assert jnp.all(jax.grad(lambda x: trees((), x).sum())(rows) == 0)
    with pytest.raises(ValueError, match="functions of 2 features, got 1"):
        trees((), rows[:, :1])
    assert Score("bdt", trees, ["MET.pt", "sum(Jet.pt)"]).parameters == ()


@pytest.mark.usefixtures("x64")
def test_soft_trees_are_expectations_over_paths(small):
    soft = BoostedTrees.from_xgboost(small()).softened([0.2, 0.5])

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    x = np.array([[0.6, -1.3], [0.1, 4.0]])
    left, below = sigmoid((0.5 - x[:, 0]) / 0.2), sigmoid((-1 - x[:, 1]) / 0.5)
    np.testing.assert_allclose(soft((), jnp.asarray(x)), 0.1 + left + (1 - left) * (2 * below + 3 * (1 - below)))
    numeric = [(soft((), jnp.asarray(x + d)) - soft((), jnp.asarray(x - d))) / 2e-6 for d in 1e-6 * np.eye(2)]
    slope = jax.grad(lambda x: soft((), x).sum())(jnp.asarray(x))
    np.testing.assert_allclose(slope, np.transpose(numeric), rtol=1e-6, atol=1e-9)
    for widths in ([1.0], [1.0, 0.0]):
        with pytest.raises(ValueError, match="positive width for each of 2 features"):
            soft.softened(widths)


def test_the_trees_of_the_grand_challenge(shared_data):
    path = shared_data / "agc" / "model_even.json.gz"
    trees = BoostedTrees.from_xgboost(path)
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 300, (40, trees.features)).astype(np.float32)
    x[:, :4] = rng.uniform(0, 6, (40, 4))
    x[rng.random(x.shape) < 0.02] = np.nan
    import gzip

    model = json.loads(gzip.decompress(path.read_bytes()))["learner"]
    sums = [sum(walked(tree, row) for tree in model["gradient_booster"]["model"]["trees"]) for row in x]
    base = float(model["learner_model_param"]["base_score"].strip("[]"))
    expected = 1 / (1 + np.exp(-(np.array(sums) + np.log(base / (1 - base)))))
    np.testing.assert_allclose(trees((), x), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "changed, error",
    [
        ({"gradient_booster": {"name": "gblinear"}}, "holds a booster 'gblinear', not trees"),
        ({"objective": {"name": "survival:cox"}}, "was trained for 'survival:cox'"),
        ({"tree": {"split_type": [0, 0, 1, 0, 0]}}, "splits by category"),
        ({"objective": None}, "is no model of XGBoost in JSON"),
    ],
)
def test_what_is_refused(small, changed, error):
    with pytest.raises(ValueError, match=error):
        BoostedTrees.from_xgboost(small(**changed))


def test_other_files_are_refused(small, tmp_path):
    with pytest.raises(ValueError, match="there is no number 1"):
        BoostedTrees.from_xgboost(small(), column=1)
    with pytest.raises(ValueError, match="is no model of LightGBM as text"):
        BoostedTrees.from_lightgbm(small())
    (tmp_path / "model.ubj").write_bytes(b"{L\x00\x00")
    with pytest.raises(ValueError, match="is no model of XGBoost in JSON"):
        BoostedTrees.from_xgboost(tmp_path / "model.ubj")


OBJECTIVES = [
    ("binary:logistic", Y, {}),
    ("multi:softprob", CLASSES, {"num_class": 3}),
    ("count:poisson", CLASSES, {}),
    ("binary:logistic", Y, {"booster": "dart", "rate_drop": 0.5}),
]


@pytest.mark.parametrize("objective, target, more", OBJECTIVES)
def test_values_are_those_of_xgboost(objective, target, more, tmp_path):
    xgboost = pytest.importorskip("xgboost")
    matrix = xgboost.DMatrix(WITH_GAPS, label=target)
    booster = xgboost.train({"objective": objective, "max_depth": 3, **more}, matrix, num_boost_round=8)
    booster.save_model(tmp_path / "model.json")
    compared(BoostedTrees.from_xgboost, tmp_path / "model.json", booster.predict(matrix))


@pytest.mark.thorough
@pytest.mark.parametrize(
    "objective, target, more",
    [
        ("binary", Y, {"sigmoid": 1.7}),
        ("multiclass", CLASSES, {"num_class": 3}),
        ("poisson", CLASSES, {}),
        ("binary", Y, {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}),
        ("regression", Y, {"zero_as_missing": True}),
        ("regression", Y, {"use_missing": False}),
    ],
)
def test_values_are_those_of_lightgbm(objective, target, more, tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    settings = {"objective": objective, "verbose": -1, "num_leaves": 8, "num_threads": 1, **more}
    booster = lightgbm.train(settings, lightgbm.Dataset(WITH_GAPS, target), num_boost_round=8)
    booster.save_model(tmp_path / "model.txt")
    compared(BoostedTrees.from_lightgbm, tmp_path / "model.txt", booster.predict(WITH_GAPS))


def compared(read, path, expected):
    """Compare all classes in single precision."""
    for column, values in enumerate(np.atleast_2d(expected.T)):
        np.testing.assert_allclose(read(path, column=column)((), WITH_GAPS), values, rtol=2e-6, atol=1e-6)
