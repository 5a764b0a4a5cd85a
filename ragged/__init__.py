"""Differentiable ragged arrays on JAX.

Names, arguments and results follow Awkward Array, so that ``ak.`` becomes ``rg.``; every operation works eagerly and
under ``jit``, ``vmap``, ``grad`` and the other transformations of JAX.
"""

from __future__ import annotations

from .array import RaggedArray as RaggedArray
from .array import RecordArray as RecordArray
from .array import from_offsets as from_offsets
from .autodiff import grad as grad
from .autodiff import jvp as jvp
from .autodiff import value_and_grad as value_and_grad
from .autodiff import vjp as vjp
from .broadcast import broadcast_arrays as broadcast_arrays
from .broadcast import zip as zip
from .chosen import draw_probability as draw_probability
from .chosen import nth_probability as nth_probability
from .combine import argcartesian as argcartesian
from .combine import argcombinations as argcombinations
from .combine import cartesian as cartesian
from .combine import combinations as combinations
from .convert import from_awkward as from_awkward
from .convert import from_lists as from_lists
from .convert import from_numpy as from_numpy
from .convert import to_awkward as to_awkward
from .convert import to_list as to_list
from .counting import at_least_probability as at_least_probability
from .counting import count_probability as count_probability
from .derivative_check import check_grads as check_grads
from .elementwise import *  # noqa: F403 - one name per NumPy function
from .errors import CapacityError as CapacityError
from .errors import StructureError as StructureError
from .fill import full_like as full_like
from .fill import isclose as isclose
from .fill import nan_to_num as nan_to_num
from .fill import ones_like as ones_like
from .fill import where as where
from .fill import zeros_like as zeros_like
from .jacobians import hessian as hessian
from .jacobians import jacfwd as jacfwd
from .jacobians import jacobian as jacobian
from .jacobians import jacrev as jacrev
from .join import concatenate as concatenate
from .order import argsort as argsort
from .order import sort as sort
from .padding import firsts as firsts
from .padding import pad as pad
from .padding import singletons as singletons
from .padding import to_padded as to_padded
from .printing import type_of as type_of
from .products import segment_prod as segment_prod
from .records import fields as fields
from .records import unzip as unzip
from .records import with_field as with_field
from .records import without_field as without_field
from .reduce import all as all
from .reduce import any as any
from .reduce import count as count
from .reduce import count_nonzero as count_nonzero
from .reduce import max as max
from .reduce import min as min
from .reduce import prod as prod
from .reduce import ptp as ptp
from .reduce import sum as sum
from .reduce_arg import argmax as argmax
from .reduce_arg import argmin as argmin
from .reduce_moments import mean as mean
from .reduce_moments import moment as moment
from .reduce_moments import std as std
from .reduce_moments import var as var
from .resize import with_capacity as with_capacity
from .rowwise import argtop_k as argtop_k
from .rowwise import cumprod as cumprod
from .rowwise import cumsum as cumsum
from .rowwise import exclusive_cumprod as exclusive_cumprod
from .rowwise import exclusive_prod as exclusive_prod
from .rowwise import nearest as nearest
from .rowwise import top_k as top_k
from .segments import segment_max as segment_max
from .segments import segment_min as segment_min
from .segments import segment_sum as segment_sum
from .slicing import getitem as getitem
from .soft import logsumexp as logsumexp
from .soft import soft_argmax as soft_argmax
from .soft import soft_rank as soft_rank
from .soft import soft_sort as soft_sort
from .soft import softmax as softmax
from .soft import softmin as softmin
from .structure import flatten as flatten
from .structure import local_index as local_index
from .structure import num as num
from .structure import ravel as ravel
from .structure import unflatten as unflatten
from .ufunc import apply as apply
