"""A workspace with every modifier, and the same in pyhf."""

from __future__ import annotations

import pyhf
import pytest


def every_modifier():
    """Two channels that share samples and parameters; bins without yields and without uncertainty."""
    signal = [
        {"name": "mu", "type": "normfactor", "data": None},
        {"name": "lumi", "type": "lumi", "data": None},
        {"name": "theory", "type": "normsys", "data": {"hi": 1.1, "lo": 0.85}},
        {"name": "theory", "type": "histosys", "data": {"hi_data": [6.0, 11.0, 3.5], "lo_data": [4.5, 9.5, 2.0]}},
    ]
    background = [
        {"name": "theory", "type": "normsys", "data": {"hi": 0.97, "lo": 1.02}},
        {"name": "jes", "type": "histosys", "data": {"hi_data": [55.0, 61.0, 0.0], "lo_data": [45.0, 58.0, 0.0]}},
        {"name": "mc SR", "type": "staterror", "data": [3.0, 2.0, 0.0]},
        {"name": "model", "type": "shapesys", "data": [5.0, 0.0, 2.0]},
    ]
    other = [
        {"name": "mc SR", "type": "staterror", "data": [1.5, 0.0, 0.0]},
        {"name": "scale", "type": "normfactor", "data": None},
    ]
    control = [
        {"name": "jes", "type": "histosys", "data": {"hi_data": [110.0, 80.0], "lo_data": [95.0, 77.0]}},
        {"name": "lumi", "type": "lumi", "data": None},
        {"name": "free", "type": "shapefactor", "data": None},
    ]
    return {
        "channels": [
            {
                "name": "SR",
                "samples": [
                    {"name": "signal", "data": [5.0, 10.0, 2.5], "modifiers": signal},
                    {"name": "background", "data": [50.0, 60.0, 0.0], "modifiers": background},
                    {"name": "other", "data": [10.0, 0.0, 4.0], "modifiers": other},
                ],
            },
            {"name": "CR", "samples": [{"name": "background", "data": [100.0, 80.0], "modifiers": control}]},
        ],
        "observations": [{"name": "SR", "data": [70.0, 61.0, 5.0]}, {"name": "CR", "data": [103.0, 75.0]}],
        "measurements": [
            {
                "name": "search",
                "config": {
                    "poi": "mu",
                    "parameters": [
                        {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "inits": [1.0], "bounds": [[0.5, 1.5]]},
                        {"name": "mu", "inits": [0.7], "bounds": [[-1.0, 5.0]]},
                        {"name": "scale", "fixed": True},
                        {"name": "jes", "auxdata": [0.3]},
                    ],
                },
            }
        ],
        "version": "1.0.0",
    }


@pytest.fixture
def workspace():
    return every_modifier()


@pytest.fixture
def in_pyhf():
    """Return a function from a workspace to pyhf's model and data."""

    def load(workspace, **settings):
        # without pyhf's own validation, which calls a deprecated function of jsonschema
        loaded = pyhf.Workspace(workspace, validate=False)
        model = pyhf.Model(
            {"channels": workspace["channels"], "parameters": workspace["measurements"][0]["config"]["parameters"]},
            poi_name=workspace["measurements"][0]["config"]["poi"] or None,
            validate=False,
            **settings,
        )
        return model, loaded.data(model)

    return load
