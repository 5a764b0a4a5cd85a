"""Text in a script: literals by `repr`, comments of one line, and the check that nothing else came in."""

from __future__ import annotations

import ast
import dataclasses
import keyword
import math
import pprint
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..messages.terminal import visible

# the value of a definition that is no literal
CODE: Any = object()


@dataclasses.dataclass(frozen=True)
class Piece:
    """A part of a script.

    Attributes
    ----------
    text
        Some statements.
    defines
        The names that they define, one each, in order; None for text that hepgrad wrote once and for all.
    value
        What the only definition is worth, where it is a literal.
    """

    text: str
    defines: tuple[str, ...] | None = None
    value: Any = CODE


def literal(value: Any, what: str) -> str:
    r"""Return a value as Python writes it.

    Values are text, numbers, truth, None, and tuples, lists and dictionaries of them. Raises `InputError` for anything
    else, whose ``repr`` could be any code.

    Examples
    --------
    >>> from hepgrad.workflows.export.text import literal
    >>> literal({"edges": (0.0, float("inf")), "label": 'a "b"'}, "example")
    '{\'edges\': (0.0, math.inf), \'label\': \'a "b"\'}'
    """
    if isinstance(value, np.generic):
        value = value.item()
    match value:
        case bool() | None | int() | str() | float() if type(value) in (bool, int, str, float, type(None)):
            if isinstance(value, float) and not math.isfinite(value):
                return "math.nan" if math.isnan(value) else "math.inf" if value > 0 else "-math.inf"
            return repr(value)
        case list() if type(value) is list:
            return f"[{', '.join(literal(each, what) for each in value)}]"
        case tuple() if type(value) is tuple:
            return f"({', '.join(literal(each, what) for each in value)}{',' * (len(value) == 1)})"
        case dict() if type(value) is dict:
            return f"{{{', '.join(f'{literal(k, what)}: {literal(v, what)}' for k, v in value.items())}}}"
    raise InputError(f"{what} cannot be exported: a {type(value).__name__} cannot be written as text")


def assigned(name: str, value: Any, *, sort_dicts: bool = True) -> Piece:
    """Return the definition of a constant, on as many lines as it needs.

    Values are as for `literal`, with finite numbers.
    """
    literal(value, name)
    return Piece(f"{name} = {pprint.pformat(value, width=100, sort_dicts=sort_dicts)}", (name,), value)


def docstring(text: str, indent: str = "") -> str:
    r'''Return a text as a docstring, in triple quotes where they can hold it.

    ``indent`` stands before its lines but the first.

    Examples
    --------
    >>> from hepgrad.workflows.export.text import docstring
    >>> print(docstring("Search for tops."))
    """Search for tops."""
    >>> print(docstring(r"Decays to $\nu$."))
    'Decays to $\\nu$.'
    '''
    if all(character.isprintable() or character == "\n" for character in text) and not set(text) & {"\\"}:
        quoted = f'"""{text}"""'.replace("\n", f"\n{indent}")
        try:
            if ast.literal_eval(quoted) == text.replace("\n", f"\n{indent}"):
                return quoted
        except (SyntaxError, ValueError):
            pass
    return repr(text)


def comment(text: str) -> str:
    """Return a text as what stands in a comment: one line, whatever characters it has."""
    return visible(text).replace("\n", "\\n")


def keywords(values: dict[str, str]) -> str:
    """Return arguments of a call, also those with names that Python would not let stand there.

    Values are code, by name.

    Examples
    --------
    >>> from hepgrad.workflows.export.text import keywords
    >>> keywords({"ht": "x"}), keywords({"a b": "x"})
    ('ht=x', "**{'a b': x}")
    """
    if all(map(is_name, values)):
        return ", ".join(f"{name}={value}" for name, value in values.items())
    return f"**{{{', '.join(f'{name!r}: {value}' for name, value in values.items())}}}"


def is_name(text: str) -> bool:
    """Return whether a text can stand in a script as a name."""
    return text.isascii() and text.isidentifier() and not keyword.iskeyword(text)


def together(pieces: Sequence[Piece]) -> str:
    """Return a script, after a comparison with what each of its pieces was meant to be.

    Raises `InputError` when a piece is no Python, defines something else, or has another value.
    """
    script = "\n\n".join(piece.text for piece in pieces) + "\n"
    try:
        whole = [ast.dump(node) for node in ast.parse(script).body]
        parts = [ast.parse(piece.text).body for piece in pieces]
    except (SyntaxError, ValueError) as error:
        raise InputError(f"the selection cannot be exported: the script would be no Python ({error})") from error
    if whole != [ast.dump(node) for part in parts for node in part]:
        raise InputError("the selection cannot be exported: a part of the script would run into the next one")
    for piece, nodes in zip(pieces, parts, strict=True):
        _compare(piece, nodes)
    return script


def _compare(piece: Piece, nodes: Sequence[ast.stmt]) -> None:
    if piece.defines is None:
        return
    found = tuple(map(_defined, nodes))
    same = found == piece.defines
    if same and piece.value is not CODE:
        same = _value(nodes[0]) == piece.value
    if not same:
        raise InputError(f"{', '.join(piece.defines)} cannot be exported: the script would say something else")


def _defined(node: ast.stmt) -> str | None:
    match node:
        case ast.FunctionDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case ast.Expr(value=ast.Constant(value=str())):
            return "__doc__"
    return None


def _value(node: ast.stmt) -> Any:
    match node:
        case ast.Assign(value=ast.Call() as call):
            return _keywords(call)
        case ast.Assign(value=ast.List(elts=[ast.Call(), *_] as calls)):
            return [_keywords(each) for each in calls if isinstance(each, ast.Call)]
        case ast.Assign(value=value) | ast.Expr(value=value):
            return ast.literal_eval(value)
    return CODE


def _keywords(call: ast.Call) -> dict[str, Any]:
    return {str(each.arg): _argument(each.value) for each in call.keywords}


def _argument(node: ast.expr) -> Any:
    """Return a number, the numbers of an array, or the name that stands for weights."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Call(args=[numbers, *_]):
            return ast.literal_eval(numbers)
    return ast.literal_eval(node)


def unique(name: str, taken: Iterable[str]) -> str:
    """Return a name that is not taken."""
    taken = set(taken)
    while name in taken:
        name += "_"
    return name
