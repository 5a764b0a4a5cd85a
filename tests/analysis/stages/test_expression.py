"""Expressions mean what the same Python means in a stage, and say what they need."""

from __future__ import annotations

import numpy as np
import pytest

from hepgrad import ragged as rg
from hepgrad.analysis import Hard, Pass, Soft, window
from hepgrad.analysis.stages import parse

pytestmark = pytest.mark.usefixtures("quick_compilation")

# as text, and as a function of events and cuts
OF_EVENTS = {
    "MET.pt": lambda e, cut: e.MET.pt,
    "-MET.pt / 2 + 3 * sum(Jet.pt)": lambda e, cut: -e.MET.pt / 2 + 3 * e.Jet.sum("pt"),
    "num(Jet)": lambda e, cut: e.Jet.count(),
    "sqrt(sum(Jet.pt)) - log(MET.pt)": lambda e, cut: rg.sqrt(e.Jet.sum("pt")) - rg.log(e.MET.pt),
    "abs(leading(Jet.eta))": lambda e, cut: abs(e.Jet.leading("eta")),
    "leading(Jet.pt, fill_value=-1)": lambda e, cut: e.Jet.leading("pt", fill_value=-1),
    "nth(Jet.pt, 3)": lambda e, cut: e.Jet.nth("pt", 3),
    "MET.pt > cut.met": lambda e, cut: e.MET.pt > cut.met,
    "MET.pt > cut.met + 20": lambda e, cut: e.MET.pt > cut.met + 20,
    "MET.pt - cut.met.value > cut.low": lambda e, cut: e.MET.pt - cut.met.value > cut.low,
    "MET.pt > cut.pts[1]": lambda e, cut: e.MET.pt > cut.pts[1],
    "cut.low < MET.pt < cut.high": lambda e, cut: window(e.MET.pt, cut.low, cut.high),
    "20 < MET.pt < cut.high": lambda e, cut: window(e.MET.pt, 20, cut.high),
    "not MET.pt > cut.met": lambda e, cut: ~(e.MET.pt > cut.met),
    "MET.pt > cut.met or pileup < 1": lambda e, cut: (e.MET.pt > cut.met) | (e.pileup < 1),
    "MET.pt > cut.met and pileup < 1 and MET.phi > 0": lambda e, cut: (
        (e.MET.pt > cut.met) & (e.pileup < 1) & (e.MET.phi > 0)
    ),
    "num(Jet) >= 3": lambda e, cut: e.Jet.at_least(3),
    "num(Jet) > 3": lambda e, cut: e.Jet.at_least(4),
    "num(Jet) <= 3": lambda e, cut: e.Jet.at_most(3),
    "num(Jet) < 3": lambda e, cut: e.Jet.at_most(2),
    "num(Jet) == 3": lambda e, cut: e.Jet.exactly(3),
    "not num(Jet) == 3": lambda e, cut: ~e.Jet.exactly(3),
}
OF_JETS = {
    "abs(eta) < 2.4": lambda j, cut: abs(j.eta) < 2.4,
    "pt > cut.jet_pt and abs(eta) < cut.jet_eta": lambda j, cut: (j.pt > cut.jet_pt) & (abs(j.eta) < cut.jet_eta),
    "(1 - sf * eff) / (1 - eff)": lambda j, cut: (1 - j.sf * j.eff) / (1 - j.eff),
    "pt * cosh(eta)": lambda j, cut: j.pt * rg.cosh(j.eta),
}


def numbers(value) -> np.ndarray:
    value = value.probability if isinstance(value, Pass) else value
    return np.asarray(value.content if isinstance(value, rg.RaggedArray) else value)


@pytest.fixture(scope="module")
def soft_events(sample, events_of, cuts):
    events = events_of(sample)
    return events.with_field(Jet=events.Jet.select(events.Jet.pt > cuts.cuts(Soft()).jet_pt))


@pytest.mark.thorough
@pytest.mark.parametrize("text", OF_EVENTS)
def test_expressions_of_events(text, soft_events, cuts):
    for reading in (Soft(), Hard()):
        cut = cuts.cuts(reading)
        np.testing.assert_array_equal(
            numbers(parse(text)(soft_events, cut)), numbers(OF_EVENTS[text](soft_events, cut))
        )


@pytest.mark.parametrize("text", OF_JETS)
def test_expressions_of_objects(text, soft_events, cuts):
    cut, jets = cuts.cuts(Soft()), soft_events.Jet
    np.testing.assert_array_equal(numbers(parse(text)(jets, cut)), numbers(OF_JETS[text](jets, cut)))


def test_what_expressions_need():
    expression = parse("leading(Muon.pt) + MET.pt > cut.ht and 20 < MET.pt < cut.met and num(Jet) >= 2 and isGood")
    assert expression.reads() == ("Muon_pt", "MET_pt", "isGood")
    assert expression.parameters == ("ht", "met")
    assert parse("abs(eta) < cut.pts[1]").reads("Jet") == ("Jet_eta",)
    assert parse("pt > 3") == parse("pt > 3")
    assert hash(parse("pt > 3")) == hash(parse("pt > 3"))


def test_a_field_may_have_the_name_of_a_method(soft_events):
    jets = soft_events.Jet.with_field(count=soft_events.Jet.pt)
    np.testing.assert_array_equal(numbers(parse("count")(jets, None)), numbers(jets.pt))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pt >", "no expression"),
        ("", "no expression"),
        ("pt >> 3", "'pt >> 3' is not understood; understood are names"),
        ("__import__('os').system('ls')", "is not understood"),
        ("(lambda: 3)() > pt", "is not understood"),
        ("pt.__class__()", "is not understood"),
        ("f(x).y", "is not understood"),
        ("pt[0] > 3", "is not understood"),
        ("True", "is not understood"),
        ("'pt' > 3", "is not understood"),
        ("cut > 3", "'cut' is not understood"),
        ("sum(Jet)", "is not understood"),
        ("sum(Jet.first.pt)", "write sum\\(Jet.pt\\)"),
        ("leading(Jet.pt, fill_value=x)", "'x' is not understood; a number is needed"),
        ("1 < pt <= 3", "write one comparison, or low < x < high"),
        ("1 < pt < 3 < eta", "write one comparison, or low < x < high"),
        ("pt in eta", "write one comparison"),
        ("cut.met.width > pt", "'cut.met.width' is not understood"),
        ("num(Jet) != 3", "on the left and alone"),
        ("4 <= num(Jet)", "on the left and alone"),
        ("num(Jet) + num(Muon) >= 3", "on the left and alone"),
        ("num(Jet) >= 2.5", "a whole number"),
        ("num(Jet) >= -1", "a whole number"),
        ("num(Jet) < 0", "a whole number"),
        ("num(Jet) >= cut.n", "not with a parameter"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_a_parameter_takes_no_part_in_arithmetic(soft_events, cuts):
    with pytest.raises(TypeError, match=r"use the threshold's `\.value`"):
        parse("cut.met * MET.pt > 3")(soft_events, cuts.cuts(Soft()))
