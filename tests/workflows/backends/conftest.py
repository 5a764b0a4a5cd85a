"""Events in double precision, so that backends can be compared in it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest


@pytest.fixture(scope="session")
def descending(tiny):
    """The module ``descend``, which lies beside this file."""
    specification = importlib.util.spec_from_file_location("descend", Path(__file__).with_name("descend.py"))
    module = importlib.util.module_from_spec(specification)
    sys.modules["descend"] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def precise_events(tiny, tmp_path_factory):
    """The folder with the tiny workflow's events, whose columns are float64."""
    with pytest.MonkeyPatch.context() as patch:
        drawn = tiny.draw

        def draw(name):
            # thirds have no short form in either precision
            doubled = {k: ak.values_astype(v, np.float64) / 3 * 3.000001 for k, v in drawn(name).items()}
            return {k: v if v.ndim > 1 else ak.to_numpy(v) for k, v in doubled.items()}

        patch.setattr(tiny, "draw", draw)
        return tiny.write_events(tmp_path_factory.mktemp("precise") / "events")
