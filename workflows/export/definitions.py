"""The user's own functions and constants, as they stand in the user's modules."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import itertools
import math
import operator
import re
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import awkward as ak
import jax
import jax.numpy as jnp
import numpy as np

import hepgrad.analysis as analysis
from hepgrad import ragged as rg
from hepgrad.analysis import AnyStage, Stage, kinematics, reconstruction

from ..errors import InputError
from .boxed import needed_functions
from .runtime import is_in_rg, is_known
from .text import Piece, docstring, is_name, literal

MODULES = {rg: "rg", np: "np", jnp: "np", ak: "ak"} | {
    module: module.__name__.rpartition(".")[2]
    for module in (math, functools, itertools, operator, analysis, kinematics, reconstruction)
}
PLAIN = (int, float, str, bool, tuple, list, dict, type(None))


@dataclasses.dataclass(frozen=True)
class Alias:
    """How the user's module calls something that the script has under another name."""

    name: str
    stands_for: str


Definition: TypeAlias = Piece | Alias


def definitions(stages: Iterable[AnyStage], others: Iterable[Callable[..., Any]]) -> list[Definition]:
    """Return the sources of the user's functions, after everything of the user's that they use.

    Of stages in the box these are the functions that they call. Raises `InputError` when something cannot be written
    down, or two things have one name; names it.
    """
    collected = _Collected()
    found: list[Definition] = []
    for other in others:
        found += collected.function(_plain(other, "the function", other.__name__))
    for stage in stages:
        if isinstance(stage, Stage):
            function = _plain(stage.function, "stage", stage.name)
            cut = list(inspect.signature(function).parameters)[1]
            found += collected.function(function, cut)
        else:
            for function in needed_functions(stage):
                found += collected.function(_plain(function, "the function", function.__name__))
    return found


class _Collected:
    """What has been written down, by name."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def _is_new(self, name: str, value: Any) -> bool:
        """Return whether something has to be written down, or raise when its name means something else already."""
        if name not in self._known:
            self._known[name] = value
            return True
        known = self._known[name]
        if known is value or (type(known) is type(value) and isinstance(value, PLAIN) and known == value):
            return False
        raise InputError(f"{name!r} cannot be exported: two modules of the selection mean different things by it")

    def function(self, function: types.FunctionType, cut: str = "") -> Iterator[Definition]:
        """Yield a function, after what it uses; its cuts are numbers in a script, not thresholds."""
        name = function.__name__
        if not self._is_new(name, function):
            return
        try:
            source = textwrap.dedent(inspect.getsource(function))
        except OSError:
            raise InputError(
                f"the function {name!r} cannot be exported: its source is nowhere to be found; write it in a file"
            ) from None
        tree = ast.parse(source).body[0]
        if not isinstance(tree, ast.FunctionDef) or tree.name != name or not is_name(name):
            raise InputError(f"the function {name!r} cannot be exported: its source is not that of a plain function")
        body = ast.Module([*tree.body, *map(ast.Expr, tree.args.defaults)], [])
        lines: dict[str, int] = {}
        for node in ast.walk(body):
            if isinstance(node, ast.Name):
                lines[node.id] = min(node.lineno, lines.get(node.id, node.lineno))
        code = function.__code__
        known = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
        for used in sorted(set(lines) & set(known)):
            try:
                yield from self._used(used, known[used], name, cut)
            except _Refused as refused:
                line = code.co_firstlineno + lines[used] - 1
                raise InputError(f"{refused} ({Path(code.co_filename).name}, line {line})") from None
        text = _with_short_docstring(source, tree)
        if cut:
            text = re.sub(rf"\b({cut}\.\w+)\.value\b", r"\1", text)
        yield Piece("\n" + text, (name,))

    def _used(self, name: str, value: Any, function: str, cut: str) -> Iterator[Definition]:
        if isinstance(value, types.FunctionType) and not _is_hepgrads(value):
            yield from self._by_its_own_name(name, _plain(value, "the function", name), cut)
            return
        if not self._is_new(name, value):
            return
        if isinstance(value, types.ModuleType):
            if value not in MODULES:
                raise _Refused(f"stage function {function!r} cannot be exported: it uses the module {value.__name__}")
            if MODULES[value] != name:
                yield Alias(name, MODULES[value])
        elif stands_for := _of_the_script(value):
            if stands_for != name:
                yield Alias(name, stands_for)
        elif isinstance(value, np.ndarray | jax.Array):
            numbers = np.asarray(value)
            told = literal(numbers.tolist(), f"stage function {function!r} cannot be exported: {name}, which it uses,")
            yield Piece(f"{name} = np.array({told}, {numbers.dtype.name!r})", (name,))
        elif isinstance(value, (*PLAIN, np.generic)):
            told = literal(value, f"stage function {function!r} cannot be exported: {name}, which it uses,")
            yield Piece(f"{name} = {told}", (name,))
        elif _is_hepgrads(value):
            told = f"{value.__module__}.{getattr(value, '__name__', name)}"
            raise _Refused(f"stage function {function!r} cannot be exported: it uses {told}")
        else:
            raise _Refused(f"stage function {function!r} cannot be exported: it uses {name}, a {type(value).__name__}")

    def _by_its_own_name(self, name: str, function: types.FunctionType, cut: str) -> Iterator[Definition]:
        yield from self.function(function, cut)
        if function.__name__ != name and self._is_new(name, function):
            yield Piece(f"{name} = {function.__name__}", (name,))


class _Refused(InputError):
    """Something that a function uses cannot be written down."""


def _is_hepgrads(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).startswith(("hepgrad.analysis", "hepgrad.ragged"))


def _of_the_script(value: Any) -> str:
    """Return what a function or a class of hepgrad, NumPy or Python is in a script; nothing where it has none."""
    name = str(getattr(value, "__name__", ""))
    module = str(getattr(value, "__module__", ""))
    if _is_hepgrads(value) and is_known(name):
        return name
    if module.startswith("hepgrad.ragged") and is_in_rg(name):
        return f"rg.{name}"
    for library, called in ((np, np), (jnp, np), (math, math), (functools, functools), (operator, operator)):
        if name and callable(value) and getattr(library, name, None) is value and hasattr(called, name):
            return f"{MODULES[called]}.{name}"
    return ""


def _plain(function: Any, kind: str, name: str) -> types.FunctionType:
    if isinstance(function, types.FunctionType) and function.__name__ != "<lambda>":
        return function
    is_function = isinstance(function, types.FunctionType)
    what = "without a name" if is_function else f"a {type(function).__name__}"
    code = getattr(function, "__code__", None)
    place = f" ({Path(code.co_filename).name}, line {code.co_firstlineno})" if code else ""
    raise InputError(f"{kind} {name!r} cannot be exported: it is {what}, and only plain functions are written{place}")


def _with_short_docstring(source: str, tree: ast.FunctionDef) -> str:
    """Return the source of a function without decorators, and of its docstring the first paragraph."""
    lines = source.splitlines()
    first = tree.body[0]
    text = ast.get_docstring(tree)
    if text is not None and "\n\n" in text:
        assert first.end_lineno is not None
        summary = docstring(text.partition("\n\n")[0], indent="    ")
        lines[first.lineno - 1 : first.end_lineno] = [f"    {summary}"]
    return "\n".join(lines[tree.lineno - 1 :])
