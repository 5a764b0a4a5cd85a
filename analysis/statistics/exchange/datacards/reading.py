r"""Datacards as workspaces: the likelihood that Combine builds, in terms of HistFactory.

What Combine does differently from HistFactory, and how it is expressed:

- A ``shape`` is a change of the normalisation, :math:`\exp(\theta \, \kappa(\theta))`, times one of the shape, which is
  linear with a smoothed kink: a ``normsys`` (code ``combine``) and a ``histosys`` (code ``code4p``) of one parameter.
- ``lnN`` is an exponential: a ``normsys`` with the code ``combine``.
- ``autoMCStats`` above the threshold adds :math:`x \sqrt{\sum_p (c_p e_p)^2}` to a bin, with one Gaussian x, the
  uncertainties :math:`e_p` of the processes, and the factors :math:`c_p` that scale them, the signal strength among
  them. A ``staterror`` of HistFactory multiplies the bin by a gamma whose width is that at the start of the fit. Far
  from there the two differ: a signal scaled down takes its statistical uncertainty along in Combine only. Gaussian
  terms for each process, :math:`\sum_p x_p c_p e_p`, have for a given sum the smallest penalty
  :math:`(\text{sum})^2 / \sum_p (c_p e_p)^2`: exactly Combine's, whatever the other parameters are. So one ``histosys``
  for each process and bin has Combine's profile likelihood.
- Below the threshold every process has a Poisson constraint, with a whole number of effective events: a ``shapesys``.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from .card import Column, Datacard, Nuisance, RateParameter
from .statistics import mc_modifiers

Interpretation = Literal["combine", "histfactory"]
SIGNAL_STRENGTH = "r"
_DATA = "data_obs"
# settings of the likelihood beside the workspace, by interpretation
CODES = {
    "combine": {"normsys_code": "combine", "histosys_code": "code4p"},
    "histfactory": {"normsys_code": "code4", "histosys_code": "code4p"},
}


class Histogram(NamedTuple):
    """Bins of a histogram, without under- and overflow.

    Attributes
    ----------
    values
        Shape (bins,).
    variances
        Shape (bins,).
    """

    values: np.ndarray
    variances: np.ndarray


# from file and path to histogram, or None where there is none
Find = Callable[[str, str], Histogram | None]


def from_datacard(
    card: Datacard, find: Find, *, interpretation: Interpretation = "combine", mass: str = "120"
) -> tuple[dict[str, Any], dict[str, str]]:
    r"""Return the workspace of a datacard, and the interpolation that goes with it.

    Under- and overflow are no part of the fit, as in Combine. Where nothing is expected Combine puts 1e-9 events into a
    bin; HistFactory leaves it empty, and events that are observed there make the likelihood zero.

    Parameters
    ----------
    card
        What the card says.
    find
        From a file (relative to the card) and a path in it to a histogram, or None.
    interpretation
        ``"combine"``: the likelihood that Combine builds. ``"histfactory"``: that of the workspace which `to_datacard`
        wrote the card from; ``lnN`` is ``normsys``, ``shape`` is ``histosys``, ``autoMCStats`` is ``staterror``.
    mass
        What ``$MASS`` stands for in the paths of signal histograms.

    Returns
    -------
    workspace : dict
        In pyhf's format; the signal strength is ``r``.
    codes : dict
        Arguments ``normsys_code`` and ``histosys_code`` of `from_workspace`.

    Raises
    ------
    ValueError
        When a histogram is missing or has other bins than the rest of its channel, a rate contradicts its histogram, or
        an effect cannot be expressed.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange import from_datacard, parse_datacard
    >>> card = parse_datacard("bin a\nobservation 3\nbin a a\nprocess s b\nprocess 0 1\nrate 1 2\nx lnN 1.1 -\n")
    >>> workspace, codes = from_datacard(card, lambda file, path: None)
    >>> workspace["channels"][0]["samples"][0]
    {'name': 's', 'data': [1.0], 'modifiers': [{'name': 'r', 'type': 'normfactor', 'data': None}, {'name': 'x', ...}]}
    """
    _check_names(card)
    histograms = {column: _nominal(card, column, find, mass) for column in card.rates}
    channels, observations = [], []
    for channel, count in card.channels.items():
        mine = {process: histograms[c, process] for c, process in card.rates if c == channel}
        if not mine:
            raise ValueError(f"the channel {channel!r} has no process")
        sizes = {process: len(histogram.values) for process, histogram in mine.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"the histograms of the channel {channel!r} have different numbers of bins: {sizes}")
        samples = [
            {
                "name": process,
                "data": histogram.values.tolist(),
                "modifiers": _modifiers(card, (channel, process), histogram, find, interpretation, mass),
            }
            for process, histogram in mine.items()
        ]
        for process, extra in mc_modifiers(card, channel, mine, interpretation).items():
            next(sample for sample in samples if sample["name"] == process)["modifiers"] += extra
        channels.append({"name": channel, "samples": samples})
        observed = _observed(card, channel, count, find)
        if len(observed) != next(iter(sizes.values())):
            raise ValueError(f"{_DATA} of the channel {channel!r} has {len(observed)} bins, its processes {sizes}")
        observations.append({"name": channel, "data": observed})
    config = {"poi": SIGNAL_STRENGTH, "parameters": _settings(card, channels, interpretation)}
    workspace = {
        "channels": channels,
        "observations": observations,
        "measurements": [{"name": "combine", "config": config}],
        "version": "1.0.0",
    }
    return workspace, dict(CODES[interpretation])


def _check_names(card: Datacard) -> None:
    """Raise for lines that act on nothing, which are misspelt."""
    for parameter in card.rate_parameters:
        if not any(_acts(parameter, column) for column in card.rates):
            where = f"the process {parameter.process!r} in the channel {parameter.channel!r}"
            raise ValueError(f"the rateParam {parameter.name!r} acts on {where}, which the card does not have")
    for entry in card.mc_statistics:
        if not fnmatch.filter(card.channels, entry.channel):
            raise ValueError(f"autoMCStats is for the channel {entry.channel!r}; the card has {list(card.channels)}")


def _acts(parameter: RateParameter, column: Column) -> bool:
    channel, process = column
    return fnmatch.fnmatchcase(channel, parameter.channel) and fnmatch.fnmatchcase(process, parameter.process)


def _nominal(card: Datacard, column: Column, find: Find, mass: str) -> Histogram:
    channel, process = column
    line, rate = card.shapes_of(channel, process), card.rates[column]
    if line is None or line.file == "FAKE":
        if rate is None:
            raise ValueError(f"the process {process!r} of the channel {channel!r} has neither a rate nor a histogram")
        return Histogram(np.array([rate]), np.zeros(1))
    path = _path(line.nominal, channel, process, mass)
    histogram = _found(find, line.file, path, f"process {process!r} of the channel {channel!r}")
    total = float(histogram.values.sum())
    if rate is not None and not np.isclose(rate, total, rtol=1e-3, atol=1e-6):
        raise ValueError(f"the rate of {process!r} in {channel!r} is {rate}, but its histogram has {total:g} events")
    return histogram


def _observed(card: Datacard, channel: str, count: float | None, find: Find) -> list[float]:
    line = card.shapes_of(channel, _DATA)
    if line is None or line.file == "FAKE":
        if count is None:
            raise ValueError(f"the channel {channel!r} has neither an observation nor a histogram of the data")
        return [count]
    path = _path(line.nominal, channel, _DATA, "")
    values = _found(find, line.file, path, f"data of the channel {channel!r}").values
    if count is not None and not np.isclose(count, values.sum(), rtol=1e-6):
        raise ValueError(f"the observation of {channel!r} is {count}, but its histogram has {values.sum():g} events")
    return list(values.tolist())


def _modifiers(
    card: Datacard, column: Column, histogram: Histogram, find: Find, interpretation: str, mass: str
) -> list[dict[str, Any]]:
    modifiers: list[dict[str, Any]] = []
    if card.processes[column[1]] <= 0:
        modifiers.append({"name": SIGNAL_STRENGTH, "type": "normfactor", "data": None})
    for parameter in card.rate_parameters:
        if _acts(parameter, column):
            kind = "lumi" if parameter.name in card.constraints else "normfactor"
            modifiers.append({"name": parameter.name, "type": kind, "data": None})
    for nuisance in card.nuisances:
        if column in nuisance.effects:
            modifiers += _effect(card, nuisance, column, histogram, find, interpretation, mass)
    return modifiers


def _effect(
    card: Datacard,
    nuisance: Nuisance,
    column: Column,
    histogram: Histogram,
    find: Find,
    interpretation: str,
    mass: str,
) -> list[dict[str, Any]]:
    where = f"{nuisance.name!r} of {column[1]!r} in {column[0]!r}"
    effect = nuisance.effects[column]
    line = card.shapes_of(*column)
    if nuisance.type == "gmN":
        return _gamma(card, nuisance, histogram, where)
    varied: list[Histogram | None] = [None, None]
    if nuisance.type in ("shape", "shape?") and line is not None and line.varied:
        path = _path(line.varied, *column, mass).replace("$SYSTEMATIC", nuisance.name)
        varied = [find(line.file, f"{path}{direction}") for direction in ("Up", "Down")]
    up, down = varied
    if up is None or down is None:
        if nuisance.type == "shape" or up is not down:
            raise ValueError(f"the shape {where} has no histograms of its variations")
        low, _, high = effect.rpartition("/")
        hi = float(high)
        return [_normsys(nuisance.name, hi, float(low) if low else 1 / hi)]
    if nuisance.type == "shape" and float(effect) != 1:
        raise ValueError(f"the shape {where} has the effect {effect}; only variations by 1 standard deviation are read")
    if any(len(each.values) != len(histogram.values) for each in (up, down)):
        raise ValueError(f"the variations {where} have other bins than the nominal histogram")
    if interpretation == "histfactory":
        return [_histosys(nuisance.name, up.values, down.values)]
    total = float(histogram.values.sum())
    if total <= 0:
        return []  # nothing to vary: Combine leaves the process out
    factors = [float(each.values.sum()) / total for each in (up, down)]
    if min(factors) <= 0:
        raise ValueError(f"the variations {where} leave no events, which Combine does not allow either")
    shapes = [each.values / factor for each, factor in zip((up, down), factors, strict=True)]
    modifiers = []
    if not np.allclose(factors, 1, rtol=1e-12, atol=0):
        modifiers.append(_normsys(nuisance.name, *factors))
    if not all(np.allclose(shape, histogram.values, rtol=1e-12, atol=1e-12 * total) for shape in shapes):
        modifiers.append(_histosys(nuisance.name, *shapes))
    # without any effect the parameter would be missing, and with it its name
    return modifiers or [_normsys(nuisance.name, 1.0, 1.0)]


def _gamma(card: Datacard, nuisance: Nuisance, histogram: Histogram, where: str) -> list[dict[str, Any]]:
    if len(histogram.values) > 1 or len(nuisance.effects) > 1 or nuisance.events < 1:
        raise ValueError(f"the gmN {where} acts on several bins or processes, or on no event, which is not supported")
    uncertainty = float(histogram.values[0]) / nuisance.events**0.5
    return [{"name": nuisance.name, "type": "shapesys", "data": [uncertainty]}]


def _settings(card: Datacard, channels: list[dict[str, Any]], interpretation: str) -> list[dict[str, Any]]:
    """Return the settings of the parameters that differ from HistFactory's defaults."""
    used = {m["name"]: m["type"] for c in channels for s in c["samples"] for m in s["modifiers"]}
    if SIGNAL_STRENGTH not in used:
        raise ValueError("the datacard has no signal: the number of one process has to be 0 or negative")
    settings: dict[str, dict[str, Any]] = {SIGNAL_STRENGTH: {"bounds": [[0.0, 20.0]]}}
    for parameter in card.rate_parameters:
        entry: dict[str, Any] = {"inits": [parameter.value]}
        if parameter.bounds is not None:
            entry["bounds"] = [list(parameter.bounds)]
        settings.setdefault(parameter.name, {}).update(entry)
    for name, (mean, width) in card.constraints.items():
        settings.setdefault(name, {}).update({"auxdata": [mean], "sigmas": [width]})
    if interpretation == "combine":  # where Combine lets nuisance parameters go
        for name, kind in used.items():
            if kind in ("normsys", "histosys"):
                settings.setdefault(name, {}).update({"bounds": [[-7.0, 7.0]]})
    return [{"name": name, **entry} for name, entry in settings.items() if name in used]


def _normsys(name: str, hi: float, lo: float) -> dict[str, Any]:
    return {"name": name, "type": "normsys", "data": {"hi": hi, "lo": lo}}


def _histosys(name: str, hi: np.ndarray, lo: np.ndarray) -> dict[str, Any]:
    return {"name": name, "type": "histosys", "data": {"hi_data": hi.tolist(), "lo_data": lo.tolist()}}


def _path(pattern: str, channel: str, process: str, mass: str) -> str:
    return pattern.replace("$CHANNEL", channel).replace("$PROCESS", process).replace("$MASS", mass)


def _found(find: Find, file: str, path: str, what: str) -> Histogram:
    if (histogram := find(file, path)) is None:
        raise ValueError(f"there is no histogram {path} in {file}, for the {what}")
    return histogram
