"""A network without training: small, exact, and not blind to left and right."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from marsseg.training.merging import Member


def lopsided(rng: np.random.Generator, mean: float, std: float, *, multiple: int = 4) -> Member:
    """A network that looks at a pixel and at its neighbour on the right, so that a mirror image matters."""
    floats = {
        "here": rng.normal(size=(1, 5)),
        "right": rng.normal(size=(1, 5)),
        "bias": rng.normal(size=5),
    }
    whole = {"start": [1], "stop": [10_000], "axis": [2], "pads": [0, 0, 0, 0, 0, 0, 1, 0]}
    constants = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in floats.items()]
    constants += [numpy_helper.from_array(np.asarray(v, np.int64), k) for k, v in whole.items()]
    nodes = [
        helper.make_node("Slice", ["image", "start", "stop", "axis"], ["cut"]),
        helper.make_node("Pad", ["cut", "pads"], ["neighbour"]),
        helper.make_node("MatMul", ["image", "here"], ["a"]),
        helper.make_node("MatMul", ["neighbour", "right"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("Add", ["c", "bias"], ["logits"]),
    ]
    shape = ["n", "h", "w"]
    graph = helper.make_graph(
        nodes,
        "lopsided",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [*shape, 1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*shape, 5])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    helper.set_model_props(model, {"mean": repr(mean), "std": repr(std), "multiple": str(multiple)})
    return Member(model, mean, std, multiple)
