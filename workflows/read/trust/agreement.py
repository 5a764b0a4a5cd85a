"""Inputs are believed when they agree: with the fileset, with what the files say of themselves, and with each other."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias

from ...errors import InputError, InputWarning
from ..sample import WEIGHT, Sample
from .totals import Totals

# what becomes of events with NaN or infinite values in the columns that stages read
NotFinite: TypeAlias = Literal["refuse", "drop", "keep"]
NOT_FINITE: tuple[NotFinite, ...] = ("refuse", "drop", "keep")
# a total of exactly 1 says that weights are normalised already, and is no sum
UNIT = 1.0
# relative; sums are quoted in rounded numbers
TOLERANCE = 1e-3


def check_totals(sample: Sample, totals: Totals, not_finite: NotFinite, *, complete: bool = True) -> None:
    """Raise an error when what was read of a sample contradicts what is said of it.

    ``not_finite`` is what becomes of events with NaN or infinite values, ``complete`` whether all files were read, and
    to their end. Raises `InputError`, with both numbers, when two files are copies of each other; for values that are
    NaN or infinite, unless they are dropped or kept, which warns; when more events were read than were generated,
    weights add up to more than ``sumw_total`` and none is negative, or the files say themselves that all generated
    events have another sum of weights.
    """
    check_copies(sample.files, [file.uuid for file in totals.files], f"sample {sample.name!r}")
    _check_finite(sample, totals, not_finite)
    if sample.luminosity is None:
        _check_sums(sample, totals)
        if complete:
            _check_generated(sample, totals)


def check_copies(files: Sequence[str], uuids: Iterable[str], what: str) -> None:
    """Raise an error when two files are copies of each other.

    ``uuids`` are what each calls itself, "" when it says nothing; the error names both files.
    """
    first: dict[str, str] = {}
    for file, uuid in zip(files, uuids, strict=True):
        if uuid and first.setdefault(uuid, file) != file:
            raise InputError(
                f"{what}: {file} is a copy of {first[uuid]} (both are the ROOT file {uuid}), so that its events would "
                "count twice; list it once"
            )


def _check_finite(sample: Sample, totals: Totals, policy: NotFinite) -> None:
    if not (found := totals.not_finite):
        return
    told = ", ".join(f"{number} of {column}" for column, number in sorted(found.items()))
    where = [file for file, each in zip(sample.files, totals.files, strict=True) if each.not_finite]
    more = f" and {len(where) - 1} more files" if len(where) > 1 else ""
    message = f"sample {sample.name!r}: values that are NaN or infinite: {told}, in {where[0]}{more}"
    if policy == "refuse":
        raise InputError(
            f"{message}. A comparison with NaN is never true, so cuts would drop such objects without a word. "
            'Correct the files, or say what is to become of such events: not_finite="drop" leaves them out, "keep" '
            "takes them as they are"
        )
    warnings.warn(
        f"{message}; {'these events are left out' if policy == 'drop' else 'they are kept'}", InputWarning, stacklevel=2
    )


def _check_signs(sample: Sample, read: float, events: int, negative: int) -> None:
    """Refuse weights of which none is positive: such a sample takes events away from the prediction, or adds none."""
    if sample.weight and events and (negative == events or (not negative and read == 0)):
        raise InputError(
            f"sample {sample.name!r}: all {events} weights ({sample.weight}) are {'negative' if negative else '0'}, so "
            f"that it would {'count against' if negative else 'add nothing to'} the prediction; correct the files, or "
            'name another column with "weight" in the fileset'
        )


def _check_sums(sample: Sample, totals: Totals) -> None:
    read, events = math.fsum(file.weights for file in totals.files), totals.events
    negative = sum(file.negative for file in totals.files)
    positive = not negative
    _check_signs(sample, read, events, negative)
    what = f"{events} events" if not sample.weight else f"weights ({sample.weight}) that add up to {read:g}"
    if sample.sum_of_weights not in (None, UNIT) and positive and _above(read, sample.sum_of_weights):
        key = "sumw_total" if sample.weight else "nevts_total"
        raise InputError(
            f"sample {sample.name!r}: its files hold {what}, more than the {sample.sum_of_weights:g} of all generated "
            f"events that {sample.source} says ({key}); correct that number, or the list of files"
        )
    if sample.generated_events is not None and _above(events, sample.generated_events):
        raise InputError(
            f"sample {sample.name!r}: its files hold {events} events, more than the {sample.generated_events:g} "
            f"generated ones that {sample.source} says (nevts_total); correct that number, or the list of files"
        )
    stated: list[tuple[str, Sequence[float | None], Callable[[int], float]]] = [
        ("nevts", sample.file_events, lambda i: totals.files[i].events),
        ("sumw", sample.file_weights if sample.weight else (), lambda i: totals.files[i].weights),
    ]
    for key, numbers, read_of in stated:
        for index, number in enumerate(numbers):
            if number is not None and not totals.files[index].negative and _above(read_of(index), number):
                raise InputError(
                    f"sample {sample.name!r}: {sample.files[index]} holds {read_of(index):g}, more than the {number:g} "
                    f"that {sample.source} says ({key}); correct that number"
                )


def _check_generated(sample: Sample, totals: Totals) -> None:
    generated = [file.generated for file in totals.files]
    known = [number for number in generated if number is not None]
    if sample.sum_of_weights in (None, UNIT) or sample.weight != WEIGHT or len(known) < len(generated):
        return
    told = math.fsum(known)
    if abs(told - sample.sum_of_weights) > TOLERANCE * abs(told):
        raise InputError(
            f"sample {sample.name!r}: {sample.source} says that the weights of all generated events add up to "
            f"{sample.sum_of_weights:g} (sumw_total), the files themselves say {told:g} (Runs/genEventSumw); correct "
            "that number or the list of files, or leave sumw_total out to take what the files say"
        )


def _above(read: float, stated: float) -> bool:
    return read > stated + TOLERANCE * abs(stated)
