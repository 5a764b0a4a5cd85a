"""Functions of numbers, item by item, in plain Awkward Array."""

from __future__ import annotations

import functools
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


def feed_forward(layers, features, *, between=np.tanh, start=0.0):
    """Return the output of the last layer of a fully connected network."""
    *hidden, (weight, bias) = layers
    for hidden_weight, hidden_bias in hidden:
        features = between(features @ hidden_weight + hidden_bias)
    return start + features @ weight + bias


def perceptron(weights, features, *, mean, deviation):
    """Return the scores of a fully connected network: tanh between its layers and a sigmoid at the end."""

    def scores(*columns):
        standardised = [(column - m) / d for column, m, d in zip(columns, mean, deviation, strict=True)]
        x = np.stack(standardised, axis=-1).astype(np.float32)
        layers = [(layer["weight"], layer["bias"]) for layer in weights]
        return 1 / (1 + np.exp(-feed_forward(layers, x)[:, 0]))

    return _apply(scores, *features)


def _roomy(function):
    """Return a function that needs no room to be set aside for its result."""

    @functools.wraps(function)
    def called(*arguments, capacity=None, max_length=None, **options):
        return function(*arguments, **options)

    return called


def _never_missing(function):
    """Return a reducer that has a number for an empty row."""
    return functools.partial(function, mask_identity=False)


def _pad_none(x, target, axis=1, *, clip=False, fill_value=None):
    return ak.fill_none(ak.pad_none(x, target, axis=axis, clip=clip), fill_value)


def _pad(x, length, fill_value, **options):
    return _pad_none(x, length, fill_value=fill_value, **options)


def _top_k(x, k, *, fill_value):
    return _pad(ak.sort(x, axis=1, ascending=False), k, fill_value, clip=True)


def _logsumexp(x, axis=-1):
    return np.log(ak.sum(np.exp(x), axis=axis))


ROOMY = ("argcartesian", "argcombinations", "cartesian", "combinations", "concatenate", "unflatten")
REDUCERS = ("argmax", "argmin", "max", "mean", "min", "moment", "nanmax", "nanmean", "nanmin", "ptp", "std", "var")
# Awkward Array's functions, NumPy's, and a few more that stages use
rg = types.SimpleNamespace(
    **{name: value for name, value in vars(np).items() if isinstance(value, np.ufunc)}
    | {name: getattr(ak, name) for name in ak.__all__ if hasattr(ak, name)}
    | {name: _roomy(getattr(ak, name)) for name in ROOMY}
    | {name: _never_missing(getattr(ak, name)) for name in REDUCERS},
)
rg.abs, rg.clip = np.absolute, np.clip
rg.firsts, rg.apply, rg.pad, rg.pad_none, rg.top_k, rg.logsumexp = _firsts, _apply, _pad, _pad_none, _top_k, _logsumexp
