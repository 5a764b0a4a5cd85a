"""Conditions and quantities of the stages in the box as plain Python, with cuts that are passed or not."""

from __future__ import annotations

import ast

from hepgrad.analysis.stages.expression import COUNTS, FUNCTIONS, SUMMARIES, parse

from .runtime.objects import Objects


def as_python(text: str, source: str) -> str:
    """Return an expression as plain Python.

    ``source`` is the variable whose columns the names are: events, or a collection. Raises `ValueError` when it is not
    understood.

    Examples
    --------
    >>> from hepgrad.workflows.export.expression import as_python
    >>> as_python("pt > cut.jet_pt and abs(eta) < 2.4", "jets")
    '(jets.pt > cut.jet_pt) & (abs(jets.eta) < 2.4)'
    >>> as_python("num(Jet) > 3 and 20 < MET.pt < cut.met", "events")
    'events.Jet.at_least(4) & window(events.MET.pt, 20, cut.met)'
    """
    parse(text)
    tree = ast.parse(text.strip(), mode="eval").body
    return ast.unparse(_Plain(source).visit(tree))


class _Plain(ast.NodeTransformer):
    """Rewrites the tree of an expression that `parse` understands."""

    def __init__(self, source: str) -> None:
        self.source = ast.Name(source)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        match node:
            case ast.Attribute(value=ast.Name(id="cut")):
                return node
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="cut")) as parameter):
                return parameter  # cuts are numbers here, not thresholds
        return _field(self.visit(node.value), node.attr)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return _field(self.source, node.id)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return node  # an element of a parameter

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        first, *others = map(self.visit, node.values)
        for other in others:
            first = ast.BinOp(first, ast.BitAnd() if isinstance(node.op, ast.And) else ast.BitOr(), other)
        return first

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        op = ast.Invert() if isinstance(node.op, ast.Not) else node.op
        return ast.UnaryOp(op, self.visit(node.operand))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        match node:
            case ast.Call(func=ast.Name(id="num"), args=[ast.Name(id=collection)]):
                return _call(_field(self.source, collection), "count")
            case ast.Call(
                func=ast.Name(id=name), args=[ast.Attribute(value=ast.Name(id=collection), attr=field), *more]
            ):
                if name in SUMMARIES:
                    call = _call(_field(self.source, collection), name, ast.Constant(field), *more)
                    call.keywords = node.keywords
                    return call
        assert isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS
        function = node.func if node.func.id == "abs" else ast.Attribute(ast.Name("np"), node.func.id)
        return ast.Call(function, [self.visit(argument) for argument in node.args], [])

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        match [node.left, *node.comparators], node.ops:
            case [ast.Call(func=ast.Name(id="num"), args=[ast.Name(id=collection)]), ast.Constant(value=int(n))], [op]:
                method, shift = COUNTS[type(op)]
                return _call(_field(self.source, collection), method, ast.Constant(n + shift))
            case [low, x, high], _:
                return ast.Call(ast.Name("window"), [self.visit(part) for part in (x, low, high)], [])
        return ast.Compare(self.visit(node.left), node.ops, [self.visit(part) for part in node.comparators])


def _field(source: ast.expr, name: str) -> ast.expr:
    # a field may have the name of a method
    if hasattr(Objects, name):
        return ast.Subscript(source, ast.Constant(name))
    return ast.Attribute(source, name)


def _call(source: ast.expr, method: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(source, method), list(arguments), [])
