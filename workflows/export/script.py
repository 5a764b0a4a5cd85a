"""Writing the script: the stages as they are, the cut values, and the little that stages need from hepgrad."""

from __future__ import annotations

import ast
import inspect
import math
import re
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import awkward as ak
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg
from hepgrad.analysis import Channel, Edges, Parameters, Regular, Stage, Weights

from ..errors import InputError
from ..read import NANOAOD
from ..run_folder import RunFolder
from ..workflow import Workflow
from . import runtime

SCRIPT = "selection.py"
MODULES = {rg: "rg", np: "np", jnp: "np", ak: "ak", math: "math"}
PLAIN = (int, float, str, bool, tuple, list, dict, type(None))


def selection_script(workflow: Workflow, parameters: Parameters) -> str:
    """Return a Python script that selects and fills what the analysis does with hard cuts, without hepgrad.

    It needs Awkward Array, uproot and hist. The functions of the stages stand there as they were written; systematic
    variations are left out. ``python SCRIPT fileset.json`` prints the yields; `fill` of the script returns histograms.

    Parameters
    ----------
    workflow
        Its stages must be functions that use what Awkward Array has under the same name, selections, counts, sums,
        extremes, n-th objects, overlap removal, regions, and four-momenta.
    parameters
        The cut values.

    Raises
    ------
    InputError
        When a stage uses something else (names it), or the workflow does not read NanoAOD by a fileset.
    """
    if (
        workflow.source is not None
        or workflow.layout != NANOAOD
        or workflow.skim is not None
        or workflow.cross_sections
    ):
        raise InputError(f"workflow {workflow.name!r} reads in a way of its own; only NanoAOD by a fileset is exported")
    functions = [_function(stage) for stage in workflow.analysis.stages]
    parts = [
        f'"""{workflow.title}: the selection with optimised cuts, in plain Awkward Array.\n\n'
        f'Run it as ``python {SCRIPT} FILESET.json``.\n"""',
        "from __future__ import annotations",
        _runtime(),
        _cuts(parameters),
        *_definitions(functions),
        f"STAGES = [{', '.join(f.__name__ for f in functions)}]",
        f"BRANCHES = {sorted(workflow.analysis.reads)!r}",
        f"PROCESSES = { {p.name: list(p.datasets) for p in workflow.processes}!r}",
        f"LUMINOSITY = {workflow.luminosity!r}  # 1/pb",
        _channels(workflow, parameters),
        MAIN,
    ]
    return "\n\n".join(parts) + "\n"


def write_selection(folder: RunFolder, workflow: Workflow, parameters: Parameters) -> str:
    """Write ``selection.py`` into a run folder, and return its name, or why there is none.

    Parameters
    ----------
    folder
        Where to.
    workflow, parameters
        As for `selection_script`.
    """
    try:
        folder.write_text(SCRIPT, selection_script(workflow, parameters))
    except InputError as error:
        return str(error)
    return SCRIPT


MAIN = '''def histograms(fileset, part=slice(None)):
    """Return a `hist.Hist` by channel and process; a part, such as every second event, stands for all of them."""
    return fill(
        fileset,
        stages=STAGES,
        cut=cut,
        channels=CHANNELS,
        processes=PROCESSES,
        branches=BRANCHES,
        luminosity=LUMINOSITY,
        part=part,
    )


if __name__ == "__main__":
    for (channel, process), histogram in histograms(sys.argv[1]).items():
        print(f"{channel:16}{process:16}{histogram.sum(flow=True).value:14.4f}")'''


def _runtime() -> str:
    source = Path(str(runtime.__file__)).read_text(encoding="utf-8")
    return "import math\nimport sys\n" + source.partition("from __future__ import annotations\n")[2].strip()


def _function(stage: Any) -> types.FunctionType:
    function = stage.function if isinstance(stage, Stage) else None
    if not isinstance(function, types.FunctionType) or function.__closure__:
        kind = "a function with variables of its own" if function else f"a {type(stage).__name__}"
        raise InputError(f"stage {stage.name!r} cannot be exported: it is {kind}, and only plain functions are written")
    return function


def _cuts(parameters: Parameters) -> str:
    lines = []
    for name, value in parameters.to_dict().items():
        spec = parameters.specs[name]
        if isinstance(spec, Weights):
            raise InputError(f"parameter {name!r} cannot be exported: it holds the weights of a network")
        if not isinstance(spec, Edges):
            text = f"np.array({value!r}, np.float32)" if isinstance(value, list) else repr(value)
            lines.append(f"    {name}={text},{f'  # {spec.unit}' if spec.unit else ''}\n")
    return f"cut = types.SimpleNamespace(\n{''.join(lines)})"


def _definitions(functions: list[types.FunctionType]) -> Iterator[str]:
    """Yield the sources of functions, after those of everything of the user's that they use."""
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
        yield "\n" + "\n".join(source.splitlines()[tree.lineno - 1 :])

    for function in functions:
        cut = list(inspect.signature(function).parameters)[1]
        for definition in define(function):
            # cuts are numbers here, not thresholds
            yield re.sub(rf"\b({cut}\.\w+)\.value\b", r"\1", definition)


def _needed(
    name: str, value: Any, function: str, define: Callable[[types.FunctionType], Iterator[str]]
) -> Iterator[str]:
    if isinstance(value, types.ModuleType):
        if value not in MODULES:
            raise InputError(f"stage function {function!r} cannot be exported: it uses the module {value.__name__}")
        if MODULES[value] != name:
            yield f"{name} = {MODULES[value]}"
    elif getattr(value, "__module__", "").startswith("hepgrad."):
        if hasattr(runtime, value.__name__):
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
