"""NumPy's elementwise functions by name: ``rg.sqrt(x)`` for arrays of any kind, JAX arrays, and numbers.

``np.sqrt(x)`` does the same for flat, ragged and record arrays, but NumPy refuses the plain JAX arrays that numbers are
inside ``jit`` and ``grad`` (``np.sqrt(rg.sum(x))``); these functions take both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from .applying import apply


def elementwise(name: str) -> Callable[..., Any]:
    """Return the function of that name in `jax.numpy`, for ragged arrays as well.

    Examples
    --------
    >>> import hepgrad.ragged as rg
    >>> x = rg.from_lists([[1.0, 4.0], [], [9.0]])
    >>> rg.sqrt(x)
    <RaggedArray [[1.0, 2.0], [], [3.0]] type='3 * var * float32'>
    >>> rg.sqrt(rg.sum(x, axis=1))
    Array([2.236068, 0.      , 3.      ], dtype=float32)
    """
    function = getattr(jnp, name)

    def applied(*arrays: Any) -> Any:
        return apply(function, *arrays, operation=name)

    applied.__name__ = applied.__qualname__ = name
    applied.__doc__ = f"Apply ``jax.numpy.{name}`` to every item; the arguments broadcast as Awkward's do."
    return applied


abs = elementwise("abs")
absolute = elementwise("absolute")
add = elementwise("add")
angle = elementwise("angle")
arccos = elementwise("arccos")
arccosh = elementwise("arccosh")
arcsin = elementwise("arcsin")
arcsinh = elementwise("arcsinh")
arctan = elementwise("arctan")
arctan2 = elementwise("arctan2")
arctanh = elementwise("arctanh")
bitwise_and = elementwise("bitwise_and")
bitwise_count = elementwise("bitwise_count")
bitwise_or = elementwise("bitwise_or")
bitwise_xor = elementwise("bitwise_xor")
cbrt = elementwise("cbrt")
ceil = elementwise("ceil")
clip = elementwise("clip")
conjugate = elementwise("conjugate")
copysign = elementwise("copysign")
cos = elementwise("cos")
cosh = elementwise("cosh")
deg2rad = elementwise("deg2rad")
degrees = elementwise("degrees")
divide = elementwise("divide")
divmod = elementwise("divmod")
equal = elementwise("equal")
exp = elementwise("exp")
exp2 = elementwise("exp2")
expm1 = elementwise("expm1")
fabs = elementwise("fabs")
float_power = elementwise("float_power")
floor = elementwise("floor")
floor_divide = elementwise("floor_divide")
fmax = elementwise("fmax")
fmin = elementwise("fmin")
fmod = elementwise("fmod")
frexp = elementwise("frexp")
gcd = elementwise("gcd")
greater = elementwise("greater")
greater_equal = elementwise("greater_equal")
heaviside = elementwise("heaviside")
hypot = elementwise("hypot")
imag = elementwise("imag")
invert = elementwise("invert")
isfinite = elementwise("isfinite")
isinf = elementwise("isinf")
isnan = elementwise("isnan")
lcm = elementwise("lcm")
ldexp = elementwise("ldexp")
left_shift = elementwise("left_shift")
less = elementwise("less")
less_equal = elementwise("less_equal")
log = elementwise("log")
log10 = elementwise("log10")
log1p = elementwise("log1p")
log2 = elementwise("log2")
logaddexp = elementwise("logaddexp")
logaddexp2 = elementwise("logaddexp2")
logical_and = elementwise("logical_and")
logical_not = elementwise("logical_not")
logical_or = elementwise("logical_or")
logical_xor = elementwise("logical_xor")
maximum = elementwise("maximum")
minimum = elementwise("minimum")
modf = elementwise("modf")
multiply = elementwise("multiply")
negative = elementwise("negative")
nextafter = elementwise("nextafter")
not_equal = elementwise("not_equal")
positive = elementwise("positive")
power = elementwise("power")
rad2deg = elementwise("rad2deg")
radians = elementwise("radians")
real = elementwise("real")
reciprocal = elementwise("reciprocal")
remainder = elementwise("remainder")
right_shift = elementwise("right_shift")
rint = elementwise("rint")
round = elementwise("round")
sign = elementwise("sign")
signbit = elementwise("signbit")
sin = elementwise("sin")
sinh = elementwise("sinh")
spacing = elementwise("spacing")
sqrt = elementwise("sqrt")
square = elementwise("square")
subtract = elementwise("subtract")
tan = elementwise("tan")
tanh = elementwise("tanh")
trunc = elementwise("trunc")

__all__ = [
    "abs",
    "absolute",
    "add",
    "angle",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "bitwise_and",
    "bitwise_count",
    "bitwise_or",
    "bitwise_xor",
    "cbrt",
    "ceil",
    "clip",
    "conjugate",
    "copysign",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "divide",
    "divmod",
    "equal",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "float_power",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "gcd",
    "greater",
    "greater_equal",
    "heaviside",
    "hypot",
    "imag",
    "invert",
    "isfinite",
    "isinf",
    "isnan",
    "lcm",
    "ldexp",
    "left_shift",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "modf",
    "multiply",
    "negative",
    "nextafter",
    "not_equal",
    "positive",
    "power",
    "rad2deg",
    "radians",
    "real",
    "reciprocal",
    "remainder",
    "right_shift",
    "rint",
    "round",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "spacing",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "trunc",
]
