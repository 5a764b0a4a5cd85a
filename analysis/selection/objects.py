"""Collections of objects, such as the jets of each event, with the probability that each has been selected so far."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from hepgrad import ragged as rg

from ..printing import meant
from .counting import Counting
from .cross_references import NOWHERE, instead_of, points
from .cut import Pass, as_probability
from .expectations import Expectations
from .ranking import RANKING, in_order
from .threshold import Threshold


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Objects(Counting, Expectations):
    """One collection, such as the jets: records in rows, one row per event, and each object's pass probability.

    `select` multiplies probabilities and removes nothing. Fields are attributes (``jets.pt``), or items where a method
    has the name (``jets["count"]``). Objects stay where they are stored, so that columns with positions, such as
    ``Muon_jetIdx``, point at what they are meant to. "Leading" is the one with the highest pT that passes in a
    collection as it was read, and otherwise the first one in the row that passes: of what `ordered_by` or `concatenate`
    returned, and of collections without a ``pt``.

    Attributes
    ----------
    array
        The objects' fields, ragged.
    probability
        Ragged, in [0, 1]: the probability that the object was selected.
    order
        Ragged integers: the position of the leading object, of the subleading one, and so on; None when that is the
        order of the rows.

    Examples
    --------
    >>> import awkward as ak
    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Objects
    >>> jets = Objects.of(rg.from_awkward(ak.zip({"pt": [[50.0, 30.0], [], [40.0]]})))
    >>> jets = jets.select(jets.pt > 35.0)
    >>> jets.sum("pt")
    Array([50.,  0., 40.], dtype=float32)
    >>> jets.at_least(1).probability
    Array([1., 0., 1.], dtype=float32)
    """

    array: rg.RaggedArray
    probability: rg.RaggedArray
    order: rg.RaggedArray | None = None

    @classmethod
    def of(cls, array: rg.RaggedArray) -> Objects:
        """Return a collection in which every object is selected.

        Parameters
        ----------
        array
            Ragged records, in the order in which they lead unless a data set says another one.

        Raises
        ------
        TypeError
            When the array does not hold records in rows.
        """
        if not isinstance(array, rg.RaggedArray) or not array.fields:
            raise TypeError("a collection needs records in rows, such as ak.zip({'pt': ..., 'eta': ...})")
        order = None
        if RANKING in array.fields:
            order, array = array[RANKING], array[[name for name in array.fields if name != RANKING]]
        dtype = jnp.result_type(
            *(leaf for leaf in jax.tree.leaves(array.content) if leaf.dtype.kind == "f"), jnp.float32
        )
        return cls(array, array.with_content(jnp.ones(array.capacity, dtype)), order)

    @property
    def fields(self) -> list[str]:
        """The names of the fields."""
        return self.array.fields

    @property
    def capacity(self) -> int:
        """For how many objects of all events together there is room."""
        return self.array.capacity

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__["array"].fields
        if name.startswith("__") or name not in fields:
            raise AttributeError(
                f"no field {name!r} in this collection; the fields are {fields}"
                f"{instead_of(name, fields) or meant(name, [*fields, *dir(type(self))])}"
            )
        return getattr(self.array, name)

    def __getitem__(self, name: str) -> rg.RaggedArray:
        if not isinstance(name, str):
            raise TypeError(
                "objects are not picked by masks or numbers: write `jets.select(...)` for `jets[...]`, "
                "`jets.leading('pt')` for the first one, and the same for all where you would loop"
            )
        return self.__getattr__(name)

    def with_field(self, **fields: Any) -> Objects:
        """Return the collection with fields added or replaced.

        Parameters
        ----------
        **fields
            Ragged, with the rows of this collection, or one value per event.
        """
        array = self.array
        for name, value in fields.items():
            array = rg.with_field(array, value, name)
        return dataclasses.replace(self, array=array)

    def select(self, passed: Pass | rg.RaggedArray) -> Objects:
        """Return the collection with each object's probability multiplied by that of passing.

        Parameters
        ----------
        passed
            A `Pass` per object, or ragged booleans.
        """
        return dataclasses.replace(self, probability=self.probability * as_probability(passed, self.probability))

    def without_overlap(self, others: Objects, radius: Threshold | float, *, capacity: int | None = None) -> Objects:
        """Return the collection with each object's probability multiplied by that of no selected other one nearby.

        Object i survives with ``prod_m (1 - p_m q_im)``, where ``q_im`` is the pass ``delta R(i, m) < radius``. This is
        exact for each object; objects close to the same other one survive or fall together, which quantities of
        several objects neglect in the soft reading.

        Parameters
        ----------
        others
            Another collection, such as the muons; both need the fields ``eta`` and ``phi``.
        radius
            A parameter, or a number.
        capacity
            Room for this many pairs in all events of a block. Inside ``jit`` by default as many as there could be; a
            smaller one saves time, and an error says when it does not suffice.

        Raises
        ------
        CapacityError
            When the pairs do not fit.

        Examples
        --------
        >>> import hepgrad.ragged as rg
        >>> from hepgrad.analysis import Objects
        >>> jets = Objects.of(rg.from_lists([[{"eta": 0.0, "phi": 3.1}, {"eta": 0.0, "phi": 0.0}], []]))
        >>> muons = Objects.of(rg.from_lists([[{"eta": 0.1, "phi": -3.1}], []]))
        >>> rg.to_list(jets.without_overlap(muons, 0.4).probability)
        [[0.0, 1.0], []]
        """
        # kinematics needs this class, hence the import inside the method
        from ..kinematics import delta_r

        mine = rg.zip({"eta": self.eta, "phi": self.phi})
        theirs = rg.zip({"eta": others.eta, "phi": others.phi, "p": others.probability})
        pairs = rg.cartesian({"object": mine, "other": theirs}, nested=True, capacity=capacity)
        distance = delta_r(pairs.object.eta, pairs.object.phi, pairs.other.eta, pairs.other.phi)
        near = as_probability(distance < radius, others.probability)
        return self.select(Pass(rg.prod(1 - pairs.other.p * near, axis=-1)))

    def ordered_by(self, field: str, *, ascending: bool = False) -> Objects:
        """Return the collection sorted by a field, so that "leading" means the first in that order.

        The order itself has no derivative; values and probabilities have.

        Parameters
        ----------
        field
            Name of a field of numbers; of equal ones the one that led stays first.
        ascending
            Whether the smallest comes first.
        """
        ranked = self.leading_first()
        both = ranked._joined()[rg.argsort(ranked[field], ascending=ascending)]
        return Objects(both.object, both.probability)

    def leading_first(self) -> Objects:
        """Return the collection with the leading object first in each row, the subleading one second, and so on.

        For what looks at rows itself, such as ``rg.firsts``. Positions (``Muon_jetIdx``) no longer point into it.

        Examples
        --------
        >>> import awkward as ak, jax, numpy as np
        >>> import hepgrad.ragged as rg
        >>> from hepgrad.analysis import Dataset
        >>> jets = ak.zip({"pt": [[30.0, 50.0], [40.0]]})
        >>> data = Dataset.from_awkward({"ttbar": ak.zip({"Jet": jets}, depth_limit=1)}, {"ttbar": np.ones(2)})
        >>> stored = jax.tree.map(lambda leaf: leaf[0], data.events.Jet)
        >>> rg.to_list(stored.pt), rg.to_list(stored.leading_first().pt)
        ([[30.0, 50.0], [40.0]], [[50.0, 30.0], [40.0]])
        """
        if self.order is None:
            return self
        both = in_order(self._joined(), self.order)
        return Objects(both.object, both.probability)

    def at(self, positions: rg.RaggedArray, *, fill_value: float = 0) -> Objects:
        """Return the objects that positions point at, such as the jet of each muon: ``jets.at(muons.jetIdx)``.

        Selecting the other collection with them is plain: ``muons.select(jets.at(muons.jetIdx).btag < 0.2)``. Of what
        was found, positions point into the same collections as before: the grandparent of a particle is
        ``particles.at(particles.at(particles.genPartIdxMother).genPartIdxMother)``.

        Parameters
        ----------
        positions
            Ragged integers, counted in the order of the file. A negative one, or one beyond the last object, points
            nowhere.
        fill_value
            What all fields have where nothing is pointed at, but those with positions (whose name has ``Idx`` in it, as
            in NanoAOD, or ends in ``_idx``, ``_index`` or ``Index``): they point nowhere, -1.

        Returns
        -------
        Objects
            With the rows of the positions. Each has the probability of the object that is pointed at, and 0 where
            there is none.

        Examples
        --------
        >>> import hepgrad.ragged as rg
        >>> from hepgrad.analysis import Objects
        >>> jets = Objects.of(rg.from_lists([[{"pt": 30.0}, {"pt": 50.0}], []]))
        >>> muons = Objects.of(rg.from_lists([[{"jetIdx": 1}, {"jetIdx": -1}], [{"jetIdx": -1}]]))
        >>> found = jets.select(jets.pt > 40.0).at(muons.jetIdx, fill_value=-1.0)
        >>> rg.to_list(found.pt), rg.to_list(found.probability)
        ([[50.0, -1.0], [-1.0]], [[1.0, 0.0], [0.0]])
        """
        counts = self.array.counts
        pointing: Any = positions.content
        passed: Any = self.probability.content
        most = self.array.capacity
        there = (pointing >= 0) & (pointing < counts.at[positions.row_ids].get(mode="fill", fill_value=0))
        begin = self.array.offsets.at[positions.row_ids].get(mode="clip")
        places = jnp.clip(jnp.where(there, begin + pointing, 0), 0, max(most - 1, 0))

        def taken(leaf: jax.Array, otherwise: float, *, is_position: bool = False) -> jax.Array:
            nowhere = is_position and jnp.issubdtype(leaf.dtype, jnp.integer)
            fill = jnp.asarray(NOWHERE if nowhere else otherwise, leaf.dtype)
            return jnp.where(there, leaf[places], fill) if most else jnp.full(places.shape, fill)

        content: Any = self.array.content
        found = {}
        for name, column in content.columns.items():
            take = functools.partial(taken, otherwise=fill_value, is_position=points(name))
            found[name] = jax.tree.map(take, column)
        return Objects(positions.with_content(rg.RecordArray(found)), positions.with_content(taken(passed, 0)))

    def combinations(self, n: int, *, fields: Sequence[str] | None = None, capacity: int | None = None) -> Objects:
        """Return every choice of ``n`` objects of an event, selected with the product of their probabilities.

        The first member of a choice leads the second one, and so on. Numbers and sums of choices are exact expectations
        (``count``, ``sum``). Choices that share an object pass or fail
        together, which quantities of several choices (``at_least``, ``leading``) neglect in the soft reading.

        Parameters
        ----------
        n
            Objects in a choice.
        fields
            The names of the members, "0", "1", ... by default.
        capacity
            Room for this many choices in all events of a block. Inside ``jit`` by default as many as there could be; a
            smaller one saves time, and an error says when it does not suffice.

        Raises
        ------
        CapacityError
            When the choices do not fit.

        Examples
        --------
        >>> import hepgrad.ragged as rg
        >>> from hepgrad.analysis import Objects
        >>> muons = Objects.of(rg.from_lists([[{"charge": 1}, {"charge": -1}, {"charge": 1}], []]))
        >>> pairs = muons.combinations(2, fields=["first", "second"])
        >>> pairs.select(pairs.first.charge * pairs.second.charge < 0).count()
        Array([2., 0.], dtype=float32)
        """
        tuples = rg.combinations(self.leading_first()._joined(), n, fields=fields, capacity=capacity)
        members = {name: tuples[name] for name in tuples.fields}
        probability = functools.reduce(operator.mul, (member.probability for member in members.values()))
        array = rg.zip({name: member.object for name, member in members.items()}, depth_limit=2)
        return Objects(array, probability)

    @classmethod
    def concatenate(cls, collections: Sequence[Objects], *, fields: Sequence[str] | None = None) -> Objects:
        """Return the objects of several collections as one, such as electrons and muons as leptons.

        Parameters
        ----------
        collections
            In the order in which an event's objects follow each other; sort with `ordered_by` where it matters.
        fields
            The names of the fields to keep, which all collections need; by default those of the first.

        Raises
        ------
        KeyError
            When a collection lacks a field.

        Examples
        --------
        >>> import hepgrad.ragged as rg
        >>> from hepgrad.analysis import Objects
        >>> electrons = Objects.of(rg.from_lists([[{"pt": 20.0, "sieie": 0.01}], []]))
        >>> muons = Objects.of(rg.from_lists([[{"pt": 30.0}], [{"pt": 10.0}]]))
        >>> leptons = Objects.concatenate([electrons, muons], fields=["pt"]).ordered_by("pt")
        >>> rg.to_list(leptons.pt)
        [[30.0, 20.0], [10.0]]
        """
        names = list(collections[0].fields if fields is None else fields)
        parts = [dataclasses.replace(c, array=c.array[names]).leading_first()._joined() for c in collections]
        both = rg.concatenate(parts, axis=1)
        return cls(both.object, both.probability)

    def _joined(self) -> rg.RaggedArray:
        # one array of records, so that objects and probabilities keep the same rows
        return rg.zip({"object": self.array, "probability": self.probability}, depth_limit=2)
