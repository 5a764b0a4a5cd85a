"""Processes of which some are estimated from data: their samples, and the events that are left for the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from ...errors import InputError
from ..fileset import Fileset
from ..ingredient import Ingredient, Ingredients, simulated
from ..layout import Layout
from ..process import Process
from ..sample import Keep, Reweight, Sample


def with_datasets(processes: Sequence[Process], observed: Sequence[Process]) -> tuple[Process, ...]:
    """Return processes of which those that are estimated know their samples: the data, and what is taken off them.

    Raises a `ValueError` when there are no data, or a process is to be taken off that there is not.
    """
    if not any(process.estimate for process in processes):
        return tuple(processes)
    names = [process.name for process in processes if process.estimate is None]
    found = []
    for process in processes:
        if process.estimate is None:
            found.append(process)
            continue
        if not observed:
            raise ValueError(
                f"process {process.name!r} is estimated from data, and there are none; add them, as in "
                'Process("data", observed=True)'
            )
        for name in process.estimate.subtract or ():
            if name not in names:
                raise ValueError(
                    f"process {process.name!r}: there is no simulated process {name!r} to take off the data; there are "
                    f"{', '.join(map(repr, names))}"
                )
        parts = [*observed, *_subtracted(process, processes)]
        datasets = tuple(dict.fromkeys(name for part in parts for name in part.datasets))
        found.append(dataclasses.replace(process, datasets=datasets))
    return tuple(found)


def conditions(processes: Sequence[Process]) -> tuple[tuple[Keep, ...], tuple[str, ...]]:
    """Return which events are left for the selection where some processes are estimated, and the columns it takes."""
    estimates = [process.estimate for process in processes if process.estimate is not None]
    reads = tuple(dict.fromkeys(column for estimate in estimates for column in estimate.reads))
    return tuple(estimate.others() for estimate in estimates), reads


def with_estimates(
    processes: Sequence[Process],
    observed: Sequence[Process],
    fileset: Fileset,
    luminosity: float,
    templates: Collection[str] = (),
) -> Ingredients:
    """Return what processes are made of, those that are estimated among them.

    Parameters are as for `simulated`; ``observed`` are the data, and ``templates`` are processes that are nothing but
    templates of other ones. Raises `InputError` as `simulated` does.
    """
    found = dict(simulated([process for process in processes if process.estimate is None], fileset, luminosity))
    keep, reads = conditions(processes)
    for process in processes:
        estimate = process.estimate
        if estimate is None:
            continue
        of_others = [other.estimate.others() for other in processes if other.estimate not in (None, estimate)]
        factor = estimate.factor()
        number, reweight = (1.0, factor) if callable(factor) else (factor, None)
        found[process.name] = [
            Ingredient(_part(sample, (estimate.own(), *of_others), reads, reweight), number * counts)
            for counts, sample in parts_of(process, processes, observed, fileset, found, templates)
        ]
    for process in processes:
        if process.estimate is None and keep:
            parts = [(each.sample, each.factor) for each in found[process.name]]
            found[process.name] = [Ingredient(_part(sample, keep, reads), counts) for sample, counts in parts]
    return {process.name: found[process.name] for process in processes}


def measured(
    processes: Sequence[Process],
    observed: Sequence[Process],
    fileset: Fileset,
    luminosity: float,
    *,
    tree: str,
    layout: Layout,
    templates: Collection[str] = (),
) -> tuple[Process, ...]:
    """Return processes whose estimates know what is measured in data.

    Parameters are as for `with_estimates`, and ``tree`` and ``layout`` as for `hepgrad.workflows.load`. Raises
    `InputError` when something cannot be measured.
    """
    simulation = simulated([process for process in processes if process.estimate is None], fileset, luminosity)
    found = []
    for process in processes:
        if (estimate := process.estimate) is not None:
            parts = parts_of(process, processes, observed, fileset, simulation, templates)
            estimate = estimate.measured(process.name, parts, tree=tree, layout=layout)
            process = dataclasses.replace(process, estimate=estimate)
        found.append(process)
    return tuple(found)


def told(processes: Sequence[Process]) -> list[str]:
    """Return one sentence for each process that is estimated from data."""
    return [
        f"{process.name} is estimated from data: {process.estimate.told()}"
        for process in processes
        if process.estimate is not None
    ]


def parts_of(
    process: Process,
    processes: Sequence[Process],
    observed: Sequence[Process],
    fileset: Fileset,
    simulation: Ingredients,
    templates: Collection[str] = (),
) -> list[tuple[float, Sample]]:
    """Return the samples of an estimate, and what a unit of their weights counts for before any factor of its own."""
    data = [sample for each in observed for sample in each.samples(fileset).values()]
    # data count as they are, whatever the fileset says of their luminosity
    parts = [(1.0, dataclasses.replace(sample, weight="", luminosity=1.0)) for sample in data]
    for other in _subtracted(process, processes):
        if other.name not in templates:
            parts += [(-each.factor, each.sample) for each in simulation[other.name]]
    if not parts:
        raise InputError(f"process {process.name!r} is estimated from data, and there are none")
    return parts


def _subtracted(process: Process, processes: Sequence[Process]) -> list[Process]:
    """Return the simulated processes that are taken off the data."""
    assert process.estimate is not None
    wanted = process.estimate.subtract
    simulation = [other for other in processes if other.estimate is None]
    if wanted is None:
        return [other for other in simulation if not other.signal]
    return [other for other in simulation if other.name in wanted]


def _part(sample: Sample, keep: Sequence[Keep], reads: Sequence[str], reweight: Reweight | None = None) -> Sample:
    columns = tuple(dict.fromkeys([*sample.reads, *reads]))
    return dataclasses.replace(sample, keep=(*sample.keep, *keep), reads=columns, reweight=reweight or sample.reweight)
