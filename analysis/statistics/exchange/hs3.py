"""HS3, the HEP Statistics Serialization Standard: documents of RooFit, as far as HistFactory goes.

Where implementations of the standard differ, RooFit's reading is taken: ``vals`` of a ``shapesys`` are relative
uncertainties; those of a ``staterror`` are the ``errors`` of the samples that carry it, and its constraint is Poisson
unless the document says otherwise; ``normsys`` interpolates by ``code4``, ``histosys`` by ``code4p``; the start of an
analysis is ``default_values``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..histfactory import Model, from_workspace
from ..histfactory.specification import array, check_workspace, text
from .hs3_channels import Reading, contents_of, has_name, needed_entry, number_of, read_channel

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
        samples = [
            _sample(sample, offsets, several=len(workspace["measurements"]) > 1) for sample in channel["samples"]
        ]
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                if modifier["type"] == "staterror":
                    offsets.setdefault(modifier["name"], 0)
        for name in {m["name"] for s in channel["samples"] for m in s["modifiers"] if m["type"] == "staterror"}:
            offsets[name] += bins
        channels.append(
            {
                "name": channel["name"],
                "type": "histfactory_dist",
                "axes": axes,
                "samples": samples,
                "staterror": {"constraint_type": "Gauss", "relThreshold": 0.0},  # RooFit looks here alone
            }
        )
        contents = {"axes": axes, "contents": list(observed[channel["name"]])}
        document["data"].append({"name": f"observed_{channel['name']}", "type": "binned", **contents})
    document["distributions"] = channels + document["distributions"]
    return document


def from_hs3(document: Mapping[str, Any], *, analysis: str | None = None) -> dict[str, Any]:
    """Return the workspace of an HS3 document, in pyhf's format.

    Parameters
    ----------
    document
        What ``json.load`` returned. Each of its analyses becomes a measurement.
    analysis
        Which one to read, where they differ in data or content of a channel, as those of RooFit for observed and
        Asimov data do; by default all.

    Returns
    -------
    dict
        With parameters that have HS3's names. Where a Poisson constraint of simulated statistics covers several
        samples, which no modifier of a workspace has, its measurement is a channel of its own: a ``shapefactor`` that
        it shares with the samples scales the effective number of simulated events, which was observed.

    Raises
    ------
    ValueError
        When an entry is missing, there is no analysis of this name, analyses differ and none is chosen, or something is
        no HistFactory: the message says what and where.

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
    analyses = tables["analyses"]
    if not analyses:
        raise ValueError("$.analyses is empty: an analysis says which likelihood is fitted, and for what")
    if analysis is not None:
        analyses = {analysis: _entry(analyses, analysis, "$.analyses")}
    channels: dict[str, Any] = {}
    observations: dict[str, Any] = {}
    measurements = []
    for name, asked in analyses.items():
        where = f"the analysis {name!r}"
        likelihood = _entry(tables["likelihoods"], asked.get("likelihood"), f"{where}.likelihood")
        names, data = (_texts(likelihood, key, "$.likelihoods") for key in ("distributions", "data"))
        if len(names) != len(data):
            raise ValueError(
                f"the likelihood {likelihood['name']!r} has {len(names)} distributions and {len(data)} data"
            )
        values = _values(asked, points)
        auxiliary = {key: value for key, value in tables["distributions"].items() if key not in names}
        read = Reading(auxiliary, values, _texts(likelihood, "aux_distributions", "$.likelihoods", needed=False))
        for channel, of in zip(names, data, strict=True):
            read_channel(_entry(tables["distributions"], channel, "$.distributions"), read)
            read.observations[channel] = contents_of(_entry(tables["data"], of, "$.data"), f"data {of!r}")
        read.check()
        if channels and set(channels) != set(read.channels):
            raise ValueError(
                f"the analyses {list(analyses)} have different channels, {list(channels)} and {list(read.channels)}, "
                "and a workspace has one set for all: choose an analysis"
            )
        for table, new in ((channels, read.channels), (observations, read.observations)):
            if differing := [key for key in new if table.setdefault(key, new[key]) != new[key]]:
                raise ValueError(
                    f"the analyses {list(analyses)} differ in the content or the data of {differing[0]!r}, and a "
                    "workspace has one of each: choose an analysis"
                )
        poi = _texts(asked, "parameters_of_interest", where, needed=False)
        parameters = _settings(asked, read, auxiliary, domains, values)
        measurements.append({"name": name, "config": {"poi": poi[0] if poi else "", "parameters": parameters}})
    workspace = {
        "channels": list(channels.values()),
        "observations": [{"name": name, "data": contents} for name, contents in observations.items()],
        "measurements": measurements,
        "version": "1.0.0",
    }
    check_workspace(workspace)
    return workspace


def _sample(sample: Mapping[str, Any], offsets: Mapping[str, int], *, several: bool) -> dict[str, Any]:
    """Return a sample; where there are several measurements, their likelihoods alone say what constrains them."""
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
            case "lumi" if not several:
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
    array(has_name, least=0)(document[key], f"$.{key}")
    found = {entry["name"]: entry for entry in document[key]}
    if len(found) < len(document[key]):
        raise ValueError(f"$.{key} has entries of the same name, among {[entry['name'] for entry in document[key]]}")
    return found


def _entry(table: Mapping[str, Any], name: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(name, str) or name not in table:
        raise ValueError(f"{where}: there is no {name!r}; there are {list(table)}")
    found: Mapping[str, Any] = table[name]
    return found


def _texts(entry: Mapping[str, Any], key: str, where: str, *, needed: bool = True) -> Sequence[str]:
    if key not in entry and not needed:
        return []
    found: Sequence[str] = needed_entry(entry, key, where)
    array(text, least=0)(found, f"{where}.{key}")
    return found


def _values(analysis: Mapping[str, Any], points: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the entries of parameters: RooFit's ``default_values``, then those of the analysis."""
    used = [points[_POINT]] if _POINT in points else []
    if "init" in analysis:
        used.append(_entry(points, analysis["init"], "$.analyses.init"))
    found: dict[str, Mapping[str, Any]] = {}
    for point in used:
        where = f"the parameter point {point['name']!r}"
        array(has_name, least=0)(needed_entry(point, "parameters", where), f"parameters of {where}")
        found |= {entry["name"]: entry for entry in point["parameters"]}
    return found


def _settings(
    analysis: Mapping[str, Any],
    read: Reading,
    auxiliary: Mapping[str, Any],
    domains: Mapping[str, Any],
    values: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return start, bounds and constraints of parameters; bounds of those with one component."""
    found: dict[str, dict[str, Any]] = {name: {"name": name} for name in read.used}
    scalars = {name for name, kind in read.used.items() if kind in ("normfactor", "normsys", "histosys", "lumi")}
    used = [domains[_DOMAIN]] if _DOMAIN in domains else []
    used += [_entry(domains, name, "$.analyses.domains") for name in analysis.get("domains", [])]
    for domain in used:
        array(has_name, least=0)(domain.get("axes", []), f"axes of the domain {domain['name']!r}")
        for axis in domain.get("axes", []):
            if axis["name"] in scalars and {"min", "max"} <= set(axis):
                found[axis["name"]]["bounds"] = [[float(axis["min"]), float(axis["max"])]]
    components = {name: [name] for name in scalars} | read.components
    for name, parts in components.items():
        starts = [number_of(values[part], "value", f"the start of {part!r}") for part in parts if part in values]
        if len(starts) == len(parts) and (name in scalars or any(start != 1 for start in starts)):
            found[name]["inits"] = starts
        if all(values.get(part, {}).get("const") for part in parts):
            found[name]["fixed"] = True
    # where the likelihood names its terms, others of the document belong to other analyses
    terms = {*read.terms, *read.named}
    for constraint in [each for name, each in auxiliary.items() if name in terms or not terms]:
        ends = [constraint.get("mean"), constraint.get("x")]
        parameter = next((end for end in ends if end in scalars), None)
        if constraint.get("type") != "gaussian_dist" or parameter is None or read.used[parameter] == "normfactor":
            continue
        other = next(end for end in ends if end != parameter)
        found[parameter]["auxdata"] = [_value_of(other, values)]
        width = _value_of(needed_entry(constraint, "sigma", f"the constraint of {parameter!r}"), values)
        if read.used[parameter] == "lumi":
            found[parameter]["sigmas"] = [width]
        elif width != 1:
            raise ValueError(f"the constraint of {parameter!r} has the width {width}; HistFactory has 1")
    return [entry for entry in found.values() if len(entry) > 1]


def _value_of(given: Any, values: Mapping[str, Mapping[str, Any]]) -> float:
    if isinstance(given, int | float):
        return float(given)
    if given not in values:
        raise ValueError(f"the parameter {given!r} of a constraint has no value in the parameter point of the analysis")
    return number_of(values[given], "value", f"the parameter {given!r}")
