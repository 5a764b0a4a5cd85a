"""Axes: edges, identity, and the treatment of entries out of range."""

from __future__ import annotations

import hist
import jax
import numpy as np
import pytest

from hepgrad.analysis.histogram import Counts, Regular, Variable


@pytest.mark.parametrize(("bins", "start", "stop"), [(10, 0, 1), (25, 100, 1100), (7, -3.3, 0.1), (1, -1e-9, 1e9)])
def test_regular_edges_are_those_of_hist(bins, start, stop):
    assert np.array_equal(Regular(bins, start, stop).edges, hist.axis.Regular(bins, start, stop).edges)


def test_axes_are_values():
    assert Regular(2, 0, 1, name="x") == Regular(2, 0.0, 1.0, name="x")
    assert Regular(2, 0, 1) != Regular(2, 0, 1, flow="fold")
    assert Variable([0, 1, 3]) == Variable((0.0, 1.0, 3.0))
    assert Variable([0, 1, 3]) != Variable([0, 2, 3])
    assert len({Variable([0, 1]), Variable([0, 1]), Regular(1, 0, 1), Regular(1, 0, 1)}) == 2
    with pytest.raises(ValueError, match="read-only"):
        Variable([0, 1]).edges[0] = 5


def test_a_variable_axis_keeps_its_own_copy_of_the_edges():
    edges = np.array([0.0, 1.0, 2.0])
    axis = Variable(edges)
    edges[1] = 1.5
    assert axis.edges.tolist() == [0, 1, 2]
    assert axis.bins == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Regular(0, 0, 1, name="ht"), "'ht'.*at least one bin"),
        (lambda: Regular(2.5, 0, 1), "bins must be an integer"),
        (lambda: Regular(3, 1, 1), "start < stop"),
        (lambda: Regular(3, 0, np.inf), "finite"),
        (lambda: Regular(10, 1, np.nextafter(1, 2)), "increase"),
        (lambda: Regular(3, 0, 1, flow="drop"), "flow must be"),
        (lambda: Variable([1]), "at least two edges"),
        (lambda: Variable([[0, 1], [1, 2]]), "one dimension"),
        (lambda: Variable([0, 1, 1], name="pt"), "'pt'.*increase"),
        (lambda: Variable([0, 1, np.inf]), "finite"),
        (lambda: Regular(3, 0, 1, name="x").fold(np.ones(3)), "'x'.*expected 5 entries"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("axis", [Regular(3, 0, 3), Variable([0, 1, 5, 6])])
def test_fold_keeps_the_total_and_inner_drops_the_flow(axis):
    array = np.array([[1.0, 2, 4, 8, 16], [0, 1, 1, 1, 0]])
    assert axis.fold(array).tolist() == [[3, 4, 24], [1, 1, 1]]
    assert axis.inner(array).tolist() == [[2, 4, 8], [1, 1, 1]]
    assert axis.select(array).tolist() == axis.inner(array).tolist()


def test_each_of_two_axes_treats_its_own_dimension():
    first, second = Regular(1, 0, 1, flow="fold"), Regular(2, 0, 1)
    array = np.arange(12.0).reshape(3, 4)
    assert second.select(first.select(array, dimension=-2)).tolist() == [[15, 18]]
    assert first.inner(array, dimension=0).tolist() == [[4, 5, 6, 7]]
    with pytest.raises(ValueError, match="expected 3 entries along dimension -1"):
        first.select(array)


def test_one_bin_takes_both_flows():
    counts = Regular(1, 0, 1, flow="fold").select(Counts(jax.numpy.array([1.0, 2, 4]), jax.numpy.array([1.0, 1, 1])))
    assert (counts.sumw.tolist(), counts.sumw2.tolist()) == ([7], [3])


def test_titles_name_the_unit():
    assert Regular(1, 0, 1, name="ht", unit="GeV").title == "ht [GeV]"
    assert Regular(1, 0, 1, name="ht", label="$H_T$").title == "$H_T$"
