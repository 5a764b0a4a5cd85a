"""All parameters of an analysis by name, with their present values: a pytree, a table, and JSON."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from rich.table import Table

from hepgrad.ragged.tracing import is_known

from ..printing import as_html, as_text
from ..selection.cut import Reading
from ..selection.threshold import Cuts
from .choice import WholeNumber, WorkingPoint
from .edges import Edges
from .optimisable import Optimisable, as_words
from .parameter import Parameter
from .weights import Weights


@jax.tree_util.register_pytree_with_keys_class
class Parameters(Mapping[str, Any]):
    """Named parameters with their present values; a pytree whose leaves are the values of the free ones.

    Parameters
    ----------
    **parameters
        By name: a `Parameter`, `WorkingPoint`, `WholeNumber`, `Edges` or `Weights`.

    Raises
    ------
    TypeError
        For something else.
    ValueError
        For a name that a stage could not write as ``cut.name``.

    Examples
    --------
    >>> from hepgrad.analysis import Parameter, Parameters
    >>> cuts = Parameters(met=Parameter(50.0, bounds=(20, 150), unit="GeV"), btag=Parameter(0.5, bounds=(0.1, 0.9)))
    >>> cuts.replace(met=60.0)
    Parameters(met=60 GeV, btag=0.5)
    >>> print(cuts)
    ┏━━━━━━┳━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━┳━━━━━━━┳━━━━━━┳━━━━━━━━━━━━━┓
    ┃ name ┃ value ┃     bounds ┃ width ┃ scale ┃ unit ┃ description ┃
    ┡━━━━━━╇━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━╇━━━━━━━╇━━━━━━╇━━━━━━━━━━━━━┩
    │ met  │    50 │  20 to 150 │   6.5 │    13 │ GeV  │             │
    │ btag │   0.5 │ 0.1 to 0.9 │  0.04 │  0.08 │      │             │
    └──────┴───────┴────────────┴───────┴───────┴──────┴─────────────┘
    """

    def __init__(self, **parameters: Optimisable) -> None:
        for name, spec in parameters.items():
            if not isinstance(spec, Optimisable):
                raise TypeError(
                    f"parameter {name!r}: needs a Parameter, Edges or Weights, got {type(spec).__name__}; choices are "
                    "WorkingPoint and WholeNumber"
                )
            if name.startswith("_") or hasattr(Cuts, name):
                raise ValueError(f"parameter {name!r}: cut.{name} means something else; choose another name")
        self.specs = parameters
        self._values: dict[str, Any] = {k: _Constant(p.value) if p.frozen else p.value for k, p in parameters.items()}

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], Static]:
        """Return the children and the static part, as JAX asks for."""
        frozen = tuple(self._values[k] for k, p in self.specs.items() if p.frozen)
        return [(jax.tree_util.DictKey(k), self[k]) for k in self.free], (tuple(self.specs.items()), frozen)

    @classmethod
    def tree_unflatten(cls, static: Static, values: Any) -> Parameters:
        """Return what `tree_flatten_with_keys` took apart; checks nothing, since JAX also puts in other leaves."""
        specs, frozen = dict(static[0]), iter(static[1])
        free = iter(values)
        return cls._of(specs, {k: next(frozen if p.frozen else free) for k, p in specs.items()})

    @classmethod
    def _of(cls, specs: dict[str, Any], values: dict[str, Any]) -> Parameters:
        new = object.__new__(cls)
        new.specs, new._values = specs, values
        return new

    @property
    def free(self) -> list[str]:
        """The names of the parameters that the optimiser moves."""
        return [k for k, p in self.specs.items() if not p.frozen]

    def __getitem__(self, name: str) -> Any:
        return jax.tree.map(_array, self.stored(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.specs)

    def __len__(self) -> int:
        return len(self.specs)

    def _check(self, name: str) -> None:
        if name not in self.specs:
            raise KeyError(f"no parameter {name!r}; the parameters are {list(self.specs)}")

    def stored(self, name: str) -> Any:
        """Return a present value as it was given, in full precision; a parameter that is not there is a `KeyError`.

        Parameters
        ----------
        name
            Of the parameter.
        """
        self._check(name)
        value = self._values[name]
        return value.value if isinstance(value, _Constant) else value

    def replace(self, **values: Any) -> Parameters:
        """Return parameters with other values.

        Parameters
        ----------
        **values
            New values by name, in the parameter's unit, also as `to_dict` writes them. Known values are checked.

        Raises
        ------
        KeyError
            For a name that is not a parameter.
        TypeError, ValueError
            For a value outside the bounds, of another shape, or that is no number.
        """
        new = dict(self._values)
        for name, value in values.items():
            self._check(name)
            spec = self.specs[name]
            if is_known(value):
                value = _named(name, spec.checked, value)
            elif spec.frozen:
                raise TypeError(f"parameter {name!r}: is frozen, so its value must be known before compilation")
            new[name] = _Constant(value) if spec.frozen else value
        return self._of(self.specs, new)

    def cuts(self, reading: Reading) -> Cuts:
        """Return the parameters as a stage sees them: thresholds that turn comparisons into pass probabilities.

        Parameters
        ----------
        reading
            `Soft`, `Hard` or `StraightThrough`.
        """
        return Cuts({k: p.in_stage(self[k], reading) for k, p in self.specs.items()})

    def with_free(self, values: Mapping[str, Any]) -> Parameters:
        """Return parameters with other values of the free ones, traced or not, without any check.

        Parameters
        ----------
        values
            By name, of all free parameters.
        """
        return self._of(self.specs, {**self._values, **{k: values[k] for k in self.free}})

    def scaled(self) -> dict[str, Any]:
        """Return the free values in units of their scale, which is what the optimiser moves."""
        return {k: self.specs[k].scaled(self[k]) for k in self.free}

    def from_scaled(self, scaled: Mapping[str, Any]) -> Parameters:
        """Return parameters from values in units of their scale; the inverse of `scaled`.

        Parameters
        ----------
        scaled
            Values by name, of all free parameters.
        """
        return self.with_free({k: self.specs[k].from_scaled(scaled[k]) for k in self.free})

    def scaled_bounds(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the lower and the upper bounds of the free values in units of their scale; infinite for weights."""
        boxes = {k: self.specs[k].box() for k in self.free}
        low, high = ({k: self.specs[k].scaled(jax.tree.map(_array, boxes[k][i])) for k in self.free} for i in (0, 1))
        return low, high

    def to_dict(self) -> dict[str, Any]:
        """Return the values as numbers, lists, and (weights) lists by path; not inside ``jit``."""
        return {k: p.plain(self.stored(k)) for k, p in self.specs.items()}

    def numbers(self) -> dict[str, float]:
        """Return cut values as floats, arrays element by element (``pt[0]``), without weights; not inside ``jit``."""
        return {k + at: x for k, p in self.specs.items() for at, x in p.elements(self.stored(k)).items()}

    def spec_of(self, name: str) -> Any:
        """Return what declares a number, which is named as in `numbers`.

        Parameters
        ----------
        name
            Of a parameter, or of an element of one, such as ``"pt[0]"``.
        """
        return self.specs[name.partition("[")[0]]

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Return the bounds of what `numbers` returns."""
        return {k + at: limits for k, p in self.specs.items() for at, limits in p.element_ranges().items()}

    def to_json(self) -> str:
        """Return the present values with everything that describes the parameters as JSON; not inside ``jit``.

        Raises
        ------
        ValueError
            When a value is not finite.

        Examples
        --------
        >>> from hepgrad.analysis import Parameter, Parameters
        >>> cuts = Parameters(met=Parameter(50.0, bounds=(20, 150), unit="GeV"))
        >>> Parameters.from_json(cuts.replace(met=60.0).to_json())
        Parameters(met=60 GeV)
        """

        def line(name: str) -> str:
            entry = self.specs[name].to_entry(self.stored(name))
            return f"  {json.dumps(name)}: {json.dumps(entry, allow_nan=False)}"

        lines = ",\n".join(_named(name, line, name) for name in self)
        return f"{{\n{lines}\n}}\n"

    @classmethod
    def from_json(cls, text: str, *, trees: Mapping[str, Any] | None = None) -> Parameters:
        """Return the parameters that `to_json` wrote down; they start at the values they had.

        Parameters
        ----------
        text
            JSON.
        trees
            For weights that are not nested dictionaries (lists, modules), by name: a tree of the same structure.

        Raises
        ------
        TypeError, ValueError
            When the text is no JSON, or an entry is no parameter (names it).
        """
        try:
            entries = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"the parameters are no JSON: {error}") from None
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            raise ValueError("the parameters must be a JSON object, with one object for each parameter")

        def spec(entry: dict[str, Any], tree: Any) -> Optimisable:
            if "weights" in entry:
                return Weights.from_entry(entry, tree)
            kinds: dict[str, type[Optimisable]] = {"edges": Edges, "points": WorkingPoint, "whole": WholeNumber}
            kind = next((kind for field, kind in kinds.items() if field in entry), Parameter)
            return kind.from_entry(entry, tree)

        return cls(**{k: _named(k, spec, entry, (trees or {}).get(k)) for k, entry in entries.items()})

    def table(self) -> Table:
        """Return the parameters as a table; a frozen one has no scale, since nothing moves it."""
        table = Table()
        for column in ("name", "value", "bounds", "width", "scale", "unit", "description"):
            table.add_column(column, justify="left" if column in ("name", "unit", "description") else "right")
        for name, spec in self.specs.items():
            width = "" if spec.width is None else as_words(spec.width)
            scale = "frozen" if spec.frozen else as_words(spec.scale)
            table.add_row(name, spec.text(self.stored(name)), spec.limits, width, scale, spec.unit, spec.description)
        return table

    def __str__(self) -> str:
        return as_text(self.table())

    def _repr_html_(self) -> str:
        return as_html(self.table())

    def __repr__(self) -> str:
        def show(name: str) -> str:
            spec = self.specs[name]
            return f"{name}={spec.text(self.stored(name))}{' ' * bool(spec.unit)}{spec.unit}"

        return f"Parameters({', '.join(map(show, self.specs))})"


@dataclasses.dataclass(frozen=True, eq=False)
class _Constant:
    """A frozen value as a part of the static structure: equal to another one with the same numbers."""

    value: Any

    @functools.cached_property
    def key(self) -> Any:
        leaves, structure = jax.tree.flatten(self.value)
        arrays = [np.asarray(leaf) for leaf in leaves]
        return structure, tuple((a.shape, a.dtype.str, a.tobytes()) for a in arrays)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Constant) and (self is other or self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.key)


Static: TypeAlias = tuple[tuple[tuple[str, Optimisable], ...], tuple[_Constant, ...]]


def _named(name: str, function: Any, *args: Any) -> Any:
    """Call a function, and put the name of the parameter in front of its complaints."""
    try:
        return function(*args)
    except TypeError as error:
        raise TypeError(f"parameter {name!r}: {error}") from None
    except ValueError as error:
        raise ValueError(f"parameter {name!r}: {error}") from None


def _array(value: Any) -> Any:
    # numbers become arrays only when they are used: the precision is that of the caller, not that at import
    if isinstance(value, float):
        return jnp.asarray(value, float)
    return jnp.asarray(value) if isinstance(value, np.ndarray) else value
