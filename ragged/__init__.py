"""Differentiable ragged arrays on JAX.

Names, arguments and results follow Awkward Array, so that ``ak.`` becomes ``rg.``; every operation works eagerly and
under ``jit``, ``vmap``, ``grad`` and the other transformations of JAX.
"""

from __future__ import annotations

from .array import RaggedArray, RecordArray, from_offsets
from .checks.collected import Checks, checked, with_checks
from .convert import from_awkward, from_iter, from_lists, from_numpy, to_awkward, to_list
from .derivatives.differences import check_grads
from .derivatives.jacobians import hessian, jacfwd, jacobian, jacrev
from .derivatives.transformations import grad, items_of, jvp, value_and_grad, vjp
from .derivatives.updates import apply_updates
from .errors import CapacityError, StructureError
from .flat import FlatArray
from .functions import elementwise as _elementwise
from .functions import numpy_functions as _numpy_functions  # noqa: F401 - announces itself to the arrays' protocol
from .functions.applying import apply
from .functions.broadcast import broadcast_arrays, zip
from .functions.elementwise import *  # noqa: F403 - one name per NumPy function
from .functions.foreign import convert_for_jax as _convert_for_jax
from .functions.foreign import guard as _guard
from .functions.foreign import refuse_in_awkward as _refuse_in_awkward
from .functions.unsupported import explain as _explain
from .printing import type_of
from .probability.pick import draw_probability, nth_probability
from .probability.poisson_binomial import at_least_probability, count_probability
from .probability.rowwise import argtop_k, cumprod, cumsum, exclusive_cumprod, exclusive_prod, nearest, top_k
from .probability.soft import logsumexp, soft_argmax, soft_rank, soft_sort, softmax, softmin
from .record import Record
from .records import fields, unzip, with_field, without_field
from .reduce.ignoring_nan import nanargmax, nanargmin, nanmax, nanmean, nanmin, nanprod, nanstd, nansum, nanvar
from .reduce.moments import mean, moment, std, var
from .reduce.positions import argmax, argmin
from .reduce.products import segment_prod
from .reduce.reducers import all, any, count, count_nonzero, max, min, prod, ptp, sum
from .reduce.segments import segment_max, segment_min, segment_sum
from .reduce.two_arrays import corr, covar, linear_fit
from .resize import with_capacity
from .slicing.indexing import getitem
from .structure.combinatorics import argcartesian, argcombinations, cartesian, combinations
from .structure.equality import almost_equal, array_equal
from .structure.join import concatenate
from .structure.lists import flatten, local_index, num, ravel, unflatten
from .structure.missing import drop_none, fill_none, is_none, mask, pad_none
from .structure.order import argsort, sort
from .structure.packing import to_numpy, to_packed
from .structure.padding import firsts, pad, singletons, to_padded
from .structure.runs import run_lengths
from .structure.types import type, values_astype
from .structure.where import full_like, isclose, nan_to_num, ones_like, where, zeros_like

__all__ = [
    "CapacityError",
    "Checks",
    "FlatArray",
    "RaggedArray",
    "Record",
    "RecordArray",
    "StructureError",
    "all",
    "almost_equal",
    "any",
    "apply",
    "apply_updates",
    "argcartesian",
    "argcombinations",
    "argmax",
    "argmin",
    "argsort",
    "argtop_k",
    "array_equal",
    "at_least_probability",
    "broadcast_arrays",
    "cartesian",
    "check_grads",
    "checked",
    "combinations",
    "concatenate",
    "corr",
    "count",
    "count_nonzero",
    "count_probability",
    "covar",
    "cumprod",
    "cumsum",
    "draw_probability",
    "drop_none",
    "exclusive_cumprod",
    "exclusive_prod",
    "fields",
    "fill_none",
    "firsts",
    "flatten",
    "from_awkward",
    "from_iter",
    "from_lists",
    "from_numpy",
    "from_offsets",
    "full_like",
    "getitem",
    "grad",
    "hessian",
    "is_none",
    "isclose",
    "items_of",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "linear_fit",
    "local_index",
    "logsumexp",
    "mask",
    "max",
    "mean",
    "min",
    "moment",
    "nan_to_num",
    "nanargmax",
    "nanargmin",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
    "nearest",
    "nth_probability",
    "num",
    "ones_like",
    "pad",
    "pad_none",
    "prod",
    "ptp",
    "ravel",
    "run_lengths",
    "segment_max",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "singletons",
    "soft_argmax",
    "soft_rank",
    "soft_sort",
    "softmax",
    "softmin",
    "sort",
    "std",
    "sum",
    "to_awkward",
    "to_list",
    "to_numpy",
    "to_packed",
    "to_padded",
    "top_k",
    "type",
    "type_of",
    "unflatten",
    "unzip",
    "value_and_grad",
    "values_astype",
    "var",
    "vjp",
    "where",
    "with_capacity",
    "with_checks",
    "with_field",
    "without_field",
    "zeros_like",
    "zip",
]
__all__ += _elementwise.__all__

_guard(globals(), takes_awkward=("from_awkward", "from_iter", "from_lists", "from_numpy", "getitem"))
_convert_for_jax(FlatArray, RaggedArray, RecordArray)
_refuse_in_awkward(FlatArray)
_refuse_in_awkward(RaggedArray)
_refuse_in_awkward(RecordArray)
_refuse_in_awkward(Record)


def __getattr__(name: str) -> object:
    raise AttributeError(_explain(name))


def __dir__() -> list[str]:
    return __all__
