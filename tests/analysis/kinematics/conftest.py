"""What all tests of kinematics share: many small programs, each of which runs once."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _quickly(quick_compilation: None) -> None:
    """Compile quickly in every file of this folder."""
