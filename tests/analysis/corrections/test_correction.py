"""Corrections against correctionlib: every kind of node, every behaviour outside of bins, official files, errors."""

from __future__ import annotations

import functools
import gzip
import itertools
import json

import awkward as ak
import correctionlib
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hepgrad.ragged as rg
from benchmarks.programs import equations
from hepgrad.analysis.corrections import Correction, read_corrections

EDGES = [-1.0, 0.1, 0.7, 2.0, 5.0]
CONTENT = [1.5, 2.5, 3.5, 4.5]
# in the bins, at every edge, just below it, and outside
POINTS = np.array([-3.0, *EDGES, *np.nextafter(EDGES, -np.inf), 0.0, 1.0, 4.2, 7.0, 123.4])


def formula(expression, *variables):
    return {"nodetype": "formula", "parser": "TFormula", "expression": expression, "variables": list(variables)}


def binning(flow, edges=EDGES, content=CONTENT, over="x"):
    return {"nodetype": "binning", "input": over, "edges": edges, "content": content, "flow": flow}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    "flow", ["clamp", "wrap", -7.5, formula("2*x", "x")], ids=["clamp", "wrap", "number", "formula"]
)
@pytest.mark.parametrize("edges", [EDGES, {"n": 4, "low": 0.1, "high": 1.0}], ids=["edges", "equal"])
def test_bins(same, flow, edges):
    # correctionlib itself loses its way where a period ends, within rounding
    points = POINTS if flow != "wrap" else POINTS[~np.isin(POINTS, np.nextafter([-1.0, 0.1], -np.inf))]
    same(binning(flow, edges), [points], x="real")


@pytest.mark.parametrize("edges", [EDGES, {"n": 4, "low": 0.1, "high": 1.0}], ids=["edges", "equal"])
def test_bins_in_single_precision_are_those_of_double_precision(both, edges):
    ours, theirs = both(binning(-1.0, edges), x="real")
    points = POINTS.astype(np.float32)
    np.testing.assert_array_equal(ours(points), theirs.evaluate(points.astype(float)).astype(np.float32))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("flow", ["clamp", "wrap", 9.0])
def test_bins_of_several_inputs(same, flow):
    data = {
        "nodetype": "multibinning",
        "inputs": ["x", "n", "y"],
        "edges": [EDGES, [0.0, 2.0, 3.0, 8.0], {"n": 3, "low": -1.0, "high": 2.0}],
        "content": [float(i) for i in range(36)],
        "flow": flow,
    }
    x, n, y = (
        np.array(each)
        for each in zip(
            *itertools.product([-3.0, *EDGES, 1.0, 7.0], [-1, 0, 2, 7, 9], [-1.5, 0.0, 1.9, 2.0]), strict=True
        )
    )
    same(data, [x, n, y], x="real", n="int", y="real")


@pytest.mark.usefixtures("x64")
def test_many_bins(same):
    edges = np.unique(np.random.default_rng(0).normal(size=101).round(4)).tolist()
    nodes = [binning("clamp", edges[i : 101 - i], np.arange(100.0 - 2 * i).tolist()) for i in range(4)]
    data = binning("clamp", content=nodes, over="y")
    x, y = np.random.default_rng(1).normal(size=(2, 500))
    same(data, [np.append(x, edges), np.append(y, edges)], x="real", y="real")


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("default", [None, -1.0])
def test_categories(both, default):
    items = [{"key": key, "value": value} for key, value in ((5, 1.0), (-11, 2.0), (0, binning("clamp")), (300, 4.0))]
    words = [{"key": "up", "value": {"nodetype": "category", "input": "n", "content": items, "default": default}}]
    ours, theirs = both({"nodetype": "category", "input": "s", "content": words}, s="string", n="int", x="real")
    n = np.array([5, -11, 0, 300, 5])
    np.testing.assert_array_equal(ours("up", n, 0.5), theirs.evaluate("up", n, 0.5))
    np.testing.assert_array_equal(ours("up", n.astype(np.uint8)[2:3], 0.5), theirs.evaluate("up", n[2:3], 0.5))
    with pytest.raises(KeyError, match="s 'down' is not there; there is 'up'"):
        ours("down", n, 0.5)
    if default is None:
        with pytest.raises(ValueError, match=r"1 of 2 items have n is none of \[-11, 0, 5, 300\]"):
            ours("up", np.array([5, 4]), 0.5)
    else:
        np.testing.assert_array_equal(ours("up", np.array([5, 4]), 0.5), [1, -1])


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("below", ["category", "bins"])
def test_words_that_some_branches_lack(both, below):
    def words(*keys):
        items = [{"key": key, "value": len(keys) + i} for i, key in enumerate(keys)]
        return {"nodetype": "category", "input": "s", "content": items}

    branches = [words("up", "down"), words("up")]
    if below == "category":
        items = [{"key": key, "value": value} for key, value in enumerate(branches)]
        ours, theirs = both({"nodetype": "category", "input": "n", "content": items}, s="string", n="int")
    else:
        ours, theirs = both(binning("clamp", [-0.5, 0.5, 1.5], branches, over="n"), s="string", n="int")
    n = np.array([0, 1, 0])
    np.testing.assert_array_equal(ours("up", n), theirs.evaluate("up", n))
    np.testing.assert_array_equal(ours("down", n[::2]), theirs.evaluate("down", n[::2]))
    with pytest.raises(ValueError, match="1 of 3 items have s 'down' is not there; there is 'up'"):
        ours("down", n)
    with pytest.raises(KeyError, match="s 'left' is not there"):
        ours("left", n)


@pytest.mark.usefixtures("x64")
def test_rewritten_inputs(same):
    items = [{"key": key, "value": float(key)} for key in (-2, 0, 1, 2, 3)]
    rounding = {
        "nodetype": "transform",
        "input": "n",
        "rule": formula("x", "x"),
        "content": {"nodetype": "category", "input": "n", "content": items, "default": -9.0},
    }
    data = {
        "nodetype": "transform",
        "input": "x",
        "rule": formula("2*x", "x"),
        "content": binning(0.0, content=[rounding] * 4),
    }
    x = np.array([0.2, 0.25, 0.6, 0.75, 1.25, 1.4, -0.4, -0.25])
    same(data, [x, np.zeros(8, int)], x="real", n="int")


@pytest.mark.usefixtures("x64")
def test_formulas_in_bins_are_few_forms(both):
    numbers = np.random.default_rng(2).normal(size=(200, 2))
    content = [formula(f"{a} - {b}*x" if a < 0 else f"{a} + {b}*log(1+x*x)", "x") for a, b in numbers.round(3)]
    edges = np.linspace(0, 10, 201).tolist()
    ours, theirs = both(binning("clamp", edges, content), x="real")
    x = np.random.default_rng(3).uniform(0, 10, 1000)
    np.testing.assert_allclose(ours(x), theirs.evaluate(x), rtol=1e-12)
    few, _ = both(binning("clamp", edges[:51], content[:50]), x="real")
    many_nodes, few_nodes = (equations(jax.make_jaxpr(each)(x).jaxpr) for each in (ours, few))
    assert many_nodes < 1.25 * few_nodes


@pytest.mark.usefixtures("x64")
def test_formulas_that_nodes_share(both):
    generic = [formula("[0]*max(min(x,[3]),[2])+[1]", "x")]
    content = [{"nodetype": "formularef", "index": 0, "parameters": [0.1 * i, 1.0, 0.0, 3.0]} for i in range(4)]
    ours, theirs = both(binning("clamp", content=content), generic=generic, x="real")
    np.testing.assert_allclose(ours(POINTS), theirs.evaluate(POINTS), rtol=1e-15)


@pytest.mark.thorough
@pytest.mark.parametrize("distribution", ["stdflat", "stdnormal", "normal"])
@pytest.mark.parametrize("inputs", [1, 5])
def test_random_numbers_are_correctionlibs(both, distribution, inputs):
    names = {f"i{k}": "int" if k == 1 else "real" for k in range(inputs)}
    ours, theirs = both({"nodetype": "hashprng", "inputs": list(names), "distribution": distribution}, **names)
    rng = np.random.default_rng(4)
    values = [rng.integers(-5, 1 << 30, 300) if kind == "int" else rng.normal(size=300) for kind in names.values()]
    values[0][:4] = 0.0, -1.5, 1e-40, 3e38
    single = [value.astype(np.float32) if value.dtype == float else value.astype(np.int32) for value in values]
    expected = theirs.evaluate(*(v.astype(float) if v.dtype == np.float32 else v for v in single))
    np.testing.assert_allclose(ours(*single), expected, rtol=2e-5, atol=1e-6)
    with jax.enable_x64(True):
        np.testing.assert_allclose(ours(*values), theirs.evaluate(*values), rtol=1e-12)


@pytest.mark.usefixtures("x64")
def test_ragged_jit_vmap_and_derivatives(both):
    content = [formula("x*x", "x"), formula("sqrt(x)", "x"), 3.0, formula("exp(-x)*[0]", "x") | {"parameters": [2.0]}]
    ours, theirs = both(binning("clamp", content=content), x="real")
    rows = ak.Array([[-0.5, 0.3, 1.0], [], [3.0, 0.05]])
    x = rg.from_awkward(rows)
    expected = ak.unflatten(theirs.evaluate(ak.to_numpy(ak.flatten(rows))), ak.num(rows))
    for function in (ours, jax.jit(ours)):
        assert ak.almost_equal(rg.to_awkward(function(x)), expected, rtol=1e-13)
    slope = ak.Array([[-1.0, 0.5 / np.sqrt(0.3), 0.0], [], [-2 * np.exp(-3.0), 0.1]])
    assert ak.almost_equal(rg.to_awkward(rg.grad(lambda x: rg.sum(ours(x)))(x)), slope, rtol=1e-13)
    flat = jnp.array([[0.3, 1.0], [3.0, 0.05]])
    np.testing.assert_allclose(
        jax.vmap(ours)(flat), theirs.evaluate(np.asarray(flat).ravel()).reshape(2, 2), rtol=1e-13
    )
    np.testing.assert_allclose(
        jax.jvp(ours, (flat,), (jnp.ones_like(flat),))[1], [[0.5 / np.sqrt(0.3), 0], [-2 * np.exp(-3.0), 0.1]]
    )


def test_outside_of_bins_that_refuse(both):
    ours, theirs = both(binning("error"), x="real")
    with pytest.raises(RuntimeError):
        theirs.evaluate(5.0)
    with pytest.raises(ValueError, match="correction 'c': 1 of 2 items have x outside the bins, which end at -1 and 5"):
        ours(np.array([5.0, 0.0]))
    assert ours(np.array([2.0, 0.0])).tolist() == [4.5, 1.5]
    # the unused end of a buffer is outside without consequence
    x = rg.from_awkward(ak.Array([[0.0], [1.0]]), capacity=8)
    assert rg.to_list(ours(x * 1.0 + 0.0)) == [[1.5], [3.5]]
    assert rg.to_list(rg.checked(ours)(x * 1.0 + 0.0)) == [[1.5], [3.5]]


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("content", [1.5, binning("clamp")], ids=["unused", "clamped"])
def test_rules_of_rewritten_inputs_refuse(both, content):
    inner = {"nodetype": "transform", "input": "x", "rule": binning("error", over="y"), "content": content}
    rule = {"nodetype": "category", "input": "n", "content": [{"key": 1, "value": 2.0}]}
    ours, theirs = both(
        {"nodetype": "transform", "input": "n", "rule": rule, "content": inner}, n="int", x="real", y="real"
    )
    for n, y in ((1, 5.0), (2, 0.0)):
        with pytest.raises((RuntimeError, IndexError)):
            theirs.evaluate(n, 0.0, y)
    for n, y, why in ((1, 5.0, "y outside the bins"), (2, 0.0, r"n is none of \[1\]")):
        with pytest.raises(ValueError, match=f"correction 'c': 1 of 2 items have {why}"):
            ours(np.array([1, n]), np.zeros(2), np.array([0.0, y]))
    kept = np.array([1, 1]), np.zeros(2), np.array([0.0, 4.9])
    np.testing.assert_array_equal(ours(*kept), theirs.evaluate(*kept))


def test_refusals_stop_compiled_programs(both):
    items = [{"key": key, "value": binning("error")} for key in (1, 2)]
    ours, _ = both({"nodetype": "category", "input": "n", "content": items}, n="int", x="real")
    n, x = rg.from_lists([[1, 2], [], [2]]), rg.from_lists([[0.0, 1.0], [], [5.0]])

    def total(x, n):
        return rg.sum(ours(n, x))

    outside = "correction 'c': 1 of 3 items have x outside the bins, which end at -1 and 5"
    for program in (rg.checked(total), rg.checked(lambda x, n: rg.grad(total)(x, n))):
        with pytest.raises(ValueError, match=outside):
            program(x, n)
        program(x - 1.0, n)
    with pytest.raises(ValueError, match=r"1 of 3 items have n is none of \[1, 2\]"):
        rg.checked(total)(x - 1.0, n + rg.from_lists([[0, 1], [], [0]]))
    with pytest.raises(jax.errors.JaxRuntimeError, match=outside):
        jax.block_until_ready(jax.jit(total)(x, n))
    rows = jnp.array([[0.0, 1.0], [4.0, 6.0]])
    with pytest.raises(ValueError, match="1 of 2 items"):
        rg.checked(jax.vmap(lambda x: ours(1, x)))(rows)


@pytest.mark.usefixtures("x64")
def test_items_that_are_not_asked_for(both):
    content = [formula("x*x", "x"), 2.0, 3.0, formula("sqrt(x-5)", "x")]
    ours, _ = both(binning("error", content=content), x="real")
    x, asked = jnp.array([-7.0, 0.05, 9.0, 5.0]), jnp.array([False, True, False, False])
    for function in (ours, rg.checked(ours)):
        np.testing.assert_allclose(function(x, where=asked, otherwise=0.5), [0.5, 0.0025, 0.5, 0.5])
    slope = jax.grad(lambda x: jnp.sum(ours(x, where=asked)))(x)
    np.testing.assert_allclose(slope, [0, 0.1, 0, 0])
    jets = rg.from_lists([[0.0, -3.0], [], [1.5]])
    assert rg.to_list(ours(jets, where=jets > -1)) == [[0.0, 1.0], [], [3.0]]


@pytest.mark.usefixtures("x64")
def test_several_words_at_once(both):
    content = [formula(f"{k} + {k}*x", "x") for k in range(1, 5)]
    items = [{"key": f"w{k}", "value": binning("error", content=content[k:] + content[:k])} for k in range(4)]
    ours, _ = both({"nodetype": "category", "input": "s", "content": items}, x="real", s="string")
    x = rg.from_lists([[0.0, 1.0], [], [4.0, 7.0]])
    inside = x < 5
    masks = [inside, inside & (x > 0.5)]
    for function in (ours.each, jax.jit(ours.each, static_argnums=(0, 1))):
        found = function("s", ("w1", "w3"), x, where=masks)
        for word, mask, values in zip(("w1", "w3"), masks, found, strict=True):
            assert rg.to_list(values) == rg.to_list(ours(x, word, where=mask))
    with pytest.raises(ValueError, match="2 of 8 items have x outside"):
        ours.each("s", ["w1", "w3"], x)
    with pytest.raises(KeyError, match="s 'w9' is not there"):
        ours.each("s", ["w1", "w9"], x)
    with pytest.raises(TypeError, match="'x' is no input of text"):
        ours.each("x", ["w1"], x)

    def size(words):
        return equations(jax.make_jaxpr(lambda x: ours.each("s", words, x)[0])(jnp.ones(3)).jaxpr)

    assert size(["w0", "w1", "w2", "w3"]) < 1.4 * size(["w0", "w1"])


def test_inputs_of_another_kind_are_refused(both):
    data = {"nodetype": "category", "input": "s", "content": [{"key": "a", "value": formula("x", "x")}]}
    ours, _ = both(data, s="string", n="int", x="real")
    with pytest.raises(TypeError, match="takes 3 inputs"):
        ours("a", 1)
    with pytest.raises(TypeError, match="'s' is of type string, got ndarray"):
        ours(np.array(["a"]), 1, 2.0)
    with pytest.raises(TypeError, match="'x' is of type real, got '2'"):
        ours("a", 1, "2")
    with pytest.raises(TypeError, match="'n' is of type int, got float"):
        ours("a", np.array([1.0]), 2.0)
    assert ours("a", np.array([1]), np.array([2])).tolist() == [2.0]


@pytest.mark.parametrize("value", [[1.0], None, np.array(["a"]), np.array([1j]), ak.Array([[1.0]])])
def test_what_holds_no_numbers_is_refused(both, value):
    ours, _ = both(binning("clamp"), x="real")
    for function in (ours, lambda x: ours(x, where=True)):
        with pytest.raises(TypeError, match=r"correction 'c': the input 'x' is of type real, got .*asarray"):
            function(value)


@pytest.mark.parametrize(
    "data",
    [
        *("abc", None, {"input": "x"}, {"nodetype": "other"}, {"nodetype": "formularef", "index": 0, "parameters": []}),
        *(binning("clamp") | {"edges": [1, 0]}, binning("elsewhere"), binning("clamp", content=[None] * 4)),
        *({k: v for k, v in binning("clamp").items() if k != left_out} for left_out in ("flow", "edges", "content")),
        *(formula("x+", "x"), {k: v for k, v in formula("x", "x").items() if k != "variables"}),
        {"nodetype": "category", "input": "y", "content": [{"key": "a", "value": 1.0}]},
    ],
)
def test_trees_that_contradict_the_schema_are_told_by_name(data):
    inputs = [{"name": "x", "type": "real"}]
    ours = Correction.from_dict({"name": "sf", "inputs": inputs, "data": data, "output": {"name": "w", "type": "real"}})
    with pytest.raises(ValueError, match="correction 'sf'"):
        ours(0.5)


def test_files_that_are_none(tmp_path):
    path = tmp_path / "c.json"
    path.write_text("{")
    with pytest.raises(ValueError, match="is no JSON file"):
        read_corrections(path)
    path.write_text(json.dumps({"schema_version": 1, "corrections": []}))
    with pytest.raises(ValueError, match="its schema_version is 1"):
        read_corrections(path)
    path.write_text(json.dumps({"schema_version": 2, "corrections": {}}))
    with pytest.raises(ValueError, match="`corrections` should be a list"):
        read_corrections(path)
    path.write_text(json.dumps({"schema_version": 2, "corrections": [{"name": "muon_sf"}]}))
    with pytest.raises(ValueError, match=r"c\.json: this is no correction of correctionlib's schema 2"):
        read_corrections(path)
    one = {"name": "muon_sf", "inputs": [{"name": "x", "type": "real"}] * 2, "data": 1.0}
    path.write_text(json.dumps({"schema_version": 2, "corrections": [one]}))
    with pytest.raises(ValueError, match="'muon_sf': inputs have names of their own"):
        read_corrections(path)
    path.write_text(json.dumps({"schema_version": 2, "corrections": [one | {"inputs": []}]}))
    with pytest.raises(KeyError, match="has no correction 'muonsf'; did you mean 'muon_sf'"):
        Correction.from_file(path, "muonsf")
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(ValueError, match=r"c\.json is no JSON file: Compressed file ended"):
        read_corrections(path)


def _inputs(correction, count, rng):
    """Yield all combinations of words, each with numbers in the bins and at their edges."""
    seen = {each["name"]: set() for each in correction["inputs"]}

    def look(node):
        if isinstance(node, dict):
            if node["nodetype"] == "category":
                seen[node["input"]].update(item["key"] for item in node["content"])
                node = {"content": [item["value"] for item in node["content"]]}
            elif node["nodetype"] == "binning":
                seen[node["input"]].update(node["edges"])
            elif node["nodetype"] == "multibinning":
                for name, edges in zip(node["inputs"], node["edges"], strict=True):
                    seen[name].update(edges)
            for each in node.get("content", ()):
                look(each)

    look(correction["data"])
    words = [sorted(seen[each["name"]]) for each in correction["inputs"] if each["type"] == "string"]
    for combination in itertools.product(*words):
        left, values = iter(combination), []
        for each in correction["inputs"]:
            if each["type"] == "string":
                values.append(next(left))
            elif each["type"] == "int":
                values.append(rng.choice(sorted(seen[each["name"]] or {0}), count).astype(np.int32))
            else:
                edges = np.array(sorted(float(edge) for edge in seen[each["name"]] or {1.0, 100.0}))
                edges = edges[np.isfinite(edges)]
                x = rng.uniform(edges[0], edges[-1], count)
                x[: min(len(edges) - 1, count)] = edges[:-1][:count]
                values.append(rng.permutation(x))
        yield values


@functools.cache
def _theirs(path):
    return correctionlib.CorrectionSet.from_file(str(path))


def _compared(path, every, count):
    """Compare with correctionlib; every so many corrections and combinations of their words."""
    theirs, ours = _theirs(path), read_corrections(path)
    content = json.loads(gzip.decompress(path.read_bytes()))
    rng, compared = np.random.default_rng(5), 0
    for correction in content["corrections"][::every]:
        for values in itertools.islice(_inputs(correction, count, rng), 0, None, every):
            name = correction["name"]
            with jax.enable_x64(True):
                if (values := _accepted(theirs[name], ours[name], values, count)) is None:
                    continue
                expected = theirs[name].evaluate(*values)
                worst = 1e-12 if not name.startswith(CANCELLING) else 1e-10
                np.testing.assert_allclose(ours[name](*values), expected, rtol=worst, atol=1e-14, err_msg=name)
            single = [v.astype(np.float32) if _is_real(v) else v for v in values]
            if (single := _accepted(theirs[name], ours[name], single, count)) is None:
                continue
            expected = theirs[name].evaluate(*(v.astype(float) if _is_real(v) else v for v in single))
            # terms that nearly cancel leave what is left of them: of numbers near zero the digits of the largest
            worst = 1e-6 if not name.startswith(CANCELLING) else 1e-3
            scale = np.max(np.abs(expected))
            np.testing.assert_allclose(ours[name](*single), expected, rtol=worst, atol=worst * scale, err_msg=name)
            compared += 1
    return compared


# sums of exponentials with coefficients up to 1e4 that nearly cancel
CANCELLING = ("Summer19UL18_JRV2_MC_PhiResolution", "Summer19UL18_JRV2_MC_EtaResolution")


def _is_real(value):
    return not isinstance(value, str) and value.dtype.kind == "f"


def _accepted(theirs, ours, values, count):
    """Return values with those that correctionlib refuses replaced, having seen that ours refuses them; None if all."""
    double = [v.astype(float) if _is_real(v) else v for v in values]
    try:
        theirs.evaluate(*double)
    except (RuntimeError, IndexError):
        kept = [i for i in range(count) if _is_accepted(theirs, double, i)]
        with pytest.raises((ValueError, KeyError)):
            ours(*values)
        if not kept:
            return None
        rows = np.full(count, kept[0])
        rows[kept] = kept
        return [v if isinstance(v, str) else v[rows] for v in values]
    return values


def _is_accepted(correction, values, i):
    try:
        correction.evaluate(*(v if isinstance(v, str) else v[i].item() for v in values))
    except (RuntimeError, IndexError):
        return False
    return True


@pytest.mark.thorough
@pytest.mark.parametrize("file", ["muon_Z", "electron", "puWeights", "jmar", "jet_jerc"])
def test_some_of_the_official_corrections(shared_data, file):
    path = shared_data / "corrections_cms2018ul" / f"{file}.json.gz"
    every = {"muon_Z": 12, "electron": 5, "puWeights": 1, "jmar": 9, "jet_jerc": 30}[file]
    assert _compared(path, every, 50) > 0


OFFICIAL, AT_LEAST = 100_000, 1000


@pytest.mark.slow
@pytest.mark.parametrize("file", ["muon_Z", "electron", "puWeights", "jmar", "jet_jerc", "fatJet_jerc", "btagging"])
def test_all_official_corrections(shared_data, file):
    """Each correction at 100,000 points, with all combinations of its words in one program of ours."""
    path = shared_data / "corrections_cms2018ul" / f"{file}.json.gz"
    theirs, ours = _theirs(path), read_corrections(path)
    rng = np.random.default_rng(5)
    for described in json.loads(gzip.decompress(path.read_bytes()))["corrections"]:
        several = [
            {place: value for place, value in enumerate(values) if isinstance(value, str)}
            for values in _inputs(described, 1, np.random.default_rng(0))
        ]
        count = max(OFFICIAL // len(several), AT_LEAST)
        values = next(_inputs(described, count, rng))
        several = [
            words for words in several if _are_known(theirs[described["name"]], ours[described["name"]], words, values)
        ]
        for precision in (np.float64, np.float32):
            numbers = {
                i: v.astype(precision) if _is_real(v) else v for i, v in enumerate(values) if not isinstance(v, str)
            }
            _same_for_all_words(theirs[described["name"]], ours[described["name"]], several, numbers, precision)


def _are_known(theirs, ours, words, values):
    """Return whether there is anything for these words, having seen that correctionlib refuses them where not."""
    try:
        ours._forest((tuple(words.items()),))
    except KeyError:
        asked = [words.get(i, value) for i, value in enumerate(values)]
        assert not any(_is_accepted(theirs, asked, i) for i in range(100)), f"{ours.name} {words}"
        return False
    return True


def _same_for_all_words(theirs, ours, several, numbers, precision):
    """Compare at the points that ours accepts, and see that correctionlib refuses the others."""
    name = ours.name
    with jax.enable_x64(precision is np.float64):
        places = list(numbers)
        program = jax.jit(
            rg.with_checks(lambda *x: ours._evaluated(several, dict(zip(places, x, strict=True)), None, 1.0))
        )
        found = [np.asarray(each) for each in program(*numbers.values())[0]]
    cancels = name.startswith(CANCELLING)
    worst = {np.float64: 1e-10 if cancels else 1e-12, np.float32: 1e-3 if cancels else 1e-6}[precision]
    for words, values in zip(several, found, strict=True):
        accepted = ~np.isnan(values)

        def at(points, words=words):
            both = {**words, **{i: x[points].astype(float) if _is_real(x) else x[points] for i, x in numbers.items()}}
            return [both[i] for i in range(len(both))]

        if accepted.any():
            expected = theirs.evaluate(*at(accepted))
            smallest = 1e-14 if precision is np.float64 else worst * np.max(np.abs(expected))
            np.testing.assert_allclose(
                values[accepted], expected, rtol=worst, atol=smallest, err_msg=f"{name} {tuple(words.values())}"
            )
        for i in np.flatnonzero(~accepted)[:20]:
            assert not _is_accepted(theirs, at(slice(None)), i), f"{name} {tuple(words.values())} at point {i}"


@pytest.mark.thorough
@pytest.mark.usefixtures("x64")
def test_stacked_corrections(shared_data):
    path = shared_data / "corrections_cms2018ul" / "jet_jerc.json.gz"
    theirs = _theirs(path).compound
    rng = np.random.default_rng(6)
    for name in ("Summer19UL18_RunA_V5_DATA_L1L2L3Res_AK4PFchs",):
        ours = Correction.from_file(path, name)
        values = [rng.uniform(*ends, 200) for ends in ((0.2, 0.8), (-4, 4), (15, 900), (1, 60))]
        np.testing.assert_allclose(ours(*values), theirs[name].evaluate(*values), rtol=1e-12)
    by_name = dict(zip(ours.inputs, values, strict=True))
    slope = jax.grad(lambda pt: jnp.sum(ours(*(by_name | {"JetPt": pt}).values())))(jnp.asarray(by_name["JetPt"]))
    assert bool(jnp.all(jnp.isfinite(slope)))
