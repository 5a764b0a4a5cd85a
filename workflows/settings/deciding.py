"""What determines the numbers of a run: compared when an interrupted run goes on, and written into ``run.json``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jax.numpy as jnp

from hepgrad.analysis import default_block_size
from hepgrad.analysis.optimisation import fingerprint
from hepgrad.analysis.optimisation.fingerprints import description

from ..cache.key import digest
from ..messages.redaction import redacted
from ..read import Fileset, Layout
from ..read.process import Process
from ..read.sample import Sample
from ..workflow import Workflow
from .ranges import RANGES

# what ``run.json`` calls numbers of a workflow whose unit it says, or that belong to the optimiser
NAMES = {"luminosity": "luminosity_per_pb", "energy": "energy_tev"}
OF_THE_OPTIMISER = ("learning_rate", "weight_decay")


HALVES = "in each sample, events with an even index train and those with an odd one are held out"
FOLDED = "a hash of its number decides which fold an event is in, whose cuts are found on the events of all others"


def settings(workflow: Workflow, fileset: Fileset) -> dict[str, Any]:
    """Return what determines the numbers of a run, as JSON can hold it.

    Everything that a `Workflow` says is in it but words and colours.
    """
    numbers = {name: getattr(workflow, name) for name in RANGES}
    return {
        "workflow": workflow.name,
        "data": fileset.source.parent.name,
        **{NAMES.get(name, name): value for name, value in numbers.items() if name not in OF_THE_OPTIMISER},
        "optimizer": {
            "name": "adamw" if workflow.weight_decay else "adam",
            **{name: numbers[name] for name in OF_THE_OPTIMISER},
        },
        "block_size": workflow.block_size or default_block_size(),
        "anneal": dataclasses.asdict(workflow.anneal),
        "processes": {process.name: _process(process, fileset) for process in workflow.processes},
        "source": {} if workflow.source is None else workflow.source.settings(),
        "tree": workflow.tree,
        "layout": _layout(workflow.layout),
        "layouts": {sample: _layout(layout) for sample, layout in workflow.layouts.items()},
        # a skim may say itself what decides which events it keeps
        **_eras(workflow),
        "skim": digest(getattr(workflow.skim, "key", None) or description(workflow.skim)),
        "not_finite": workflow.not_finite,
        "split": HALVES if workflow.folds == 1 else FOLDED,
        **({"shared": list(workflow.shared)} if workflow.shared else {}),
        **fingerprint(workflow.analysis, workflow.parameters),
        "start": workflow.parameters.to_dict(),
        "precision": {"events": "that of the files", "statistics": jnp.result_type(float).name},
    }


def _layout(layout: Layout) -> Any:
    return description(dataclasses.asdict(layout))


def _process(process: Process, fileset: Fileset) -> dict[str, Any]:
    estimate = {} if process.estimate is None else {"estimate": description(process.estimate)}
    return {
        **estimate,
        "signal": process.signal,
        "cross_section_of": process.cross_section_of,
        "datasets": {name: _sample(sample) for name, sample in process.samples(fileset).items()},
    }


def _eras(workflow: Workflow) -> dict[str, Any]:
    return {"eras": description(dict(workflow.eras))} if workflow.eras else {}


def _friends(sample: Sample) -> dict[str, Any]:
    names = [[Path(redacted(friend)).name for friend in each] for each in sample.friends]
    return {"friends": names} if names else {}


def _sample(sample: Sample) -> dict[str, Any]:
    return {
        "files": [Path(redacted(file)).name for file in sample.files],
        **_friends(sample),
        "xsec_pb": sample.cross_section,
        "sumw_total": sample.sum_of_weights,
        "lumi_pb": sample.luminosity,
        "weight": sample.weight,
        # what the functions are would tell paths
        "keep": digest(description(sample.keep)),
    }
