"""Networks small enough that the right mask is known by hand, written as ONNX without any training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

MEAN, STD = 0.25, 0.1
METADATA = {"mean": str(MEAN), "std": str(STD), "frame_size": "", "multiple": "8", "run_id": "r1"}

# Class c has logit -SHARPNESS (x - LEVELS[c])² up to a term that all share: the nearest gray level wins.
LEVELS = np.array([0, 61, 122, 183, 244])  # no gray level lies half-way
SHARPNESS = 400.0


def nearest_level(image: np.ndarray, *, terrain_only: bool = True) -> np.ndarray:
    """The mask that the brightness network must give."""
    distances = np.abs(image[..., None].astype(float) - LEVELS)
    if terrain_only:
        distances[..., 0] = np.inf
    return distances.argmin(axis=-1).astype(np.uint8)


def write_network(
    path: Path, kernel: np.ndarray, bias: np.ndarray, metadata: dict[str, str] = METADATA, pool: int = 1
) -> Path:
    """One convolution on channels-last input, after averaging over blocks of `pool` pixels if asked for.

    A network that pools refuses sides that are no multiples of `pool`, as a U-Net does.
    """
    half = kernel.shape[-1] // 2
    nodes = [helper.make_node("Transpose", ["image"], ["x0"], perm=[0, 3, 1, 2])]
    constants = [
        numpy_helper.from_array(np.float32(kernel), "kernel"),
        numpy_helper.from_array(np.float32(bias), "bias"),
    ]
    convolved = "x0"
    if pool > 1:
        constants.append(numpy_helper.from_array(np.float32([1, 1, pool, pool]), "scales"))
        nodes += [
            helper.make_node("AveragePool", ["x0"], ["small"], kernel_shape=[pool] * 2, strides=[pool] * 2),
            helper.make_node("Resize", ["small", "", "scales"], ["large"], mode="nearest",
                             coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
            helper.make_node("Sub", ["x0", "large"], ["detail"]),
            helper.make_node("Add", ["detail", "large"], ["x1"]),
        ]  # fmt: skip
        convolved = "x1"
    nodes += [
        helper.make_node("Conv", [convolved, "kernel", "bias"], ["y"], pads=[half] * 4),
        helper.make_node("Transpose", ["y"], ["logits"], perm=[0, 2, 3, 1]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, None, None, 1])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [None, None, None, len(bias)])
    graph = helper.make_graph(nodes, "test", [image], [logits], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def brightness_weights() -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the network whose classes are the nearest of five gray levels."""
    levels = (LEVELS / 255 - MEAN) / STD  # what the network sees is standardised
    scale = SHARPNESS * STD**2
    return (2 * scale * levels).reshape(5, 1, 1, 1), -scale * levels**2


WriteNetwork = Callable[..., Path]


@pytest.fixture
def brightness_network(tmp_path: Path) -> WriteNetwork:
    """Writes a network that puts each pixel into the class of the nearest gray level."""

    def write(*, pool: int = 8, **metadata: str) -> Path:
        return write_network(tmp_path / "model.onnx", *brightness_weights(), METADATA | metadata, pool)

    return write


@pytest.fixture
def blurring_network(tmp_path: Path) -> WriteNetwork:
    """Writes a network whose answer at a pixel depends on the 9×9 pixels around it."""

    def write(**metadata: str) -> Path:
        kernel, bias = brightness_weights()
        return write_network(
            tmp_path / "blur.onnx", np.tile(kernel, (1, 1, 9, 9)) / 81, bias, METADATA | metadata
        )

    return write
