"""Channels of HS3 documents, the distributions of type ``histfactory_dist``, as those of a workspace."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..histfactory.specification import array, number

# What a workspace interpolates by, in all the ways in which documents say it.
_INTERPOLATION: dict[str, list[Any]] = {
    "normsys": ["code4", 4, 5, {"type": "mult", "in": "poly6", "out": "exp"}],
    "histosys": ["code4p", 4, "poly6", {"type": "add", "in": "poly6", "out": "poly1"}],
}


@dataclasses.dataclass
class Reading:
    """What one analysis needs while its channels are read, and what was found.

    Attributes
    ----------
    auxiliary
        All distributions that are no channel, by name.
    values
        Entries of the parameter point, by parameter.
    terms
        Names of the distributions that the likelihood has beside its channels.
    channels, observations
        What was read, by name.
    components
        Names in HS3 of the components of each parameter that has one for each bin.
    named
        Names of the distributions that modifiers are constrained by.
    statistics
        Names of the simulated statistics, with the distributions that constrain them, if the document has these.
    """

    auxiliary: Mapping[str, Any]
    values: Mapping[str, Mapping[str, Any]]
    terms: Sequence[str] = ()
    channels: dict[str, Any] = dataclasses.field(default_factory=dict)
    observations: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    components: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    named: set[str] = dataclasses.field(default_factory=set)
    statistics: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    @property
    def used(self) -> dict[str, str]:
        """Type of each parameter."""
        samples = [sample for channel in self.channels.values() for sample in channel["samples"]]
        return {modifier["name"]: modifier["type"] for sample in samples for modifier in sample["modifiers"]}

    def is_constrained(self, name: str) -> bool:
        """Return whether the likelihood itself has a Gaussian term for a parameter."""
        found = [self.auxiliary[term] for term in self.terms if term in self.auxiliary]
        return any(term.get("type") == "gaussian_dist" and name in (term.get("x"), term.get("mean")) for term in found)

    def check(self) -> None:
        """Raise when terms of the likelihood, or shared components, would be lost."""
        for term in self.terms:
            distribution = needed_entry(self.auxiliary, term, "the distributions")
            ends = {str(distribution.get("x")), str(distribution.get("mean"))}
            known = distribution.get("type") == "gaussian_dist" and ends & set(self.used)
            if term not in self.named and not known:
                raise ValueError(
                    f"the likelihood has the term {term!r}, a {distribution.get('type')!r} that constrains no "
                    "parameter of a channel as HistFactory does"
                )
        owners: dict[str, str] = {}
        for name, components in self.components.items():
            for component in components:
                if owners.setdefault(component, name) != name:
                    raise ValueError(
                        f"{owners[component]!r} and {name!r} share the parameter {component!r}; in HistFactory factors "
                        "of bins belong to one channel"
                    )


def read_channel(distribution: Mapping[str, Any], read: Reading) -> None:
    """Read one channel, and the measurement of its simulated statistics where that is one of its own."""
    name = distribution["name"]
    if distribution.get("type") != "histfactory_dist":
        raise ValueError(f"the distribution {name!r} is a {distribution.get('type')!r}; only histfactory_dist is read")
    samples = needed_entry(distribution, "samples", f"the distribution {name!r}")
    array(has_name)(samples, f"samples of {name!r}")
    read.channels[name] = {"name": name, "samples": [_sample(each, distribution, read) for each in samples]}
    threshold = number_of({"relThreshold": 0.0, **_statistics(distribution)}, "relThreshold", f"staterror of {name!r}")
    _sum_statistics(read.channels[name], threshold, read)


def _sample(sample: Mapping[str, Any], distribution: Mapping[str, Any], read: Reading) -> dict[str, Any]:
    where = f"sample {sample['name']!r} in {distribution['name']!r}"
    data = needed_entry(sample, "data", where)
    contents = contents_of(data, where)
    modifiers = needed_entry(sample, "modifiers", where)
    array(_is_object, least=0)(modifiers, f"modifiers of {where}")
    found = [_modifier(entry, data, contents, distribution, where, read) for entry in modifiers]
    return {"name": sample["name"], "data": contents, "modifiers": [modifier for modifier in found if modifier]}


def _modifier(
    entry: Mapping[str, Any],
    data: Mapping[str, Any],
    contents: list[float],
    distribution: Mapping[str, Any],
    where: str,
    read: Reading,
) -> dict[str, Any]:
    """Return a modifier; the type ``poisson`` stands for a staterror with Poisson constraint."""
    kind, label = needed_entry(entry, "type", where), _label(entry)
    told = f"modifier {label!r} of {where}"
    if kind in _INTERPOLATION:
        _check_interpolation(entry, distribution, kind, told)
    constraint = _constraint(entry, distribution, kind, told, read)
    match kind, constraint:
        case "normfactor", "none":
            name = _parameter(entry, label)
            return {"name": name, "type": "lumi" if read.is_constrained(name) else "normfactor", "data": None}
        case "normfactor", "named":
            return {"name": _parameter(entry, label), "type": "lumi", "data": None}
        case "normsys", "Gauss" | "named":
            ends = {end: needed_entry(needed_entry(entry, "data", told), end, told) for end in ("hi", "lo")}
            return {"name": _parameter(entry, f"alpha_{label}"), "type": kind, "data": ends}
        case "histosys", "Gauss" | "named":
            varied = needed_entry(entry, "data", told)
            ends = {f"{end}_data": contents_of(needed_entry(varied, end, told), told) for end in ("hi", "lo")}
            return {"name": _parameter(entry, f"alpha_{label}"), "type": kind, "data": ends}
        case "shapefactor", "none":
            return {"name": _own(entry, label, label, len(contents), read), "type": kind, "data": None}
        case "staterror", "Gauss" | "Poisson":
            errors = needed_entry(data, "errors", f"the data of {where}, which has a staterror,")
            array(number, size=len(contents))(errors, f"errors of {where}")
            channel = str(distribution["name"])
            first = _listed(entry, "parameters")[:1]
            name = label if first == [f"{label}[0]"] else f"{label}_{channel}"
            read.statistics[name] = _listed(entry, "constraints")
            _own(entry, name, f"stat_{channel.removeprefix('model_')}", len(contents), read)
            return _held(name, "staterror" if constraint == "Gauss" else "poisson", errors, read)
        case "shapesys", "Gauss" | "Poisson":
            relative = needed_entry(needed_entry(entry, "data", told), "vals", told)
            array(number, size=len(contents))(relative, f"vals of the {told}")
            _check_widths(_listed(entry, "constraints"), relative, told, read)
            absolute = (np.asarray(relative, float) * np.asarray(contents)).tolist()
            if constraint == "Gauss" and label in read.components:
                raise ValueError(
                    f"the {told} has Gaussian constraints and acts on other samples, too; a workspace has such factors "
                    "for one sample alone, or of simulated statistics (staterror)"
                )
            name = _own(entry, label, label, len(contents), read)
            return _held(name, "shapesys" if constraint == "Poisson" else "staterror", absolute, read)
    raise ValueError(f"the {told} is a {kind!r} with the constraint {constraint!r}, which HistFactory does not have")


def _check_interpolation(entry: Mapping[str, Any], distribution: Mapping[str, Any], kind: str, told: str) -> None:
    """Refuse functions that are not those of a workspace."""
    content = entry.get("data")
    inner = content.get("interpolation") if isinstance(content, Mapping) else None
    given = entry.get("interpolation", inner)
    if given is None:
        given = distribution.get("default_interpolation")
    if given is not None and given not in _INTERPOLATION[kind]:
        raise ValueError(f"the {told} interpolates by {given!r}; only {_INTERPOLATION[kind][0]} is read")


def _constraint(entry: Mapping[str, Any], distribution: Mapping[str, Any], kind: str, told: str, read: Reading) -> str:
    """Return the kind of constraint; "named" is a Gaussian distribution of the document, "none" there being none."""
    own = [entry[key] for key in ("constraint_name", "constraint", "constraint_type") if entry.get(key) is not None]
    references = _listed(entry, "constraints")
    if kind in ("staterror", "shapesys", "shapefactor") and references:
        types = {read.auxiliary.get(name, {}).get("type") for name in references}
        read.named |= set(references)
        if kind != "shapefactor" and types in ({"poisson_dist"}, {"gaussian_dist"}):
            return "Poisson" if types == {"poisson_dist"} else "Gauss"
        raise ValueError(
            f"the {told} is constrained by {references}, of the types {sorted(map(str, types))}; all must be "
            "poisson_dist, or all gaussian_dist, of relative width as its data say"
        )
    if kind == "staterror" and not own:
        channel = _statistics(distribution)
        own = [channel.get("constraint_type", channel.get("constraint", "Poisson"))]
    if kind == "shapesys" and not own:
        own = ["Poisson"]
    for name in [*own, *references]:
        if name in read.auxiliary:
            if read.auxiliary[name].get("type") != "gaussian_dist":
                raise ValueError(
                    f"the {told} is constrained by {name!r}, a {read.auxiliary[name].get('type')!r}; only "
                    "gaussian_dist is read"
                )
            parameter = _parameter(entry, _label(entry) if kind == "normfactor" else f"alpha_{_label(entry)}")
            if parameter not in (read.auxiliary[name].get("x"), read.auxiliary[name].get("mean")):
                raise ValueError(f"the {told} is constrained by {name!r}, which is about other parameters")
            read.named.add(name)
            return "named"
    if own:
        return str(own[0])
    return "Gauss" if kind in _INTERPOLATION and "constraints" not in entry else "none"


def _check_widths(constraints: Sequence[str], relative: Any, told: str, read: Reading) -> None:
    """Refuse constraints of bins whose width, where it is a number, is not the relative one of the data."""
    if constraints and len(constraints) != len(relative):
        raise ValueError(f"the {told} has {len(constraints)} constraints for {len(relative)} bins")
    for name, expected in zip(constraints, relative, strict=bool(constraints)):
        is_poisson = read.auxiliary[name].get("type") == "poisson_dist"
        given = read.auxiliary[name].get("x" if is_poisson else "sigma")
        if isinstance(given, str):
            given = read.values.get(given, {}).get("value")
        if not isinstance(given, int | float) or not expected:
            continue
        # the effective number of events is one over the square of the relative width
        width = given**-0.5 if is_poisson and given > 0 else given
        if not np.isclose(width, expected, rtol=1e-3, atol=0):
            raise ValueError(
                f"the {told} is constrained by {name!r} of relative width {width:g}, and its data say {expected:g}; "
                "both must be the same"
            )


def _held(name: str, kind: str, uncertainties: Sequence[float], read: Reading) -> dict[str, Any]:
    """Return the modifier without uncertainty in bins that the document holds, unless it holds all."""
    entries = [read.values.get(component, {}) for component in read.components[name]]
    held = [bool(entry.get("const")) for entry in entries]
    if all(held):
        return {"name": name, "type": kind, "data": [float(error) for error in uncertainties]}
    for entry, is_held in zip(entries, held, strict=True):
        if is_held and entry.get("value", 1) != 1:
            raise ValueError(f"{entry['name']!r} is held at {entry['value']}; one bin of {name!r} can be held at 1")
    data = [0.0 if is_held else float(error) for error, is_held in zip(uncertainties, held, strict=True)]
    return {"name": name, "type": kind, "data": data}


def _sum_statistics(channel: dict[str, Any], threshold: float, read: Reading) -> None:
    """Hold bins below the threshold, and write Poisson constraints.

    One on one sample is a ``shapesys``, one on several the channel that measures it.
    """
    carriers: dict[str, list[tuple[list[float], dict[str, Any]]]] = {}
    for sample in channel["samples"]:
        for modifier in sample["modifiers"]:
            if modifier["name"] in read.statistics:
                carriers.setdefault(modifier["name"], []).append((sample["data"], modifier))
    for name, pairs in carriers.items():
        total = np.sum([contents for contents, _ in pairs], axis=0)
        variance = np.sum([np.square(modifier["data"]) for _, modifier in pairs], axis=0)
        variance = np.where(np.sqrt(variance) < threshold * total, 0, variance)
        for _, modifier in pairs:
            modifier["data"] = np.where(variance > 0, modifier["data"], 0).tolist()
        relative = np.sqrt(variance) / np.where(total > 0, total, 1)
        _check_widths(read.statistics[name], relative, f"staterror {name!r}", read)
        if {modifier["type"] for _, modifier in pairs} == {"staterror"}:
            continue
        if len(pairs) == 1:
            pairs[0][1]["type"] = "shapesys"
            continue
        if np.any((variance == 0) | (total <= 0)):
            raise ValueError(
                f"the simulated statistics {name!r} have a Poisson constraint over {len(pairs)} samples, which is read "
                f"where all bins have events and uncertainties; bins {np.flatnonzero((variance == 0) | (total <= 0))} "
                "do not, or are held"
            )
        for _, modifier in pairs:
            modifier |= {"type": "shapefactor", "data": None}
        effective = (total**2 / variance).tolist()
        factor = {"name": name, "type": "shapefactor", "data": None}
        simulated = {"name": "simulated", "data": effective, "modifiers": [factor]}
        read.channels[f"measurement of {name}"] = {"name": f"measurement of {name}", "samples": [simulated]}
        read.observations[f"measurement of {name}"] = effective


def _statistics(distribution: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a channel says of its simulated statistics."""
    found = distribution.get("staterror", {})
    _is_object(found, f"staterror of {distribution['name']!r}")
    return {**found}


def _label(entry: Mapping[str, Any]) -> str:
    """Return the name of a modifier, which the standard does not demand, or that of its first parameter."""
    given = entry.get("name", entry.get("parameter"))
    parameters = _listed(entry, "parameters")
    if given is None and not parameters:
        raise ValueError(
            f"a modifier must be an object with a 'name', a 'parameter' or 'parameters', got {dict(entry)}"
        )
    if given is not None:
        return str(given)
    return parameters[0]


def _parameter(entry: Mapping[str, Any], default: str) -> str:
    only = _listed(entry, "parameters")
    return str(entry.get("parameter", only[0] if len(only) == 1 else default))


def _own(entry: Mapping[str, Any], name: str, default: str, bins: int, read: Reading) -> str:
    """Return the name of a modifier with a parameter for each bin, having noted the names of these."""
    components = _listed(entry, "parameters") or [f"gamma_{default}_bin_{i}" for i in range(bins)]
    if len(components) != bins:
        raise ValueError(f"the modifier {name!r} has {len(components)} parameters for {bins} bins")
    if read.components.setdefault(name, components) != components:
        raise ValueError(
            f"modifiers named {name!r} have different parameters, {read.components[name]} and {components}"
        )
    return name


def _listed(entry: Mapping[str, Any], key: str) -> list[str]:
    return [str(each) for each in entry.get(key) or [] if each is not None]


def _is_object(value: Any, path: str) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{path} must be an object")


def has_name(value: Any, path: str) -> None:
    """Check that a value is an object with a name."""
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise ValueError(f"{path} must be an object with a 'name'")


def needed_entry(entry: Any, key: str, where: str) -> Any:
    """Return what an object has under a key."""
    if not isinstance(entry, Mapping) or key not in entry:
        raise ValueError(f"{where} needs {key!r}")
    return entry[key]


def number_of(entry: Any, key: str, where: str) -> float:
    """Return the number that an object has under a key."""
    value = needed_entry(entry, key, where)
    number(value, f"{key} of {where}")
    return float(value)


def contents_of(entry: Any, where: str) -> list[float]:
    """Return the contents of a histogram."""
    contents = needed_entry(entry, "contents", where)
    array(number)(contents, f"{where}.contents")
    return [float(x) for x in contents]
