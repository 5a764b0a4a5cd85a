"""Correct the weight of each event by the scale factors of its selected objects."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from hepgrad import ragged as rg

from ..selection.cut import as_probability
from ..selection.events import Events
from ..selection.threshold import Cuts
from .declared import DeclaredStage
from .expression import all_parameters, all_reads, parse, take


@dataclasses.dataclass(frozen=True)
class ScaleFactors(DeclaredStage):
    """Multiply event weights by a factor for each selected object of a collection.

    The weight is multiplied by ``prod_i (1 - p_i + p_i f_i)``, the expected product over the selected objects. With
    ``when`` the factor depends on a further condition, which object i fulfils with probability q_i: then
    ``f_i = q_i factor + (1 - q_i) otherwise``. For b tags simulated with the efficiency "eff", method 1a of the
    CMS b-tag group is ``when="btag > cut.btag"`` and ``otherwise="(1 - sf * eff) / (1 - eff)"``.

    Attributes
    ----------
    collection
        For instance ``"Muon"``.
    factor
        The scale factor, see `parse`: a field that was read or that an `Observable` has added, ``"sf"``.
    when
        A condition on the object; by default every selected object has the factor.
    otherwise
        The factor of selected objects that do not fulfil the condition.

    Raises
    ------
    ValueError
        When an expression is not understood.

    Examples
    --------
    >>> from hepgrad.analysis.stages import Observable, ScaleFactors, Table
    >>> table = Table([[25, 40, 120], [0.0, 1.2, 2.4]], [[0.98, 0.96], [0.99, 0.97]])
    >>> chain = [Observable("sf", ["pt", "abs(eta)"], table, collection="Muon"), ScaleFactors("Muon", "sf")]
    >>> [stage.name for stage in chain]
    ['Muon_sf', 'Muon scale factors']
    """

    collection: str
    factor: str
    when: str = ""
    otherwise: str = "1"

    def __post_init__(self) -> None:
        texts = [self.factor, self.otherwise, *filter(None, [self.when])]
        self.settle(
            name=f"{self.collection} scale factors",
            reads=all_reads(texts, self.collection),
            parameters=all_parameters(texts),
        )

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Correct the weights; the arguments are those of every stage."""
        objects = take(events, self.collection)
        factor = parse(self.factor)(objects, cut)
        if self.when:
            q = as_probability(parse(self.when)(objects, cut), objects.probability)
            factor = q * factor + (1 - q) * parse(self.otherwise)(objects, cut)
        mean = rg.apply(expected_factor, objects.probability, factor, operation=self.name)
        return dataclasses.replace(events, weight=events.weight * rg.prod(mean, axis=1))


def expected_factor(p: jax.Array, factor: jax.Array) -> jax.Array:
    """Return what an object multiplies the weight by on average: its factor when it is selected, and otherwise 1.

    ``p`` is the probability that it is, and the factor may be missing (NaN) where it is not.
    """
    return 1 - p + p * jnp.where((p == 0) & ~jnp.isfinite(factor), 1, factor)
