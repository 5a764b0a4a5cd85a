"""What is given where something of another kind is expected, told where it is given."""

from __future__ import annotations

import dataclasses

import pytest

from hepgrad.analysis import Analysis, Channel, CountingModel, Events, Regular, stage
from hepgrad.analysis.printing import as_names
from hepgrad.analysis.statistics import TemplateModel


@stage(reads="Jet_pt")
def select(events, cut):
    return events


CHANNEL = Channel("n", "n", Regular(2, 0, 1))
MODEL = CountingModel("signal", 0.1)


def test_one_name_is_a_name_and_not_its_letters():
    assert select.reads == ("Jet_pt",)
    assert MODEL.signal == TemplateModel("signal").signal == ("signal",)
    assert as_names(()) == ()


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (
            (select, [CHANNEL]),
            r"stages: expected a list, got Stage\(.* \(Stage\); write for instance stages=\[select\]",
        ),
        ((["select"], [CHANNEL]), r"stages: number 0 is 'select' \(str\)"),
        (([select, lambda events, cut: events], [CHANNEL]), r"stages: number 1 is <function .* \(function\); .*@stage"),
        (([select], CHANNEL), r"channels: expected a list, got Channel"),
        (([select], ["n"]), r"channels: number 0 is 'n' \(str\); write for instance channels=\[Channel\("),
    ],
)
def test_parts_of_an_analysis(parts, told):
    with pytest.raises(TypeError, match=told):
        Analysis(*parts, MODEL)


def test_a_stage_takes_events_and_cuts_and_says_what_it_reads():
    with pytest.raises(TypeError, match=r"stage 'short' \(test_kinds.py, line \d+\) is called with the events and the"):

        @stage(reads=["Jet_pt"])
        def short(events):
            return events

    with pytest.raises(TypeError, match=r"write `@stage\(reads=\[...\]\)` above"):

        @stage
        def silent(events, cut):
            return events


def test_stages_of_other_makes_are_stages():
    @dataclasses.dataclass(frozen=True)
    class Own:
        name: str = "own"
        reads: tuple[str, ...] = ()
        parameters: tuple[str, ...] = ()
        makes: tuple[tuple[str, str], ...] = ()

        def __call__(self, events: Events, cut):
            return events

    assert Analysis([Own()], [CHANNEL], MODEL).stages[0].name == "own"
