"""Differentiable ragged arrays on JAX.

Names, arguments and results follow Awkward Array, so that ``ak.`` becomes ``rg.``; every operation works eagerly and
under ``jit``, ``vmap``, ``grad`` and the other transformations of JAX.
"""

from __future__ import annotations

from . import numpy_functions as _numpy_functions  # noqa: F401 - announces itself to the arrays' protocol
from .array import RaggedArray as RaggedArray
from .array import RecordArray as RecordArray
from .array import from_offsets as from_offsets
from .broadcast import broadcast_arrays as broadcast_arrays
from .broadcast import zip as zip
from .collect import Checks as Checks
from .collect import checked as checked
from .collect import with_checks as with_checks
from .convert import from_awkward as from_awkward
from .convert import from_iter as from_iter
from .convert import from_lists as from_lists
from .convert import from_numpy as from_numpy
from .convert import to_awkward as to_awkward
from .convert import to_list as to_list
from .derivatives.differences import check_grads as check_grads
from .derivatives.jacobians import hessian as hessian
from .derivatives.jacobians import jacfwd as jacfwd
from .derivatives.jacobians import jacobian as jacobian
from .derivatives.jacobians import jacrev as jacrev
from .derivatives.transformations import grad as grad
from .derivatives.transformations import items_of as items_of
from .derivatives.transformations import jvp as jvp
from .derivatives.transformations import value_and_grad as value_and_grad
from .derivatives.transformations import vjp as vjp
from .dtypes import type as type
from .dtypes import values_astype as values_astype
from .elementwise import *  # noqa: F403 - one name per NumPy function
from .equality import almost_equal as almost_equal
from .equality import array_equal as array_equal
from .errors import CapacityError as CapacityError
from .errors import StructureError as StructureError
from .flat import FlatArray as FlatArray
from .foreign import refuse_awkward_arrays as _refuse_awkward_arrays
from .foreign import refuse_in_awkward as _refuse_in_awkward
from .missing import drop_none as drop_none
from .missing import fill_none as fill_none
from .missing import is_none as is_none
from .missing import mask as mask
from .missing import pad_none as pad_none
from .packing import to_numpy as to_numpy
from .packing import to_packed as to_packed
from .printing import type_of as type_of
from .probability.pick import draw_probability as draw_probability
from .probability.pick import nth_probability as nth_probability
from .probability.poisson_binomial import at_least_probability as at_least_probability
from .probability.poisson_binomial import count_probability as count_probability
from .probability.rowwise import argtop_k as argtop_k
from .probability.rowwise import cumprod as cumprod
from .probability.rowwise import cumsum as cumsum
from .probability.rowwise import exclusive_cumprod as exclusive_cumprod
from .probability.rowwise import exclusive_prod as exclusive_prod
from .probability.rowwise import nearest as nearest
from .probability.rowwise import top_k as top_k
from .probability.soft import logsumexp as logsumexp
from .probability.soft import soft_argmax as soft_argmax
from .probability.soft import soft_rank as soft_rank
from .probability.soft import soft_sort as soft_sort
from .probability.soft import softmax as softmax
from .probability.soft import softmin as softmin
from .record import Record as Record
from .records import fields as fields
from .records import unzip as unzip
from .records import with_field as with_field
from .records import without_field as without_field
from .reduce.moments import mean as mean
from .reduce.moments import moment as moment
from .reduce.moments import std as std
from .reduce.moments import var as var
from .reduce.positions import argmax as argmax
from .reduce.positions import argmin as argmin
from .reduce.products import segment_prod as segment_prod
from .reduce.reducers import all as all
from .reduce.reducers import any as any
from .reduce.reducers import count as count
from .reduce.reducers import count_nonzero as count_nonzero
from .reduce.reducers import max as max
from .reduce.reducers import min as min
from .reduce.reducers import prod as prod
from .reduce.reducers import ptp as ptp
from .reduce.reducers import sum as sum
from .reduce.segments import segment_max as segment_max
from .reduce.segments import segment_min as segment_min
from .reduce.segments import segment_sum as segment_sum
from .reduce_nan import nanargmax as nanargmax
from .reduce_nan import nanargmin as nanargmin
from .reduce_nan import nanmax as nanmax
from .reduce_nan import nanmean as nanmean
from .reduce_nan import nanmin as nanmin
from .reduce_nan import nanprod as nanprod
from .reduce_nan import nanstd as nanstd
from .reduce_nan import nansum as nansum
from .reduce_nan import nanvar as nanvar
from .reduce_pairs import corr as corr
from .reduce_pairs import covar as covar
from .reduce_pairs import linear_fit as linear_fit
from .resize import with_capacity as with_capacity
from .runs import run_lengths as run_lengths
from .slicing.indexing import getitem as getitem
from .structure.combinatorics import argcartesian as argcartesian
from .structure.combinatorics import argcombinations as argcombinations
from .structure.combinatorics import cartesian as cartesian
from .structure.combinatorics import combinations as combinations
from .structure.join import concatenate as concatenate
from .structure.lists import flatten as flatten
from .structure.lists import local_index as local_index
from .structure.lists import num as num
from .structure.lists import ravel as ravel
from .structure.lists import unflatten as unflatten
from .structure.order import argsort as argsort
from .structure.order import sort as sort
from .structure.padding import firsts as firsts
from .structure.padding import pad as pad
from .structure.padding import singletons as singletons
from .structure.padding import to_padded as to_padded
from .structure.where import full_like as full_like
from .structure.where import isclose as isclose
from .structure.where import nan_to_num as nan_to_num
from .structure.where import ones_like as ones_like
from .structure.where import where as where
from .structure.where import zeros_like as zeros_like
from .ufunc import apply as apply
from .unsupported import explain as _explain
from .updates import apply_updates as apply_updates

# what takes or makes Awkward arrays, or an index that may be one
_refuse_awkward_arrays(globals(), except_for=("from_awkward", "from_iter", "from_lists", "from_numpy", "getitem"))
_refuse_in_awkward(RaggedArray)
_refuse_in_awkward(RecordArray)


def __getattr__(name: str) -> object:
    raise AttributeError(_explain(name))
