"""JAX's operations in NumPy: what they do to values, with no program to compile for every shape that they meet.

An operation is a function of its parameters and its operands. `stepped` gives to JAX what is not here, or what a
function here leaves to it (`Unlike`), such as a division of integers by zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode

Operation = Callable[..., Any]


class Unlike(Exception):
    """JAX's answer differs from NumPy's."""


def _elementwise(function: Callable[..., Any]) -> Operation:
    return lambda parameters, *operands: function(*operands)


def _divided(function: Callable[..., Any], of_integers: Callable[..., Any] | None = None) -> Operation:
    def operation(parameters: Any, a: Any, b: Any) -> Any:
        if a.dtype.kind == "f":
            return function(a, b)
        if of_integers is None or np.any(b == 0):
            raise Unlike
        return of_integers(a, b)

    return operation


def _reduced(function: np.ufunc) -> Operation:
    def operation(parameters: Any, x: Any) -> Any:
        if x.size == 0:
            raise Unlike
        return function.reduce(x, axis=tuple(parameters["axes"]), dtype=x.dtype)

    return operation


def _running(function: np.ufunc) -> Operation:
    def operation(parameters: Any, x: Any) -> Any:
        axis = parameters["axis"]
        x = np.flip(x, axis) if parameters["reverse"] else x
        total = function.accumulate(x, axis=axis, dtype=x.dtype)
        return np.flip(total, axis) if parameters["reverse"] else total

    return operation


def _first(function: Callable[..., Any]) -> Operation:
    return lambda parameters, x: function(x, axis=parameters["axes"][0])


def _converted(parameters: Any, x: Any) -> Any:
    dtype = parameters["new_dtype"]
    # NumPy leaves open what a number becomes that is none, or too large
    if x.dtype.kind == "f" and dtype.kind in "iu" and not np.all(np.abs(x) < 2**31):
        raise Unlike
    return x.astype(dtype)


def _broadcast(parameters: Any, x: Any) -> Any:
    shape, axes = parameters["shape"], parameters["broadcast_dimensions"]
    spread = [1] * len(shape)
    for axis, size in zip(axes, x.shape, strict=True):
        spread[axis] = size
    return np.broadcast_to(x.reshape(spread), shape)


def _iota(parameters: Any) -> Any:
    shape, axis = parameters["shape"], parameters["dimension"]
    along = np.arange(shape[axis]).reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return np.broadcast_to(along, shape)


def _reshaped(parameters: Any, x: Any) -> Any:
    axes = parameters["dimensions"]
    return (x if axes is None else np.transpose(x, axes)).reshape(parameters["new_sizes"])


def _slice(parameters: Any, x: Any) -> Any:
    steps = parameters["strides"] or (1,) * x.ndim
    bounds = zip(parameters["start_indices"], parameters["limit_indices"], steps, strict=True)
    return x[tuple(slice(*each) for each in bounds)]


def _starts(x: Any, sizes: Any, starts: Any) -> tuple[slice, ...]:
    # a slice that runs over the end begins earlier
    begins = [int(np.clip(start, 0, n - size)) for start, n, size in zip(starts, x.shape, sizes, strict=True)]
    return tuple(slice(begin, begin + size) for begin, size in zip(begins, sizes, strict=True))


def _updated(parameters: Any, x: Any, update: Any, *starts: Any) -> Any:
    result = np.array(x)
    result[_starts(x, update.shape, starts)] = update
    return result


def _padded(parameters: Any, x: Any, value: Any) -> Any:
    padding = parameters["padding_config"]
    if any(min(each) < 0 for each in padding):
        raise Unlike
    sizes = [low + high + n + max(n - 1, 0) * inner for n, (low, high, inner) in zip(x.shape, padding, strict=True)]
    places = [
        slice(low, low + n + max(n - 1, 0) * inner, inner + 1)
        for n, (low, _, inner) in zip(x.shape, padding, strict=True)
    ]
    result = np.full(sizes, value)
    result[tuple(places)] = x
    return result


def _split(parameters: Any, x: Any) -> Any:
    return np.split(x, np.cumsum(parameters["sizes"])[:-1], parameters["axis"])


def _selected(parameters: Any, which: Any, *cases: Any) -> Any:
    return np.where(which, cases[1], cases[0]) if which.dtype == bool else np.choose(which, cases)


def _sorted(parameters: Any, *operands: Any) -> Any:
    axis = parameters["dimension"]
    order = np.lexsort(operands[: parameters["num_keys"]][::-1], axis=axis)
    return [np.take_along_axis(x, order, axis) for x in operands]


def _windows(x: Any, index: Any, sizes: Any, axes: Any, batch: Any) -> tuple[Any, Any, Any]:
    """Return the positions of windows along each axis, whether they lie inside, and the positions moved inside.

    ``axes`` are those that the numbers in ``index`` belong to; ``batch`` are pairs of an axis that is walked through
    together with an axis of ``index``.
    """
    outer = index.shape[:-1]
    begins = np.zeros((x.ndim, *outer), np.int64)
    for place, axis in enumerate(axes):
        begins[axis] = index[..., place]
    for axis, other in batch:
        begins[axis] = np.arange(outer[other]).reshape([-1 if k == other else 1 for k in range(len(outer))])
    most = np.subtract(x.shape, sizes).reshape(-1, *[1] * len(outer))
    inside = np.all((begins >= 0) & (begins <= most), axis=0)
    offsets = np.indices(sizes, sparse=True)

    def positions(begins: Any) -> tuple[Any, ...]:
        return tuple(begins[k].reshape(*outer, *[1] * x.ndim) + offsets[k] for k in range(x.ndim))

    return positions(begins), inside.reshape(*outer, *[1] * x.ndim), positions(np.clip(begins, 0, np.maximum(most, 0)))


def _gather(parameters: Any, x: Any, index: Any) -> Any:
    numbers, sizes = parameters["dimension_numbers"], parameters["slice_sizes"]
    batch = list(zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True))
    _, inside, places = _windows(x, index, sizes, numbers.start_index_map, batch)
    if x.size == 0:
        raise Unlike
    result = x[places]
    if parameters["mode"] == GatherScatterMode.FILL_OR_DROP:
        fill = parameters["fill_value"]
        if fill is None:
            fill = np.nan if x.dtype.kind == "f" else np.iinfo(x.dtype).min if x.dtype.kind == "i" else x.dtype.type(-1)
        result = np.where(inside, result, np.asarray(fill, x.dtype))
    outer = index.ndim - 1
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    result = np.squeeze(result, tuple(outer + axis for axis in gone))
    return np.moveaxis(result, range(outer, result.ndim), numbers.offset_dims)


def _scattered(function: np.ufunc | None) -> Operation:
    def operation(parameters: Any, x: Any, index: Any, updates: Any) -> Any:
        numbers = parameters["dimension_numbers"]
        outer = index.ndim - 1
        window = numbers.update_window_dims
        updates = np.moveaxis(updates, window, range(outer, updates.ndim))
        gone = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
        given = iter(updates.shape[outer:])
        sizes = [1 if axis in gone else next(given) for axis in range(x.ndim)]
        batch = list(zip(numbers.operand_batching_dims, numbers.scatter_indices_batching_dims, strict=True))
        places, inside, clipped = _windows(x, index, sizes, numbers.scatter_dims_to_operand_dims, batch)
        updates = updates.reshape(*updates.shape[:outer], *sizes)
        keep = np.broadcast_to(inside, updates.shape)
        if parameters["mode"] == GatherScatterMode.CLIP:
            places, keep = clipped, np.ones_like(keep)
        at = tuple(np.broadcast_to(place, updates.shape)[keep] for place in places)
        result = np.array(x)
        if function is None:
            result[at] = updates[keep]
        else:
            function.at(result, at, updates[keep])
        return result

    return operation


def _logical(of_booleans: np.ufunc) -> Operation:
    def operation(parameters: Any, x: Any) -> Any:
        if x.dtype != bool:
            raise Unlike
        return of_booleans.reduce(x, axis=tuple(parameters["axes"]))

    return operation


def _remainder(a: Any, b: Any) -> Any:
    return np.fmod(a, b)


def _quotient(a: Any, b: Any) -> Any:
    # towards zero
    return (a - np.fmod(a, b)) // b


def _shifted(function: np.ufunc) -> Operation:
    def operation(parameters: Any, x: Any, by: Any) -> Any:
        if x.dtype.kind != "i" and function is np.right_shift:
            raise Unlike
        if np.any((by < 0) | (by >= 8 * x.dtype.itemsize)):
            raise Unlike
        return function(x, by)

    return operation


_SAME = _elementwise(lambda x: x)

OPERATIONS: dict[str, Operation] = {
    "abs": _elementwise(np.abs),
    "acosh": _elementwise(np.arccosh),
    "add": _elementwise(np.add),
    "add_any": _elementwise(np.add),
    "and": _elementwise(np.bitwise_and),
    "argmax": _first(np.argmax),
    "argmin": _first(np.argmin),
    "asinh": _elementwise(np.arcsinh),
    "atan": _elementwise(np.arctan),
    "atan2": _elementwise(np.arctan2),
    "atanh": _elementwise(np.arctanh),
    "bitcast_convert_type": lambda parameters, x: np.array(x).view(parameters["new_dtype"]),
    "broadcast_in_dim": _broadcast,
    "cbrt": _elementwise(np.cbrt),
    "ceil": _elementwise(np.ceil),
    "clamp": _elementwise(lambda low, x, high: np.minimum(np.maximum(low, x), high)),
    "concatenate": lambda parameters, *parts: np.concatenate(parts, parameters["dimension"]),
    "convert_element_type": _converted,
    "copy": _SAME,
    "copy_p": _SAME,
    "cos": _elementwise(np.cos),
    "cosh": _elementwise(np.cosh),
    "cummax": _running(np.maximum),
    "cummin": _running(np.minimum),
    "cumprod": _running(np.multiply),
    "cumsum": _running(np.add),
    "div": _divided(np.true_divide, _quotient),
    "dynamic_slice": lambda parameters, x, *starts: x[_starts(x, parameters["slice_sizes"], starts)],
    "dynamic_update_slice": _updated,
    "eq": _elementwise(np.equal),
    "exp": _elementwise(np.exp),
    "exp2": _elementwise(np.exp2),
    "expm1": _elementwise(np.expm1),
    "floor": _elementwise(np.floor),
    "gather": _gather,
    "ge": _elementwise(np.greater_equal),
    "gt": _elementwise(np.greater),
    "integer_pow": lambda parameters, x: x ** np.asarray(parameters["y"], x.dtype),
    "iota": _iota,
    "is_finite": _elementwise(np.isfinite),
    "le": _elementwise(np.less_equal),
    "log": _elementwise(np.log),
    "log1p": _elementwise(np.log1p),
    "lt": _elementwise(np.less),
    "max": _elementwise(np.maximum),
    "min": _elementwise(np.minimum),
    "mul": _elementwise(np.multiply),
    "ne": _elementwise(np.not_equal),
    "neg": _elementwise(np.negative),
    "not": _elementwise(np.invert),
    "or": _elementwise(np.bitwise_or),
    "pad": _padded,
    "pow": _divided(np.power),
    "reduce_and": _logical(np.logical_and),
    "reduce_max": _reduced(np.maximum),
    "reduce_min": _reduced(np.minimum),
    "reduce_or": _logical(np.logical_or),
    "reduce_prod": _reduced(np.multiply),
    "reduce_sum": _reduced(np.add),
    "rem": _divided(_remainder, _remainder),
    "reshape": _reshaped,
    "rev": lambda parameters, x: np.flip(x, parameters["dimensions"]),
    "scatter": _scattered(None),
    "scatter-add": _scattered(np.add),
    "scatter-max": _scattered(np.maximum),
    "scatter-min": _scattered(np.minimum),
    "scatter-mul": _scattered(np.multiply),
    "select_n": _selected,
    "shift_left": _shifted(np.left_shift),
    "shift_right_arithmetic": _shifted(np.right_shift),
    "sign": _elementwise(np.sign),
    "sin": _elementwise(np.sin),
    "sinh": _elementwise(np.sinh),
    "slice": _slice,
    "sort": _sorted,
    "split": _split,
    "sqrt": _elementwise(np.sqrt),
    "square": _elementwise(np.square),
    "squeeze": lambda parameters, x: np.squeeze(x, tuple(parameters["dimensions"])),
    "stack": lambda parameters, *parts: np.stack(parts, parameters["axis"]),
    "stop_gradient": _SAME,
    "sub": _elementwise(np.subtract),
    "tan": _elementwise(np.tan),
    "tanh": _elementwise(np.tanh),
    "transpose": lambda parameters, x: np.transpose(x, parameters["permutation"]),
    "xor": _elementwise(np.bitwise_xor),
}
