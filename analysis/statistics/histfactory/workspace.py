"""pyhf workspaces, the JSON of the HistFactory specification, in and out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from hepgrad.ragged.tracing import is_known

from .channel import FitChannel, FitSample
from .model import Model
from .modifiers import HistoSys, Lumi, Modifier, NormFactor, NormSys, ShapeFactor, ShapeSys, StatError
from .parameters import ParameterConfig
from .patches import patched
from .specification import check_observations, check_workspace


def from_workspace(
    workspace: Mapping[str, Any],
    *,
    patch: Any = None,
    measurement: str | None = None,
    normsys_code: str = "code4",
    histosys_code: str = "code4p",
) -> tuple[Model, jax.Array]:
    """Return the model and the observed data of a pyhf workspace.

    Parameters
    ----------
    workspace
        The JSON, for instance from ``json.load``: channels, measurements, observations.
        `hepgrad.workflows.from_workspace` takes a path or a URL.
    patch
        A JSON patch to apply first: a list of operations, or a `Patch` of a `PatchSet`.
    measurement
        Name of the measurement that sets parameters and parameter of interest; by default the only one.
    normsys_code, histosys_code
        Interpolation, as in `Model`; the file does not say.

    Returns
    -------
    model : Model
    data : jax.Array
        Observed events and auxiliary data, in the layout of `Model.data`.

    Raises
    ------
    ValueError
        When an entry is missing, unknown or of the wrong type (the message says where, as a JSON path), the patch does
        not fit, the measurement is not there or must be chosen, or as `Model` does.

    Notes
    -----
    Settings for parameters that no modifier has (ROOT writes some for the luminosity) mean nothing and are left out.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import from_workspace
    >>> signal = {"name": "signal", "data": [5.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    >>> workspace = {
    ...     "channels": [{"name": "signal region", "samples": [signal]}],
    ...     "observations": [{"name": "signal region", "data": [7.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
    ...     "version": "1.0.0",
    ... }
    >>> model, data = from_workspace(workspace)
    >>> print(model, data)
    Model(signal region (1 bins); 1 samples, 1 parameters) [7.]
    >>> heavier = [{"op": "replace", "path": "/channels/0/samples/0/data", "value": [2.0]}]
    >>> print(from_workspace(workspace, patch=heavier)[0].expected_data([1.0]))
    [2.]
    """
    if patch is not None:
        workspace = patched(workspace, patch)
    check_workspace(workspace)
    check_observations(workspace)
    config, path = _measurement(workspace["measurements"], measurement)
    channels = [
        FitChannel(
            channel["name"],
            [
                FitSample(sample["name"], sample["data"], [_modifier(modifier) for modifier in sample["modifiers"]])
                for sample in channel["samples"]
            ],
        )
        for channel in workspace["channels"]
    ]
    model = Model(
        channels,
        parameter_of_interest=_parameter_of_interest(config, path, channels),
        parameters=_settings(config, path, channels),
        normsys_code=normsys_code,
        histosys_code=histosys_code,
    )
    observations = {observation["name"]: observation["data"] for observation in workspace["observations"]}
    return model, model.data({channel.name: observations[channel.name] for channel in channels})


def to_workspace(model: Model, data: Any, *, measurement: str = "measurement") -> dict[str, Any]:
    """Return the pyhf workspace of a model and its data, ready for ``json.dump``.

    Parameters
    ----------
    model
        With known numbers, that is, outside `jit`.
    data
        Observed (or Asimov) events and auxiliary data, in the layout of `Model.data`. Auxiliary data that differ from
        the model's are written as settings of their parameters.
    measurement
        Name of the measurement.

    Returns
    -------
    dict
        Valid in pyhf's schema ``workspace.json`` 1.0.0. The interpolation codes have no place in it: pyhf uses
        ``code4`` and ``code4p`` unless told otherwise.

    Raises
    ------
    ValueError
        When the model is traced, or the data have a wrong shape.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, FitSample, Model, NormFactor, to_workspace
    >>> model = Model([FitChannel("signal region", [FitSample("signal", [5.0], [NormFactor("mu")])])])
    >>> to_workspace(model, [7.0])["observations"]
    [{'name': 'signal region', 'data': [7.0]}]
    """
    if not is_known(model.templates.nominal):
        raise ValueError("a workspace can be written only outside jit and grad, where the yields are numbers")
    main, auxdata = model.split(data)
    observed = model.by_channel(main)
    return {
        "channels": [
            {
                "name": channel.name,
                "samples": [
                    {
                        "name": sample.name,
                        "data": _numbers(sample.yields),
                        "modifiers": [
                            {"name": modifier.name, "type": modifier.type, "data": _modifier_data(modifier)}
                            for modifier in sample.modifiers
                        ],
                    }
                    for sample in channel.samples
                ],
            }
            for channel in model.channels
        ],
        "measurements": [
            {
                "name": measurement,
                "config": {"poi": model.parameter_of_interest or "", "parameters": _parameters(model, auxdata)},
            }
        ],
        "observations": [
            {"name": channel.name, "data": _numbers(observed[channel.name])} for channel in model.channels
        ],
        "version": "1.0.0",
    }


def _measurement(measurements: Sequence[Mapping[str, Any]], name: str | None) -> tuple[Mapping[str, Any], str]:
    """Return the configuration of the measurement with this name, or of the only one, and its JSON path."""
    names = [entry["name"] for entry in measurements]
    if name is None and len(names) == 1:
        name = names[0]
    if name not in names:
        asked = "none was chosen" if name is None else f"there is no {name!r}"
        raise ValueError(f"choose a measurement among {names}: {asked}")
    index = names.index(name)
    return measurements[index]["config"], f"$.measurements[{index}].config"


def _used(channels: Sequence[FitChannel]) -> list[str]:
    every = (modifier.name for channel in channels for sample in channel.samples for modifier in sample.modifiers)
    return list(dict.fromkeys(every))


def _parameter_of_interest(config: Mapping[str, Any], path: str, channels: Sequence[FitChannel]) -> str | None:
    poi: str = config["poi"]
    if poi and poi not in _used(channels):
        raise ValueError(
            f"{path}.poi: the parameter of interest {poi!r} is none of the parameters {_used(channels)}; an empty text "
            "stands for none"
        )
    return poi or None


def _settings(config: Mapping[str, Any], path: str, channels: Sequence[FitChannel]) -> list[ParameterConfig]:
    """Return the settings of parameters that a modifier has."""
    used, settings = set(_used(channels)), []
    for i, entry in enumerate(config["parameters"]):
        if entry["name"] in used:
            try:
                settings.append(ParameterConfig(**entry))
            except ValueError as error:
                raise ValueError(f"{path}.parameters[{i}]: {error}") from None
    return settings


def _modifier(entry: Mapping[str, Any]) -> Modifier:
    name, data = entry["name"], entry["data"]
    match entry["type"]:
        case "normsys":
            return NormSys(name, hi=data["hi"], lo=data["lo"])
        case "histosys":
            return HistoSys(name, hi=data["hi_data"], lo=data["lo_data"])
        case "shapesys":
            return ShapeSys(name, uncertainties=data)
        case "staterror":
            return StatError(name, uncertainties=data)
    return _WITHOUT_DATA[entry["type"]](name)


_WITHOUT_DATA: dict[str, Callable[[str], Modifier]] = {
    "normfactor": NormFactor,
    "shapefactor": ShapeFactor,
    "lumi": Lumi,
}


def _modifier_data(modifier: Modifier) -> Any:
    match modifier:
        case NormSys():
            return {"hi": float(modifier.hi), "lo": float(modifier.lo)}
        case HistoSys():
            return {"hi_data": _numbers(modifier.hi), "lo_data": _numbers(modifier.lo)}
        case ShapeSys():
            return _numbers(modifier.uncertainties)
        case StatError():
            return np.sqrt(np.asarray(modifier.sumw2)).tolist()
        case _:
            return None


def _parameters(model: Model, auxdata: jax.Array) -> list[dict[str, Any]]:
    """Return the settings of parameters: the user's, those of auxiliary data that changed, and all of a luminosity."""
    layout = model.layout
    observed, default = (np.full(layout.size, np.nan) for _ in range(2))
    observed[layout.constrained], default[layout.constrained] = auxdata, model.auxdata
    configs = {config.name: config for config in layout.configs}
    entries = []
    for parameters in layout.parameter_sets:
        config = configs.get(parameters.name, ParameterConfig(parameters.name))
        components = layout.parameter_slices[parameters.name]
        if parameters.type == "lumi":
            config = dataclasses.replace(config, inits=parameters.initial, bounds=parameters.bounds)
        if not np.array_equal(observed[components], default[components], equal_nan=True):
            config = dataclasses.replace(config, auxdata=_numbers(observed[components]))
        settings = {key: value for key, value in dataclasses.asdict(config).items() if value is not None}
        if len(settings) > 1:  # more than the name
            entries.append({key: _as_json(value) for key, value in settings.items()})
    return entries


def _as_json(value: Any) -> Any:
    return [_as_json(item) for item in value] if isinstance(value, tuple) else value


def _numbers(values: Any) -> list[float]:
    return np.asarray(values, float).tolist()
