"""The round trip to `hist` and back."""

from __future__ import annotations

import hist
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad.analysis.histogram import Counts, Regular, Variable, fill_hard, from_hist, to_hist

AXES = [
    Regular(3, 0.1, 0.7, name="btag", label="b tag", unit="", flow="fold"),
    Variable([0, 30, 31.5], name="pt", unit="GeV"),
    Regular(3, 0, 1),
]


@pytest.mark.parametrize("axis", AXES, ids=repr)
def test_round_trip_is_exact(axis):
    rng = np.random.default_rng(1)
    values = rng.uniform(-1, 40, 1000).astype(np.float32)
    counts = fill_hard(values, rng.normal(1, 1, 1000).astype(np.float32), axis)
    histogram = to_hist(counts, axis)
    assert histogram.storage_type is hist.storage.Weight
    assert np.array_equal(histogram.axes[0].edges, axis.edges)
    back, same_axis = from_hist(histogram)
    assert same_axis == axis
    assert np.array_equal(back.sumw, counts.sumw)
    assert np.array_equal(back.sumw2, counts.sumw2)


def test_titles_are_shown():
    assert to_hist(Counts(jnp.zeros(4), jnp.zeros(4)), AXES[1]).axes[0].label == "pt [GeV]"


def test_histograms_made_by_others():
    counts, axis = from_hist(hist.Hist(hist.axis.Integer(0, 3, name="n", flow=False)).fill([0, 0, 2, 7]))
    assert axis == Variable([0, 1, 2, 3], name="n")
    assert (counts.sumw.tolist(), counts.sumw2.tolist()) == ([0, 2, 0, 1, 0], [0, 2, 0, 1, 0])
    log = hist.axis.Regular(2, 1, 100, transform=hist.axis.transform.log, label="mass")
    counts, axis = from_hist(hist.Hist(log, storage=hist.storage.Weight()).fill([5, 50, 0.1], weight=2))
    np.testing.assert_allclose(axis.edges, [1, 10, 100])
    assert (axis.label, counts.sumw.tolist(), counts.sumw2.tolist()) == ("mass", [2, 2, 2, 0], [4, 4, 4, 0])


def test_two_axes_and_processes_make_the_round_trip():
    rng = np.random.default_rng(1)
    values = tuple(rng.uniform(-1, 40, (2, 500)).astype(np.float32))
    weight, groups = rng.normal(1, 1, 500).astype(np.float32), rng.integers(0, 2, 500)
    axes = (AXES[0], AXES[1])
    for counts, processes in (
        (fill_hard(values, weight, axes), None),
        (fill_hard(values, weight, axes, groups=groups, num_groups=2), ["top", "W"]),
    ):
        histogram = to_hist(counts, axes, processes=processes)
        assert [axis.name for axis in histogram.axes] == [*(["process"] if processes else []), "btag", "pt"]
        if processes:
            assert np.array_equal(histogram["W", ...].values(flow=True), counts[1].sumw)
        back, same_axes = from_hist(histogram)
        assert same_axes == axes
        assert np.array_equal(back.sumw, counts.sumw)
        assert np.array_equal(back.sumw2, counts.sumw2)


def test_categories_of_others_are_groups():
    histogram = hist.new.StrCat(["a", "b"], name="process").Reg(2, 0, 2, name="x").Weight()
    counts, axis = from_hist(histogram.fill(["b", "b", "a"], [0.5, 1.5, 5.0]))
    assert axis == Regular(2, 0, 2, name="x")
    assert counts.sumw.tolist() == [[0, 0, 0, 1], [0, 1, 1, 0]]
    with pytest.raises(ValueError, match=r"'process'.*outside of its categories \['a', 'b'\]"):
        from_hist(histogram.fill(["c"], [0.5]))


def test_what_cannot_be_converted_says_so():
    with pytest.raises(TypeError, match=r"'process'.*regular, variable or integer"):
        from_hist(hist.Hist(hist.axis.StrCategory(["a"], name="process")))
    with pytest.raises(TypeError, match="'phi'"):
        from_hist(hist.Hist(hist.axis.Regular(2, 0, 1, circular=True, name="phi")))
    with pytest.raises(TypeError, match="'process'"):
        from_hist(hist.new.Reg(2, 0, 1).StrCat(["a"], name="process").Double())
    with pytest.raises(ValueError, match="Double has no variances"):
        from_hist(hist.new.Reg(2, 0, 1).Double().fill([0.5], weight=[2.0]))
    with pytest.raises(ValueError, match=r"'pt'.*\(4,\).*select a group"):
        to_hist(Counts(jnp.zeros((2, 4)), jnp.zeros((2, 4))), AXES[1])
