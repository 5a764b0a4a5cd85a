"""HS3, the HEP Statistics Serialization Standard: documents of RooFit, as far as HistFactory goes.

Where implementations of the standard differ, RooFit's reading is taken: ``vals`` of a ``shapesys`` are relative
uncertainties; those of a ``staterror`` are the ``errors`` of the samples that carry it; ``normsys`` interpolates by
``code4``, ``histosys`` by ``code4p``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..histfactory import Model, from_workspace
from ..histfactory.specification import array, check_workspace, number, text

VERSION = "0.2"
_DOMAIN, _POINT = "default_domain", "default_values"


def is_hs3(document: Any) -> bool:
    """Return whether a JSON document is one of HS3, and not a workspace of pyhf."""
    return isinstance(document, Mapping) and "distributions" in document and "channels" not in document


def to_hs3(workspace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the HS3 document of a workspace.

    Parameters
    ----------
    workspace
        In pyhf's format; each of its measurements becomes an analysis.

    Returns
    -------
    dict
        Ready for ``json.dump``; `from_hs3` gives the same log-probabilities.

    Raises
    ------
    ValueError
        When it is no workspace, or changes the auxiliary data of a Poisson constraint, or the width of a ``staterror``,
        which the standard derives from the samples.

    References
    ----------
    HEP Statistics Serialization Standard, version 0.2.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange import to_hs3
    >>> signal = {"name": "sig", "data": [5.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    >>> document = to_hs3({
    ...     "channels": [{"name": "SR", "samples": [signal]}],
    ...     "observations": [{"name": "SR", "data": [7.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
    ...     "version": "1.0.0",
    ... })
    >>> document["distributions"][0]["samples"][0]["modifiers"]
    [{'name': 'mu', 'type': 'normfactor', 'parameter': 'mu'}]
    """
    check_workspace(workspace)
    observed = {entry["name"]: entry["data"] for entry in workspace["observations"]}
    document: dict[str, Any] = {
        "metadata": {"hs3_version": VERSION, "packages": [{"name": "hepgrad", "version": ""}]},
        "distributions": [],
        "data": [],
        "likelihoods": [],
        "analyses": [],
        "domains": [],
        "parameter_points": [],
    }
    names = [channel["name"] for channel in workspace["channels"]]
    for entry in workspace["measurements"]:
        one = {**workspace, "measurements": [entry]}
        model, _ = from_workspace(one)
        of = f"_{entry['name']}" if len(workspace["measurements"]) > 1 else ""
        constraints = _constraints(entry["config"], model, of)
        document["distributions"] += constraints.values()
        document["likelihoods"].append(
            {
                "name": f"likelihood{of}",
                "distributions": names,
                "data": [f"observed_{name}" for name in names],
                "aux_distributions": [constraint["name"] for constraint in constraints.values()],
            }
        )
        poi = entry["config"]["poi"]
        document["analyses"].append(
            {
                "name": entry["name"],
                "likelihood": f"likelihood{of}",
                "parameters_of_interest": [poi] if poi else [],
                "domains": [f"{_DOMAIN}{of}"],
                "init": f"{_POINT}{of}",
            }
        )
        document["domains"].append(_domain(model, f"{_DOMAIN}{of}"))
        document["parameter_points"].append(_point(model, entry["config"], f"{_POINT}{of}"))
    offsets: dict[str, int] = {}
    channels = []
    for channel in sorted(workspace["channels"], key=lambda channel: str(channel["name"])):
        bins = len(channel["samples"][0]["data"])
        axes = [{"name": f"bin_{channel['name']}", "min": 0, "max": bins, "nbins": bins}]
        samples = [_sample(sample, offsets) for sample in channel["samples"]]
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                if modifier["type"] == "staterror":
                    offsets.setdefault(modifier["name"], 0)
        for name in {m["name"] for s in channel["samples"] for m in s["modifiers"] if m["type"] == "staterror"}:
            offsets[name] += bins
        channels.append({"name": channel["name"], "type": "histfactory_dist", "axes": axes, "samples": samples})
        contents = {"axes": axes, "contents": list(observed[channel["name"]])}
        document["data"].append({"name": f"observed_{channel['name']}", "type": "binned", **contents})
    document["distributions"] = channels + document["distributions"]
    return document


def from_hs3(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the workspace of an HS3 document, in pyhf's format.

    Parameters
    ----------
    document
        What ``json.load`` returned. Each of its analyses becomes a measurement; they share one likelihood, or the
        channels of different ones have the same content.

    Returns
    -------
    dict
        With parameters that have HS3's names.

    Raises
    ------
    ValueError
        When an entry is missing, or something is no HistFactory: the message says what and where.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange import from_hs3, to_hs3
    >>> signal = {"name": "sig", "data": [5.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    >>> workspace = {
    ...     "channels": [{"name": "SR", "samples": [signal]}],
    ...     "observations": [{"name": "SR", "data": [7.0]}],
    ...     "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
    ...     "version": "1.0.0",
    ... }
    >>> from_hs3(to_hs3(workspace))["channels"] == workspace["channels"]
    True
    """
    tables = {key: _by_name(document, key) for key in ("distributions", "data", "likelihoods", "analyses")}
    domains, points = (_by_name(document, key, needed=False) for key in ("domains", "parameter_points"))
    if not tables["analyses"]:
        raise ValueError("$.analyses is empty: an analysis says which likelihood is fitted, and for what")
    channels: dict[str, Any] = {}
    observations: dict[str, Any] = {}
    measurements = []
    for a, analysis in enumerate(tables["analyses"].values()):
        where = f"$.analyses[{a}]"
        likelihood = _entry(tables["likelihoods"], analysis.get("likelihood"), f"{where}.likelihood")
        names, data = (_texts(likelihood, key, "$.likelihoods") for key in ("distributions", "data"))
        if len(names) != len(data):
            raise ValueError(
                f"the likelihood {likelihood['name']!r} has {len(names)} distributions and {len(data)} data"
            )
        auxiliary = {key: value for key, value in tables["distributions"].items() if key not in names}
        for name, of in zip(names, data, strict=True):
            channels[name] = _channel(_entry(tables["distributions"], name, "$.distributions"), auxiliary)
            observations[name] = _contents(_entry(tables["data"], of, "$.data"), f"data {of!r}")
        poi = _texts(analysis, "parameters_of_interest", where, needed=False)
        used = {m["name"]: m["type"] for c in channels.values() for s in c["samples"] for m in s["modifiers"]}
        config = {
            "poi": poi[0] if poi else "",
            "parameters": _settings(analysis, used, auxiliary, document, domains, points),
        }
        measurements.append({"name": analysis["name"], "config": config})
    workspace = {
        "channels": list(channels.values()),
        "observations": [{"name": name, "data": contents} for name, contents in observations.items()],
        "measurements": measurements,
        "version": "1.0.0",
    }
    check_workspace(workspace)
    return workspace


def _sample(sample: Mapping[str, Any], offsets: Mapping[str, int]) -> dict[str, Any]:
    data: dict[str, Any] = {"contents": list(sample["data"])}
    modifiers = []
    for modifier in sample["modifiers"]:
        name, kind, content = modifier["name"], modifier["type"], modifier["data"]
        entry: dict[str, Any] = {"name": name, "type": "normfactor" if kind == "lumi" else kind}
        if kind in ("normfactor", "normsys", "histosys", "lumi"):
            entry["parameter"] = name
        else:
            first = offsets.get(name, 0) if kind == "staterror" else 0
            entry["parameters"] = [f"{name}[{first + i}]" for i in range(len(sample["data"]))]
        match kind:
            case "normsys":
                entry |= {"constraint": "Gauss", "data": dict(content)}
            case "histosys":
                varied = {end: {"contents": list(content[f"{end}_data"])} for end in ("hi", "lo")}
                entry |= {"constraint": "Gauss", "data": varied}
            case "lumi":
                entry["constraint_name"] = f"{name}_constraint"
            case "staterror":
                entry["constraint"] = "Gauss"
                data["errors"] = list(content)
            case "shapesys":
                pairs = zip(content, sample["data"], strict=True)
                entry |= {"constraint": "Poisson", "data": {"vals": [u / n if n > 0 else 0.0 for u, n in pairs]}}
        modifiers.append(entry)
    return {"name": sample["name"], "data": data, "modifiers": modifiers}


def _constraints(config: Mapping[str, Any], model: Model, of: str) -> dict[str, dict[str, Any]]:
    """Return the constraints that differ from the standard ones, by parameter."""
    found = {}
    types = {parameters.name: parameters.type for parameters in model.layout.parameter_sets}
    for entry in config["parameters"]:
        name, kind = entry["name"], types.get(entry["name"])
        if kind is None or not {"auxdata", "sigmas", "factors"} & set(entry):
            continue
        if kind in ("staterror", "shapesys"):
            raise ValueError(f"HS3 derives the constraint of {name!r} from its samples; the measurement changes it")
        sigma = entry["sigmas"][0] if kind == "lumi" else 1.0
        moved = {"x": entry["auxdata"][0], "mean": name, "sigma": sigma}
        found[name] = {"name": f"{name}_constraint{of}", "type": "gaussian_dist", **moved}
    return found


def _domain(model: Model, name: str) -> dict[str, Any]:
    axes = [
        {"name": component, "min": low, "max": high}
        for parameters in model.layout.parameter_sets
        for component, (low, high) in zip(parameters.component_names, parameters.bounds, strict=True)
    ]
    return {"name": name, "type": "product_domain", "axes": axes}


def _point(model: Model, config: Mapping[str, Any], name: str) -> dict[str, Any]:
    held = {entry["name"] for entry in config["parameters"] if entry.get("fixed")}
    values = [
        {"name": component, "value": value, **({"const": True} if parameters.name in held else {})}
        for parameters in model.layout.parameter_sets
        for component, value in zip(parameters.component_names, parameters.initial, strict=True)
    ]
    return {"name": name, "parameters": values}


def _by_name(document: Mapping[str, Any], key: str, *, needed: bool = True) -> dict[str, Any]:
    if key not in document:
        if needed:
            raise ValueError(f"an HS3 document needs {key!r}; this has {list(document)}")
        return {}
    array(_has_name, least=0)(document[key], f"$.{key}")
    found = {entry["name"]: entry for entry in document[key]}
    if len(found) < len(document[key]):
        raise ValueError(f"$.{key} has entries of the same name, among {[entry['name'] for entry in document[key]]}")
    return found


def _has_name(value: Any, path: str) -> None:
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise ValueError(f"{path} must be an object with a 'name'")


def _entry(table: Mapping[str, Any], name: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(name, str) or name not in table:
        raise ValueError(f"{where}: there is no {name!r}; there are {list(table)}")
    found: Mapping[str, Any] = table[name]
    return found


def _texts(entry: Mapping[str, Any], key: str, where: str, *, needed: bool = True) -> Sequence[str]:
    if key not in entry and not needed:
        return []
    found: Sequence[str] = _needed(entry, key, where)
    array(text, least=0)(found, f"{where}.{key}")
    return found


def _needed(entry: Any, key: str, where: str) -> Any:
    if not isinstance(entry, Mapping) or key not in entry:
        raise ValueError(f"{where} needs {key!r}")
    return entry[key]


def _number(entry: Any, key: str, where: str) -> float:
    value = _needed(entry, key, where)
    number(value, f"{key} of {where}")
    return float(value)


def _contents(entry: Any, where: str) -> list[float]:
    contents = _needed(entry, "contents", where)
    array(number)(contents, f"{where}.contents")
    return [float(x) for x in contents]


def _channel(distribution: Mapping[str, Any], auxiliary: Mapping[str, Any]) -> dict[str, Any]:
    name = distribution["name"]
    if distribution.get("type") != "histfactory_dist":
        raise ValueError(f"the distribution {name!r} is a {distribution.get('type')!r}; only histfactory_dist is read")
    samples = _needed(distribution, "samples", f"the distribution {name!r}")
    array(_has_name)(samples, f"samples of {name!r}")
    return {"name": name, "samples": [_read_sample(sample, name, auxiliary) for sample in samples]}


def _read_sample(sample: Mapping[str, Any], channel: str, auxiliary: Mapping[str, Any]) -> dict[str, Any]:
    where = f"sample {sample['name']!r} in {channel!r}"
    data = _needed(sample, "data", where)
    contents = _contents(data, where)
    modifiers = _needed(sample, "modifiers", where)
    array(_has_name, least=0)(modifiers, f"modifiers of {where}")
    read = [_read_modifier(entry, data, contents, channel, where, auxiliary) for entry in modifiers]
    return {"name": sample["name"], "data": contents, "modifiers": read}


def _read_modifier(
    entry: Mapping[str, Any],
    data: Mapping[str, Any],
    contents: list[float],
    channel: str,
    where: str,
    auxiliary: Mapping[str, Any],
) -> dict[str, Any]:
    kind, told = _needed(entry, "type", where), f"modifier {entry['name']!r} of {where}"
    constraint = entry.get("constraint", "Gauss" if kind != "shapesys" else "Poisson")
    name = entry.get("parameter", entry["name"])
    for setting, code in (("normsys", "code4"), ("histosys", "code4p")):
        content = entry.get("data")
        if kind == setting and isinstance(content, Mapping) and content.get("interpolation", code) != code:
            raise ValueError(f"the {told} interpolates by {content['interpolation']!r}; only {code} is read")
    match kind:
        case "normfactor":
            is_lumi = entry.get("constraint_name") in auxiliary
            return {"name": name, "type": "lumi" if is_lumi else "normfactor", "data": None}
        case "shapefactor":
            return {"name": entry["name"], "type": "shapefactor", "data": None}
        case "normsys" if constraint == "Gauss":
            ends = {end: _needed(_needed(entry, "data", told), end, told) for end in ("hi", "lo")}
            return {"name": name, "type": kind, "data": ends}
        case "histosys" if constraint == "Gauss":
            varied = _needed(entry, "data", told)
            ends = {f"{end}_data": _contents(_needed(varied, end, told), told) for end in ("hi", "lo")}
            return {"name": name, "type": kind, "data": ends}
        case "staterror" if constraint == "Gauss":
            errors = _needed(data, "errors", f"the data of {where}, which has a staterror,")
            array(number)(errors, f"errors of {where}")
            return {"name": _per_channel(entry, channel), "type": kind, "data": [float(x) for x in errors]}
        case "shapesys" if constraint == "Poisson":
            relative = _needed(_needed(entry, "data", told), "vals", told)
            array(number, size=len(contents))(relative, f"vals of the {told}")
            absolute = np.asarray(relative, float) * np.asarray(contents)
            return {"name": entry["name"], "type": kind, "data": absolute.tolist()}
    raise ValueError(f"the {told} is a {kind!r} with the constraint {constraint!r}, which HistFactory does not have")


def _per_channel(entry: Mapping[str, Any], channel: str) -> str:
    """Return the name of a staterror, which belongs to one channel in HS3, whatever its modifier is called."""
    first = entry.get("parameters", [f"{entry['name']}[0]"])[0]
    return str(entry["name"]) if first == f"{entry['name']}[0]" else f"{entry['name']}_{channel}"


def _settings(
    analysis: Mapping[str, Any],
    used: Mapping[str, str],
    auxiliary: Mapping[str, Any],
    document: Mapping[str, Any],
    domains: Mapping[str, Any],
    points: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return start, bounds and constraints of the parameters with one component."""
    scalars = {name for name, kind in used.items() if kind in ("normfactor", "normsys", "histosys", "lumi")}
    found: dict[str, dict[str, Any]] = {name: {"name": name} for name in used}
    for name in analysis.get("domains", []):
        axes = _entry(domains, name, "$.analyses.domains").get("axes", [])
        array(_has_name, least=0)(axes, f"axes of the domain {name!r}")
        for axis in axes:
            if axis["name"] in scalars and {"min", "max"} <= set(axis):
                found[axis["name"]]["bounds"] = [[float(axis["min"]), float(axis["max"])]]
    point: Mapping[str, Any] = {"parameters": []}
    if "init" in analysis:
        point = _entry(points, analysis["init"], "$.analyses.init")
        array(_has_name, least=0)(_needed(point, "parameters", f"the parameter point {point['name']!r}"), "parameters")
    for entry in point["parameters"]:
        if entry["name"] in scalars:
            found[entry["name"]]["inits"] = [_number(entry, "value", f"the start of {entry['name']!r}")]
        owner = str(entry["name"]).partition("[")[0]
        if entry.get("const") and (entry["name"] in scalars or owner in found):
            found[entry["name"] if entry["name"] in scalars else owner]["fixed"] = True
    for constraint in auxiliary.values():
        ends = [constraint.get("mean"), constraint.get("x")]
        parameter = next((end for end in ends if end in scalars), None)
        if constraint.get("type") != "gaussian_dist" or parameter is None:
            continue
        other = next(end for end in ends if end != parameter)
        value = float(other) if isinstance(other, int | float) else _value_of(other, point)
        found[parameter]["auxdata"] = [value]
        width = _number(constraint, "sigma", f"the constraint of {parameter!r}")
        if used[parameter] == "lumi":
            found[parameter]["sigmas"] = [width]
        elif width != 1:
            raise ValueError(f"the constraint of {parameter!r} has the width {width}; HistFactory has 1")
    return [entry for entry in found.values() if len(entry) > 1]


def _value_of(name: Any, point: Mapping[str, Any]) -> float:
    for entry in point["parameters"]:
        if entry["name"] == name:
            return _number(entry, "value", f"the parameter {name!r}")
    raise ValueError(f"the parameter {name!r} of a constraint has no value in the parameter point of the analysis")
