"""How things show themselves: short texts, tables in notebooks, names that were meant."""

from __future__ import annotations

import html.parser

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import (
    Analysis,
    Channel,
    CountingModel,
    Dataset,
    FitChannel,
    FitSample,
    Hard,
    Model,
    NormFactor,
    Parameter,
    Parameters,
    Regular,
    Split,
    fit,
    stage,
)

EVENTS = ak.zip({"x": np.arange(5.0), "Jet": ak.Array([[{"pt": 30.0, "btag": 0.5}]] * 5)}, depth_limit=1)
DATA = Dataset.from_awkward({"s<1>": EVENTS, "b": EVENTS[:3]}, {"s<1>": np.ones(5), "b": np.ones(3)})
CUTS = Parameters(c=Parameter(1.0, bounds=(0, 4), unit="GeV"))


@stage(reads=["x"], parameters=["c"])
def keep(events, cut):
    return events.select(events.x > cut.c)


ANALYSIS = Analysis([keep], [Channel("sr", "x", Regular(2, 0, 5))], CountingModel(["s<1>"], 0.1))


class Cells(html.parser.HTMLParser):
    """The texts of the cells of a table."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th", "caption"):
            self.cells.append(data)


def test_short_texts_and_tables():
    split = Split(DATA, DATA)
    assert repr(DATA) == "Dataset(s<1> 5, b 3)"
    assert repr(split) == "Split(train=Dataset(s<1> 5, b 3), held_out=Dataset(s<1> 5, b 3))"
    assert repr(ANALYSIS) == "Analysis(stages=['keep'], channels=['sr'], objective='discovery')"
    assert repr(CUTS.cuts(Hard())) == "Cuts(c)"
    cells = Cells(split._repr_html_()).cells
    assert cells == ["Simulated events", "process", "train", "held_out", "s<1>", "5", "5", "b", "3", "3"]
    assert {"keep", "sr", "x, 2 bins"} < set(Cells(ANALYSIS._repr_html_()).cells)
    assert {"c", "1", "0 to 4", "GeV"} < set(Cells(CUTS._repr_html_()).cells)
    assert Cells(CUTS.cuts(Hard())._repr_html_()).cells == ["Cuts", "parameter", "value", "width", "c", "1", "0.2"]
    jax.jit(lambda cuts: Cells(cuts.cuts(Hard())._repr_html_()).cells.index("shape ()"))(CUTS)
    assert jax.jit(lambda data: len(repr(data)))(DATA) == len("Dataset(s<1>, b)")


@pytest.mark.thorough
def test_a_fit_tells_its_parameters(x64):
    samples = [FitSample("s", [10.0, 5.0], [NormFactor("mu")]), FitSample("b", [50.0, 60.0])]
    model = Model([FitChannel("SR", samples)], parameter_of_interest="mu")
    result = fit(model, model.expected_data(model.initial))
    assert repr(result).startswith("FitResult(1 parameters, nll ")
    cells = Cells(result._repr_html_()).cells
    assert cells[:2] == ["Fit of 1 parameters, converged", "parameter"]
    assert cells[4:6] == ["mu", "1"]
    several = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), result)
    assert repr(several) == "FitResult(parameters of shape (2, 1))"


def test_misspelt_names_suggest():
    jets = jax.tree.map(lambda leaf: leaf[0], DATA.events.Jet)
    with pytest.raises(AttributeError, match=r"no field 'btg' in this .*; did you mean 'btag'\?"):
        _ = jets.btg
    with pytest.raises(AttributeError, match=r"no field 'at_laest' .*; did you mean 'at_least'\?"):
        _ = jets.at_laest
    with pytest.raises(AttributeError, match=r"no column 'jet' in these events.*; did you mean 'Jet'\?"):
        _ = DATA.events.jet
    with pytest.raises(AttributeError, match=r"no parameter 'jet_tp'; .* \['jet_pt'\]; did you mean 'jet_pt'\?"):
        _ = Parameters(jet_pt=Parameter(30.0, bounds=(20, 60))).cuts(Hard()).jet_tp


def test_functions_of_awkward_name_those_of_hepgrad():
    @stage(reads=["x"])
    def counted(events, cut):
        return events.select(ak.num(events.x, axis=0) > 1)

    told = r"stage 'counted' \(test_printing.py, line \d+\) calls ak.num, .* write rg.num"
    with pytest.raises(TypeError, match=told):
        Analysis([counted], ANALYSIS.channels, ANALYSIS.model).histograms(DATA, Parameters(), Hard())


def test_a_channel_says_what_it_cannot_be_filled_with():
    @stage(reads=["x"])
    def nothing(events, cut):
        return None

    @stage(reads=["x"])
    def keep_all(events, cut):
        return events.with_field(one=1.0, pairs=jnp.ones((len(events), 2)))

    told = r"stage 'nothing' \(test_printing.py, line \d+\) must return Events, it returned NoneType; end it with"
    with pytest.raises(TypeError, match=told):
        Analysis([nothing], ANALYSIS.channels, ANALYSIS.model).histograms(DATA, Parameters(), Hard())
    for observable, wrong, told in (
        ("Jett", AttributeError, r"channel 'c': no column 'Jett' in these events; .* did you mean 'Jet'\?"),
        ("Jet", TypeError, r"channel 'c' needs one number for each event, and 'Jet' is none: take that of one"),
        ("one", TypeError, r"channel 'c' needs one number for each event, and 'one' is none"),
        ("pairs", TypeError, r"channel 'c' needs one number for each event, and 'pairs' is none"),
    ):
        analysis = Analysis([keep_all], [Channel("c", observable, Regular(2, 0, 1))], ANALYSIS.model)
        with pytest.raises(wrong, match=told):
            analysis.histograms(DATA, Parameters(), Hard())


def test_black_boxes_get_one_sentence():
    @stage(reads=["x"])
    def box(events, cut):
        return events.select(np.asarray(events.x) > 1)

    @stage(reads=["x"])
    def branch(events, cut):
        return events if events.x.sum() > 0 else events.select(events.x > 1)

    @stage(reads=["x"])
    def root(events, cut):
        return events.with_field(y=events.x / np.sqrt(rg.sum(events.x)))

    for made in (box, branch, root):
        analysis = Analysis([made], ANALYSIS.channels, ANALYSIS.model)
        told = rf"^stage '{made.name}' \(test_printing.py, line \d+\) asks for the numbers of a column while.*rg\.sqrt"
        with pytest.raises(TypeError, match=told):
            analysis.histograms(DATA, Parameters(), Hard())
