"""Writing the script: the stages as they are, the cut values, and the little that stages need from hepgrad."""

from __future__ import annotations

import ast
import inspect
import math
import os
import pprint
import re
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg
from hepgrad.analysis import AnyStage, Channel, Edges, Parameters, Regular, Stage, Weights
from hepgrad.analysis.stages.needs import needed_branches

from ..errors import InputError
from ..read import Fileset, Ingredients
from ..results.run_folder import RunFolder
from ..workflow import Workflow
from .boxed import boxed_stage, function_name, needed_functions
from .runtime import is_known, runtime_source

SCRIPT = "selection.py"
MODULES = {rg: "rg", np: "np", jnp: "np", ak: "ak", math: "math"}
PLAIN = (int, float, str, bool, tuple, list, dict, type(None))


def selection_script(workflow: Workflow, parameters: Parameters, fileset: Fileset) -> str:
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
        The cut values.
    fileset
        Which files make up which sample, and their normalisation.

    Raises
    ------
    InputError
        When a stage uses something else; names it.
    """
    everything = workflow.ingredients(fileset)
    recipe = {process.name: everything[process.name] for process in workflow.predicted}
    samples = [ingredient.sample for ingredients in recipe.values() for ingredient in ingredients]
    if own := [sample.name for sample in samples if sample.layout is not None]:
        raise InputError(f"sample {own[0]!r} cannot be exported: it has a layout of its own")
    chosen = list(dict.fromkeys(keep for sample in samples for keep in sample.keep))
    columns = {
        *needed_branches(workflow.analysis.stages),
        *(column for sample in samples for column in sample.reads),
    }
    parts = [
        f'"""{workflow.title}: the selection with optimised cuts, in plain Awkward Array.\n\n'
        f'Run it as ``python {SCRIPT} DATA``, the folder of the events or their list of files.\n"""',
        "from __future__ import annotations",
        runtime_source(),
        *_cuts(parameters),
        *_definitions(workflow.analysis.stages, chosen),
        f"STAGES = [{', '.join(map(function_name, workflow.analysis.stages))}]",
        f"COLUMNS = {sorted(columns)!r}",
        _processes(recipe, workflow.luminosity),
        _files(workflow, fileset),
        _reading(workflow, columns),
        _channels(workflow, parameters),
        MAIN,
    ]
    return "\n\n".join(parts) + "\n"


def write_selection(folder: RunFolder, workflow: Workflow, parameters: Parameters, fileset: Fileset) -> str:
    """Write ``selection.py`` into a run folder, and return its name, or why there is none.

    Parameters
    ----------
    folder
        Where to.
    workflow, parameters, fileset
        As for `selection_script`.
    """
    try:
        folder.write_text(SCRIPT, selection_script(workflow, parameters, fileset))
    except InputError as error:
        return str(error)
    return SCRIPT


MAIN = '''def histograms(where, part=slice(None)):
    """Return a `hist.Hist` by channel and process; a part, such as every second event, stands for all of them."""
    return fill(
        where,
        stages=STAGES,
        cut=cut,
        channels=CHANNELS,
        processes=PROCESSES,
        columns=COLUMNS,
        part=part,
        files=FILES,
        reading=READING,
    )


if __name__ == "__main__":
    for (channel, process), histogram in histograms(sys.argv[1]).items():
        print(f"{channel:16}{process:16}{histogram.sum(flow=True).value:14.4f}")'''


def _processes(recipe: Ingredients, luminosity: float) -> str:
    lines = []
    for process, ingredients in recipe.items():
        lines.append(f"    {process!r}: [")
        for i in ingredients:
            keep = ", ".join(function.__name__ for function in i.sample.keep)
            lines.append(f"        ({i.sample.name!r}, {i.factor!r}, {i.sample.weight!r}, [{keep}]),")
        lines.append("    ],")
    comment = f"# sample, expected events per unit of weight in {luminosity:g}/pb, column of the weights, which events"
    return "\n".join([comment, "PROCESSES = {", *lines, "}"])


def _files(workflow: Workflow, fileset: Fileset) -> str:
    if workflow.source is None:
        return "FILES = None  # they stand in the list of files"
    folder = fileset.source.parent
    names = {name: [os.path.relpath(file, folder) for file in s.files] for name, s in fileset.samples.items()}
    return f"FILES = {pprint.pformat(names, width=100)}"


def _reading(workflow: Workflow, columns: Iterable[str]) -> str:
    layout = workflow.layout
    renamed = {column: layout.branch(column) for column in sorted(columns) if layout.branch(column) != column}
    factors = {column: layout.factor(column) for column in sorted(columns) if layout.factor(column) != 1.0}
    how: dict[str, Any] = {"tree": workflow.tree, "separator": layout.separator, "renamed": renamed, "factors": factors}
    defaults = {column: layout.default(column) for column in sorted(columns) if layout.default(column) is not None}
    if defaults:
        how["defaults"] = defaults
    return f"READING = {pprint.pformat(how, width=100, sort_dicts=False)}"


def _cuts(parameters: Parameters) -> Iterator[str]:
    """Yield the weights of networks, and the cuts."""
    lines, networks = [], []
    for name, value in parameters.to_dict().items():
        spec = parameters.specs[name]
        text = f"np.array({value!r}, np.float32)" if isinstance(value, list) else repr(value)
        if isinstance(spec, Weights):
            text = f"{name.upper()}_WEIGHTS"
            networks.append(f"{text} = {_tree(parameters[name], name)}")
        if not isinstance(spec, Edges):
            lines.append(f"    {name}={text},{f'  # {spec.unit}' if spec.unit else ''}\n")
    yield from networks
    yield f"cut = types.SimpleNamespace(\n{''.join(lines)})"


def _tree(tree: Any, name: str) -> str:
    """Return a tree of arrays as Python writes it."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {_tree(value, name)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list | tuple):
        return "[" + ", ".join(_tree(value, name) for value in tree) + "]"
    if not isinstance(tree, jax.Array):
        raise InputError(f"parameter {name!r} cannot be exported: its weights are in a {type(tree).__name__}")
    return f"np.array({np.asarray(tree, np.float32).tolist()!r}, np.float32)"


def _definitions(stages: Iterable[AnyStage], others: Iterable[Callable[..., Any]]) -> Iterator[str]:
    """Yield the sources of the stages and of other functions, after those of everything of the user's that they use."""
    done: set[str] = set()

    def define(function: types.FunctionType) -> Iterator[str]:
        source = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(source).body[0]
        assert isinstance(tree, ast.FunctionDef)
        body = ast.Module([*tree.body, *map(ast.Expr, tree.args.defaults)], [])
        for name in sorted({node.id for node in ast.walk(body) if isinstance(node, ast.Name)}):
            if name in function.__globals__ and name not in done:
                done.add(name)
                yield from _needed(name, function.__globals__[name], function.__name__, define)
        yield "\n" + _with_short_docstring(source, tree)

    for other in others:
        if other.__name__ not in done:
            done.add(other.__name__)
            yield from define(_plain(other, "the function", other.__name__))
    for stage in stages:
        if not isinstance(stage, Stage):
            for function in needed_functions(stage):
                yield from define(_plain(function, "the function", function.__name__))
            yield "\n" + boxed_stage(stage)
            continue
        function = _plain(stage.function, "stage", stage.name)
        cut = list(inspect.signature(function).parameters)[1]
        for definition in define(function):
            # cuts are numbers here, not thresholds
            yield re.sub(rf"\b({cut}\.\w+)\.value\b", r"\1", definition)
        if function.__name__ != function_name(stage):
            yield f"{function_name(stage)} = {function.__name__}"


def _plain(function: Any, kind: str, name: str) -> types.FunctionType:
    if isinstance(function, types.FunctionType) and not function.__closure__ and function.__name__ != "<lambda>":
        return function
    is_function = isinstance(function, types.FunctionType)
    what = "without a name, or has variables of its own" if is_function else f"a {type(function).__name__}"
    raise InputError(f"{kind} {name!r} cannot be exported: it is {what}, and only plain functions are written")


def _with_short_docstring(source: str, tree: ast.FunctionDef) -> str:
    """Return the source of a function without decorators, and of its docstring the first paragraph."""
    lines = source.splitlines()
    first = tree.body[0]
    text = ast.get_docstring(tree)
    if text is not None and "\n\n" in text:
        assert first.end_lineno is not None
        summary = text.partition("\n\n")[0].replace("\n", "\n    ")
        lines[first.lineno - 1 : first.end_lineno] = [f'    """{summary}"""']
    return "\n".join(lines[tree.lineno - 1 :])


def _needed(
    name: str, value: Any, function: str, define: Callable[[types.FunctionType], Iterator[str]]
) -> Iterator[str]:
    if isinstance(value, types.ModuleType):
        if value not in MODULES:
            raise InputError(f"stage function {function!r} cannot be exported: it uses the module {value.__name__}")
        if MODULES[value] != name:
            yield f"{name} = {MODULES[value]}"
    elif getattr(value, "__module__", "").startswith(("hepgrad.analysis", "hepgrad.ragged")):
        if is_known(value.__name__):
            if value.__name__ != name:
                yield f"{name} = {value.__name__}"
        else:
            raise InputError(
                f"stage function {function!r} cannot be exported: it uses {value.__module__}.{value.__name__}"
            )
    elif isinstance(value, types.FunctionType):
        yield from define(value)
    elif isinstance(value, PLAIN):
        yield f"{name} = {value!r}"
    else:
        raise InputError(f"stage function {function!r} cannot be exported: it uses {name}, a {type(value).__name__}")


def _channels(workflow: Workflow, parameters: Parameters) -> str:
    lines = [
        f"    {channel.name!r}: ({channel.observable!r}, {_axis(channel, parameters)}, {channel.region!r}),\n"
        for channel in workflow.analysis.channels
    ]
    return f"# observable, bins, region\nCHANNELS = {{\n{''.join(lines)}}}"


def _axis(channel: Channel, parameters: Parameters) -> str:
    axis = channel.axis_at(parameters)
    named = f"name={axis.name or channel.observable!r}"
    if isinstance(axis, Regular):
        return f"hist.axis.Regular({axis.bins}, {axis.start!r}, {axis.stop!r}, {named}, label={axis.title!r})"
    return f"hist.axis.Variable({axis.edges.tolist()!r}, {named}, label={axis.title!r})"
