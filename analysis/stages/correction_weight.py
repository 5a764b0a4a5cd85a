"""Correct the weight of each event by an official correction, of its objects or its own, with its uncertainties."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from ..corrections import Correction
from ..data.recomputed import kept
from ..kinematics import safe_divide
from ..selection.events import Events
from ..selection.later import Later
from ..selection.threshold import Cuts
from ..systematics import WeightVariation
from .declared import DeclaredStage
from .expression import all_parameters, all_reads, parse, take
from .scale_factors import expected_factor


@dataclasses.dataclass(frozen=True)
class WordVariation:
    """An uncertainty of a correction that has words for it.

    Attributes
    ----------
    name
        Of the uncertainty.
    up, down
        The words at plus and minus one standard deviation.
    where
        A condition on the object, see `parse`, such as ``"hadronFlavour == 4"``: others keep the nominal correction.
    """

    name: str
    up: str
    down: str
    where: str = ""


@dataclasses.dataclass(frozen=True)
class CorrectionWeight(DeclaredStage):
    """Multiply event weights by an official correction of each selected object, or of the event.

    The weight is multiplied by the expected product over the selected objects, as in `ScaleFactors`; what is not
    selected is not asked for. The stage runs again for events with shifted objects. For each variation it adds columns
    with the factors that one standard deviation makes, which `sources` declares to the fit.

    Attributes
    ----------
    correction
        From `Correction.from_file`.
    inputs
        By name of the correction's inputs, a word, or an expression of the objects or the event, see `parse`:
        ``{"year": "2018_UL", "abseta": "abs(eta)", "pt": "pt"}``.
    collection
        Whose objects are corrected; by default the event is.
    systematic
        Name of the input with the words of the variations.
    nominal
        Its word for no variation.
    variations
        The uncertainties.
    between
        By name of an input, increasing points, such as the centres of its bins: in the soft reading the correction is
        linear between its values at these and constant beyond, so that it has a derivative where it is looked up in
        bins. In the hard reading it is the official one.

    Raises
    ------
    TypeError
        When the correction is none.
    ValueError
        When an input is missing or not known, an expression is not understood, or points do not increase.

    Examples
    --------
    >>> from hepgrad.analysis.corrections import Correction
    >>> from hepgrad.analysis.stages import CorrectionWeight, WordVariation
    >>> words = [{"key": key, "value": value} for key, value in (("sf", 0.98), ("up", 0.99), ("down", 0.97))]
    >>> correction = Correction.from_dict({
    ...     "name": "muon", "version": 1, "output": {"name": "weight", "type": "real"},
    ...     "inputs": [{"name": "pt", "type": "real"}, {"name": "type", "type": "string"}],
    ...     "data": {"nodetype": "category", "input": "type", "content": words}})
    >>> variations = [WordVariation("id", "up", "down")]
    >>> stage = CorrectionWeight(correction, {"pt": "pt"}, "Muon", "type", "sf", variations, name="muon")
    >>> stage.reads, [source.name for source in stage.sources()]
    (('Muon_pt',), ['muon_id'])
    """

    correction: Correction
    inputs: Mapping[str, str] | tuple[tuple[str, str], ...]
    collection: str = ""
    systematic: str = ""
    nominal: str = ""
    variations: Sequence[WordVariation] = ()
    between: Mapping[str, Sequence[float]] | tuple[tuple[str, tuple[float, ...]], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.correction, Correction):
            raise TypeError(f"a Correction is needed, see Correction.from_file, got {type(self.correction).__name__}")
        inputs = dict(self.inputs)
        expected = [name for name in self.correction.inputs if name != self.systematic]
        if self.variations and not self.systematic:
            raise ValueError(
                f"say by `systematic` which input of {self.correction.name!r} the words of variations are for"
            )
        if sorted(inputs) != sorted(expected):
            raise ValueError(
                f"the correction {self.correction.name!r} needs the inputs {expected}"
                + (f" besides {self.systematic!r}" if self.systematic else "")
                + f", got {sorted(inputs)}"
            )
        between = tuple((name, tuple(map(float, points))) for name, points in dict(self.between).items())
        for name, points in between:
            if self.correction.inputs.get(name) != "real" or len(points) < 2 or np.any(np.diff(points) <= 0):
                raise ValueError(
                    f"the correction {self.correction.name!r} can be smooth between at least two increasing points of "
                    f"an input that is real, not {points} of {name!r}"
                )
        texts = [text for name, text in inputs.items() if self.correction.inputs[name] != "string"]
        texts += [each.where for each in self.variations if each.where]
        name = self.name or self.correction.name
        self.settle(
            name=name,
            reads=all_reads(texts, self.collection),
            parameters=all_parameters(texts),
            makes=tuple((column, "") for each in self.variations for column in columns_of(name, each)),
            inputs=tuple(inputs.items()),
            variations=tuple(self.variations),
            between=between,
        )

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Correct the weights; the arguments are those of every stage."""
        source: Any = take(events, self.collection) if self.collection else events
        given = dict(self.inputs)
        values = [
            given[name] if kind == "string" else parse(given[name]).number(source, cut)
            for name, kind in self.correction.inputs.items()
            if name != self.systematic
        ]
        selected = source.probability > 0

        def mask(condition: str) -> Any:
            if not condition:
                return selected
            fulfilled = parse(condition).number(source, cut)
            return rg.apply(lambda here, holds: here & (holds > 0.5), selected, fulfilled)

        def at(words: Sequence[str], masks: Sequence[Any]) -> list[Any]:
            def evaluated(values: Sequence[Any]) -> list[Any]:
                if self.systematic:
                    return self.correction.each(self.systematic, words, *values, where=masks)
                return [self.correction(*values, where=selected)]

            return self._in_reading(cut, evaluated, values)

        (nominal,) = at([self.nominal], [selected])

        def varied() -> dict[WordVariation, tuple[Any, Any]]:
            masks = [mask(each.where) for each in self.variations for _ in range(2)]
            found = at([word for each in self.variations for word in (each.up, each.down)], masks)
            # who does not fulfil the condition keeps the nominal factor
            kept = [rg.where(here, each, nominal) for here, each in zip(masks, found, strict=True)]
            return dict(zip(self.variations, zip(kept[::2], kept[1::2], strict=True), strict=True))

        return with_weight(
            events,
            self.name,
            lambda factor: weight_of(factor, source.probability, objects=bool(self.collection)),
            nominal,
            self.variations,
            varied,
        )

    def _in_reading(self, cut: Cuts, evaluated: Callable[[Sequence[Any]], list[Any]], values: list[Any]) -> list[Any]:
        """Return the official values, or, where cuts are soft, those that are smooth between points."""
        official = evaluated(values)
        readings = [each.reading for each in cut.values() if hasattr(each, "reading")]
        if not (self.between and readings):
            return official
        names = [name for name in self.correction.inputs if name != self.systematic]
        smooth = interpolated(
            evaluated, values, {names.index(name): points for name, points in dict(self.between).items()}
        )

        def of_reading(soft: jax.Array, hard: jax.Array) -> jax.Array:
            return readings[0].probability(lambda width: soft, hard)

        return [rg.apply(of_reading, *each) for each in zip(smooth, official, strict=True)]

    def sources(self, processes: Sequence[str] | None = None) -> list[WeightVariation]:
        """Return the uncertainties as sources for the fit.

        Parameters
        ----------
        processes
            Those they act on: the simulated ones; all by default.
        """
        return [variation_source(self.name, each, processes) for each in self.variations]


def interpolated(
    function: Callable[[Sequence[Any]], list[Any]], values: Sequence[Any], points: Mapping[int, Sequence[float]]
) -> list[Any]:
    """Return what a function has between points of some of its inputs, by their position: linear, constant beyond."""
    if not points:
        return function(values)
    (position, first), *rest = points.items()

    def neighbours(x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        edges = jnp.asarray(first, x.dtype)
        lower = jnp.searchsorted(edges[1:-1], x, side="right", method="compare_all")
        return edges[lower], edges[lower + 1], jnp.clip((x - edges[lower]) / (edges[lower + 1] - edges[lower]), 0, 1)

    *ends, share = rg.apply(neighbours, values[position])
    low, high = (interpolated(function, [*values[:position], end, *values[position + 1 :]], dict(rest)) for end in ends)
    return [rg.apply(lambda a, b, s: (1 - s) * a + s * b, *each, share) for each in zip(low, high, strict=True)]


@dataclasses.dataclass(frozen=True)
class Column:
    """A function of events that returns one of their columns."""

    name: str

    def __call__(self, events: Events) -> Any:
        """Return the column."""
        return getattr(events, self.name)


def columns_of(stage: str, variation: WordVariation) -> tuple[str, str]:
    """Return the names of the columns with the factors up and down."""
    return f"{stage}_{variation.name}_up", f"{stage}_{variation.name}_down"


def variation_source(stage: str, variation: WordVariation, processes: Sequence[str] | None) -> WeightVariation:
    """Return an uncertainty of a stage's weight as a source."""
    up, down = columns_of(stage, variation)
    return WeightVariation(f"{stage}_{variation.name}", Column(up), Column(down), processes=processes)


def with_weight(
    events: Events,
    stage: str,
    weight: Callable[[Any], jax.Array],
    nominal: Any,
    variations: Sequence[WordVariation],
    varied: Callable[[], Mapping[WordVariation, tuple[Any, Any]]],
) -> Events:
    """Return events with corrected weights, and columns of what the variations change of them.

    ``weight`` goes from factors to those of the events; ``varied`` returns factors up and down, and is called when
    somebody looks at a column: of shifted events nobody does.
    """
    # the number for each event of what is dear to compute for its objects
    base = kept(weight(nominal))

    def together() -> dict[str, Any]:
        return {
            column: safe_divide(weight(factor), base)
            for each, sides in varied().items()
            for column, factor in zip(columns_of(stage, each), sides, strict=True)
        }

    columns = {column: Later(together, column) for each in variations for column in columns_of(stage, each)}
    return dataclasses.replace(events.with_field(**columns), weight=events.weight * base)


def weight_of(factor: Any, probability: Any, *, objects: bool) -> jax.Array:
    """Return the factor of each event: the expected product over its selected objects.

    Factors and probabilities are of objects or of events.
    """
    if not objects:
        return jnp.asarray(factor)
    return rg.prod(rg.apply(expected_factor, probability, factor, operation="scale factors"), axis=1)


def by_bins(variation: WordVariation, **edges: Sequence[float]) -> list[WordVariation]:
    """Return one variation for each bin, whose objects move together and independently of all others.

    So the statistical part of scale factors is correlated: between all objects and events that are in one bin of the
    measurement, and not between bins. Corrections that were measured with the same events, as those of a trigger in two
    years were not, can have one parameter for each bin (`hepgrad.analysis.systematics.shared`).

    Parameters
    ----------
    variation
        With the words for the statistical part.
    **edges
        Of the bins, by quantity of the object: ``pt=[15, 20, 30, np.inf]``, or ``abseta=`` for ``abs(eta)``.

    Examples
    --------
    >>> import math
    >>> from hepgrad.analysis.stages import WordVariation, by_bins
    >>> for each in by_bins(WordVariation("stat", "up", "down"), abseta=[0, 1.2], pt=[15, 30, math.inf]):
    ...     print(each.name, "when", each.where)
    stat_0_0 when abs(eta) >= 0.0 and abs(eta) < 1.2 and pt >= 15.0 and pt < 30.0
    stat_0_1 when abs(eta) >= 0.0 and abs(eta) < 1.2 and pt >= 30.0
    """
    texts = {name: "abs(eta)" if name == "abseta" else name for name in edges}
    bins = [
        [
            (
                i,
                f"{texts[name]} >= {float(low)}"
                + (f" and {texts[name]} < {float(high)}" if math.isfinite(high) else ""),
            )
            for i, (low, high) in enumerate(itertools.pairwise(each))
        ]
        for name, each in edges.items()
    ]
    return [
        dataclasses.replace(
            variation,
            name="_".join([variation.name, *(str(i) for i, _ in place)]),
            where=" and ".join([*filter(None, [variation.where]), *(text for _, text in place)]),
        )
        for place in itertools.product(*bins)
    ]


def btag_shape(
    correction: Correction,
    *,
    collection: str = "Jet",
    discriminant: str = "btagDeepFlavB",
    flavour: str = "hadronFlavour",
    name: str = "btag",
) -> CorrectionWeight:
    r"""Return the stage of b-tag weights that correct the whole shape of a discriminant, with its eight uncertainties.

    Those of heavy and light flavour contaminations and their statistics act on b and light jets, ``cferr1`` and
    ``cferr2`` on c jets, as the b-tag group of CMS asks (``deepJet_shape`` in ``btagging.json``). What shifts jet
    energies has words of its own, for events whose jets are shifted, which are not among them.

    Parameters
    ----------
    correction
        With the inputs systematic, flavor, abseta, pt and discriminant.
    collection, discriminant, flavour
        The jets, and names of their fields. Jets outside of \|eta\| < 2.5 must not be selected.
    name
        Of the stage; the uncertainties are ``btag_hf`` and so on.
    """
    of_c, of_others = f"{flavour} == 4", f"{flavour} != 4"
    names = dict.fromkeys(("lf", "hf", "hfstats1", "hfstats2", "lfstats1", "lfstats2"), of_others)
    variations = [
        WordVariation(each, f"up_{each}", f"down_{each}", where)
        for each, where in {**names, "cferr1": of_c, "cferr2": of_c}.items()
    ]
    inputs = {"flavor": flavour, "abseta": "abs(eta)", "pt": "pt", "discriminant": discriminant}
    return CorrectionWeight(correction, inputs, collection, "systematic", "central", variations, name=name)
