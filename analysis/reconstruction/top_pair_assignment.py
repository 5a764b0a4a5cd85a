"""Top-antitop pairs with one lepton: assign four jets to the two decays by chi-square."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from hepgrad import ragged as rg

from ..kinematics.momenta import Momentum
from ..selection.cut import Pass, as_probability
from ..selection.objects import Objects
from ..selection.ranking import in_order
from .object_systems import MEMBERS, limited
from .total_momenta import NAMES

_PAIRS = tuple(itertools.combinations(range(len(MEMBERS)), 2))


@dataclasses.dataclass(frozen=True)
class TopMasses:
    """What a correct assignment should look like, in GeV.

    Attributes
    ----------
    w_resolution, hadronic_resolution, leptonic_resolution
        Standard deviations of the three reconstructed masses around the true ones, of correct assignments: measure them
        with simulated events.
    w, top
        Masses of the W and of the top quark.
    """

    w_resolution: float
    hadronic_resolution: float
    leptonic_resolution: float
    w: float = 80.4
    top: float = 172.5


def top_pairs(
    jets: Objects,
    lepton: Momentum,
    neutrino: Momentum,
    masses: TopMasses,
    *,
    btagged: Pass | rg.RaggedArray | None = None,
    max_objects: int | None = None,
    capacity: int | None = None,
) -> Objects:
    """Return the assignments of four jets to ``t -> b l nu`` and ``t -> b q q``, with their chi-square.

    ``chi_square = ((m_qq - m_W) / s_W)**2 + ((m_bqq - m_t) / s_had)**2 + ((m_blnu - m_t) / s_lep)**2``. Assignments
    that differ only in which b is which pass together, so of the two only the better one is kept. An assignment
    passes with the product of the probabilities of its four jets, and of its two b jets to be tagged.

    Choose by ``assignments.ordered_by("chi_square", ascending=True).leading(...)``, which takes assignments that share
    jets for independent (exact in the hard reading, an approximation in the soft one), or by `smooth_choice`, which is
    faster. Masses are those of Cartesian sums: in float32 good to 0.01 GeV for jets of ``|eta| < 2.5``.

    Parameters
    ----------
    jets
        A collection with the fields ``pt``, ``eta``, ``phi`` and ``mass``.
    lepton, neutrino
        Four-momenta, one per event, such as `leading_momentum` and `neutrino_from_w`.
    masses
        The expected masses and resolutions.
    btagged
        A `Pass` per jet, or ragged booleans: the two b jets have to pass. Without it the best of all twelve assignments
        of the same four jets is kept.
    max_objects, capacity
        Bounds on the memory inside ``jit``: at most so many jets in an event, at most so many sets of four jets in a
        block of events; see `systems`.

    Returns
    -------
    Objects
        With ``chi_square``; ``w_mass``, ``hadronic_mass``, ``hadronic_pt``, ``leptonic_mass``, ``leptonic_pt`` (of
        the two tops) and ``mass`` (of the pair) in GeV; and the positions of the jets in their event, ``b_leptonic``,
        ``b_hadronic``, ``light1`` and ``light2``, with which ``jets.array[assignments.b_hadronic]`` are the jets.

    Raises
    ------
    CapacityError
        When the assignments do not fit.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Objects
    >>> from hepgrad.analysis.reconstruction import TopMasses, top_pairs
    >>> from hepgrad.analysis.kinematics import momentum
    >>> event = [
    ...     {"pt": 90.0, "eta": 0.0, "phi": 0.0, "mass": 10.0},
    ...     {"pt": 60.0, "eta": 0.5, "phi": 1.5, "mass": 8.0},
    ...     {"pt": 40.0, "eta": -1.0, "phi": 0.5, "mass": 5.0},
    ...     {"pt": 30.0, "eta": 1.0, "phi": 3.0, "mass": 5.0},
    ... ]
    >>> jets = Objects.of(rg.from_lists([event]))
    >>> zero = rg.from_numpy([0.0])
    >>> lepton, neutrino = momentum(zero + 40.0, zero, zero - 2.0, zero), momentum(zero + 50.0, zero, zero + 3.0, zero)
    >>> assignments = top_pairs(jets, lepton, neutrino, TopMasses(10.0, 15.0, 20.0))
    >>> best = assignments.ordered_by("chi_square", ascending=True)
    >>> best.leading("hadronic_mass"), best.leading("b_leptonic")
    (Array([...], dtype=float32), Array([...], dtype=float32))
    """
    jets = limited(jets, max_objects)
    of_jet = {
        **dict(zip(NAMES, Momentum.of(jets).components, strict=True)),
        "probability": jets.probability,
        "btagged": rg.ones_like(jets.probability) if btagged is None else as_probability(btagged, jets.probability),
        "position": rg.local_index(jets.array, axis=1),
    }
    ranked = rg.zip(of_jet) if jets.order is None else in_order(rg.zip(of_jet), jets.order)
    sets = rg.combinations(ranked, 4, fields=MEMBERS, capacity=capacity)
    members = [getattr(sets, name).content for name in MEMBERS]
    of_event = (rg.broadcast_arrays(sets.first.px, part)[1] for part in (lepton + neutrino).components)
    candidates = _candidates(members, Momentum(*(part.content for part in of_event)), masses)
    if btagged is None:
        candidates = [functools.reduce(_better, candidates)]
    # one after the other for each set of four jets
    columns = {name: jnp.stack([c[name] for c in candidates], axis=-1).reshape(-1) for name in candidates[0]}
    probability = columns.pop("probability")
    number = len(candidates)
    array = dataclasses.replace(
        sets,
        offsets=sets.offsets * number,
        row_ids=jnp.repeat(sets.row_ids, number),
        content=rg.RecordArray(dict(columns)),
        max_length=None if sets.max_length is None else sets.max_length * number,
    )
    return Objects(array, array.with_content(probability))


def _candidates(jets: Sequence[rg.RecordArray], leptonic_w: Momentum, masses: TopMasses) -> list[dict[str, jax.Array]]:
    """Return, for each choice of the two b jets, the better of the two assignments; every column of shape (sets,)."""
    momenta = [Momentum.of(jet) for jet in jets]
    # the tops depend only on the jet that joins the lepton, the W on the two jets that are left
    leptonic = [leptonic_w + b for b in momenta]
    hadronic = [functools.reduce(operator.add, momenta[:k] + momenta[k + 1 :]) for k in range(len(momenta))]
    pairs = {light: momenta[light[0]] + momenta[light[1]] for light in _PAIRS}
    # a barrier, lest XLA compute these once more for everything that uses them
    tops, w_mass, mass = jax.tree.map(
        jax.lax.optimization_barrier,
        (
            [
                {
                    "hadronic_mass": hadronic[k].mass,
                    "hadronic_pt": hadronic[k].pt,
                    "leptonic_mass": leptonic[k].mass,
                    "leptonic_pt": leptonic[k].pt,
                }
                for k in range(len(momenta))
            ],
            {light: pair.mass for light, pair in pairs.items()},
            (leptonic[0] + hadronic[0]).mass,
        ),
    )
    all_pass = functools.reduce(operator.mul, (jet.probability for jet in jets))

    def assignment(b_leptonic: int, b_hadronic: int, light: tuple[int, int]) -> dict[str, jax.Array]:
        top = tops[b_leptonic]
        return {
            "chi_square": ((w_mass[light] - masses.w) / masses.w_resolution) ** 2
            + ((top["hadronic_mass"] - masses.top) / masses.hadronic_resolution) ** 2
            + ((top["leptonic_mass"] - masses.top) / masses.leptonic_resolution) ** 2,
            "w_mass": w_mass[light],
            **top,
            "mass": mass,
            "b_leptonic": jets[b_leptonic].position,
            "b_hadronic": jets[b_hadronic].position,
            "light1": jets[light[0]].position,
            "light2": jets[light[1]].position,
            "probability": all_pass * jets[b_leptonic].btagged * jets[b_hadronic].btagged,
        }

    # the pairs in reverse order are the complements of the pairs
    return [
        _better(assignment(b1, b2, light), assignment(b2, b1, light))
        for (b1, b2), light in zip(_PAIRS, reversed(_PAIRS), strict=True)
    ]


def _better(a: dict[str, jax.Array], b: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Return for each set of jets the assignment of the smaller chi-square."""
    first = a["chi_square"] <= b["chi_square"]
    return {name: jnp.where(first, a[name], b[name]) for name in a}
