"""Parameters as a stage sees them: thresholds, and a comparison with a threshold is a pass."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from rich.table import Table

from hepgrad import ragged as rg
from hepgrad.ragged.tracing import is_known

from ..printing import as_html, meant
from .cut import Pass, Reading


class _NotANumber:
    """Says what to do instead of using a threshold as a number or as a truth value."""

    # NumPy must leave operators to this class
    __array_ufunc__ = None

    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError(
            "a parameter is a threshold here, not a number: compare with it (jets.pt > cut.pt), shift or scale it by a "
            "number (cut.pt + 5), or use its `.value` (cut.pt.value)"
        )

    __bool__ = __float__ = __int__ = __index__ = __complex__ = __abs__ = _refuse
    __array__ = _refuse
    __pow__ = __rpow__ = __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __rtruediv__ = _refuse


@dataclasses.dataclass(frozen=True, eq=False)
class Threshold(_NotANumber):
    """A parameter on one side of a comparison: ``jets.pt > cut.jet_pt`` is a `Pass`.

    Shifted or scaled by a number it is a threshold again: ``cut.met + 20`` keeps the width, ``2 * cut.met`` doubles it,
    as if the number stood on the other side of the comparison. A value that is NaN passes no comparison.

    Attributes
    ----------
    value
        The parameter's value, for use as a plain number; one per object or event after ``cut.pt[bins]``.
    width
        The parameter's width.
    reading
        What a comparison means.

    Raises
    ------
    TypeError
        When it is used as a number, compared for equality, or joined with something that is not a number.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from hepgrad.analysis import Parameter, Parameters, Soft
    >>> cut = Parameters(met=Parameter(50.0, bounds=(20, 150), width=10.0)).cuts(Soft())
    >>> met = jnp.array([40.0, 50.0, 70.0])
    >>> [f"{p:.3f}" for p in (met > cut.met).probability]
    ['0.269', '0.500', '0.881']
    >>> [f"{p:.3f}" for p in (met > cut.met + 20).probability]
    ['0.047', '0.119', '0.500']
    """

    value: Any
    width: Any
    reading: Reading

    def compared(self, x: Any, sign: int) -> None:
        """Be told of a comparison; subclasses that watch what an analysis does remember it (see `comparisons`).

        Parameters
        ----------
        x
            What is compared with the threshold.
        sign
            1 when larger values pass, -1 when smaller ones do.
        """

    def _passes(self, x: Any, *, sign: int, strict: bool) -> Pass:
        self.compared(x, sign)

        def probability(x: jax.Array, value: jax.Array, width: jax.Array) -> jax.Array:
            x = as_float(x)
            # events stay in their own precision even where parameters are float64
            above = sign * (x - jnp.asarray(value, x.dtype))
            hard = ((above > 0) if strict else (above >= 0)).astype(x.dtype)
            # the inner selection keeps NaN out of the derivative
            known = ~jnp.isnan(x)

            def soft(factor: Any) -> jax.Array:
                steps = jnp.where(known, above, 0) / jnp.asarray(factor * width, x.dtype)
                return jnp.where(known, jax.nn.sigmoid(steps), 0)

            return self.reading.probability(soft, hard)

        return Pass(rg.apply(probability, x, self.value, self.width, operation="a comparison with a parameter"))

    def __lt__(self, x: Any) -> Pass:
        return self._passes(x, sign=1, strict=True)

    def __le__(self, x: Any) -> Pass:
        return self._passes(x, sign=1, strict=False)

    def __gt__(self, x: Any) -> Pass:
        return self._passes(x, sign=-1, strict=True)

    def __ge__(self, x: Any) -> Pass:
        return self._passes(x, sign=-1, strict=False)

    def __eq__(self, x: object) -> NoReturn:
        raise TypeError("equality with a parameter has no derivative; ask for a range with window(x, low, high)")

    __ne__ = __eq__
    __hash__ = None  # type: ignore[assignment]

    def _times_plus(self, factor: Any, shift: Any) -> Threshold:
        return Threshold(self.value * factor + shift, self.width * abs(factor), self.reading)

    def __neg__(self) -> Threshold:
        return self._times_plus(-1, 0)

    def __add__(self, other: Any) -> Threshold:
        return self._times_plus(1, _number(other))

    def __sub__(self, other: Any) -> Threshold:
        return self._times_plus(1, -_number(other))

    def __rsub__(self, other: Any) -> Threshold:
        return self._times_plus(-1, _number(other))

    def __mul__(self, other: Any) -> Threshold:
        return self._times_plus(_not_zero(_number(other)), 0)

    def __truediv__(self, other: Any) -> Threshold:
        return self._times_plus(1 / _not_zero(_number(other)), 0)

    __radd__, __rmul__ = __add__, __mul__


@dataclasses.dataclass(frozen=True, eq=False)
class ThresholdArray(_NotANumber):
    """A parameter with several elements, of which a comparison needs one: ``cut.pt[0]``.

    Attributes
    ----------
    value
        The parameter's values, for use as a plain array, such as the edges of bins.
    width
        The widths, of the same shape.
    reading
        What a comparison means.

    Raises
    ------
    TypeError
        When it is used as a number, or compared as a whole.

    Examples
    --------
    One threshold for central and one for forward jets, chosen for each jet:

    >>> import hepgrad.ragged as rg
    >>> from hepgrad.analysis import Hard, Parameter, Parameters
    >>> cut = Parameters(pt=Parameter([30.0, 50.0], bounds=(20, 80))).cuts(Hard())
    >>> jets = rg.from_lists([[{"pt": 40.0, "eta": 0.5}, {"pt": 40.0, "eta": 3.0}]])
    >>> forward = abs(jets.eta) > 2.4
    >>> rg.to_list((jets.pt > cut.pt[rg.where(forward, 1, 0)]).probability)
    [[1.0, 0.0]]
    """

    value: jax.Array
    width: np.ndarray
    reading: Reading

    def __getitem__(self, index: Any) -> Threshold | ThresholdArray:
        """Return the threshold of one element, of each object or event, or (with a slice) several elements.

        An index is integers or slices, or an array of integers: one per event, or ragged, one per object. Where an
        index of an array lies outside, the threshold is NaN.
        """

        def pick(index: jax.Array) -> tuple[jax.Array, jax.Array]:
            value, width = (jnp.asarray(each).at[index] for each in (self.value, self.width))
            return value.get(mode="fill", fill_value=jnp.nan), width.get(mode="fill", fill_value=1)

        if isinstance(index, rg.RaggedArray | jax.Array | np.ndarray):
            value, width = rg.apply(pick, index, operation="an index into a parameter")
            return Threshold(value, width, self.reading)
        # NumPy knows the width, and raises where the index lies outside
        width = self.width[index]
        if np.ndim(width):
            return ThresholdArray(self.value[index], width, self.reading)
        return Threshold(self.value[index], width, self.reading)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the parameter."""
        return self.value.shape

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Threshold | ThresholdArray]:
        return (self[i] for i in range(len(self)))

    def _several(self, *_: Any) -> NoReturn:
        raise TypeError(
            f"this parameter has the shape {self.shape}: compare with one element (cut.pt[0]), with one chosen for "
            "each object or event (cut.pt[index]), or use its `.value`"
        )

    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _several
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __neg__ = _several
    __hash__ = None  # type: ignore[assignment]


class Cuts(Mapping[str, Any]):
    """What a stage receives as its second argument: every parameter by attribute.

    Parameters
    ----------
    parameters
        By name: a `Threshold`, a `ThresholdArray`, or the pytree of `Weights`.
    """

    def __init__(self, parameters: dict[str, Any]) -> None:
        self._parameters = parameters

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._parameters:
            known = list(self.__dict__["_parameters"])
            raise AttributeError(f"no parameter {name!r}; the parameters are {known}{meant(name, known)}")
        return self._parameters[name]

    def __getitem__(self, name: str) -> Any:
        return self._parameters[name]

    def __repr__(self) -> str:
        return f"Cuts({', '.join(self._parameters)})"

    def _repr_html_(self) -> str:
        table = Table("parameter", "value", "width", title="Cuts")
        for name, each in self._parameters.items():
            table.add_row(name, *(_shown(getattr(each, part, None)) for part in ("value", "width")))
        return as_html(table)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)


def _shown(x: Any) -> str:
    """Return a number as a table has it; of arrays, and of what is being compiled, only the shape."""
    if x is None:
        return ""
    return f"{float(x):.4g}" if is_known(x) and jnp.ndim(x) == 0 else f"shape {jnp.shape(x)}"


def as_float(x: Any) -> jax.Array:
    """Return numbers as floats: integers in JAX's default precision, floats in their own."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.result_type(float))


def _number(x: Any) -> Any:
    if isinstance(x, numbers.Real) or (isinstance(x, jax.Array | np.ndarray) and x.ndim == 0):
        return x
    if isinstance(x, Threshold):
        raise TypeError("two thresholds have no common width; use the value of one of them: cut.a + cut.b.value")
    kind = "an array" if hasattr(x, "shape") else type(x).__name__
    raise TypeError(
        f"a threshold can be shifted and scaled by one number, not by {kind}; move it to the other side of the "
        "comparison (x - y > cut.a), or use the threshold's `.value`"
    )


def _not_zero(factor: Any) -> Any:
    if isinstance(factor, numbers.Real) and factor == 0:
        raise ValueError("a threshold scaled by 0 has no width")
    return factor
