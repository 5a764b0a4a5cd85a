"""The JSON of the HistFactory specification: which keys and types a workspace has, and where one departs from it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

Check = Callable[[Any, str], None]

_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def check_workspace(workspace: Any) -> None:
    """Check the structure of a workspace: keys, types, finite numbers, names that occur twice.

    Raises `ValueError` with the JSON path of the first fault, what was expected there, and what came.

    References
    ----------
    pyhf's schema ``workspace.json`` 1.0.0.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory.specification import check_workspace
    >>> check_workspace({"channels": [{"name": "SR", "sample": []}], "observations": [], "measurements": []})
    Traceback (most recent call last):
    ValueError: $.channels[0] needs 'samples'; it has ['name', 'sample']
    """
    if not isinstance(workspace, Mapping):
        hint = (
            "; hepgrad.workflows.from_workspace reads files and URLs" if isinstance(workspace, str | PurePath) else ""
        )
        raise ValueError(f"a workspace must be an object with 'channels', got {kind(workspace)}{hint}")
    for key in ("channels", "observations", "measurements"):
        if key not in workspace:
            raise ValueError(f"a workspace needs {key!r}; this has {list(workspace)}")
    _WORKSPACE(workspace, "$")


def check_observations(workspace: Mapping[str, Any]) -> None:
    """Check that every channel of a workspace has been observed, in as many bins as are expected.

    Its structure is right. Raises `ValueError` with the JSON path of the first fault.
    """
    observed = {entry["name"]: (i, entry["data"]) for i, entry in enumerate(workspace["observations"])}
    for c, channel in enumerate(workspace["channels"]):
        if channel["name"] not in observed:
            raise ValueError(f"$.observations has none of the channel {channel['name']!r}; it has {list(observed)}")
        bins = len(channel["samples"][0]["data"])
        i, data = observed[channel["name"]]
        if len(data) != bins:
            raise ValueError(
                f"$.observations[{i}].data has {len(data)} bins, but $.channels[{c}] ({channel['name']!r}) has {bins}"
            )
        if negative := [b for b, number in enumerate(data) if number < 0]:
            raise ValueError(
                f"$.observations[{i}].data[{negative[0]}] must not be negative, got {data[negative[0]]}: events are "
                "counted"
            )


def kind(value: Any) -> str:
    """Return in words what a JSON value is."""
    if isinstance(value, tuple):
        return _KINDS[list]
    return _KINDS.get(type(value), f"{value!r}"[:60])


def number(value: Any, path: str) -> None:
    """Check that a value is a finite number, of Python or NumPy."""
    is_number = not isinstance(value, bool) and hasattr(value, "__float__") and not hasattr(value, "__len__")
    if not is_number or not _is_finite(value):
        raise ValueError(f"{path} must be a finite number, got {kind(value)}")


def _is_finite(value: Any) -> bool:
    """Return whether a number is finite as a floating-point number, which a very long integer is not."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def text(value: Any, path: str) -> None:
    """Check that a value is a text."""
    if not isinstance(value, str):
        raise ValueError(f"{path} must be a text, got {kind(value)}")


def array(item: Check, *, least: int = 1, size: int | None = None) -> Check:
    """Return the check of a list of equal items."""

    def check(value: Any, path: str) -> None:
        if isinstance(value, str | Mapping) or not hasattr(value, "__len__"):
            raise ValueError(f"{path} must be a list, got {kind(value)}")
        if size is not None and len(value) != size:
            raise ValueError(f"{path} must have {size} entries, got {len(value)}")
        if len(value) < least:
            raise ValueError(f"{path} must not be empty")
        for i, entry in enumerate(value):
            item(entry, f"{path}[{i}]")

    return check


def fields(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Return the check of an object with these keys and no others."""
    known = {**required, **(optional or {})}

    def check(value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            raise ValueError(f"{path} must be an object with {list(required)}, got {kind(value)}")
        if missing := [key for key in required if key not in value]:
            raise ValueError(f"{path} needs {missing[0]!r}; it has {list(value)}")
        for key, entry in value.items():
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                raise ValueError(
                    f"{path} has the unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")
                )
            known[key](entry, f"{path}.{key}")

    return check


def named(item: Check, *, least: int = 1) -> Check:
    """Return the check of a list of objects with names that differ."""
    every = array(item, least=least)

    def check(value: Any, path: str) -> None:
        every(value, path)
        first: dict[str, int] = {}
        for i, entry in enumerate(value):
            if (before := first.setdefault(entry["name"], i)) != i:
                raise ValueError(f"{path}[{i}] and {path}[{before}] have the same name, {entry['name']!r}")

    return check


def _null(value: Any, path: str) -> None:
    if value is not None:
        raise ValueError(f"{path} must be null, got {kind(value)}")


def _flag(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{path} must be true or false, got {kind(value)}")


def version(value: Any, path: str) -> None:
    """Check that a value is a version of the specification that is known."""
    if not isinstance(value, str) or not value.startswith("1."):
        raise ValueError(f"{path} must be the version of the specification, 1.0.0, got {kind(value)}")


_NUMBERS = array(number)
_MODIFIER_DATA: dict[str, Check] = {
    "normfactor": _null,
    "shapefactor": _null,
    "lumi": _null,
    "normsys": fields({"hi": number, "lo": number}),
    "histosys": fields({"hi_data": _NUMBERS, "lo_data": _NUMBERS}),
    "shapesys": _NUMBERS,
    "staterror": _NUMBERS,
}


def _modifier(value: Any, path: str) -> None:
    fields({"name": text, "type": text, "data": lambda *_: None})(value, path)
    if value["type"] in _MODIFIER_DATA:
        _MODIFIER_DATA[value["type"]](value["data"], f"{path}.data")


def _channel(value: Any, path: str) -> None:
    sample = fields({"name": text, "data": _NUMBERS, "modifiers": array(_modifier, least=0)})
    fields({"name": text, "samples": named(sample)})(value, path)
    first, *others = value["samples"]
    for s, other in enumerate(others, 1):
        if len(other["data"]) != len(first["data"]):
            raise ValueError(
                f"{path}.samples[{s}].data has {len(other['data'])} bins, but {path}.samples[0].data has "
                f"{len(first['data'])}"
            )
    for s, other in enumerate(value["samples"]):
        for m, modifier in enumerate(other["modifiers"]):
            if modifier["type"] not in _MODIFIER_DATA:
                raise ValueError(
                    f"modifier {modifier['name']!r} of sample {other['name']!r} in {value['name']!r} has the type "
                    f"{modifier['type']!r}, which HistFactory does not know; {path}.samples[{s}].modifiers[{m}].type "
                    f"must be one of {list(_MODIFIER_DATA)}"
                )
            _check_bins(modifier["data"], len(first["data"]), f"{path}.samples[{s}].modifiers[{m}].data")


def _check_bins(data: Any, bins: int, path: str) -> None:
    """Check that the histograms of a modifier have the bins of its sample."""
    histograms = {f".{key}": value for key, value in data.items()} if isinstance(data, Mapping) else {"": data}
    for key, histogram in histograms.items():
        if isinstance(histogram, Sequence) and len(histogram) != bins:
            raise ValueError(f"{path}{key} has {len(histogram)} bins, but its sample has {bins}")


_PARAMETER = fields(
    {"name": text},
    {
        "inits": _NUMBERS,
        "bounds": array(array(number, size=2)),
        "auxdata": _NUMBERS,
        "factors": _NUMBERS,
        "sigmas": _NUMBERS,
        "fixed": _flag,
    },
)
_CONFIG = fields({"poi": text, "parameters": named(_PARAMETER, least=0)})
_WORKSPACE = fields(
    {
        "channels": named(_channel),
        "observations": named(fields({"name": text, "data": _NUMBERS})),
        "measurements": named(fields({"name": text, "config": _CONFIG})),
    },
    {"version": version},
)
