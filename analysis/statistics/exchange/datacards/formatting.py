"""A datacard as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .card import Datacard

_RULE = "-" * 80


def format_datacard(card: Datacard) -> str:
    r"""Return the text of a datacard; `parse_datacard` reads it.

    Parameters
    ----------
    card
        What it says.

    Returns
    -------
    str

    Examples
    --------
    >>> from hepgrad.analysis.statistics.exchange import format_datacard, parse_datacard
    >>> text = "bin a\nobservation 3\nbin a a\nprocess s b\nprocess 0 1\nrate 1 2\nlumi lnN 1.1 1.1\n"
    >>> parse_datacard(format_datacard(parse_datacard(text))) == parse_datacard(text)
    True
    """
    columns = list(card.rates)
    rows = [
        ["bin", "", *(channel for channel, _ in columns)],
        ["process", "", *(process for _, process in columns)],
        ["process", "", *(str(card.processes[process]) for _, process in columns)],
        ["rate", "", *(_told(card.rates[column]) for column in columns)],
    ]
    effects = [
        [n.name, f"{n.type} {n.events}" if n.type == "gmN" else n.type, *(n.effects.get(c, "-") for c in columns)]
        for n in card.nuisances
    ]
    table = _aligned([*rows, *effects])
    shapes = [["shapes", line.process, line.channel, line.file, line.nominal, line.varied] for line in card.shapes]
    observed = [["bin", *card.channels], ["observation", *map(_told, card.channels.values())]]
    return "\n".join(
        [
            *(f"# {note}" for note in card.notes),
            f"imax {len(card.channels)} number of channels",
            f"jmax {len(card.processes) - 1} number of processes less one",
            "kmax * number of nuisance parameters",
            _RULE,
            *_aligned(shapes),
            *([_RULE] if shapes else []),
            *_aligned(observed),
            _RULE,
            *table[: len(rows)],
            _RULE,
            *table[len(rows) :],
            *_parameters(card),
            "",
        ]
    )


def _parameters(card: Datacard) -> Iterable[str]:
    for p in card.rate_parameters:
        bounds = "" if p.bounds is None else f" [{p.bounds[0]!r},{p.bounds[1]!r}]"
        yield f"{p.name} rateParam {p.channel} {p.process} {p.value!r}{bounds}"
    for name, (mean, width) in card.constraints.items():
        yield f"{name} param {mean!r} {width!r}"
    for entry in card.mc_statistics:
        yield f"{entry.channel} autoMCStats {entry.threshold:.0f} {int(entry.include_signal)} 1"


def _told(number: float | None) -> str:
    return "-1" if number is None else f"{number!r}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
