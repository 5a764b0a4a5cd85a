"""Quantities and conditions as text, such as ``"abs(eta) < 2.4"``, that say which columns and parameters they need."""

from __future__ import annotations

import ast
import dataclasses
import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from hepgrad import ragged as rg

from ..selection.cut import Pass
from ..selection.objects import Objects
from ..selection.windows import window

# from a source of columns (events or a collection) and cuts to numbers or a pass
Evaluate: TypeAlias = Callable[[Any, Any], Any]

ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
COMPARISONS = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
# the method of a collection, and what is added to the number
COUNTS = {
    ast.GtE: ("at_least", 0),
    ast.Gt: ("at_least", 1),
    ast.Eq: ("exactly", 0),
    ast.LtE: ("at_most", 0),
    ast.Lt: ("at_most", -1),
}
FUNCTIONS = ("abs", "sqrt", "exp", "log", "sin", "cos", "sinh", "cosh", "tanh")
SUMMARIES = ("sum", "mean", "min", "max", "leading", "subleading", "nth")
GRAMMAR = (
    "names of columns and fields (MET.pt), numbers, parameters (cut.met, cut.pt[0], cut.met.value), + - * /, "
    + "".join(f"{name}(x), " for name in FUNCTIONS)
    + "".join(f"{name}(Jet.pt), " for name in SUMMARIES)
    + "num(Jet) for a number of objects, comparisons, low < x < high, and, or, not"
)


@dataclasses.dataclass(frozen=True)
class Expression:
    """A quantity or a condition, compiled from text by `parse`.

    Attributes
    ----------
    text
        As it was written.
    names
        The columns it uses, each as the parts of its name: ``("MET", "pt")``.
    parameters
        The names of the parameters it uses.
    evaluate
        Function of a source of columns (`Events`, or `Objects` whose fields are the names) and of the cuts.
    """

    text: str
    names: tuple[tuple[str, ...], ...]
    parameters: tuple[str, ...]
    evaluate: Evaluate = dataclasses.field(compare=False)

    def __call__(self, source: Any, cut: Any) -> Any:
        """Return numbers, a `Pass` or booleans, per event or per object.

        Parameters
        ----------
        source
            `Events`, or `Objects`.
        cut
            The parameters as thresholds.
        """
        return self.evaluate(source, cut)

    def number(self, source: Any, cut: Any) -> Any:
        """Return numbers, per event or per object: of a condition the probability that it holds.

        Parameters
        ----------
        source, cut
            As for a call.
        """
        value = self(source, cut)
        return value.probability if isinstance(value, Pass) else value

    def reads(self, collection: str = "") -> tuple[str, ...]:
        """Return the columns as branches are named.

        Parameters
        ----------
        collection
            The collection that the names are fields of; none for columns of events.
        """
        prefix = (collection,) if collection else ()
        return tuple("_".join((*prefix, *name)) for name in self.names)


@functools.cache
def parse(text: str) -> Expression:
    """Compile an expression, in the syntax of Python.

    A comparison with a parameter is a `Pass`, as in a stage that is written as a function; ``low < x < high`` is a
    `window`. ``num(Jet) >= 2`` counts selected objects; its number cannot be a parameter. The other functions are the
    methods of `Objects`, such as ``leading(Jet.pt, fill_value=0)``. Nothing else of Python is understood.

    Parameters
    ----------
    text
        For instance ``"pt > cut.jet_pt and abs(eta) < 2.4"``.

    Raises
    ------
    ValueError
        When it is not understood; says which part, and what is.

    Examples
    --------
    >>> from hepgrad.analysis.stages.expression import parse
    >>> condition = parse("pt > cut.jet_pt and abs(eta) < 2.4")
    >>> condition.reads("Jet"), condition.parameters
    (('Jet_pt', 'Jet_eta'), ('jet_pt',))
    >>> parse("sum(Jet.pt) + MET.pt").reads()
    ('Jet_pt', 'MET_pt')
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{text!r} is no expression: {error.msg}; understood are {GRAMMAR}") from None
    compiler = _Compiler(text)
    evaluate = compiler.compile(tree)
    return Expression(text, tuple(dict.fromkeys(compiler.names)), tuple(dict.fromkeys(compiler.parameters)), evaluate)


class _Compiler:
    """Turns a syntax tree into a function, and notes the names on the way."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: list[tuple[str, ...]] = []
        self.parameters: list[str] = []

    def compile(self, node: ast.expr) -> Evaluate:
        match node:
            case ast.Constant(value=bool()):
                pass
            case ast.Constant(value=int() | float() as number):
                return lambda source, cut: number
            case ast.Attribute(value=ast.Name(id="cut"), attr=name):
                self.parameters.append(name)
                return lambda source, cut: getattr(cut, name)
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="cut")) as parameter, attr="value"):
                return self.apply(operator.attrgetter("value"), parameter)
            case ast.Subscript(
                value=ast.Attribute(value=ast.Name(id="cut")) as array, slice=ast.Constant(value=int(i))
            ):
                return self.apply(operator.itemgetter(i), array)
            case ast.Name() | ast.Attribute():
                return self.column(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.apply(operator.neg, operand)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.apply(operator.invert, operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                return self.apply(ARITHMETIC[type(op)], left, right)
            case ast.BoolOp(op=ast.And(), values=values):
                return self.apply(lambda *passes: functools.reduce(operator.and_, passes), *values)
            case ast.BoolOp(op=ast.Or(), values=values):
                return self.apply(lambda *passes: functools.reduce(operator.or_, passes), *values)
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
                return self.apply(getattr(rg, name), argument)
            case ast.Call(func=ast.Name(id="num"), args=[ast.Name(id=collection)], keywords=[]):
                return lambda source, cut: take(source, collection).count()
            case ast.Call(func=ast.Name(id=name), args=[ast.Attribute(), *_]) if name in SUMMARIES:
                return self.summary(name, node)
            case ast.Compare():
                return self.comparison(node)
        raise self.error(node, f"understood are {GRAMMAR}")

    def apply(self, function: Callable[..., Any], *nodes: ast.expr) -> Evaluate:
        operands = [self.compile(node) for node in nodes]
        return lambda source, cut: function(*(operand(source, cut) for operand in operands))

    def column(self, node: ast.expr) -> Evaluate:
        path = tuple(ast.unparse(node).split("."))
        if path[0] == "cut" or not all(part.isidentifier() for part in path):
            raise self.error(node, f"understood are {GRAMMAR}")
        self.names.append(path)
        return lambda source, cut: functools.reduce(take, path, source)

    def summary(self, method: str, call: ast.Call) -> Evaluate:
        match call.args[0]:
            case ast.Attribute(value=ast.Name(id=collection), attr=field):
                self.names.append((collection, field))
                places = [self.number(argument) for argument in call.args[1:]]
                options = {str(keyword.arg): self.number(keyword.value) for keyword in call.keywords}
                return lambda source, cut: getattr(take(source, collection), method)(field, *places, **options)
        raise self.error(call, f"write {method}(Jet.pt)")

    def comparison(self, node: ast.Compare) -> Evaluate:
        match [node.left, *node.comparators], node.ops:
            case [ast.Call(func=ast.Name(id="num"), args=[ast.Name(id=collection)]), limit], [op] if type(op) in COUNTS:
                return self.count(collection, op, limit)
            case _ if any(isinstance(part, ast.Name) and part.id == "num" for part in ast.walk(node)):
                raise self.error(node, "a number of objects stands on the left and alone: num(Jet) >= 4")
            case [left, right], [op] if type(op) in COMPARISONS:
                return self.apply(COMPARISONS[type(op)], left, right)
            case [low, x, high], [ast.Lt(), ast.Lt()]:
                return self.apply(window, x, low, high)
        raise self.error(node, "write one comparison, or low < x < high")

    def count(self, collection: str, op: ast.cmpop, limit: ast.expr) -> Evaluate:
        method, shift = COUNTS[type(op)]
        if not (isinstance(limit, ast.Constant) and type(limit.value) is int and limit.value + min(shift, 0) >= 0):
            raise self.error(
                limit,
                "a number of objects is compared with a whole number, not with a parameter: no gradient leads from "
                "2 to 3. Compare the optimised analyses with 2, 3, 4, or let each number be a region of its own",
            )
        n = limit.value + shift
        return lambda source, cut: getattr(take(source, collection), method)(n)

    def number(self, node: ast.expr) -> float:
        try:
            value = ast.literal_eval(node)
        except ValueError:
            value = None
        if type(value) not in (int, float):
            raise self.error(node, "a number is needed here")
        return value

    def error(self, node: ast.expr, advice: str) -> ValueError:
        return ValueError(f"{self.text!r}: {ast.unparse(node)!r} is not understood; {advice}")


def take(source: Any, name: str) -> Any:
    """Return a column of events, or a field of a collection or of records, whatever methods these have.

    Raises `AttributeError` when there is none; says which there are.
    """
    # a field of a collection may have the name of one of its methods
    return source[name] if isinstance(source, Objects) else getattr(source, name)


def several(texts: Iterable[str]) -> tuple[str, ...]:
    """Return expressions as a tuple.

    Raises `TypeError` when it is one text, whose letters would be taken for expressions.
    """
    if isinstance(texts, str):
        raise TypeError(f"needs a list of expressions; write [{texts!r}]")
    return tuple(texts)


def all_reads(texts: Iterable[str], collection: str = "") -> tuple[str, ...]:
    """Return the columns that expressions use, as branches are named.

    Names are fields of the collection; without one, columns of events. Raises `ValueError` when one is not understood.
    """
    return tuple(dict.fromkeys(branch for text in texts for branch in parse(text).reads(collection)))


def all_parameters(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the parameters that expressions use.

    Raises `ValueError` when one is not understood.
    """
    return tuple(dict.fromkeys(name for text in texts for name in parse(text).parameters))
