"""Writing the script: the stages as they are, the cut values, and the little that stages need from hepgrad."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad.analysis import Channel, Edges, Parameters, Regular, Weights
from hepgrad.analysis.parameters.choice import Choice
from hepgrad.analysis.stages.needs import needed_branches

from ..errors import InputError
from ..messages.redaction import redacted
from ..read import Fileset, Ingredients, Layout, LumiMask, Sample
from ..read.collect import EVENT
from ..read.files.links import with_keys
from ..read.files.paths import is_remote
from ..workflow import Workflow
from .definitions import definitions
from .names import Names
from .renaming import renamed
from .text import Piece, assigned, comment, docstring, is_name, literal, together, unique

SCRIPT = "selection.py"
FOLDS_REMARK = "cross-fitted: the cuts of each fold, found without its events; fold_numbers tells the fold of an event"


def selection_script(workflow: Workflow, parameters: Parameters | Sequence[Parameters], fileset: Fileset) -> str:
    """Return a Python script that selects and fills what the analysis does with hard cuts, without hepgrad.

    It needs Awkward Array, uproot and hist. The functions of the stages stand there as they were written, those in the
    box as functions of the same meaning; systematic variations are left out, and so is the skim, which drops nothing
    that could pass. ``python SCRIPT DATA`` prints the yields; `histograms` of the script returns histograms.

    Parameters
    ----------
    workflow
        Its stages must be those in the box (see `boxed_stage`), or functions that use what Awkward Array has under the
        same name, selections, counts, sums, extremes, n-th objects, overlap removal, regions, and four-momenta.
    parameters
        The cut values; several of them are those of the folds of a cross-fit, and the script applies to every event,
        simulated or observed, those of the fold that its number says.
    fileset
        Which files make up which sample, and their normalisation.

    Raises
    ------
    InputError
        When a stage uses something else; names it.
    """
    every = [parameters] if isinstance(parameters, Parameters) else list(parameters)
    everything = workflow.ingredients(fileset)
    recipe = {process.name: everything[process.name] for process in workflow.predicted}
    samples = [ingredient.sample for ingredients in recipe.values() for ingredient in ingredients]
    functions = list(dict.fromkeys(function for sample in samples for function in _functions(sample)))
    if masks := [sample.name for sample in samples if any(isinstance(keep, LumiMask) for keep in sample.keep)]:
        raise InputError(f"sample {masks[0]!r} cannot be exported: it is a prediction with a mask of luminosity blocks")
    columns = {
        *needed_branches(workflow.analysis.stages),
        *(column for sample in samples for column in sample.reads),
        *([EVENT] if len(every) > 1 else []),
    }
    stages = workflow.analysis.stages
    defined = definitions(stages, functions)
    names = Names.beside(defined)
    told = f"{workflow.title}: the selection with optimised cuts, in plain Awkward Array.\n\n{USAGE}\n"
    return together(
        [
            Piece(docstring(told), ("__doc__",), told),
            Piece("from __future__ import annotations"),
            names.runtime_piece(),
            *_cuts(every, names),
            *map(names.piece, defined),
            *names.stages(stages),
            assigned(names.own["COLUMNS"], sorted(columns)),
            _processes(recipe, workflow.luminosity, names),
            _files(samples, fileset, names.own["FILES"]),
            _reading(workflow, samples, columns, fileset, names.own["READING"]),
            _channels(workflow, every, names),
            Piece(renamed(MAIN, names.everywhere)),
        ]
    )


USAGE = f"""Run it as ``python {SCRIPT} DATA``, the folder of the events or a file in it, and as ``python {SCRIPT} DATA
COLUMNS.root`` to write weights, observables and passed cuts of all events as trees, for RDataFrame. In coffea:

    class Selection(coffea.processor.ProcessorABC):
        def process(self, events):
            return selection.of_nanoevents(events, events.metadata["dataset"])

        def postprocess(self, accumulator):
            return accumulator"""

MAIN = '''def histograms(where, part=slice(None), only=None):
    """Return a `hist.Hist` by channel and process, or of some processes only.

    A part, such as every second event, stands for all of them.
    """
    return fill(
        where,
        stages=STAGES,
        cut=cut,
        channels=CHANNELS,
        processes=PROCESSES,
        columns=COLUMNS,
        part=part,
        only=only,
        files=FILES,
        reading=READING,
    )


def of_nanoevents(events, sample):
    """Return histograms of events as coffea reads them, by ``channel/process``: for the ``process`` of a processor."""
    return fill_nanoevents(
        events,
        sample,
        stages=STAGES,
        cut=cut,
        channels=CHANNELS,
        processes=PROCESSES,
        columns=COLUMNS,
        reading=READING,
    )


def write(where, path):
    """Write weights, observables and passed cuts of all events as trees, for ``RDataFrame::Filter``."""
    write_columns(
        where,
        path,
        stages=STAGES,
        cut=cut,
        channels=CHANNELS,
        processes=PROCESSES,
        columns=COLUMNS,
        files=FILES,
        reading=READING,
    )


if __name__ == "__main__":
    if len(sys.argv) > 2:
        write(*sys.argv[1:3])
    for (channel, process), histogram in histograms(sys.argv[1]).items():
        print(f"{channel:16}{process:16}{histogram.sum(flow=True).value:14.4f}")'''


def _functions(sample: Sample) -> Iterator[Any]:
    """Yield the user's functions that tell which events of a sample are taken, and what they count for."""
    for each in (*sample.keep, *([] if sample.reweight is None else [sample.reweight])):
        yield from getattr(each, "functions", (each,))


def _written(function: Any, names: Names) -> str:
    """Return a function of events as a script calls it: by its name, or as what it is made of."""
    return str(function.text(names.runtime)) if hasattr(function, "text") else str(function.__name__)


def _processes(recipe: Ingredients, luminosity: float, names: Names) -> Piece:
    name = names.own["PROCESSES"]
    lines = []
    for process, ingredients in recipe.items():
        lines.append(f"    {process!r}: [")
        for i in ingredients:
            keep = ", ".join(_written(function, names) for function in i.sample.keep)
            told = [literal(each, f"process {process!r}") for each in (i.sample.name, i.factor, i.sample.weight)]
            told += [f"[{keep}]", *([] if i.sample.reweight is None else [_written(i.sample.reweight, names)])]
            lines.append(f"        ({', '.join(told)}),")
        lines.append("    ],")
    remark = f"# sample, expected events per unit of weight in {luminosity:g}/pb, column of the weights, which of them"
    return Piece("\n".join([remark, f"{name} = {{", *lines, "}"]), (name,))


def _files(samples: Iterable[Sample], fileset: Fileset, name: str) -> Piece:
    return assigned(name, {sample.name: _relative(sample.files, fileset) for sample in samples})


def _relative(files: Iterable[str], fileset: Fileset) -> list[str]:
    """Return files as a script has them: relative to where the fileset is."""
    folder = fileset.source.parent
    return [redacted(file) if is_remote(file) else os.path.relpath(file, folder) for file in files]


def _reading(
    workflow: Workflow, samples: Sequence[Sample], columns: Iterable[str], fileset: Fileset, name: str
) -> Piece:
    """Return how files are read, and by sample what is different for it."""
    how: dict[str, dict[str, Any]] = {"": {"tree": workflow.tree, **_layout(workflow.layout, columns)}}
    if jnp.result_type(float) == jnp.float64:
        how[""]["double"] = True
    for sample in samples:
        own = {} if sample.layout is None else _layout(sample.layout, columns)
        own |= {"friends": [_relative(each, fileset) for each in sample.friends]} if sample.friends else {}
        if own:
            how[sample.name] = own
    return assigned(name, how, sort_dicts=False)


def _layout(layout: Layout, columns: Iterable[str]) -> dict[str, Any]:
    names = sorted(columns)
    return {
        "separator": layout.separator,
        "renamed": {column: with_keys(layout.branch(column)) for column in names if layout.branch(column) != column},
        "factors": {column: layout.factor(column) for column in names if layout.factor(column) != 1.0},
        "defaults": {column: layout.default(column) for column in names if layout.default(column) is not None},
    }


def _cuts(every: Sequence[Parameters], names: Names) -> Iterator[Piece]:
    """Yield the weights of networks, and the cuts: a list of them where each fold has its own."""
    texts: list[str] = []
    values: list[dict[str, Any]] = []
    networks: set[str] = set()
    for parameters in every:
        lines: list[str] = []
        told: dict[str, Any] = {}
        for name, value in parameters.to_dict().items():
            spec = parameters.specs[name]
            if not is_name(name):
                raise InputError(f"parameter {name!r} cannot be exported: a script could not write cut.{name}")
            if isinstance(spec, Weights):
                network = unique(f"{name.upper()}_WEIGHTS", {*names.taken, *networks})
                networks.add(network)
                yield Piece(renamed(f"{network} = {_tree(parameters[name], name)}", names.runtime), (network,))
                text, told[name] = network, network
            elif not isinstance(spec, Edges):
                if isinstance(spec, Choice):
                    (number,) = spec.elements(parameters.stored(name)).values()
                    value = int(number) if number.is_integer() else number
                text, told[name] = literal(value, f"parameter {name!r}"), value
                text = f"np.array({text}, np.float32)" if isinstance(value, list) else text
            else:
                continue
            lines.append(f"    {name}={text},{f'  # {comment(spec.unit)}' if spec.unit else ''}\n")
        texts.append(f"types.SimpleNamespace(\n{''.join(lines)})")
        values.append(told)
    own = names.own["cut"]
    if len(every) == 1:
        yield Piece(renamed(f"{own} = {texts[0]}", names.runtime), (own,), values[0])
        return
    source = f"# {FOLDS_REMARK}\n{own} = [\n{''.join(f'{text},{chr(10)}' for text in texts)}]"
    yield Piece(renamed(source, names.runtime), (own,), values)


def _tree(tree: Any, name: str) -> str:
    """Return a tree of arrays as Python writes it."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{literal(key, name)}: {_tree(value, name)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list | tuple):
        return "[" + ", ".join(_tree(value, name) for value in tree) + "]"
    if not isinstance(tree, jax.Array):
        raise InputError(f"parameter {name!r} cannot be exported: its weights are in a {type(tree).__name__}")
    return f"np.array({literal(np.asarray(tree, np.float32).tolist(), name)}, np.float32)"


def _channels(workflow: Workflow, every: Sequence[Parameters], names: Names) -> Piece:
    def axes(channel: Channel) -> str:
        told = [_axis(channel, parameters) for parameters in every]
        # edges that were learned are those of a fold
        return told[0] if len(set(told)) == 1 else f"[{', '.join(told)}]"

    lines = [
        f"    {channel.name!r}: ({channel.observable!r}, {axes(channel)}, {channel.region!r}),\n"
        for channel in workflow.analysis.channels
    ]
    own = names.own["CHANNELS"]
    source = f"# observable, bins, region\n{own} = {{\n{''.join(lines)}}}"
    return Piece(renamed(source, names.runtime), (own,))


def _axis(channel: Channel, parameters: Parameters) -> str:
    axis, what = channel.axis_at(parameters), f"channel {channel.name!r}"
    named = f"name={literal(axis.name or channel.observable, what)}, label={literal(axis.title, what)}"
    if isinstance(axis, Regular):
        return f"hist.axis.Regular({', '.join(literal(x, what) for x in (axis.bins, axis.start, axis.stop))}, {named})"
    return f"hist.axis.Variable({literal(axis.edges.tolist(), what)}, {named})"
