"""pyhf workspaces, the JSON of the HistFactory specification, in and out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from .channel import FitChannel, Sample
from .model import Model
from .modifiers import HistoSys, Lumi, Modifier, NormFactor, NormSys, ShapeFactor, ShapeSys, StatError
from .parameters import ParameterConfig
from .templates import is_known


def from_workspace(
    workspace: Mapping[str, Any],
    *,
    measurement: str | None = None,
    normsys_code: str = "code4",
    histosys_code: str = "code4p",
) -> tuple[Model, jax.Array]:
    """Return the model and the observed data of a pyhf workspace.

    Parameters
    ----------
    workspace
        The JSON, for instance from ``json.load``: channels, measurements, observations.
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
        When a required entry is missing, a modifier type is unknown, the measurement is not there or must be chosen, or
        as `Model` does.

    Notes
    -----
    Settings for parameters that no modifier has (ROOT writes some for the luminosity) mean nothing and are left out.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.histfactory import from_workspace
    >>> signal = {"name": "signal", "data": [5.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    >>> model, data = from_workspace({
    ...     "channels": [{"name": "signal region", "samples": [signal]}],
    ...     "observations": [{"name": "signal region", "data": [7.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
    ...     "version": "1.0.0",
    ... })
    >>> print(model, data)
    Model(signal region (1 bins); 1 samples, 1 parameters) [7.]
    """
    for key in ("channels", "observations", "measurements"):
        if key not in workspace:
            raise ValueError(f"a workspace needs {key!r}; this has {list(workspace)}")
    config = _measurement(workspace["measurements"], measurement)
    channels = [
        FitChannel(
            channel["name"],
            [
                Sample(
                    sample["name"],
                    sample["data"],
                    [
                        _modifier(modifier, f"sample {sample['name']!r} in {channel['name']!r}")
                        for modifier in sample["modifiers"]
                    ],
                )
                for sample in channel["samples"]
            ],
        )
        for channel in workspace["channels"]
    ]
    used = {modifier.name for channel in channels for sample in channel.samples for modifier in sample.modifiers}
    model = Model(
        channels,
        parameter_of_interest=config["poi"] or None,
        parameters=[ParameterConfig(**settings) for settings in config["parameters"] if settings["name"] in used],
        normsys_code=normsys_code,
        histosys_code=histosys_code,
    )
    observations = {observation["name"]: observation["data"] for observation in workspace["observations"]}
    return model, model.data(
        {channel.name: observations[channel.name] for channel in channels if channel.name in observations}
    )


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
    >>> from hepgrad.analysis.statistics.histfactory import FitChannel, Model, NormFactor, Sample, to_workspace
    >>> model = Model([FitChannel("signal region", [Sample("signal", [5.0], [NormFactor("mu")])])])
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


def _measurement(measurements: Sequence[Mapping[str, Any]], name: str | None) -> Mapping[str, Any]:
    """Return the configuration of the measurement with this name, or of the only one."""
    configs = {entry["name"]: entry["config"] for entry in measurements}
    if name is None and len(configs) == 1:
        return next(iter(configs.values()))
    if name not in configs:
        asked = "none was chosen" if name is None else f"there is no {name!r}"
        raise ValueError(f"choose a measurement among {list(configs)}: {asked}")
    return configs[name]


def _modifier(entry: Mapping[str, Any], where: str) -> Modifier:
    name, data = entry["name"], entry["data"]
    match entry["type"]:
        case "normfactor":
            return NormFactor(name)
        case "shapefactor":
            return ShapeFactor(name)
        case "lumi":
            return Lumi(name)
        case "normsys":
            return NormSys(name, hi=data["hi"], lo=data["lo"])
        case "histosys":
            return HistoSys(name, hi=data["hi_data"], lo=data["lo_data"])
        case "shapesys":
            return ShapeSys(name, uncertainties=data)
        case "staterror":
            return StatError(name, uncertainties=data)
        case unknown:
            raise ValueError(f"modifier {name!r} of {where} has the type {unknown!r}, which HistFactory does not know")


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
