"""Renaming in source text: what a script brings along makes room for the names of the user's own functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping


def top_level(source: str) -> set[str]:
    r"""Return the names that a module defines or imports.

    Examples
    --------
    >>> from hepgrad.workflows.export.renaming import top_level
    >>> sorted(top_level("import numpy as np\nX = 1\ndef f():\n    y = 2"))
    ['X', 'f', 'np']
    """
    found: set[str] = set()
    for node in ast.parse(source).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                found |= {alias.asname or alias.name for alias in aliases}
            case ast.Assign(targets=targets):
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def used(source: str) -> set[str]:
    """Return all names that a source uses, whatever they refer to."""
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def renamed(source: str, names: Mapping[str, str]) -> str:
    r"""Return a source in which global names are replaced, everything else letter by letter as it was.

    No argument and no local variable of the source has one of these names.

    Examples
    --------
    >>> from hepgrad.workflows.export.renaming import renamed
    >>> print(renamed("def select(x):  # select\n    return x.select(select)", {"select": "select_"}))
    def select_(x):  # select
        return x.select(select_)
    """
    lines = source.splitlines(keepends=True)
    # from the end, so that what comes before stays where it is; columns are counted in bytes
    for line, start, end, text in sorted(_changes(ast.parse(source), names), reverse=True):
        encoded = lines[line - 1].encode()
        lines[line - 1] = (encoded[:start] + text.encode() + encoded[end:]).decode()
    return "".join(lines)


def _changes(tree: ast.Module, names: Mapping[str, str]) -> Iterator[tuple[int, int, int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=old) if old in names:
                yield node.lineno, node.col_offset, node.col_offset + len(old.encode()), names[old]
            case ast.alias(name=name, asname=asname) if (asname or name) in names:
                imported = f"{name} as {names[asname or name]}"
                assert node.end_col_offset is not None
                yield node.lineno, node.col_offset, node.end_col_offset, imported
    for statement in tree.body:
        match statement:
            case ast.FunctionDef(name=old) | ast.ClassDef(name=old) if old in names:
                begin = statement.col_offset + len("def " if isinstance(statement, ast.FunctionDef) else "class ")
                yield statement.lineno, begin, begin + len(old.encode()), names[old]
