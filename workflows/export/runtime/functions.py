"""Functions of numbers, item by item, in plain Awkward Array."""

# a script reads better without types and with few docstrings
# ruff: noqa: ANN001, ANN002, ANN003, ANN201, ANN202, ANN204, ANN205, D102
# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return, var-annotated, no-redef"

from __future__ import annotations

import itertools
import math
import types

import awkward as ak
import numpy as np


def _firsts(x, fill_value):
    return ak.fill_none(ak.firsts(x), fill_value)


def _apply(function, *arrays, **_):
    arrays = ak.broadcast_arrays(*arrays)
    if arrays[0].ndim == 1:
        return function(*map(ak.to_numpy, arrays))
    return ak.unflatten(function(*(ak.to_numpy(ak.flatten(array)) for array in arrays)), ak.num(arrays[0]))


class Table:
    """A binned function, linear between the centres of its bins and constant beyond the outermost ones."""

    def __init__(self, edges, values):
        self.centres = [(np.array(axis[1:]) + np.array(axis[:-1])) / 2 for axis in edges]
        self.values = np.array(values)

    def __call__(self, *variables):
        return _apply(self._interpolate, *variables)

    def _interpolate(self, *variables):
        neighbours = [self._shares(centres, x) for centres, x in zip(self.centres, variables, strict=True)]
        corners = [zip(*corner, strict=True) for corner in itertools.product(*neighbours)]
        return sum(math.prod(shares) * self.values[tuple(bins)] for bins, shares in corners)

    @staticmethod
    def _shares(centres, x):
        if len(centres) == 1:
            return [(np.zeros(len(x), int), 1.0)]
        lower = np.searchsorted(centres[1:-1], x, side="right")
        upper = np.clip((x - centres[lower]) / np.diff(centres)[lower], 0, 1)
        return [(lower, 1 - upper), (lower + 1, upper)]


def perceptron(weights, features, *, mean, deviation):
    """Return the scores of a fully connected network: tanh between its layers and a sigmoid at the end."""

    def scores(*columns):
        standardised = [(column - m) / d for column, m, d in zip(columns, mean, deviation, strict=True)]
        x = np.stack(standardised, axis=-1).astype(np.float32)
        *hidden, last = weights
        for layer in hidden:
            x = np.tanh(x @ layer["weight"] + layer["bias"])
        return 1 / (1 + np.exp(-(x @ last["weight"] + last["bias"])[:, 0]))

    return _apply(scores, *features)


# Awkward Array's functions, and two more that stages use
rg = types.SimpleNamespace(**{name: getattr(ak, name) for name in ak.__all__ if hasattr(ak, name)})
rg.firsts, rg.apply = _firsts, _apply
