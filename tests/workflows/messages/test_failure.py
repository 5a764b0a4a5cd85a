"""What the command line says of an error in the user's own code."""

from __future__ import annotations

import pytest

import hepgrad.ragged as rg
from hepgrad.analysis import Regular, stage
from hepgrad.workflows import Process
from hepgrad.workflows.messages.failure import failure


def test_the_place_is_the_line_of_the_user_and_not_of_the_library():
    jets = rg.from_lists([[{"pt": 30.0}], []])
    with pytest.raises(AttributeError) as raised:
        _ = jets.ptt
    line = failure(raised.value).told("")
    assert "AttributeError: no field 'ptt'" in line
    assert f"(test_failure.py, line {raised.traceback[0].lineno + 1})" in line


def test_no_line_of_the_library_stands_for_a_place():
    with pytest.raises(TypeError) as raised:
        raise TypeError("stage 'select' (mine.py, line 7) must return Events")
    assert failure(raised.value).told("") == (
        "hepgrad: TypeError: stage 'select' (mine.py, line 7) must return Events; --debug shows the traceback"
    )
    raised.value.add_note("This error occurred while calling\n\n    ak.num(...)")
    assert "ak.num" not in failure(raised.value).told("")


def test_a_sentence_in_a_key_error_is_a_sentence():
    assert failure(KeyError("no region 'sr'; the regions are []")).told("") == (
        "hepgrad: KeyError: no region 'sr'; the regions are []; --debug shows the traceback"
    )
    assert failure(KeyError("met")).told("") == "hepgrad: KeyError: 'met'; --debug shows the traceback"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: Process("ttbar", signl=True), "did you mean 'signal'?"),
        (lambda: stage(read=["Jet_pt"]), "did you mean 'reads'?"),
        (lambda: Regular(3, 0, 1, colour="red"), "it takes bins, start, stop, "),
        (lambda: failure(OSError(), place=3), "argument 'place' (test_failure.py, line"),
    ],
)
def test_a_misspelt_argument(call, told):
    with pytest.raises(TypeError) as raised:
        call()
    assert told in failure(raised.value).told("")


def test_a_place_that_is_not_there_has_a_remedy():
    told = failure(FileNotFoundError(2, "No such file or directory", "/proc/x.lock")).told("")
    assert told == (
        "hepgrad: /proc/x.lock: No such file or directory; look whether the folder is there, or choose another place"
    )
