"""Networks in ONNX files, and those of PyTorch by way of them, as differentiable functions."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .operations import OPERATIONS


@dataclasses.dataclass(frozen=True)
class Node:
    """One operation of a graph: its kind, its name, the names of inputs and outputs, and attributes."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, eq=False)
class OnnxNetwork:
    """A trained network, for `Score`, from `from_onnx` or `from_torch`.

    It brings its weights, which stay as they are: ``Score("tag", network, features)``. To train them further give
    ``network.__call__`` to `Score` and ``Weights(network.weights)`` to the parameters.

    Attributes
    ----------
    weights
        The trained numbers by name.
    inputs
        Names of what it is a function of.
    output
        Name of what it returns.
    column
        Which of several outputs is the score; None when there is one.
    """

    weights: Mapping[str, np.ndarray] = dataclasses.field(repr=False)
    inputs: tuple[str, ...]
    output: str
    column: int | None
    _nodes: tuple[Node, ...] = dataclasses.field(repr=False)
    _constants: Mapping[str, np.ndarray] = dataclasses.field(repr=False)
    _by_row: bool = dataclasses.field(repr=False)

    def __call__(self, weights: Any, *features: jax.Array) -> jax.Array:
        """Return the score of each row.

        Parameters
        ----------
        weights
            As the attribute, or trained from there.
        *features
            One array for each input; of shape (n, features) for an input of features.

        Returns
        -------
        jax.Array
            Shape (n,) with ``column``, otherwise as the network has it.

        Raises
        ------
        ValueError
            When the features do not fit the network.
        """
        if len(features) != len(self.inputs):
            raise ValueError(f"the network is a function of {list(self.inputs)}, got {len(features)} arrays")

        def run(*features: jax.Array) -> Any:
            values: dict[str, Any] = {
                "": None,
                **self._constants,
                **weights,
                **dict(zip(self.inputs, features, strict=True)),
            }
            for node in self._nodes:
                _evaluate(node, values)
            return values[self.output]

        by_row = jax.vmap(lambda *row: run(*(x[None] for x in row))[0])
        found = jnp.asarray((by_row if self._by_row else run)(*features))
        return found if self.column is None else found.reshape(len(features[0]), -1)[:, self.column]


def _evaluate(node: Node, values: dict[str, Any]) -> None:
    """Add the outputs of a node to the values."""
    inputs = [values[name] for name in node.inputs]
    try:
        found = OPERATIONS[node.kind](node.attributes, *inputs)
    except (TypeError, ValueError, IndexError) as error:
        shapes = ", ".join(f"{name}: {np.shape(x)}" for name, x in zip(node.inputs, inputs, strict=True) if name)
        raise ValueError(f"the node {node.name!r} ({node.kind}) does not fit its inputs ({shapes}): {error}") from error
    several = found if isinstance(found, tuple | list) else [found]
    values.update(zip(node.outputs, several, strict=False))


def from_onnx(model: str | Path | bytes, *, output: str | None = None, column: int | None = None) -> OnnxNetwork:
    """Return the network of an ONNX file as a differentiable function.

    Parameters
    ----------
    model
        The file, or what is in one.
    output
        Which output; the only one, or the first, by default.
    column
        Which of its columns is the score, when it has several: a class, counted from 0.

    Raises
    ------
    ImportError
        When onnx is not installed: ``pip install hepgrad[taggers]``.
    ValueError
        When the file is none of ONNX, has no such output, fixes the number of rows, or has an operation that is not
        known: then evaluate it once, before the optimisation, with `scored_once`.

    Examples
    --------
    >>> from hepgrad.analysis.stages import Score, from_onnx
    >>> def stage_of(path):
    ...     return Score("tag", from_onnx(path, column=1), ["pt", "abs(eta)", "mass"], collection="FatJet")
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise ImportError("onnx is not installed; it comes with `pip install hepgrad[taggers]`") from error
    place = "the model" if isinstance(model, bytes) else str(model)
    raw = model if isinstance(model, bytes) else Path(model).read_bytes()
    try:
        found = onnx.load_model_from_string(raw)
        graph, opset = found.graph, next(each.version for each in found.opset_import if each.domain in ("", "ai.onnx"))
    except Exception as error:
        raise ValueError(f"{place} is no ONNX file: {error!r}") from None
    nodes, constants = [], {}
    for each in graph.initializer:
        constants[each.name] = numpy_helper.to_array(each)
    for i, each in enumerate(graph.node):
        attributes = {a.name: _attribute(a) for a in each.attribute}
        name = each.name or f"node {i}"
        if each.op_type == "Constant":
            constants[each.output[0]] = np.asarray(next(iter(attributes.values())))
        elif each.op_type not in OPERATIONS or each.domain not in ("", "ai.onnx"):
            trees = each.op_type.startswith("TreeEnsemble")
            raise ValueError(
                f"{place}: the node {name!r} is of kind {each.op_type!r}, which has no translation"
                + ("; read the trees from the file of XGBoost or LightGBM (BoostedTrees)" if trees else "")
                + ". Evaluate the model once, before the optimisation, with scored_once. Known are "
                + ", ".join(sorted(OPERATIONS))
            )
        else:
            attributes |= {"opset": opset, "outputs": len(each.output)}
            if each.op_type == "Cast":
                attributes["to"] = onnx.helper.tensor_dtype_to_np_dtype(attributes["to"])
            nodes.append(Node(each.op_type, name, tuple(each.input), tuple(each.output), attributes))
    inputs = [each for each in graph.input if each.name not in constants]
    outputs = [each.name for each in graph.output]
    if output is not None and output not in outputs:
        raise ValueError(f"{place} has no output {output!r}, only {outputs}")
    rows = {(d[0].dim_value if len(d := each.type.tensor_type.shape.dim) else 0) for each in inputs}
    if rows - {0, 1}:
        raise ValueError(
            f"{place} fixes the number of rows to {max(rows)}; export it with a free first axis (dynamic_axes)"
        )
    trained = {name: x for name, x in constants.items() if np.issubdtype(x.dtype, np.floating) and x.ndim > 0}
    rest = {name: x for name, x in constants.items() if name not in trained}
    return OnnxNetwork(
        trained, tuple(each.name for each in inputs), output or outputs[0], column, tuple(nodes), rest, rows == {1}
    )


def _attribute(attribute: Any) -> Any:
    """Return the value of an attribute: text as such, tensors as arrays."""
    from onnx import helper, numpy_helper

    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    return numpy_helper.to_array(value) if hasattr(value, "raw_data") else value


def from_torch(
    model: Any, features: int | Sequence[int], *, output: str | None = None, column: int | None = None
) -> OnnxNetwork:
    """Return a network of PyTorch as a differentiable function, by way of ONNX.

    Parameters
    ----------
    model
        A module, a TorchScript module, or the file of one. For a state dict, load it into its module.
    features
        Their number, or the shape of one row.
    output, column
        As for `from_onnx`.

    Raises
    ------
    ImportError
        When torch or onnx are not installed.
    ValueError
        When it is no module, or has an operation that is not known.

    Examples
    --------
    >>> from hepgrad.analysis.stages import Score, from_torch
    >>> def stage_of(module, path):
    ...     module.load_state_dict(torch.load(path, weights_only=True))
    ...     return Score("tag", from_torch(module, 3), ["pt", "abs(eta)", "mass"], collection="FatJet")
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError("torch is not installed; see pytorch.org") from error
    if isinstance(model, str | Path):
        try:
            model = torch.jit.load(str(model), map_location="cpu")
        except RuntimeError as error:
            raise ValueError(
                f"{model} holds no TorchScript: {str(error).splitlines()[0]}; load a state dict into its module "
                "(module.load_state_dict(torch.load(path))) and give the module"
            ) from None
    if not isinstance(model, torch.nn.Module):
        raise ValueError(
            f"a module is needed, got {type(model).__name__}; load a state dict into its module first "
            "(module.load_state_dict(...))"
        )
    shape = (features,) if isinstance(features, int) else tuple(features)
    written = io.BytesIO()
    torch.onnx.export(
        model,
        (torch.zeros(2, *shape),),
        written,
        dynamo=False,
        input_names=["features"],
        dynamic_axes={"features": {0: "rows"}},
    )
    return from_onnx(written.getvalue(), output=output, column=column)
