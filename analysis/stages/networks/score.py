"""Add the score of a neural network, whose weights are optimised together with the cuts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg

from ...data.dataset import Dataset
from ...parameters.parameters import Parameters
from ...selection.cut import Hard
from ...selection.events import Events
from ...selection.threshold import Cuts, as_float
from ..contract import AnyStage
from ..declared import DeclaredStage
from ..expression import all_parameters, all_reads, parse, several, take
from ..observable import with_column

# (weights, features of shape (n, features)) -> scores of shape (n,) or (n, 1)
Network: TypeAlias = Callable[[Any, jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class Score(DeclaredStage):
    """Add a column with the score of a network, per event or per object.

    Attributes
    ----------
    column
        Name of the column, and of the `Weights` among the parameters.
    network
        Function of the weights and of features of shape (n, features) that returns n scores: a `Perceptron`, ``apply``
        of a Flax module, the first of what `from_equinox` returns, or one's own. It has to be hashable. One that brings
        its own ``weights``, as `from_onnx`, `from_torch` and `BoostedTrees` do, keeps them, and no parameter is needed.
    features
        Expressions, see `parse`: ``"sum(Jet.pt)"``, ``"MET.pt"``; a condition stands for the probability that it holds.
        They have to be finite for every event, selected or not.
    collection
        Whose objects are scored, the features being their fields; by default events are.
    mean, deviation
        Of each feature: the network sees ``(feature - mean) / deviation``. By default the features as they are; see
        `standardised`.

    Raises
    ------
    ValueError
        When a feature is not understood, or the numbers of features, means and deviations differ.

    Examples
    --------
    >>> import jax
    >>> from hepgrad.analysis import Parameter, Parameters, Weights
    >>> from hepgrad.analysis.stages import Perceptron, Score
    >>> network = Perceptron([3, 8, 1])
    >>> score = Score("nn", network, ["sum(Jet.pt)", "num(Jet)", "MET.pt"])
    >>> cuts = Parameters(nn=Weights(network.initial(jax.random.key(1))), nn_min=Parameter(0.5, bounds=(0.1, 0.9)))
    >>> score.reads, score.parameters, cuts
    (('Jet_pt', 'MET_pt'), ('nn',), Parameters(nn=41 numbers, nn_min=0.5))
    """

    column: str
    network: Network
    features: Sequence[str]
    collection: str = ""
    mean: Sequence[float] = ()
    deviation: Sequence[float] = ()

    def __post_init__(self) -> None:
        features = several(self.features)
        mean, deviation = tuple(self.mean) or (0.0,) * len(features), tuple(self.deviation) or (1.0,) * len(features)
        if not len(features) == len(mean) == len(deviation) > 0:
            raise ValueError(f"{len(features)} features need as many means and deviations, got {mean} and {deviation}")
        made = f"{self.collection}_{self.column}" if self.collection else self.column
        self.settle(
            name=f"score {made}",
            reads=all_reads(features, self.collection),
            parameters=(*(() if self._trained else (self.column,)), *all_parameters(features)),
            makes=((made, ""),),
            features=features,
            mean=mean,
            deviation=deviation,
        )

    def __call__(self, events: Events, cut: Cuts) -> Events:
        """Add the score; the arguments are those of every stage."""
        features = [
            (feature - mean) / deviation
            for feature, mean, deviation in zip(self._features(events, cut), self.mean, self.deviation, strict=True)
        ]
        network: Any = self.network
        weights = network.weights if self._trained else getattr(cut, self.column)
        score = rg.apply(lambda *columns: self._scores(weights, columns), *features, operation=self.name)
        return with_column(events, self.collection, self.column, score)

    @property
    def _trained(self) -> bool:
        """Whether the network brings weights of its own."""
        return hasattr(self.network, "weights")

    def standardised(
        self, data: Dataset, stages: Sequence[AnyStage] = (), parameters: Parameters | None = None
    ) -> Score:
        """Return the stage with the mean and the standard deviation of each feature, measured once.

        Events and objects count with their weight, if it is positive, where they pass. No derivative goes through these
        numbers.

        Parameters
        ----------
        data
            Training events.
        stages
            What runs before this stage; cuts are hard.
        parameters
            At these values.

        Raises
        ------
        ValueError
            When nothing passes, or a feature has one value only.
        """
        cut = (parameters or Parameters()).cuts(Hard())

        def block(columns: rg.RecordArray, weight: jax.Array) -> tuple[jax.Array, jax.Array]:
            events = Events.of(columns, weight)
            for stage in stages:
                events = stage(events, cut)
            counts: Any = np.maximum(events.weight, 0) * events.probability
            if self.collection:
                counts = take(events, self.collection).probability * counts
            return _numbers(counts), jnp.stack([_numbers(x) for x in self._features(events, cut)])

        counts, values = jax.lax.map(lambda each: block(*each), (data.columns, data.weight))
        filled = np.asarray(counts) > 0
        if not filled.any():
            raise ValueError(f"{self.name}: nothing passes the stages before it")
        weight = np.asarray(counts, np.float64)[filled]
        x = np.moveaxis(np.asarray(values, np.float64), 1, 0)[:, filled]
        mean = np.average(x, axis=1, weights=weight)
        deviation = np.sqrt(np.average((x - mean[:, None]) ** 2, axis=1, weights=weight))
        for feature, spread in zip(self.features, deviation, strict=True):
            if not spread > 0:
                raise ValueError(f"{self.name}: the feature {feature!r} has no spread ({spread}); leave it out")
        return dataclasses.replace(self, mean=tuple(mean.tolist()), deviation=tuple(deviation.tolist()))

    def _features(self, events: Events, cut: Cuts) -> list[Any]:
        source = take(events, self.collection) if self.collection else events
        values = [rg.apply(as_float, parse(feature).number(source, cut)) for feature in self.features]
        # weights get a derivative from every row, hence no NaN where a buffer holds no object
        return [x.with_content(_numbers(x)) if isinstance(x, rg.RaggedArray) else x for x in values]

    def _scores(self, weights: Any, columns: tuple[jax.Array, ...]) -> jax.Array:
        features = jnp.stack(columns, axis=-1)
        # events stay in their own precision even where parameters are float64
        scores = self.network(jax.tree.map(lambda w: jnp.asarray(w, features.dtype), weights), features)
        if scores.size != len(features):
            raise ValueError(
                f"{self.name}: the network must return one score for each of {len(features)} rows of features, it "
                f"returned an array of shape {scores.shape}"
            )
        return scores.reshape(-1)


def _numbers(x: Any) -> jax.Array:
    """Return the numbers of a flat or a ragged array, 0 where a buffer holds no object."""
    if not isinstance(x, rg.RaggedArray):
        return x.content if isinstance(x, rg.FlatArray) else x
    content: Any = x.content
    return content if x.valid is None else jnp.where(x.valid, content, 0)
