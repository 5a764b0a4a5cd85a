"""Training against held-out events: the comparison is a fair test, and notices what it should."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy.stats import chi2, kstest

from hepgrad.workflows.reporting.overtraining import Agreement, Distribution, agreement, plot_overtraining
from hepgrad.workflows.reporting.style import _made_drawable, new_figure, plot_style, whole_numbers
from hepgrad.workflows.reporting.subject import Subject

EDGES = np.linspace(0, 3, 9)


def drawn(rng, events, weights, mean=1.0):
    """A histogram of exponentially distributed events with weights of either sign."""
    x, weight = rng.exponential(mean, events), rng.choice(weights, events)
    sumw, sumw2 = (np.histogram(x, EDGES, weights=w)[0] for w in (weight, weight**2))
    return Distribution(sumw, sumw2)


@pytest.mark.parametrize("weights", [(1.0,), (0.3, 4.0), (1.0, 1.0, 1.0, -0.5)], ids=["equal", "unequal", "negative"])
def test_p_values_are_uniform_for_events_of_one_distribution(weights):
    rng = np.random.default_rng(7)
    found = [agreement(drawn(rng, 3000, weights), drawn(rng, 2000, weights)).p_value for _ in range(400)]
    assert kstest(found, "uniform").pvalue > 0.01


def test_another_distribution_is_noticed():
    rng = np.random.default_rng(8)
    found = [agreement(drawn(rng, 3000, (1.0,)), drawn(rng, 2000, (1.0,), mean=1.2)).p_value for _ in range(50)]
    assert np.median(found) < 0.01


def test_the_probability_is_that_of_chi2():
    found = Agreement(7.3, 4)
    assert found.p_value == pytest.approx(chi2.sf(7.3, 4), rel=1e-5)
    assert str(found) == r"$\chi^2$/ndf = 7.3/4, p = 0.12"


def test_bins_are_merged_until_they_hold_enough():
    few = Distribution(np.array([100.0, 4.0, 4.0, 4.0, 2.0]), np.array([100.0, 4.0, 4.0, 4.0, 2.0]))
    many = Distribution(10 * few.sumw, 10 * few.sumw2)
    # 100 | 4 + 4 + 4 + 2
    assert agreement(few, many).degrees == 1
    assert agreement(few, many).chi2 == pytest.approx(0)
    assert agreement(few, many).bins == "5 bins merged into 2"
    assert str(agreement(few, many)).endswith("p = 1.00 (5 bins merged into 2)")
    lonely = Distribution(np.array([3.0, 2.0]), np.array([3.0, 2.0]))
    assert str(agreement(lonely, lonely)) == "too few events"


@pytest.mark.thorough
def test_plot_shows_both_halves(finished):
    workflow, result, _ = finished
    subject = Subject.of(workflow)
    with plot_style():
        left, right = plot_overtraining(result, subject, subject.channels[0]).axes
    for axes, point in ((left, result.start), (right, result.optimum)):
        counts = [
            subject.channels[0].axis.select(e.histograms["ht"]).sumw for e in (point.hard_train, point.hard_held_out)
        ]
        train, held_out = (np.stack([each[0], each[1] + each[2]]) for each in counts)
        filled = [patch.get_data().values for patch in axes.patches[::2]]
        np.testing.assert_allclose(filled, train / train.sum(axis=1, keepdims=True), rtol=1e-5)
        points = [container[0].get_ydata() for container in axes.containers]
        np.testing.assert_allclose(points, held_out / held_out.sum(axis=1, keepdims=True), rtol=1e-5)


def test_legends_are_inside_of_their_panels_and_above_the_data(finished, monkeypatch):
    """Also where bins were merged, which the legend says."""
    workflow, result, _ = finished
    subject = Subject.of(workflow)
    merged = Agreement(123.4, 3, merged=12)
    monkeypatch.setattr("hepgrad.workflows.reporting.overtraining.agreement", lambda *_: merged)
    with plot_style():
        figure = plot_overtraining(result, subject, subject.channels[0])
        FigureCanvasAgg(figure).draw()
        for axes in figure.axes:
            legend, panel = axes.get_legend().get_window_extent(), axes.get_window_extent()
            assert panel.x0 < legend.x0 < legend.x1 < panel.x1
            highest = max(patch.get_data().values.max() for patch in axes.patches)
            assert axes.transData.transform((0, highest))[1] < legend.y0 < legend.y1 < panel.y1


def test_texts_of_several_lines_are_no_matter_for_the_terminal(caplog):
    with plot_style():
        figure = new_figure(4, 3)
        figure.add_subplot().set_title("$\\chi^2$\n(merged)")
        assert "no TeX" not in str(_made_drawable(figure))
    assert not caplog.records


def test_axes_of_numbers_have_whole_numbers():
    with plot_style():
        figure = new_figure(4, 3)
        jets, mass = figure.subplots(1, 2)
        for axes, edges in ((jets, np.arange(-0.5, 5)), (mass, np.linspace(0, 4.5, 6))):
            axes.set_xlim(edges[0], edges[-1])
            whole_numbers(axes, edges)
        assert all(tick % 1 == 0 for tick in jets.get_xticks())
        assert len(jets.get_xticks(minor=True)) == 0 < len(mass.get_xticks(minor=True))
