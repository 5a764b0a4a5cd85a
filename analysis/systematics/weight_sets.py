"""Many weights of an event as one source: sets of parton distributions, envelopes of scales, weights of the shower."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Self, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from hepgrad import ragged as rg
from hepgrad.ragged.checks.check import check

from ..data.dataset import Dataset
from ..kinematics import safe_sqrt
from ..selection.events import Events
from .contract import Source, Variation
from .nuisances import Nuisance
from .shape import Treatment

# from the nominal yields, and those of each member, to changes down and up, both positive
Combination: TypeAlias = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def _hessian(nominal: jax.Array, members: jax.Array) -> tuple[jax.Array, jax.Array]:
    change = safe_sqrt(jnp.sum(jnp.square(members - nominal), axis=0))
    return change, change


def _hessian_pairs(nominal: jax.Array, members: jax.Array) -> tuple[jax.Array, jax.Array]:
    pairs = (members - nominal).reshape(-1, 2, *nominal.shape)
    down, up = (jnp.maximum(jnp.max(side * pairs, axis=1), 0) for side in (-1, 1))
    return safe_sqrt(jnp.sum(down**2, axis=0)), safe_sqrt(jnp.sum(up**2, axis=0))


def _replicas(nominal: jax.Array, members: jax.Array) -> tuple[jax.Array, jax.Array]:
    change = safe_sqrt(jnp.var(members, axis=0, ddof=1))
    return change, change


def _envelope(nominal: jax.Array, members: jax.Array) -> tuple[jax.Array, jax.Array]:
    return nominal - jnp.minimum(jnp.min(members, axis=0), nominal), (
        jnp.maximum(jnp.max(members, axis=0), nominal) - nominal
    )


def _pair(nominal: jax.Array, members: jax.Array) -> tuple[jax.Array, jax.Array]:
    return nominal - members[1], members[0] - nominal


COMBINATIONS: Mapping[str, Combination] = {
    "hessian": _hessian,
    "hessian pairs": _hessian_pairs,
    "replicas": _replicas,
    "envelope": _envelope,
    "pair": _pair,
}


@dataclasses.dataclass(frozen=True)
class WeightSet(Source):
    r"""An uncertainty that is told by many weights of each event, combined in each bin into one nuisance parameter.

    All members are filled at once, with a vector of weights. With the yield :math:`n` of a bin and :math:`n_k` of
    member k, the templates are :math:`n \pm` what the combination says (arXiv:1510.03865, section 6):

    - ``"hessian"``: :math:`\sqrt{\sum_k (n_k - n)^2}`, for symmetric eigenvectors (``PDF4LHC*_hessian``);
    - ``"hessian pairs"``: :math:`\sqrt{\sum_k \max(n_{2k} - n, n_{2k+1} - n, 0)^2}` up, and likewise down, for pairs of
      opposite eigenvectors one after the other (CT, MSHT);
    - ``"replicas"``: the standard deviation of the members (NNPDF, ``PDF4LHC*_mc``);
    - ``"envelope"``: up to the highest and down to the lowest of the members and the nominal one (scales);
    - ``"pair"``: the two members are the templates up and down (``PSWeight``).

    Attributes
    ----------
    name
        Of its nuisance parameter.
    weights
        Name of the column with a list of weights for each event, such as ``"LHEPdfWeight"``, or a function of the
        selected events that returns shape (events, weights); relative to the event's own weight.
    members
        Which of the weights, by position; for instance ``range(1, 101)``, or ``SEVEN_POINTS`` of ``LHEScaleWeight``.
    combination
        As above.
    reference
        The position of a weight that the others are divided by, for sets that are relative to something else.
    scale
        Times which the combined change is one standard deviation: 1 / 1.645 for sets with 90 % confidence level.
    sums
        By process, for each member the sum of the varied weights of *all* generated events over the nominal sum
        (`varied_sums`, or ``LHEPdfSumw`` of the tree of runs). The templates are divided by them, so that only the
        acceptance is uncertain; without them the normalisation is, too.
    processes, channels
        Those it acts on; all of them by default.
    reads
        The branches it needs; a column that is named is among them.
    shape
        What is done to the templates, in order; see `Symmetrisation`, `Smoothing`, `Pruning`.
    nuisances
        As in `WeightVariation`.

    Raises
    ------
    ValueError
        When there is no such combination, the number of members does not suit it, or that of sums.

    Examples
    --------
    >>> from hepgrad.analysis.systematics import SEVEN_POINTS, WeightSet
    >>> WeightSet("pdf", "LHEPdfWeight", range(1, 101), "hessian", processes=["ttbar"]).reads
    ('LHEPdfWeight',)
    >>> WeightSet("scale", "LHEScaleWeight", SEVEN_POINTS, "envelope").members
    (0, 1, 3, 5, 7, 8)
    """

    name: str
    weights: str | Callable[[Events], jax.Array]
    members: Sequence[int]
    combination: str
    reference: int | None = None
    scale: float = 1.0
    sums: Mapping[str, Sequence[float]] | tuple[tuple[str, tuple[float, ...]], ...] = ()
    processes: Sequence[str] | None = None
    channels: Sequence[str] | None = None
    reads: Sequence[str] = ()
    shape: Sequence[Treatment] = ()
    nuisances: Sequence[Nuisance] = ()

    def __post_init__(self) -> None:
        for field in ("members", "processes", "channels", "reads", "shape", "nuisances"):
            if (value := getattr(self, field)) is not None:
                object.__setattr__(self, field, tuple(value))
        sums = self.sums.items() if isinstance(self.sums, Mapping) else self.sums
        object.__setattr__(self, "sums", tuple((name, tuple(map(float, values))) for name, values in sums))
        if isinstance(self.weights, str) and self.weights not in self.reads:
            object.__setattr__(self, "reads", (*self.reads, self.weights))
        if self.combination not in COMBINATIONS:
            raise ValueError(
                f"{self.name}: the combination must be one of {list(COMBINATIONS)}, got {self.combination!r}"
            )
        number = len(self.members)
        suits = {"hessian pairs": number % 2 == 0 and number > 0, "replicas": number > 1, "pair": number == 2}
        if not suits.get(self.combination, number > 0):
            raise ValueError(f"{self.name}: {number} members are none that make {self.combination!r}")
        if not self.scale > 0:
            raise ValueError(f"{self.name}: the scale must be positive, got {self.scale}")
        for process, values in dict(self.sums).items():
            if len(values) != number or not min(values) > 0:
                raise ValueError(
                    f"{self.name}: the sums of {process!r} must be {number} positive numbers, one for each member; "
                    f"got {len(values)}"
                )

    @property
    def rows(self) -> tuple[str, ...]:
        """The names of the templates of the members."""
        return tuple(f"{self.name}[{member}]" for member in self.members)

    @property
    def combined_of(self) -> tuple[str, ...]:
        """The templates of the members."""
        return self.rows

    @property
    def weighted(self) -> tuple[Variation, ...]:
        """The templates of the members, as rows of a filling."""
        return tuple((row, 1) for row in self.rows)

    def matrix(self, events: Events) -> jax.Array:
        """Return the weights of each event up to the last one that is asked for, NaN where it has fewer.

        Parameters
        ----------
        events
            With the column of weights.

        Returns
        -------
        jax.Array
            Shape (events, weights).
        """
        found = getattr(events, self.weights) if isinstance(self.weights, str) else self.weights(events)
        if isinstance(found, rg.RaggedArray):
            most = max((*self.members, self.reference or 0)) + 1
            found = rg.to_padded(found[:, :most], fill_value=np.nan, length=most)
        return jnp.asarray(found)

    def factors(self, events: Events) -> jax.Array:
        """Return the factors on the weight of each event, shape (members, events).

        Parameters
        ----------
        events
            With the column of weights.

        Raises
        ------
        ValueError
            When an event that counts has fewer weights, or one that is NaN.
        """
        weights = self.matrix(events).T
        used = np.array([*self.members, *([] if self.reference is None else [self.reference])])
        missing = jnp.isnan(weights[used]).any(axis=0) & (jnp.asarray(events.weight) != 0)
        facts = jnp.sum(missing, dtype=jnp.int32), jnp.sum(jnp.asarray(events.weight) != 0, dtype=jnp.int32)

        def fail(count: int, number: int) -> None:
            raise ValueError(
                f"{self.name}: {count} of {number} events lack weights, or have some that are NaN, among the positions "
                f"0 to {used.max()} of {', '.join(map(repr, self.reads)) or 'the function'}; name the processes that "
                "have them (processes=...), or fewer members"
            )

        # the factors depend on the check, so that it stays in the program
        count = check(facts[0], facts[0] > 0, facts, fail)
        varied = jnp.where(count < 0, jnp.nan, weights[np.array(self.members)])
        return varied if self.reference is None else varied / weights[self.reference]

    def factors_of_events(self, events: Events) -> Sequence[jax.Array]:
        """Return `factors`, as every source that weighs events calls them.

        Parameters
        ----------
        events
            With the column of weights.
        """
        return [self.factors(events)]

    def confined(self, mine: jax.Array) -> Self:
        """Return the source with weights of 1 for all other events.

        Parameters
        ----------
        mine
            Which events are of a process that it acts on, shape (events,), bool.
        """
        return dataclasses.replace(self, weights=lambda events: jnp.where(mine[:, None], self.matrix(events), 1))

    def unselected(self, processes: Sequence[str]) -> np.ndarray:
        """Return the ``sums``, 1 for processes without.

        Parameters
        ----------
        processes
            Their names.

        Returns
        -------
        numpy.ndarray
            Shape (members, processes).
        """
        sums, ones = dict(self.sums), (1.0,) * len(self.members)
        return np.array([sums.get(name, ones) for name in processes]).T

    def combined(self, nominal: jax.Array, members: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the templates at minus and at plus one standard deviation.

        Parameters
        ----------
        nominal
            Yields, any shape.
        members
            Shape (members, ...).
        """
        down, up = COMBINATIONS[self.combination](nominal, members)
        return jnp.maximum(nominal - self.scale * down, 0), jnp.maximum(nominal + self.scale * up, 0)


# of the nine weights of `LHEScaleWeight`: all but the nominal one and the two with opposite changes
SEVEN_POINTS = (0, 1, 3, 5, 7, 8)


def varied_sums(source: WeightSet, data: Dataset) -> dict[str, tuple[float, ...]]:
    """Return the sums of varied weights over the nominal ones, of each process that a source acts on.

    Right when the data hold all generated events, or a random part; not after a selection.

    Parameters
    ----------
    source
        Its weights are summed.
    data
        The events, before any selection.
    """
    concerned = data.processes if source.processes is None else source.processes

    def of_block(columns: rg.RecordArray, weight: jax.Array, process: jax.Array) -> tuple[jax.Array, jax.Array]:
        is_process = process == jnp.arange(len(data.processes))[:, None]
        concerns = jnp.array([name in concerned for name in data.processes])
        factors = source.factors(Events.of(columns, jnp.where(concerns[process], weight, 0)))
        varied = jnp.where(is_process[:, None], weight * factors, 0).sum(axis=-1, dtype=float)
        return varied, jnp.where(is_process, weight, 0).sum(axis=-1, dtype=float)

    blocks = (data.columns, data.weight, data.process)
    varied, nominal = rg.checked(lambda *blocks: jax.lax.map(lambda block: of_block(*block), blocks))(*blocks)
    ratios = np.asarray(varied).sum(axis=0) / np.asarray(nominal).sum(axis=0)[:, None]
    return {name: tuple(row.tolist()) for name, row in zip(data.processes, ratios, strict=True) if name in concerned}
