"""What determines the numbers of an optimisation, written down so that two runs can be compared."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from ..analysis import Analysis
from ..parameters.parameters import Parameters

# what a parameter is called does not change a number
WORDS = ("unit", "label", "description")
START = ("value", "weights")


def fingerprint(analysis: Analysis, parameters: Parameters) -> dict[str, Any]:
    """Return a description of an analysis and its parameters, as JSON can hold it.

    Of functions it has a hash of their source, together with the constants and the functions of the same module that
    they use, and what they enclose; where there is no source, of their byte code. It does not follow functions into
    other modules: a new version of a library goes unnoticed.

    Parameters
    ----------
    analysis
        Stages, channels, model and objective.
    parameters
        Bounds, widths, scales, which are frozen, and at which values; the start of a free one is left out.

    Examples
    --------
    >>> from hepgrad.analysis import Analysis, Channel, CountingModel, Parameter, Parameters, Regular, stage
    >>> from hepgrad.analysis.optimisation import differences, fingerprint
    >>> @stage(reads=["MET_pt"])
    ... def missing_momentum(events, cut):
    ...     return events.select(events.MET.pt > cut.met)
    >>> channel = Channel("sr", "MET_pt", Regular(5, 0, 500))
    >>> analysis = Analysis([missing_momentum], [channel], CountingModel(["signal"], 0.1))
    >>> one, other = (
    ...     fingerprint(analysis, Parameters(met=Parameter(50.0, bounds=(20, 150), width=w))) for w in (5.0, 6.0)
    ... )
    >>> differences(one, other)
    ['parameters.met.width']
    """
    entries = {}
    for name, spec in parameters.specs.items():
        left_out = WORDS if spec.frozen else (*WORDS, *START)
        entry = spec.to_entry(parameters[name])
        entries[name] = {key: _describe(value, ()) for key, value in entry.items() if key not in left_out}
    return {
        "parameters": entries,
        "stages": {stage.name: _describe(stage, ()) for stage in analysis.stages},
        "channels": {channel.name: _describe(channel, ()) for channel in analysis.channels},
        "model": _describe(analysis.model, ()),
        "objective": _describe(analysis.objective, ()),
        "frozen": sorted(analysis.frozen),
    }


def description(value: Any) -> Any:
    """Return what stands for a value in a `fingerprint`, as JSON can hold it.

    Values are numbers, text, arrays, dataclasses, functions, and containers of these.
    """
    return _describe(value, ())


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Return where two descriptions differ, as dotted paths.

    Parameters
    ----------
    one, other
        As JSON can hold them.
    path
        What to put in front.
    """
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return [] if one == other else [path]
    below = f"{path}." if path else ""
    missing = object()
    return [
        found
        for key in sorted({*one, *other})
        for found in differences(one.get(key, missing), other.get(key, missing), f"{below}{key}")
    ]


def _describe(value: Any, within: tuple[Any, ...]) -> Any:
    """Describe a value; ``within`` are the functions that are being described, which may call each other."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        array = np.asarray(value)
        return f"{array.dtype} {array.shape} {_hash(array.tobytes())}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _describe(getattr(value, f.name), within) for f in dataclasses.fields(value)}
        return {"type": _source(type(value)), **fields}
    if isinstance(value, Mapping):
        return {str(key): _describe(each, within) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_describe(each, within) for each in (value if isinstance(value, list | tuple) else sorted(value))]
    if isinstance(value, functools.partial):
        return [_describe(part, within) for part in (value.func, value.args, value.keywords)]
    if callable(value):
        return _describe_function(inspect.unwrap(value), within)
    return type(value).__qualname__


def _describe_function(function: Callable[..., Any], within: tuple[Any, ...]) -> Any:
    function = getattr(function, "__func__", function)
    if not inspect.isfunction(function) or function in within:
        return getattr(function, "__qualname__", type(function).__qualname__)
    used = inspect.getclosurevars(function)
    own = {
        name: value
        for name, value in used.globals.items()
        if isinstance(value, bool | int | float | str | tuple)
        or getattr(value, "__module__", None) == function.__module__
    }
    described = {**own, **used.nonlocals, "defaults": function.__defaults__}
    within = (*within, function)
    return {"source": _source(function), **{k: _describe(v, within) for k, v in described.items() if v is not None}}


def _source(thing: Any) -> str:
    try:
        text = inspect.getsource(thing)
    except (OSError, TypeError):
        text = repr(_byte_code(getattr(thing, "__code__", None)))
    return f"{thing.__qualname__} {_hash(text.encode())}"


def _byte_code(code: Any) -> Any:
    """Return what a code object does, without where it lies in memory."""
    return (code.co_code, code.co_names, [*map(_byte_code, code.co_consts)]) if inspect.iscode(code) else repr(code)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
