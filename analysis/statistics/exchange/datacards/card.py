"""What a datacard of Combine says, without its histograms."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Column = tuple[str, str]  # a channel (Combine's "bin") and a process in it

_COUNTS = {"imax": "channels", "jmax": "processes, less one", "kmax": "uncertainties"}
NUISANCES = ("lnN", "shape", "shape?", "gmN")


@dataclasses.dataclass(frozen=True)
class Shapes:
    """Where histograms are: a line ``shapes process channel file nominal varied``; ``*`` stands for any.

    Attributes
    ----------
    process, channel
        What it is for.
    file
        Relative to the card; ``FAKE`` where only rates are given.
    nominal, varied
        Paths in the file, with ``$PROCESS``, ``$CHANNEL``, ``$SYSTEMATIC``, ``$MASS``.
    """

    process: str
    channel: str
    file: str
    nominal: str
    varied: str


@dataclasses.dataclass(frozen=True)
class Nuisance:
    """A row of the table of systematic uncertainties.

    Attributes
    ----------
    name
        Of the parameter.
    type
        ``lnN``, ``shape``, ``shape?`` or ``gmN``.
    effects
        By column, the text of the card; columns with ``-`` are left out.
    events
        Of the auxiliary measurement, of a ``gmN``.
    """

    name: str
    type: str
    effects: Mapping[Column, str]
    events: int = 0


@dataclasses.dataclass(frozen=True)
class RateParameter:
    """A free factor of some columns: ``name rateParam channel process value [lowest,highest]``.

    Attributes
    ----------
    name
        Of the parameter.
    channel, process
        Whose rates; with the wildcards of shells.
    value
        Where it starts.
    bounds
        None when the card has none.
    """

    name: str
    channel: str
    process: str
    value: float
    bounds: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class MCStatistics:
    """``channel autoMCStats threshold include-signal hist-mode``: the simulation's statistical uncertainty.

    Attributes
    ----------
    channel
        Or ``*``.
    threshold
        Effective number of events up to which a bin gets one parameter for each process, with a Poisson constraint.
    include_signal
        Whether signal counts when a bin is compared with the threshold.
    """

    channel: str
    threshold: float
    include_signal: bool


@dataclasses.dataclass(frozen=True)
class Datacard:
    """A datacard.

    Attributes
    ----------
    channels
        With the observed events; None where they are those of the histogram (-1 in the card).
    processes
        By name, its number: signal is 0 or negative.
    rates
        By column; None where it is the sum of the histogram (-1 in the card).
    shapes, nuisances, rate_parameters, mc_statistics
        In the order of the card.
    constraints
        By parameter, mean and width of a Gaussian auxiliary measurement: ``name param mean width``.
    notes
        Comments to write at the top.
    """

    channels: Mapping[str, float | None]
    processes: Mapping[str, int]
    rates: Mapping[Column, float | None]
    shapes: tuple[Shapes, ...] = ()
    nuisances: tuple[Nuisance, ...] = ()
    rate_parameters: tuple[RateParameter, ...] = ()
    mc_statistics: tuple[MCStatistics, ...] = ()
    constraints: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def shapes_of(self, channel: str, process: str) -> Shapes | None:
        """Return where the histograms of a column are: the most special line, or None.

        Parameters
        ----------
        channel, process
            The column.
        """
        for wanted in ((process, channel), ("*", channel), (process, "*"), ("*", "*")):
            for line in self.shapes:
                if (line.process, line.channel) == wanted:
                    return line
        return None


def parse_datacard(text: str) -> Datacard:
    """Return what a datacard says.

    Parameters
    ----------
    text
        The content of the file.

    Returns
    -------
    Datacard

    Raises
    ------
    ValueError
        With the number of the line that cannot be understood, or uses what is not supported: everything that is no
        HistFactory likelihood (RooFit workspaces, formulae, ``lnU``, ``nuisance edit``, ``extArg``, ...).

    References
    ----------
    CMS, The CMS statistical analysis and combination tool: Combine, arXiv:2404.06614.

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange import parse_datacard
    >>> card = parse_datacard('''
    ... imax 1
    ... bin         sr
    ... observation 7
    ... bin         sr   sr
    ... process     sig  bkg
    ... process     0    1
    ... rate        5.0  2.0
    ... xsec lnN    -    1.1
    ... ''')
    >>> card.channels, card.nuisances[0].effects
    ({'sr': 7.0}, {('sr', 'bkg'): '1.1'})
    """
    state = _State()
    for number, words in _lines(text):
        try:
            _take(state, words)
        except (ValueError, IndexError) as error:
            reason = str(error) if not isinstance(error, IndexError) else "there are words missing"
            raise ValueError(f"line {number} of the datacard, {' '.join(words)[:70]!r}: {reason}") from None
    return state.card()


@dataclasses.dataclass
class _State:
    """What was read so far."""

    table: dict[str, list[list[str]]] = dataclasses.field(default_factory=dict)
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    shapes: list[Shapes] = dataclasses.field(default_factory=list)
    nuisances: list[Nuisance] = dataclasses.field(default_factory=list)
    rate_parameters: list[RateParameter] = dataclasses.field(default_factory=list)
    mc_statistics: list[MCStatistics] = dataclasses.field(default_factory=list)
    constraints: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)

    @property
    def columns(self) -> list[Column]:
        bins, processes = self.table.get("bin", []), self.table.get("process", [])
        if len(bins) < 2 or not processes:
            raise ValueError("the rows 'bin' and 'process' of the table of rates have to come first")
        return list(zip(bins[1], self._names(), strict=True))

    def _names(self) -> list[str]:
        rows = self.table["process"]
        texts = [row for row in rows if not all(_is_integer(word) for word in row)] or rows[:1]
        return texts[0]

    def card(self) -> Datacard:
        for row, needed in (("bin", 2), ("observation", 1), ("process", 2), ("rate", 1)):
            found = len(self.table.get(row, []))
            if found != needed:
                raise ValueError(f"a datacard has {needed} rows {row!r}, this has {found}")
        channels, observed = self.table["bin"][0], self.table["observation"][0]
        numbers = next(row for row in self.table["process"] if row is not self._names())
        lengths = {"process": len(self._names()), "numbers": len(numbers), "rate": len(self.table["rate"][0])}
        if len(channels) != len(observed) or set(lengths.values()) != {len(self.table["bin"][1])}:
            raise ValueError(f"the rows of the datacard have different lengths: {lengths}, {len(channels)} channels")
        for what, given in (("channels are observed", channels), ("columns of the table of rates stand", self.columns)):
            if twice := _repeated(given):
                raise ValueError(f"these {what} twice: {twice}")
        if unknown := set(self.table["bin"][1]) - set(channels):
            raise ValueError(f"the table of rates has the channels {sorted(unknown)}, which nothing was observed in")
        signs = dict.fromkeys((process, int(n) <= 0) for process, n in zip(self._names(), numbers, strict=True))
        if both := _repeated([process for process, _ in signs]):
            raise ValueError(
                f"these processes are signal (0 or negative) in some columns and background in others: {both}"
            )
        self._check_counts(channels)
        return Datacard(
            channels={name: _given(word) for name, word in zip(channels, observed, strict=True)},
            processes=dict(zip(self._names(), map(int, numbers), strict=True)),
            rates=dict(zip(self.columns, map(_given, self.table["rate"][0]), strict=True)),
            shapes=tuple(self.shapes),
            nuisances=tuple(self.nuisances),
            rate_parameters=tuple(self.rate_parameters),
            mc_statistics=tuple(self.mc_statistics),
            constraints=self.constraints,
        )

    def _check_counts(self, channels: list[str]) -> None:
        """Raise for a card that was cut off, or put together wrongly: the top of it says other numbers."""
        found = {
            "imax": len(channels),
            "jmax": len(set(self._names())) - 1,
            "kmax": len(self.nuisances) + len(self.constraints),
        }
        for name, number in self.counts.items():
            if number != found[name]:
                raise ValueError(f"{name} is {number}, but the card has {found[name]} {_COUNTS[name]}; * counts them")


def _repeated(given: Sequence[Any]) -> list[Any]:
    return [each for each, number in Counter(given).items() if number > 1]


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield number and words of the lines that say something."""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words and not words[0].startswith("--"):
            yield number, words


def _take(state: _State, words: list[str]) -> None:
    first, *rest = words
    if first in _COUNTS:
        if rest[0] != "*":
            state.counts[first] = int(rest[0])
        return
    if first in ("bin", "observation", "process", "rate"):
        if first == "rate":
            _numbers(rest)
        state.table.setdefault(first, []).append(rest)
    elif first.lower() == "shapes":
        if ":" in rest[3] if len(rest) > 3 else False:
            raise ValueError("shapes in a RooFit workspace are not supported: only histograms")
        if any((line.process, line.channel) == (rest[0], rest[1]) for line in state.shapes):
            raise ValueError(f"there is another line for the process {rest[0]!r} and the channel {rest[1]!r}")
        state.shapes.append(Shapes(rest[0], rest[1], rest[2], *([*rest[3:5], "", ""][:2])))
    elif len(rest) > 1 and rest[0] == "group":
        return  # which uncertainties are told together: no part of the likelihood
    elif rest[0] == "autoMCStats":
        numbers = _numbers(rest[1:])
        state.mc_statistics.append(MCStatistics(first, numbers[0], len(numbers) > 1 and numbers[1] > 0))
    elif rest[0] == "rateParam":
        state.rate_parameters.append(_rate_parameter(first, rest[1:]))
    elif rest[0] == "param":
        if "/" in rest[2]:
            raise ValueError("an asymmetric param is not supported")
        state.constraints[first] = float(rest[1]), float(rest[2])
    elif rest[0] in NUISANCES:
        state.nuisances.append(_nuisance(state, first, rest))
    else:
        raise ValueError(f"{rest[0]!r} is not supported; uncertainties are {', '.join(NUISANCES)}, rateParam, param")


def _rate_parameter(name: str, rest: list[str]) -> RateParameter:
    channel, process, value, *more = rest
    try:
        start = float(value)
    except ValueError:
        raise ValueError(f"a rateParam needs a number, formulae are not supported; got {value!r}") from None
    if not more:
        return RateParameter(name, channel, process, start)
    try:
        low, high = map(float, "".join(more).strip("[]").split(","))
    except ValueError:
        raise ValueError(f"the range of a rateParam is [lowest,highest], got {' '.join(more)!r}") from None
    return RateParameter(name, channel, process, start, (low, high))


def _nuisance(state: _State, name: str, rest: list[str]) -> Nuisance:
    kind, *effects = rest
    events = 0
    if kind == "gmN":
        events, effects = int(effects[0]), effects[1:]
    columns = state.columns
    if len(effects) != len(columns):
        raise ValueError(f"there are {len(columns)} columns, but {len(effects)} effects")
    if any(name == other.name for other in state.nuisances):
        raise ValueError(f"there is another uncertainty {name!r}")
    kept = {column: effect for column, effect in zip(columns, effects, strict=True) if effect not in ("-", "0")}
    for effect in kept.values():
        if any(number <= 0 for number in _numbers(effect.split("/"))):
            raise ValueError(f"effects are positive factors, got {effect!r}")
    return Nuisance(name, kind, kept, events)


def _numbers(words: list[str]) -> list[float]:
    return [float(word) for word in words]


def _given(word: str) -> float | None:
    return None if float(word) < 0 else float(word)


def _is_integer(word: str) -> bool:
    return word.lstrip("+-").isdecimal()
