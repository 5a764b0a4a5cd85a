"""The operations of ONNX graphs that taggers are made of, each a function of its attributes and inputs.

What is known while a program is compiled, such as shapes, is NumPy and stays so; all else is JAX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

Attributes: TypeAlias = Mapping[str, Any]
Operation: TypeAlias = Callable[..., Any]


def _library(*inputs: Any) -> Any:
    """Return NumPy where all inputs are known, and otherwise JAX."""
    return np if all(x is None or isinstance(x, np.ndarray | np.generic) for x in inputs) else jnp


def _unary(function: Callable[[Any], Any]) -> Operation:
    return lambda attributes, x: function(jnp.asarray(x))


def _of(name: str) -> Operation:
    """Return a function of NumPy and JAX with this name."""
    return lambda attributes, *inputs: getattr(_library(*inputs), name)(*inputs)


def _folded(name: str) -> Operation:
    """Return such a function of two for any number of inputs."""

    def operation(attributes: Attributes, first: Any, *others: Any) -> Any:
        for each in others:
            first = getattr(_library(first, each), name)(first, each)
        return first

    return operation


def _axes(attributes: Attributes, axes: Any) -> tuple[int, ...] | None:
    """Return axes, which old graphs have as an attribute and new ones as an input."""
    found = attributes.get("axes") if axes is None else np.asarray(axes).ravel().tolist()
    return tuple(int(axis) for axis in found) if found is not None and len(found) else None


def _reduced(function: Callable[..., Any]) -> Operation:
    def operation(attributes: Attributes, x: Any, axes: Any = None) -> Any:
        reduced = _axes(attributes, axes)
        if reduced is None and attributes.get("noop_with_empty_axes", 0):
            return x
        return function(jnp.asarray(x), axis=reduced, keepdims=bool(attributes.get("keepdims", 1)))

    return operation


def _extreme(name: str) -> Operation:
    def operation(attributes: Attributes, x: Any) -> Any:
        axis, kept, x = attributes.get("axis", 0), bool(attributes.get("keepdims", 1)), jnp.asarray(x)
        if not attributes.get("select_last_index", 0):
            return getattr(jnp, name)(x, axis=axis, keepdims=kept)
        return x.shape[axis] - 1 - getattr(jnp, name)(jnp.flip(x, axis), axis=axis, keepdims=kept)

    return operation


def _gemm(attributes: Attributes, a: Any, b: Any, c: Any = None) -> Any:
    a = a.T if attributes.get("transA", 0) else a
    b = b.T if attributes.get("transB", 0) else b
    product = attributes.get("alpha", 1.0) * (a @ b)
    return product if c is None else product + attributes.get("beta", 1.0) * c


def _divide(attributes: Attributes, a: Any, b: Any) -> Any:
    library = _library(a, b)
    if jnp.issubdtype(jnp.result_type(a), jnp.integer):
        return library.asarray(library.trunc(a / b), dtype=a.dtype)
    return library.divide(a, b)


def _selu(attributes: Attributes, x: Any) -> Any:
    alpha = attributes.get("alpha", 1.6732632423543772)
    return attributes.get("gamma", 1.0507009873554805) * jnp.where(x > 0, x, alpha * jnp.expm1(jnp.minimum(x, 0)))


def _softmax(function: Callable[..., Any]) -> Operation:
    def operation(attributes: Attributes, x: Any) -> Any:
        if attributes["opset"] >= 13:
            return function(x, axis=attributes.get("axis", -1))
        axis = attributes.get("axis", 1) % x.ndim
        return function(x, axis=tuple(range(axis, x.ndim)))

    return operation


def _layer_normalisation(attributes: Attributes, x: Any, scale: Any, bias: Any = None) -> Any:
    axes = tuple(range(attributes.get("axis", -1) % x.ndim, x.ndim))
    centred = x - jnp.mean(x, axis=axes, keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=axes, keepdims=True)
    normal = centred / jnp.sqrt(variance + attributes.get("epsilon", 1e-5)) * scale
    return normal if bias is None else normal + bias


def _batch_normalisation(attributes: Attributes, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    if attributes.get("training_mode", 0):
        raise ValueError("the file holds a BatchNormalization in training mode; export the model after model.eval()")
    shape = (1, -1) + (1,) * (x.ndim - 2)
    scale, bias, mean, variance = (each.reshape(shape) for each in (scale, bias, mean, variance))
    return (x - mean) / jnp.sqrt(variance + attributes.get("epsilon", 1e-5)) * scale + bias


def _convolution(attributes: Attributes, x: Any, weight: Any, bias: Any = None) -> Any:
    spatial = x.ndim - 2
    pads = attributes.get("pads", [0] * 2 * spatial)
    padding = attributes.get("auto_pad", "NOTSET")
    found = jax.lax.conv_general_dilated(
        x,
        weight,
        attributes.get("strides", [1] * spatial),
        list(zip(pads[:spatial], pads[spatial:], strict=True)) if padding in ("NOTSET", "VALID") else padding[:4],
        rhs_dilation=attributes.get("dilations", [1] * spatial),
        feature_group_count=attributes.get("group", 1),
    )
    return found if bias is None else found + bias.reshape((1, -1) + (1,) * spatial)


def _reshape(attributes: Attributes, x: Any, shape: Any) -> Any:
    wanted = [int(n) for n in np.asarray(shape)]
    if not attributes.get("allowzero", 0):
        wanted = [x.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    return x.reshape(wanted)


def _flatten(attributes: Attributes, x: Any) -> Any:
    axis = attributes.get("axis", 1)
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def _squeeze(attributes: Attributes, x: Any, axes: Any = None) -> Any:
    return _library(x).squeeze(x, axis=_axes(attributes, axes))


def _unsqueeze(attributes: Attributes, x: Any, axes: Any = None) -> Any:
    return _library(x).expand_dims(x, _axes(attributes, axes))


def _split(attributes: Attributes, x: Any, sizes: Any = None) -> Any:
    axis = attributes.get("axis", 0)
    sizes = attributes.get("split") if sizes is None else sizes
    if sizes is None:
        number = attributes.get("num_outputs", attributes["outputs"])
        return _library(x).array_split(x, number, axis=axis)
    return _library(x).split(x, np.cumsum(np.asarray(sizes))[:-1].tolist(), axis=axis)


def _slice(
    attributes: Attributes, x: Any, starts: Any = None, ends: Any = None, axes: Any = None, steps: Any = None
) -> Any:
    starts, ends = (
        np.asarray(attributes[name] if given is None else given).tolist()
        for name, given in (("starts", starts), ("ends", ends))
    )
    along = _axes(attributes, axes) or tuple(range(len(starts)))
    by = [1] * len(starts) if steps is None else np.asarray(steps).tolist()
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(along, starts, ends, by, strict=True):
        # going backwards, an end before the first item is none
        index[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
    return x[tuple(index)]


def _gather(attributes: Attributes, x: Any, indices: Any) -> Any:
    return _library(x, indices).take(x, indices, axis=attributes.get("axis", 0))


def _gather_elements(attributes: Attributes, x: Any, indices: Any) -> Any:
    return jnp.take_along_axis(jnp.asarray(x), jnp.asarray(indices), axis=attributes.get("axis", 0))


def _expand(attributes: Attributes, x: Any, shape: Any) -> Any:
    shape = np.broadcast_shapes(x.shape, tuple(int(n) for n in np.asarray(shape)))
    return _library(x).broadcast_to(x, shape)


def _cast(attributes: Attributes, x: Any) -> Any:
    kind = np.dtype(attributes["to"])
    # features stay in their own precision
    if np.issubdtype(kind, np.floating) and jnp.issubdtype(jnp.result_type(x), jnp.floating):
        return x
    return _library(x).asarray(x).astype(kind)


def _clip(attributes: Attributes, x: Any, low: Any = None, high: Any = None) -> Any:
    low, high = (attributes.get(name) if given is None else given for name, given in (("min", low), ("max", high)))
    return _library(x).clip(x, low, high)


def _top(attributes: Attributes, x: Any, number: Any) -> Any:
    axis, sign = attributes.get("axis", -1), 1 if attributes.get("largest", 1) else -1
    values, indices = jax.lax.top_k(sign * jnp.moveaxis(x, axis, -1), int(np.asarray(number).ravel()[0]))
    return jnp.moveaxis(sign * values, -1, axis), jnp.moveaxis(indices, -1, axis)


def _triangle(attributes: Attributes, x: Any, diagonal: Any = None) -> Any:
    k = 0 if diagonal is None else int(np.asarray(diagonal))
    return (jnp.triu if attributes.get("upper", 1) else jnp.tril)(x, k)


OPERATIONS: Mapping[str, Operation] = {
    **{
        name: _unary(getattr(jnp, name.lower()))
        for name in ("Exp", "Log", "Sqrt", "Tanh", "Sin", "Cos", "Floor", "Sign")
    },
    "Abs": _of("abs"),
    "Neg": _of("negative"),
    "Ceil": _of("ceil"),
    "Round": _of("round"),
    "Not": _of("logical_not"),
    "Identity": lambda attributes, x: x,
    "Dropout": lambda attributes, x, *_: x,
    "Reciprocal": _unary(lambda x: 1 / x),
    "Erf": _unary(jax.scipy.special.erf),
    "Sigmoid": _unary(jax.nn.sigmoid),
    "Relu": _unary(jax.nn.relu),
    "Selu": _selu,
    "Softplus": _unary(jax.nn.softplus),
    "Softsign": _unary(jax.nn.soft_sign),
    "HardSwish": _unary(lambda x: x * jnp.clip(x / 6 + 0.5, 0, 1)),
    "Mish": _unary(lambda x: x * jnp.tanh(jax.nn.softplus(x))),
    "Elu": lambda attributes, x: jax.nn.elu(x, attributes.get("alpha", 1.0)),
    "Celu": lambda attributes, x: jax.nn.celu(x, attributes.get("alpha", 1.0)),
    "LeakyRelu": lambda attributes, x: jax.nn.leaky_relu(x, attributes.get("alpha", 0.01)),
    "PRelu": lambda attributes, x, slope: jnp.where(x < 0, slope * x, x),
    "HardSigmoid": lambda attributes, x: jnp.clip(attributes.get("alpha", 0.2) * x + attributes.get("beta", 0.5), 0, 1),
    "Gelu": lambda attributes, x: jax.nn.gelu(x, approximate=attributes.get("approximate", "none") == "tanh"),
    **{name: _of(name.lower()) for name in ("Equal", "Less", "Greater")},
    "LessOrEqual": _of("less_equal"),
    "GreaterOrEqual": _of("greater_equal"),
    "And": _of("logical_and"),
    "Or": _of("logical_or"),
    "Where": _of("where"),
    "Add": _of("add"),
    "Sub": _of("subtract"),
    "Mul": _of("multiply"),
    "Div": _divide,
    "Mod": lambda attributes, a, b: getattr(_library(a, b), "fmod" if attributes.get("fmod", 0) else "mod")(a, b),
    "Pow": _of("power"),
    "Max": _folded("maximum"),
    "Min": _folded("minimum"),
    "Sum": _folded("add"),
    "MatMul": _of("matmul"),
    "Gemm": _gemm,
    "Einsum": lambda attributes, *inputs: jnp.einsum(attributes["equation"], *inputs),
    "Conv": _convolution,
    "Softmax": _softmax(jax.nn.softmax),
    "LogSoftmax": _softmax(jax.nn.log_softmax),
    "LayerNormalization": _layer_normalisation,
    "BatchNormalization": _batch_normalisation,
    "ReduceMean": _reduced(jnp.mean),
    "ReduceSum": _reduced(jnp.sum),
    "ReduceMax": _reduced(jnp.max),
    "ReduceMin": _reduced(jnp.min),
    "ReduceProd": _reduced(jnp.prod),
    "ReduceL2": _reduced(lambda x, **where: jnp.sqrt(jnp.sum(jnp.square(x), **where))),
    "ReduceLogSumExp": _reduced(jax.scipy.special.logsumexp),
    "ArgMax": _extreme("argmax"),
    "ArgMin": _extreme("argmin"),
    "TopK": _top,
    "Trilu": _triangle,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": lambda attributes, x: _library(x).transpose(x, attributes.get("perm")),
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": lambda attributes, *inputs: _library(*inputs).concatenate(inputs, axis=attributes["axis"]),
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Expand": _expand,
    "Tile": lambda attributes, x, repeats: _library(x).tile(x, np.asarray(repeats)),
    "Shape": lambda attributes, x: np.array(np.shape(x), np.int64)[attributes.get("start", 0) : attributes.get("end")],
    "ConstantOfShape": lambda attributes, shape: np.full(
        [int(n) for n in np.asarray(shape)], np.asarray(attributes.get("value", np.float32(0))).ravel()[0]
    ),
    "Range": lambda attributes, start, limit, step: np.arange(start, limit, step),
    "Cast": _cast,
    "Clip": _clip,
}
