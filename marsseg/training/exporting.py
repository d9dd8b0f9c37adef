"""Write a trained network as ONNX, for inference without TensorFlow."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import onnx

from marsseg.training.files import move_whole, saying_what_was_needed
from marsseg.training.signature import INPUT_NAME, OPEN_SIDES, OUTPUT_NAME


def export_onnx(model: keras.Model, path: Path, metadata: Mapping[str, str]) -> None:
    """Write `model` to `path` with batch, height and width left open.

    The file takes `image` float32 (B, H, W, 1) and gives `logits` float32 (B, H, W, 5). It appears complete
    or not at all; an earlier one at the same place is replaced.

    Args:
        model: a network as `build_network` makes it.
        path: where the file shall be; its folder must exist.
        metadata: stored in the file, readable by ONNX Runtime as `custom_metadata_map`.

    Raises:
        DiskFullError: the file does not fit on its disk.
        OSError: it cannot be written.
    """
    size = sum(weight.numpy().nbytes for weight in model.weights)
    with (
        saying_what_was_needed(path, 2 * size),  # as converted, and with its metadata
        tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp") as folder,
    ):
        raw, finished = Path(folder, "raw.onnx"), Path(folder, "finished.onnx")
        _convert(model, raw)
        graph = onnx.load(raw)
        _name_output(graph.graph)
        _name_sides(graph.graph)
        onnx.helper.set_model_props(graph, dict(metadata))
        onnx.checker.check_model(graph)
        onnx.save(graph, finished)
        move_whole(finished, path)


def _convert(model: keras.Model, path: Path) -> None:
    signature = keras.InputSpec(shape=(None, None, None, 1), dtype="float32", name=INPUT_NAME)
    with _quiet():
        model.export(path, format="onnx", verbose=False, input_signature=[signature])


def _name_output(graph: onnx.GraphProto) -> None:
    """Call the one output `logits`, whatever the converter called it."""
    (output,) = graph.output
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [OUTPUT_NAME if name == output.name else name for name in names]
    output.name = OUTPUT_NAME


def _name_sides(graph: onnx.GraphProto) -> None:
    """Call what is left open batch, height and width: for people, and alike at both ends."""
    for end in (*graph.input, *graph.output):
        for side, name in zip(end.type.tensor_type.shape.dim, OPEN_SIDES, strict=False):
            side.dim_param = name


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what the converter says on every export: progress, and Keras' own use of `np.object`."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*np.object.*", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)
