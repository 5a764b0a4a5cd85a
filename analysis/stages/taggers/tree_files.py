"""The files in which XGBoost and LightGBM keep their trees."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# what an absent number is: never, NaN, or NaN and 0
NEVER, NAN, ZERO = 0, 1, 2
# by objective, from sums to scores
XGBOOST_LINKS = {
    "binary:logistic": "logistic",
    "reg:logistic": "logistic",
    "binary:logitraw": "identity",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
    "count:poisson": "exponential",
    **{f"reg:{name}": "identity" for name in ("squarederror", "linear", "absoluteerror", "pseudohubererror")},
    **{f"reg:{name}": "exponential" for name in ("gamma", "tweedie")},
    **{f"rank:{name}": "identity" for name in ("pairwise", "ndcg", "map")},
}
LIGHTGBM_LINKS = {
    "binary": "logistic",
    "cross_entropy": "logistic",
    "multiclass": "softmax",
    **dict.fromkeys(("poisson", "gamma", "tweedie"), "exponential"),
    **dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank"), "identity"),
}


def of_xgboost(path: str | Path) -> dict[str, Any]:
    """Return what `BoostedTrees` needs out of XGBoost's JSON."""
    raw = Path(path).read_bytes()
    try:
        learner = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)["learner"]
        booster, objective = learner["gradient_booster"], learner["objective"]["name"]
    except (ValueError, KeyError, TypeError, EOFError, OSError) as error:
        raise ValueError(
            f"{path} is no model of XGBoost in JSON ({error!r}); write it with booster.save_model('model.json')"
        ) from None
    if booster["name"] not in ("gbtree", "dart"):
        raise ValueError(f"{path} holds a booster {booster['name']!r}, not trees")
    dart = booster["name"] == "dart"
    model = booster["gbtree"]["model"] if dart else booster["model"]
    drop = booster["weight_drop"] if dart else np.ones(len(model["trees"]))
    link = _known(objective, XGBOOST_LINKS, path)
    parameters = learner["learner_model_param"]
    classes = max(int(parameters["num_class"]), 1)
    base = np.broadcast_to(np.array(json.loads(parameters["base_score"]), float), (classes,))
    if link == "logistic":
        base = np.log(base / (1 - base))
    elif link == "exponential":
        base = np.log(base)
    nodes = []
    for tree, factor in zip(model["trees"], drop, strict=True):
        if any(tree.get("split_type", ())):
            raise ValueError(f"{path} has splits by category, which have no translation")
        left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
        leaf, own = left < 0, np.arange(len(left))
        # the shortest text that means the single-precision number
        conditions = np.array(tree["split_conditions"], np.float32).astype(float)
        nodes.append(
            {
                "feature": np.where(leaf, 0, tree["split_indices"]),
                "threshold": np.where(leaf, 0, conditions),
                "left": np.where(leaf, own, left),
                "right": np.where(leaf, own, right),
                "missing_left": np.array(tree["default_left"], bool),
                "missing": np.full(len(left), NAN),
                "value": np.where(leaf, conditions, 0) * factor,
            }
        )
    return {**_stacked(nodes), "group": np.array(model["tree_info"], np.int32), "base": base, "link": link}


def of_lightgbm(path: str | Path) -> dict[str, Any]:
    """Return what `BoostedTrees` needs out of LightGBM's text."""
    try:
        text = Path(path).read_text("utf-8")
        head, *trees = text.split("end of trees")[0].split("\nTree=")
        about = _keys(head)
        classes, objective = int(about["num_class"]), about["objective"].split()
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"{path} is no model of LightGBM as text ({error!r}); write it with booster.save_model('model.txt')"
        ) from None
    link = _known(objective[0], LIGHTGBM_LINKS, path)
    settings = dict(each.split(":") for each in objective[1:] if ":" in each)
    slope = float(settings.get("sigmoid", 1)) if objective[0] == "binary" else 1.0
    # a random forest is the mean of its trees
    slope /= len(trees) // classes if "average_output" in head.split("\n") else 1
    nodes = []
    for each in map(_keys, trees):
        if int(each.get("num_cat", 0)) or int(each.get("is_linear", 0)):
            raise ValueError(f"{path} has splits by category or linear leaves, which have no translation")
        nodes.append(_of_lightgbm(each, slope))
    group = np.arange(len(nodes), dtype=np.int32) % classes
    return {**_stacked(nodes), "group": group, "base": np.zeros(classes), "link": link}


def _of_lightgbm(tree: Mapping[str, str], slope: float) -> dict[str, np.ndarray]:
    """Return the nodes of a tree and then its leaves, which LightGBM counts by the complements of their numbers."""
    leaves = np.array(tree["leaf_value"].split(), float)
    inner = len(leaves) - 1

    def of(key: str, kind: Any) -> np.ndarray:
        return np.array(tree[key].split() if inner else [], kind)

    decision = of("decision_type", int)
    own = inner + np.arange(len(leaves))
    children = {side: of(f"{side}_child", int) for side in ("left", "right")}
    children = {side: np.where(child < 0, inner + ~child, child) for side, child in children.items()}
    none = np.zeros(len(leaves))
    return {
        "feature": np.append(of("split_feature", int), none.astype(int)),
        # at the threshold still to the left
        "threshold": np.append(np.nextafter(of("threshold", float), np.inf), none),
        **{side: np.append(child, own) for side, child in children.items()},
        "missing_left": np.append((decision & 2) > 0, none > 0),
        "missing": np.append(np.array([NEVER, ZERO, NAN, NEVER])[(decision >> 2) & 3], none.astype(int)),
        "value": np.append(np.zeros(inner), slope * leaves),
    }


def _keys(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.split("\n") if "=" in line)


def _known(objective: str, links: Mapping[str, str], path: str | Path) -> str:
    if objective not in links:
        raise ValueError(f"{path} was trained for {objective!r}, which is not among {', '.join(links)}")
    return links[objective]


def _stacked(trees: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """Return trees side by side, each filled up to the size of the largest, and how deep they are."""
    most = max(len(tree["left"]) for tree in trees)
    kinds = {"threshold": float, "value": float, "missing_left": bool}
    found: dict[str, Any] = {
        name: np.stack(
            [np.pad(tree[name].astype(kinds.get(name, np.int32)), (0, most - len(tree[name]))) for tree in trees]
        )
        for name in trees[0]
    }
    return {**found, "depth": max(map(_depth, trees))}


def _depth(tree: Mapping[str, np.ndarray]) -> int:
    reached, steps = np.array([0]), 0
    while len(reached := reached[tree["left"][reached] != reached]):
        reached, steps = np.concatenate([tree["left"][reached], tree["right"][reached]]), steps + 1
    return steps
