"""Every operation has the values of ONNX's own conformance cases."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from hepgrad.analysis.stages.taggers.onnx_network import _evaluate, from_onnx
from hepgrad.analysis.stages.taggers.operations import OPERATIONS

pytestmark = pytest.mark.thorough

# what needs randomness, second outputs that no tagger uses, other precisions, or has nothing to reduce
LEFT_OUT = (
    "training_",
    "dropout_default_mask",
    "layer_normalization_",
    "empty_set",
    "FLOAT_to_DOUBLE",
    "DOUBLE_to_FLOAT",
)


def cases():
    onnx = pytest.importorskip("onnx")
    from onnx.backend.test.case.node import collect_testcases

    numbers = {onnx.TensorProto.FLOAT, onnx.TensorProto.INT32, onnx.TensorProto.INT64, onnx.TensorProto.BOOL}
    for case in collect_testcases(None):
        graph = case.model.graph
        known = {node.op_type for node in graph.node} <= {*OPERATIONS, "Constant"}
        kinds = {each.type.tensor_type.elem_type for each in (*graph.input, *graph.output)}
        if known and kinds <= numbers and not any(part in case.name for part in LEFT_OUT):
            yield case


@pytest.mark.filterwarnings("ignore")  # the cases divide by zero on purpose
@pytest.mark.parametrize("some", [1, pytest.param(1000, marks=pytest.mark.slow)])
def test_values_are_those_of_onnx(some):
    seen: dict[str, int] = {}
    with jax.enable_x64(True):
        for case in cases():
            kinds = tuple(sorted({node.op_type for node in case.model.graph.node}))
            seen[kinds] = seen.get(kinds, 0) + 1
            if seen[kinds] > some:
                continue
            for each in case.model.graph.input:
                if each.type.tensor_type.shape.dim:
                    each.type.tensor_type.shape.dim[0].dim_param = "rows"
            network = dataclasses.replace(from_onnx(case.model.SerializeToString()), _by_row=False)
            for inputs, outputs in case.data_sets:
                values = {"": None, **network._constants, **network.weights}
                values |= {name: np.asarray(x) for name, x in zip(network.inputs, inputs, strict=False)}
                for node in network._nodes:
                    _evaluate(node, values)
                for each, expected in zip(case.model.graph.output, outputs, strict=True):
                    np.testing.assert_allclose(values[each.name], expected, rtol=1e-5, atol=1e-6, err_msg=case.name)
    tested = {kind for kinds in seen for kind in kinds}
    # normalised layers are compared with PyTorch's, and the other two have cases in double precision only
    assert set(OPERATIONS) - tested <= {"LayerNormalization", "Einsum", "ReduceLogSumExp"}
