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
