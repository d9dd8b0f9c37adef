"""Put several exported networks into one: a single file that says what all of them say together.

The merged network takes and gives what each of them does, so whoever uses a network need not know. Its
`logits` are logarithms of probabilities: softmax gives these back, and the largest is the class.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from marsseg.classes import N_CLASSES
from marsseg.errors import MarsSegError
from marsseg.training.files import move_whole, saying_what_was_needed
from marsseg.training.signature import INPUT_NAME, OPEN_SIDES, OUTPUT_NAME

Rule = Literal["mean", "two_stage"]
LEAST_PROBABILITY = 1e-30
"""Probabilities below this count as this: their logarithm has to be finite."""
_WIDTH_AXIS, _CLASS_AXIS = 2, 3
_EVERYTHING = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Member:
    """An exported network.

    Args:
        mean, std: by which its input is standardised, on a 0–1 scale of gray.
        multiple: both sides of its input must be multiples of this.
    """

    model: onnx.ModelProto
    mean: float
    std: float
    multiple: int


def read_member(path: Path) -> Member:
    """Read an exported network.

    Raises:
        MarsSegError: the file is gone, damaged, or not exported by this lab.
    """
    try:
        model = onnx.load(path)
        facts = {entry.key: entry.value for entry in model.metadata_props}
        return Member(model, float(facts["mean"]), float(facts["std"]), int(facts["multiple"]))
    except FileNotFoundError as error:
        raise MarsSegError(f"{path} is gone; resume that run to export its network again.") from error
    except Exception as error:
        why = str(error).partition("\n")[0]
        raise MarsSegError(
            f"{path} cannot be read as an exported network ({why}); resume that run to export it again."
        ) from error


def merge_networks(
    members: Sequence[Member], path: Path, metadata: Mapping[str, str], *, rule: Rule, flips: bool = False
) -> None:
    """Write the merged network of `members`; input is standardised as that of the first.

    - mean: p = (p₁ + … + pₙ) / n
    - two_stage: p(background) from the first member; p(c) = (1 − p(background)) · q(c) for the terrain
      classes, with q the second member's softmax over these four

    Args:
        path: where the file shall be; its folder must exist.
        metadata: stored in the file, see `export_onnx`.
        rule: how the members' probabilities become one.
        flips: each member says the mean of what it says of an image and of its mirror image.

    Raises:
        DiskFullError: the file does not fit on its disk.
    """
    graph = _Graph()
    first = members[0]
    for number, member in enumerate(members):
        graph.add_member(f"m{number}_", member, first, flips=flips)
    names = [f"m{number}_" for number in range(len(members))]
    probabilities = graph.mean(names) if rule == "mean" else graph.two_stages(*names)
    graph.add("Clip", [probabilities, graph.constant("least", np.float32(LEAST_PROBABILITY))], "clipped")
    graph.add("Log", ["clipped"], OUTPUT_NAME)
    merged = graph.finish(first.model)
    helper.set_model_props(merged, dict(metadata))
    onnx.checker.check_model(merged, full_check=True)
    with (
        saying_what_was_needed(path, merged.ByteSize()),
        tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp") as folder,
    ):
        onnx.save(merged, Path(folder, "merged.onnx"))
        move_whole(Path(folder, "merged.onnx"), path)


class _Graph:
    """Nodes and constants of a network in the making."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._opsets: dict[str, int] = {}

    def add(self, operation: str, inputs: Sequence[str], *outputs: str, **attributes: object) -> None:
        """Append a node."""
        self._nodes.append(helper.make_node(operation, list(inputs), list(outputs), **attributes))

    def constant(self, name: str, value: object) -> str:
        """Append a constant; returns its name."""
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add_member(self, name: str, member: Member, first: Member, *, flips: bool) -> None:
        """From the common input to the logits `<name>logits`, for images and, below them, mirror images."""
        model = compose.add_prefix(member.model, name)
        for opset in model.opset_import:
            self._opsets[opset.domain] = max(opset.version, self._opsets.get(opset.domain, 0))
        scale = self.constant(f"{name}scale", np.float32(first.std / member.std))
        shift = self.constant(f"{name}shift", np.float32((first.mean - member.mean) / member.std))
        own_input = f"{name}{INPUT_NAME}"
        self.add("Mul", [INPUT_NAME, scale], f"{name}scaled")
        self.add("Add", [f"{name}scaled", shift], f"{name}upright" if flips else own_input)
        if flips:
            mirrored = self._mirror(f"{name}upright", f"{name}mirrored")
            self.add("Concat", [f"{name}upright", mirrored], own_input, axis=0)
        self._nodes.extend(model.graph.node)
        self._constants.extend(model.graph.initializer)
        self._flips = flips

    def mean(self, names: Sequence[str]) -> str:
        """The mean of all members' probabilities over the five classes."""
        probabilities = [self._softmax(f"{name}{OUTPUT_NAME}", name) for name in names]
        return self._mean(probabilities, "mean")

    def two_stages(self, background: str, terrain: str) -> str:
        """Background from one member, and the classes of the rest from another."""
        is_background = self._classes(self._softmax(f"{background}{OUTPUT_NAME}", background), 0, 1, "b")
        logits = self._classes(f"{terrain}{OUTPUT_NAME}", 1, N_CLASSES, "t")
        which = self._softmax(logits, terrain)
        one = self.constant("one", np.float32(1))
        self.add("Sub", [one, is_background], "is_terrain")
        self.add("Mul", ["is_terrain", which], "terrain")
        self.add("Concat", [is_background, "terrain"], "stages", axis=_CLASS_AXIS)
        return "stages"

    def finish(self, like: onnx.ModelProto) -> onnx.ModelProto:
        """The model; input and output as those of `like`."""
        floats = TensorProto.FLOAT
        image = helper.make_tensor_value_info(INPUT_NAME, floats, [*OPEN_SIDES, 1])
        logits = helper.make_tensor_value_info(OUTPUT_NAME, floats, [*OPEN_SIDES, N_CLASSES])
        graph = helper.make_graph(self._nodes, "combined", [image], [logits], self._constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in self._opsets.items()]
        return helper.make_model(graph, opset_imports=opsets, ir_version=like.ir_version)

    def _softmax(self, logits: str, name: str) -> str:
        """Probabilities of the images, averaged with those of their mirror images if there are any."""
        self.add("Softmax", [logits], f"{name}softmax", axis=_CLASS_AXIS)
        if not self._flips:
            return f"{name}softmax"
        self.add("Split", [f"{name}softmax"], f"{name}of_upright", f"{name}of_mirrored", axis=0)
        return self._mean([f"{name}of_upright", self._mirror(f"{name}of_mirrored", f"{name}back")], name)

    def _mean(self, values: Sequence[str], name: str) -> str:
        self.add("Mean", values, f"{name}_of_{len(values)}")
        return f"{name}_of_{len(values)}"

    def _mirror(self, value: str, result: str) -> str:
        """Left becomes right."""
        return self._slice(value, result, start=-1, stop=_EVERYTHING, axis=_WIDTH_AXIS, step=-1)

    def _classes(self, value: str, start: int, stop: int, name: str) -> str:
        return self._slice(value, f"{value}_{name}", start=start, stop=stop, axis=_CLASS_AXIS, step=1)

    def _slice(self, value: str, result: str, *, start: int, stop: int, axis: int, step: int) -> str:
        parts = {"start": start, "stop": stop, "axis": axis, "step": step}
        limits = [self.constant(f"{result}_{part}", np.array([n], np.int64)) for part, n in parts.items()]
        self.add("Slice", [value, *limits], result)
        return result
