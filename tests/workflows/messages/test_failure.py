"""What the command line says of an error in the user's own code."""

from __future__ import annotations

import pytest

import hepgrad.ragged as rg
from hepgrad.workflows.messages.failure import failure


def test_the_place_is_the_line_of_the_user_and_not_of_the_library():
    jets = rg.from_lists([[{"pt": 30.0}], []])
    with pytest.raises(AttributeError) as raised:
        jets.ptt  # noqa: B018
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
