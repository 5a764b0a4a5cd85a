"""The stages in the box as plain functions of Awkward arrays."""

from __future__ import annotations

import re
import types
from collections.abc import Sequence

from hepgrad.analysis import AnyStage
from hepgrad.analysis.stages import (
    Cleaning,
    EventSelection,
    EventWeight,
    HadronicTop,
    LeptonicW,
    ObjectSelection,
    Observable,
    Perceptron,
    ScaleFactors,
    Score,
    Table,
    TopPair,
    TransverseMass,
)

from ..errors import InputError
from .expression import as_python
from .text import is_name, keywords, literal

# stands for the function of the user's that a stage calls
USER_FUNCTION = "user_function_of_this_stage"


def boxed_stage(stage: AnyStage) -> str:
    """Return the source of a function ``(events, cut) -> events`` that does what a stage does with hard cuts.

    Raises `InputError` when there is no plain form of it.

    Examples
    --------
    >>> from hepgrad.analysis.stages import ObjectSelection
    >>> from hepgrad.workflows.export.boxed import boxed_stage
    >>> print(boxed_stage(ObjectSelection("Jet", ["pt > cut.jet_pt", "abs(eta) < 2.4"], into="GoodJet")))
    def goodjet_selection(events, cut):
        objects = events.Jet
        objects = objects.select(objects.pt > cut.jet_pt)
        objects = objects.select(abs(objects.eta) < 2.4)
        return events.with_field(GoodJet=objects)
    """
    return boxed_function(stage, function_name(stage))


def boxed_function(stage: AnyStage, name: str) -> str:
    """Return the source of `boxed_stage` as a function of another name.

    Raises `InputError` when there is no plain form of it.
    """
    body = "\n".join(f"    {line}" for line in _body(stage))
    return f"def {name}(events, cut):\n{body}"


def function_name(stage: AnyStage) -> str:
    """Return the name of the stage as that of a function."""
    name = re.sub(r"\W+", "_", stage.name.lower(), flags=re.ASCII).strip("_") or "stage"
    return name if is_name(name) else f"_{name}"


def needed_functions(stage: AnyStage) -> list[types.FunctionType]:
    """Return the user's own functions that a stage calls."""
    function = stage.function if isinstance(stage, Observable) else None
    return [function] if isinstance(function, types.FunctionType) else []


def _body(stage: AnyStage) -> list[str]:
    match stage:
        case ObjectSelection():
            lines = [f"objects = objects.select({as_python(text, 'objects')})" for text in stage.conditions]
            return [f"objects = {_of(stage.collection)}", *lines, _added(stage.into, "objects")]
        case EventSelection():
            lines = [f"events = events.select({as_python(text, 'events')}, {text!r})" for text in stage.conditions]
            return [*lines, "return events"]
        case Cleaning():
            radius = as_python(str(stage.radius), "events")
            cleaned = f"{_of(stage.collection)}.without_overlap({_of(stage.against)}, {radius})"
            return [_added(stage.into, cleaned)]
        case EventWeight():
            return [f"return events.weighted({as_python(stage.factor, 'events')})"]
        case ScaleFactors():
            return _scale_factors(stage)
        case TransverseMass():
            masses = f"leptons.with_field(mass_with_missing=transverse_mass(leptons, {_of(stage.missing)}))"
            lines = [f"leptons = {_of(stage.lepton)}", f"leptons = {masses}"]
            return [*lines, _added(stage.column, 'leptons.leading("mass_with_missing")')]
        case HadronicTop():
            lines = [f"jets = {_of(stage.jets)}"]
            return [*lines, _added(stage.column, f"trijets(jets, {as_python(stage.tagged, 'jets')})")]
        case LeptonicW():
            return [*_leptonic(stage), _added(stage.column, "lepton + neutrino")]
        case TopPair():
            lines = [*_leptonic(stage), f"jets = {_of(stage.jets)}", f"tagged = {as_python(stage.tagged, 'jets')}"]
            lines += [f"masses = {_masses(stage)}", "pairs = top_pairs(jets, lepton, neutrino, masses, btagged=tagged)"]
            return [*lines, _added(stage.column, 'pairs.ordered_by("chi_square", ascending=True)')]
        case Observable():
            return _column(stage.collection, stage.column, _observable(stage))
        case Score():
            return _score(stage)
    raise InputError(
        f"stage {stage.name!r} cannot be exported: it is a {type(stage).__name__}, for which there is no plain form"
    )


def _of(column: str) -> str:
    return as_python(column, "events")


def _leptonic(stage: LeptonicW | TopPair) -> list[str]:
    """Return the lines that make the momenta of the leading lepton and of the neutrino."""
    lepton = f"lepton = leading_momentum({_of(stage.lepton)})"
    return [lepton, f"neutrino = neutrino_from_w(lepton, {_of(stage.missing)}.pt, {_of(stage.missing)}.phi)"]


def _masses(stage: TopPair) -> str:
    told = {name: literal(value, f"stage {stage.name!r}") for name, value in vars(stage.masses).items()}
    return f"TopMasses({keywords(told)})"


def _added(column: str, value: str) -> str:
    return f"return events.with_field({keywords({column: value})})"


def _column(collection: str, column: str, value: str) -> list[str]:
    """Return the lines that add a column to events, or a field to a collection."""
    if not collection:
        return [_added(column, value)]
    return [f"objects = {_of(collection)}", _added(collection, f"objects.with_field({keywords({column: value})})")]


def _quantities(texts: Sequence[str], collection: str) -> str:
    return ", ".join(as_python(text, "objects" if collection else "events") for text in texts)


def _observable(stage: Observable) -> str:
    values = _quantities(stage.quantity, stage.collection)
    if stage.function is None:
        return values
    if isinstance(stage.function, Table):
        edges, entries = (literal(x, f"stage {stage.name!r}") for x in (stage.function.edges, stage.function.values))
        return f"Table({edges}, {entries})({values})"
    if isinstance(stage.function, types.FunctionType):
        return f"rg.apply({USER_FUNCTION}, {values})"
    raise InputError(f"stage {stage.name!r} cannot be exported: its function is a {type(stage.function).__name__}")


def _score(stage: Score) -> list[str]:
    if not isinstance(stage.network, Perceptron):
        kind = getattr(stage.network, "__name__", type(stage.network).__name__)
        raise InputError(f"stage {stage.name!r} cannot be exported: of networks only a Perceptron is, not {kind}")
    features = f"[{_quantities(stage.features, stage.collection)}]"
    weights = f"cut.{stage.column}" if is_name(stage.column) else f"getattr(cut, {stage.column!r})"
    mean, deviation = (literal(each, f"stage {stage.name!r}") for each in (stage.mean, stage.deviation))
    value = f"perceptron({weights}, {features}, mean={mean}, deviation={deviation})"
    return _column(stage.collection, stage.column, value)


def _scale_factors(stage: ScaleFactors) -> list[str]:
    lines = [f"objects = {_of(stage.collection)}", f"factor = {as_python(stage.factor, 'objects')}"]
    if stage.when:
        when, otherwise = (as_python(text, "objects") for text in (stage.when, stage.otherwise))
        lines.append(f"factor = ak.where({when}, factor, {otherwise})")
    return [*lines, "return events.weighted(ak.prod(ak.where(objects.passed, factor, 1), axis=1))"]
