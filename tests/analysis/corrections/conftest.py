"""Corrections made of a few nodes, and the same ones for correctionlib."""

from __future__ import annotations

import json

import correctionlib
import numpy as np
import pytest

from hepgrad.analysis.corrections import Correction


@pytest.fixture
def both():
    """From a tree, its inputs by name and type, and formulas that nodes share, to ours and correctionlib's."""

    def make(data, generic=(), **inputs):
        found = {
            "name": "c",
            "version": 1,
            "inputs": [{"name": name, "type": kind} for name, kind in inputs.items()],
            "output": {"name": "w", "type": "real"},
            "data": data,
        }
        if generic:
            found["generic_formulas"] = list(generic)
        text = json.dumps({"schema_version": 2, "corrections": [found]})
        return Correction.from_dict(found), correctionlib.CorrectionSet.from_string(text)["c"]

    return make


@pytest.fixture
def same(both):
    """Compare ours with correctionlib, in both precisions."""

    def compare(data, values, rtol=1e-12, **inputs):
        ours, theirs = both(data, **inputs)
        expected = theirs.evaluate(*values)
        np.testing.assert_allclose(np.asarray(ours(*values)), expected, rtol=rtol, atol=1e-300)
        return ours, expected

    return compare
