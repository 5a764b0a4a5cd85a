"""Samples and their extensions: more events of the same simulation, under a name of their own."""

from __future__ import annotations

import dataclasses

from ...errors import InputError
from ..files.paths import check_distinct
from ..sample import Sample


def together(sample: Sample, extension: Sample) -> Sample:
    """Return a sample and its extension as one, with the sums of both.

    Raises `InputError` when they have different weights or cross-sections, only one says how much was generated, or
    they share a file.
    """
    where = f"{sample.source}: sample {extension.name!r} extends {sample.name!r}"
    if extension.cross_section not in (None, sample.cross_section):
        raise InputError(
            f"{where}, which has {sample.cross_section} pb, and it has {extension.cross_section} pb; both are the same "
            "simulation"
        )
    if extension.weight != sample.weight:
        raise InputError(
            f"{where}, whose weights are {sample.weight or 'all the same'}, and its own are "
            f"{extension.weight or 'all the same'}; both need the same key: sumw_total, or nevts_total"
        )
    for name, key in (("sum_of_weights", "sumw_total or nevts_total"), ("luminosity", "lumi_pb")):
        if (getattr(sample, name) is None) != (getattr(extension, name) is None):
            raise InputError(f"{where}, and only one of them has {key}; both need it, or none")
    files = (*sample.files, *extension.files)
    check_distinct(files, where)
    shares = None
    if sample.shares is not None and extension.shares is not None:
        shares = (*sample.shares, *extension.shares)
    friends: tuple[tuple[str, ...], ...] = ()
    if sample.friends or extension.friends:
        friends = tuple(each for part in (sample, extension) for each in part.friends or ((),) * len(part.files))
    return dataclasses.replace(
        sample,
        files=files,
        sum_of_weights=_sum(sample.sum_of_weights, extension.sum_of_weights),
        generated_events=_sum(sample.generated_events, extension.generated_events),
        luminosity=_sum(sample.luminosity, extension.luminosity),
        shares=shares,
        friends=friends,
        file_events=_joined(sample.file_events, extension.file_events),
        file_weights=_joined(sample.file_weights, extension.file_weights),
    )


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _joined(one: tuple[float | None, ...], other: tuple[float | None, ...]) -> tuple[float | None, ...]:
    return (*one, *other) if one and other else ()
