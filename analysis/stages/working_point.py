"""Tag weights of a movable working point, with efficiencies that are measured from the simulation at the cut."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from ..corrections import Correction
from ..data.dataset import Dataset
from ..selection.choice import Chosen
from ..selection.cut import as_probability
from ..selection.events import Events
from ..selection.threshold import Cuts
from ..systematics import WeightVariation
from .correction_weight import WordVariation, columns_of, variation_source, weight_of, with_weight
from .declared import DeclaredStage
from .expression import take

# where simulation tags (nearly) every jet, nothing is known of those that it does not tag
MOST_EFFICIENT = 0.999


@dataclasses.dataclass(frozen=True, eq=False)
class TagEfficiency:
    """How the discriminant is distributed in simulation, by flavour, pT and abs(eta): the efficiency of any cut on it.

    The efficiency of a cut is the part of the distribution that passes, each of its fine bins by the position of its
    centre: in the soft reading smoothly, so that it follows the cut with a derivative. At edges of the fine bins the
    hard efficiency is exactly that of counting.

    Attributes
    ----------
    flavours
        Integers, increasing.
    pt, abseta
        Edges, in GeV for pT; beyond them the outermost bin counts.
    discriminant
        Edges of the fine bins; what is below the first passes no cut.
    sumw
        Shape (flavours, pt bins, abseta bins, fine bins + 1), what is below the first edge first.
    """

    flavours: tuple[int, ...]
    pt: np.ndarray
    abseta: np.ndarray
    discriminant: np.ndarray
    sumw: np.ndarray

    @classmethod
    def measured(
        cls,
        data: Dataset,
        *,
        pt: Sequence[float],
        abseta: Sequence[float],
        discriminant: Sequence[float],
        fields: tuple[str, str, str] = ("Jet", "btagDeepFlavB", "hadronFlavour"),
        processes: Sequence[str] | None = None,
        flavours: Sequence[int] = (0, 4, 5),
    ) -> TagEfficiency:
        """Measure it: of all jets of the simulation within the edges of pT and abs(eta).

        Parameters
        ----------
        data
            The events, with their weights; before any selection.
        pt, abseta, discriminant
            Edges.
        fields
            The collection, and names of its discriminant and flavour.
        processes
            The simulated ones; all by default.
        flavours
            Which there are.
        """
        collection, score, flavour = fields
        wanted = [i for i, name in enumerate(data.processes) if processes is None or name in processes]
        edges = [np.asarray(each, float) for each in (pt, abseta, discriminant)]
        shape = (len(flavours), len(pt) - 1, len(abseta) - 1, len(discriminant))
        sumw = np.zeros(int(np.prod(shape)))
        for block in range(data.blocks):
            columns, weight, process = jax.tree.map(lambda x, b=block: x[b], (data.columns, data.weight, data.process))
            jets = columns[collection]
            of_event = jnp.where(jnp.isin(process, jnp.array(wanted)), weight, 0)
            per_jet = rg.broadcast_arrays(of_event, jets.pt)[0]
            values = [np.asarray(rg.flatten(x)) for x in (jets.pt, abs(jets.eta), jets[score], jets[flavour], per_jet)]
            index = [np.searchsorted(e, x, side="right") for e, x in zip(edges, values[:3], strict=True)]
            index[2] = np.minimum(index[2], len(discriminant) - 1)
            kind = np.searchsorted(flavours, values[3])
            inside = np.isin(values[3], flavours)
            for place, size in zip(index[:2], shape[1:3], strict=True):
                inside &= (place > 0) & (place <= size)
            places = np.ravel_multi_index(
                (kind[inside], index[0][inside] - 1, index[1][inside] - 1, index[2][inside]), shape
            )
            np.add.at(sumw, places, values[4][inside])
        return cls(tuple(flavours), edges[0], edges[1], edges[2], np.maximum(sumw.reshape(shape), 0))

    def table(self, threshold: Any) -> jax.Array:
        """Return the efficiency of a cut, shape (flavours, pt bins, abseta bins); 0 where there are no jets.

        Parameters
        ----------
        threshold
            A parameter as a stage sees it, or a number.
        """
        centres = jnp.asarray((self.discriminant[1:] + self.discriminant[:-1]) / 2, float)
        passed = as_probability(centres > threshold, jnp.ones_like(centres))
        total = self.sumw.sum(axis=-1)
        share = self.sumw[..., 1:] / np.where(total > 0, total, 1)[..., None]
        return jnp.asarray(share, passed.dtype) @ passed

    def __call__(self, threshold: Any, flavour: Any, pt: Any, eta: Any) -> Any:
        """Return the efficiency of each jet.

        Parameters
        ----------
        threshold
            As for `table`.
        flavour, pt, eta
            Of the jets, ragged.
        """
        table = self.table(threshold)

        def of_jets(flavour: jax.Array, pt: jax.Array, eta: jax.Array) -> jax.Array:
            kind = jnp.searchsorted(jnp.array(self.flavours), flavour.astype(jnp.int32), method="compare_all")
            places = [
                jnp.searchsorted(jnp.asarray(edges[1:-1], x.dtype), x, side="right", method="compare_all")
                for edges, x in ((self.pt, pt), (self.abseta, jnp.abs(eta)))
            ]
            return table.at[jnp.minimum(kind, len(self.flavours) - 1), *places].get(mode="clip")

        return rg.apply(of_jets, flavour, pt, eta, operation="tag efficiency")


# official uncertainties of fixed working points: of b and c jets together, and of light jets
HEAVY_AND_LIGHT = (
    WordVariation("bc", "up", "down", "heavy"),
    WordVariation("light", "up", "down", "light"),
)


@dataclasses.dataclass(frozen=True)
class WorkingPointWeight(DeclaredStage):
    r"""Multiply event weights by method 1a of the CMS b-tag group, for a cut on the discriminant that moves.

    .. math:: w = \prod_{\text{tagged}} SF_i \prod_{\text{not tagged}} \frac{1 - SF_i \varepsilon_i}{1 - \varepsilon_i}

    with the efficiency of the simulation at the current cut, and the official scale factor, which is linear in the cut
    between the official working points and constant beyond them. In the soft reading the expectation of it. Where the
    parameter is a choice of these points (`hepgrad.analysis.WorkingPoint`), it is the scale factor of the chosen one.

    Attributes
    ----------
    correction
        Such as ``deepJet_wp``, with the inputs systematic, method, working_point, flavor, abseta and pt.
    efficiency
        Of the simulation.
    cut
        Name of the parameter.
    points
        By word of the working points, their values of the discriminant: ``{"L": 0.049, "M": 0.2783, "T": 0.71}``.
    collection, discriminant, flavour
        The jets, and names of their fields. Jets outside of \|eta\| < 2.5 must not be selected.
    methods
        Of light jets, and of b and c jets.
    variations
        The uncertainties; each with ``where="heavy"``, ``"light"`` or ``""`` for the jets that it acts on.

    Raises
    ------
    ValueError
        When there is no working point, or a variation is of other jets.
    """

    correction: Correction
    efficiency: TagEfficiency
    cut: str
    points: Mapping[str, float] | tuple[tuple[str, float], ...]
    collection: str = "Jet"
    discriminant: str = "btagDeepFlavB"
    flavour: str = "hadronFlavour"
    methods: tuple[str, str] = ("incl", "comb")
    variations: Sequence[WordVariation] = HEAVY_AND_LIGHT

    def __post_init__(self) -> None:
        points = tuple(sorted(dict(self.points).items(), key=lambda point: point[1]))
        if not points:
            raise ValueError("give at least one working point and its value")
        for each in self.variations:
            if each.where not in ("heavy", "light", ""):
                raise ValueError(f"the variation {each.name!r} must be of 'heavy' or 'light' jets, or '' for all")
        name = self.name or f"{self.collection} tags"
        self.settle(
            name=name,
            reads=tuple(f"{self.collection}_{each}" for each in ("pt", "eta", self.discriminant, self.flavour)),
            parameters=(self.cut,),
            makes=tuple((column, "") for each in self.variations for column in columns_of(name, each)),
            points=points,
            variations=tuple(self.variations),
        )

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Correct the weights; the arguments are those of every stage."""
        jets = take(events, self.collection)
        threshold, flavour = getattr(cut, self.cut), jets[self.flavour]
        selected = jets.probability > 0
        kinds = {"light": selected & (flavour == 0), "heavy": selected & (flavour != 0)}
        tagged = as_probability(jets[self.discriminant] > threshold, jets.probability)
        efficiency = self.efficiency(threshold, flavour, jets.pt, jets.eta)

        def scale(word: str, kind: str) -> Any:
            method = self.methods[kind == "heavy"]
            values = [
                self.correction(word, method, point, flavour, abs(jets.eta), jets.pt, where=kinds[kind])
                for point in dict(self.points)
            ]
            if isinstance(threshold, Chosen):
                return threshold.mixed([values[self._row(word)] for word in threshold.words])
            return self._at(threshold.value, values)

        central = {kind: scale("central", kind) for kind in kinds}

        def factor(scales: Mapping[str, Any]) -> Any:
            # the other kind has the factor 1
            return rg.apply(_of_jet, tagged, scales["light"] * scales["heavy"], efficiency, operation=self.name)

        def varied(word: str, where: str) -> Any:
            changed = {kind: scale(word, kind) for kind in kinds if where in (kind, "")}
            return factor({**central, **changed})

        return with_weight(
            events,
            self.name,
            lambda each: weight_of(each, jets.probability, objects=True),
            factor(central),
            self.variations,
            lambda: {each: (varied(each.up, each.where), varied(each.down, each.where)) for each in self.variations},
        )

    def _row(self, word: str) -> int:
        """Return which of the points a chosen working point is."""
        words = list(dict(self.points))
        if word not in words:
            raise ValueError(
                f"stage {self.name!r}: there is no scale factor of the working point {word!r}, only {words}"
            )
        return words.index(word)

    def _at(self, threshold: Any, values: Sequence[Any]) -> Any:
        """Return the scale factor at the cut, of those at the working points."""
        found = values[0]
        cuts = list(dict(self.points).values())
        for (low, high), (before, after) in zip(itertools.pairwise(cuts), itertools.pairwise(values), strict=True):
            found = found + (after - before) * jnp.clip((threshold - low) / (high - low), 0, 1)
        return found

    def sources(self, processes: Sequence[str] | None = None) -> list[WeightVariation]:
        """Return the uncertainties as sources for the fit.

        Parameters
        ----------
        processes
            Those they act on: the simulated ones; all by default.
        """
        return [variation_source(self.name, each, processes) for each in self.variations]


def _of_jet(tagged: jax.Array, scale: jax.Array, efficiency: jax.Array) -> jax.Array:
    efficiency = jnp.clip(efficiency, 0, MOST_EFFICIENT)
    return tagged * scale + (1 - tagged) * (1 - scale * efficiency) / (1 - efficiency)
