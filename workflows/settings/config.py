"""The settings of a run as a TOML file or ``key=value``, checked against what the workflow has."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tomli_w

from hepgrad.analysis import Edges, Optimisable, Parameter, Parameters, WorkingPoint

from ..errors import InputError
from ..files.stored_files import read_text
from ..read.process import Process
from ..read.trust.agreement import NOT_FINITE
from ..workflow import Workflow
from .kinds import check_entry, names, one_of, table_of_numbers, text
from .ranges import RANGES

# nested dictionaries, as TOML has them
Settings: TypeAlias = dict[str, Any]


def read_settings(path: str | Path) -> Settings:
    """Read settings from a TOML file.

    A run folder has one, ``config.toml``, with everything that the run used. The result is nested, for `configured`.
    Raises `InputError` when the file is missing or is no TOML.
    """
    try:
        return _spelt_out(tomllib.loads(read_text(Path(path))))
    except FileNotFoundError:
        raise InputError(f"there is no configuration file {path}; every run folder has one, config.toml") from None
    except (ValueError, RecursionError) as error:  # also for a number of thousands of digits
        raise InputError(f"{path} is not a TOML file that can be read: {error}") from error


def parse_settings(assignments: Iterable[str]) -> Settings:
    """Read settings from texts like ``anneal.stop=0.05``.

    Each is a dotted key and a TOML value. What is no TOML value is a string, so that ``data=events`` needs no quotes.
    Raises `InputError` for a text without a key or a value.

    Examples
    --------
    >>> from hepgrad.workflows.settings.config import parse_settings
    >>> parse_settings(["anneal.stop=0.05", "parameters.met=80", "data=my_events"])
    {'anneal': {'stop': 0.05}, 'parameters': {'met': {'value': 80}}, 'data': 'my_events'}
    """
    settings: Settings = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not (key and equals and value):
            raise InputError(f"expected KEY=VALUE, got {assignment!r}; for instance anneal.stop=0.05")
        try:
            read = tomllib.loads(f"value = {value}")
        except (ValueError, RecursionError):
            read = {}
        parsed: Any = read["value"] if len(read) == 1 else value
        for part in reversed(key.strip().split(".")):
            parsed = {part: parsed}
        settings = merged(settings, _spelt_out(parsed))
    return settings


def merged(first: Settings, second: Settings) -> Settings:
    """Return the settings of both; the second wins."""
    both = dict(first)
    for key, value in second.items():
        old = both.get(key)
        both[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both


def configured(workflow: Workflow, settings: Settings, *, origin: str) -> Workflow:
    """Return the workflow with other settings.

    Settings are any of what `effective_settings` returns; a parameter may also be its start alone: ``met = 60``.
    ``origin`` is where they come from, for messages. Raises `InputError` for a key that there is not (names the nearest
    one), or a value that cannot be used.

    Examples
    --------
    >>> from hepgrad.workflows.settings.config import configured
    >>> from hepgrad.workflows.analyses.zprime import ZPRIME
    >>> configured(ZPRIME, {"steps": 10, "parameters": {"met": 80.0}}, origin="here").parameters["met"]
    Array(80., dtype=float32)
    >>> configured(ZPRIME, {"anneal": {"stp": 0.1}}, origin="my.toml")
    Traceback (most recent call last):
    hepgrad.workflows.errors.InputError: my.toml: there is no setting 'anneal.stp'; did you mean 'anneal.stop'? ...
    """
    there, settings = effective_settings(workflow), _spelt_out(settings)
    _check_keys(settings, there, origin, "")
    name = settings.get("workflow", workflow.name)
    if name != workflow.name:
        raise InputError(f"{origin}: these are settings of the workflow {name!r}, not of {workflow.name!r}")
    try:
        changes: dict[str, Any] = {key: settings[key] for key in RANGES if key in settings}
        for key, value in changes.items():
            RANGES[key].check_kind(value, key)
        if "experiment" in settings:
            changes["experiment"] = text(settings["experiment"], "experiment")
        if "skim" in settings:
            changes["skim"] = _skim(settings["skim"], workflow)
        if "not_finite" in settings:
            changes["not_finite"] = one_of(NOT_FINITE, settings["not_finite"], "not_finite")
        if "data" in settings:
            changes["data"] = Path(text(settings["data"], "data"))
        if "anneal" in settings:
            table_of_numbers(settings["anneal"], "anneal")
            changes["anneal"] = dataclasses.replace(workflow.anneal, **settings["anneal"])
        if "parameters" in settings:
            changes["parameters"] = _parameters(workflow.parameters, settings["parameters"])
        if "processes" in settings:
            changes["processes"] = [_process(p, settings["processes"].get(p.name, {})) for p in workflow.processes]
        return dataclasses.replace(workflow, **changes)
    except (TypeError, ValueError) as error:
        raise InputError(f"{origin}: {error}") from error


def laid_over(
    workflow: Workflow, *, file: str | Path | None = None, assignments: Iterable[str] = (), **given: Any
) -> Workflow:
    """Return a workflow with other settings, each of which wins over those before it.

    First come those of a TOML ``file`` (`read_settings`), then texts (`parse_settings`), then values of fields, of
    which None means nothing. Raises `InputError` as from `configured`.

    Examples
    --------
    >>> from hepgrad.workflows.settings.config import laid_over
    >>> from hepgrad.workflows.analyses.zprime import ZPRIME
    >>> changed = laid_over(ZPRIME, assignments=["steps=10", "seed=3"], steps=20, starts=None)
    >>> changed.steps, changed.seed, changed.starts == ZPRIME.starts
    (20, 3, True)
    """
    if file is not None:
        workflow = configured(workflow, read_settings(file), origin=str(file))
    if settings := parse_settings(assignments):
        workflow = configured(workflow, settings, origin="--set")
    changed: Workflow = replaced(workflow, **given)
    return changed


def replaced(settings: Any, **given: Any) -> Any:
    """Return a workflow or a study with other values of its fields.

    None and what there is no field for mean nothing.
    """
    there = {field.name for field in dataclasses.fields(settings)}
    return dataclasses.replace(settings, **{k: v for k, v in given.items() if v is not None and k in there})


def effective_settings(workflow: Workflow) -> Settings:
    """Return all settings of a workflow, such that `configured` restores them."""
    return {
        "workflow": workflow.name,
        "data": str(workflow.data),
        **{key: getattr(workflow, key) for key in RANGES},
        "experiment": workflow.experiment,
        "skim": _skim_word(workflow),
        "not_finite": workflow.not_finite,
        "anneal": dataclasses.asdict(workflow.anneal),
        "parameters": {
            name: _entry(spec, workflow.parameters, name) for name, spec in workflow.parameters.specs.items()
        },
        "processes": {process.name: {"datasets": list(process.datasets)} for process in workflow.processes},
    }


def as_toml(settings: Settings) -> str:
    """Return settings as the text of a TOML file.

    What is None is left out, since TOML has no word for it.

    Examples
    --------
    >>> from hepgrad.workflows.settings.config import as_toml
    >>> print(as_toml({"steps": 300, "block_size": None, "anneal": {"stop": 0.1}}), end="")
    steps = 300
    <BLANKLINE>
    [anneal]
    stop = 0.1
    """
    return tomli_w.dumps({key: value for key, value in settings.items() if value is not None})


def _check_keys(settings: Mapping[str, Any], there: Mapping[str, Any], origin: str, prefix: str) -> None:
    for key, value in settings.items():
        if key not in there:
            close = difflib.get_close_matches(key, there, n=1, cutoff=0)
            raise InputError(
                f"{origin}: there is no setting {prefix + key!r}; did you mean {prefix + close[0]!r}? "
                f"There {'are' if len(there) > 1 else 'is'} {', '.join(prefix + name for name in there)}"
            )
        table = isinstance(there[key], dict)
        if table and isinstance(value, dict):
            _check_keys(value, there[key], origin, f"{prefix}{key}.")
        elif table or isinstance(value, dict):
            expected = "a table" if table else "a value"
            raise InputError(f"{origin}: {prefix + key!r} must be {expected}, got {value!r}")


def _skim_word(workflow: Workflow) -> str:
    """Return the skim as a word: a function has none that would find it again."""
    return "own" if callable(workflow.skim) else workflow.skim or "none"


def _skim(word: Any, workflow: Workflow) -> Any:
    choices = {"none": None, "loosest": "loosest", **({"own": workflow.skim} if callable(workflow.skim) else {})}
    return choices[one_of(tuple(choices), word, "skim")]


def _parameters(parameters: Parameters, changes: Mapping[str, Any]) -> Parameters:
    specs: dict[str, Optimisable] = {}
    for name, spec in parameters.specs.items():
        change = dict(changes.get(name, {}))
        if "value" in change and isinstance(spec, Edges):
            change["edges"] = change.pop("value")
        _check_change(spec, change, f"parameters.{name}")
        if isinstance(spec, Parameter) and np.shape(change.get("value", spec.value)) != spec.shape:
            what = f"an array of shape {spec.shape}" if spec.shape else "one number"
            raise ValueError(f"parameters.{name}: expected {what}, got {change['value']!r}")
        try:
            entry = spec.to_entry(parameters.stored(name)) | change
            specs[name] = type(spec).from_entry(entry, spec.value) if change else spec
        except (TypeError, ValueError) as error:
            raise ValueError(f"parameter {name!r}: {error}") from error
    kept = {name: parameters.stored(name) for name in parameters if name not in changes}
    return Parameters(**specs).replace(**kept)


def _check_change(spec: Optimisable, change: Mapping[str, Any], where: str) -> None:
    if isinstance(spec, WorkingPoint):
        if "value" in change:
            text(change["value"], f"{where}.value")
        table_of_numbers(change.get("points", {}), f"{where}.points")
        change = {key: value for key, value in change.items() if key not in ("value", "points")}
    check_entry(change, where)


def _entry(spec: Optimisable, parameters: Parameters, name: str) -> dict[str, Any]:
    entry = spec.to_entry(parameters.stored(name))
    # the numbers of a network belong into a file of their own
    entry.pop("weights", None)
    return {"value": entry.pop("edges"), **entry} if "edges" in entry else entry


def _spelt_out(settings: Settings) -> Settings:
    """Write ``met = 60`` as what it stands for, the value of a table."""
    parameters = settings.get("parameters")
    if not isinstance(parameters, dict):
        return settings
    tables = {name: p if isinstance(p, dict) else {"value": p} for name, p in parameters.items()}
    return {**settings, "parameters": tables}


def _process(process: Process, change: Mapping[str, Any]) -> Process:
    if not change:
        return process
    where = f"processes.{process.name}.datasets"
    return dataclasses.replace(process, datasets=names(change["datasets"], where))
