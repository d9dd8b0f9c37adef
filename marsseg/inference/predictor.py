"""Load an exported network and segment images of any size with it, on the CPU by ONNX Runtime."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from marsseg.classes import N_CLASSES
from marsseg.errors import ImageError, MarsSegError, NotFoundError
from marsseg.inference.brightness import Levels, levels_of, matching
from marsseg.inference.scaling import enlarge_bands, shrink, working_size
from marsseg.inference.tiling import Classify, blended_bands, pad_by_reflection
from marsseg.metrics import Decoding, decode
from marsseg.settings import usable_cores

PIXELS_AT_ONCE = 1_200_000
"""A 1024×1024 frame goes through the network whole, in 0.6 GB with 16 filters; larger images go in tiles."""


class NetworkError(MarsSegError):
    """A file is no network that this lab has exported."""


@dataclass(frozen=True, slots=True)
class Segmentation:
    """What a network says about one image.

    Args:
        mask: (H, W) uint8 classes, in the size of the image.
        confidence: (H, W) float32, probability of the chosen class among those that the decoding allows.
        seconds: from pixels to mask.
        working_size: (height, width) that the network worked on.
        scale: working size by size of the image, at most 1.
    """

    mask: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    seconds: float
    working_size: tuple[int, int]
    scale: float


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What an exported network knows about itself.

    Args:
        mean, std: of the training pixels, on a 0–1 scale.
        frame_side: pixels on the shorter side of the frames that training tiles were cut from, if known.
        multiple: what both sides of an input must be multiples of.
        run_id: the run that trained it.
    """

    mean: float
    std: float
    frame_side: int | None
    multiple: int
    run_id: str

    @property
    def levels(self) -> Levels:
        """Brightness and contrast of the training tiles."""
        return Levels(self.mean, self.std)


def load_predictor(model_path: Path, *, threads: int | None = None) -> Predictor:
    """Load an exported network.

    Args:
        model_path: an ONNX file, as `artifacts/runs/<id>/model.onnx`.
        threads: for the network's arithmetic; all cores that this process may use unless told otherwise.

    Raises:
        NotFoundError: there is no such file.
        NetworkError: the file is damaged, or not exported by this lab.
    """
    if not model_path.is_file():
        raise NotFoundError(f"There is no exported network at {model_path}; train the run to its end.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_cores()
    options.log_severity_level = 4  # what goes wrong is raised, too
    # Waiting threads must not take cores from runs that train meanwhile.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(model_path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise NetworkError(
            f"{model_path} cannot be loaded ({_first_line(error)}); it may be damaged. "
            "Extend the run, or train it again, to export another one."
        ) from error
    return Predictor(session, _read_facts(session, model_path))


class Predictor:
    """An exported network, ready to segment; may be shared by threads.

    Args:
        session: takes (B, H, W, 1) float32 standardised gray values, gives (B, H, W, 5) logits.
        facts: how to standardise, and what sizes fit.
    """

    def __init__(self, session: onnxruntime.InferenceSession, facts: NetworkFacts) -> None:
        self.facts = facts
        self._session = session
        self._input = session.get_inputs()[0].name
        # Images differ in size: a pool of buffers kept between calls would only grow.
        self._run_options = onnxruntime.RunOptions()
        self._run_options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def segment(
        self,
        image: NDArray[np.uint8],
        *,
        frame_size: int | None = None,
        decoding: Decoding = "terrain_only",
        match_brightness: bool = False,
        pixels_at_once: int = PIXELS_AT_ONCE,
    ) -> Segmentation:
        """Segment one image of any size.

        The image is shrunk to the scale of the training tiles (see `working_size`), continued by reflection
        to sides that the network can halve, and classified whole or in blended tiles; the probabilities are
        then enlarged bilinearly to the image's size before classes are chosen.

        Args:
            image: (H, W) uint8 gray levels.
            frame_size: side that a rover frame had when training tiles were cut from it; None for what the
                network knows.
            decoding: which classes may be chosen.
            match_brightness: standardise the image by its own mean and spread instead of the training tiles'.
            pixels_at_once: most pixels in one call of the network.

        Raises:
            ImageError: no (H, W) uint8 image, or an impossible `frame_size`.
        """
        started = time.perf_counter()
        _check_image(image, frame_size)
        height, width = image.shape
        working, scale = working_size(height, width, frame_size or self.facts.frame_side)
        shrunk = shrink(image, working)
        trained = self.facts.levels
        levels = matching(levels_of(shrunk), trained) if match_brightness else trained
        first_class = 1 if decoding == "terrain_only" else 0

        def classify(tile: NDArray[np.uint8]) -> NDArray[np.float32]:
            return _softmax(self._logits(tile[None], levels)[0, ..., first_class:])

        # Bands of tiles run along the shorter side, so that one band is never large: a wide image is laid on
        # its side, but the network sees each tile upright.
        if width > height:
            best, confidence = self._sweep(
                shrunk.T, (width, height), lambda tile: classify(tile.T).swapaxes(0, 1), pixels_at_once
            )
            best, confidence = np.ascontiguousarray(best.T), np.ascontiguousarray(confidence.T)
        else:
            best, confidence = self._sweep(shrunk, (height, width), classify, pixels_at_once)
        best += first_class
        return Segmentation(best, confidence, time.perf_counter() - started, working, scale)

    def _sweep(
        self, image: NDArray[np.uint8], size: tuple[int, int], classify: Classify, pixels_at_once: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The most probable index and its probability at each pixel of the image enlarged to `size`."""
        bands = blended_bands(image, classify, multiple=self.facts.multiple, pixels_at_once=pixels_at_once)
        best, confidence = np.empty(size, np.uint8), np.empty(size, np.float32)
        row = 0
        for probabilities in enlarge_bands(bands, (image.shape[0], image.shape[1]), size):
            rows = slice(row, row + len(probabilities))
            best[rows] = probabilities.argmax(axis=-1)
            confidence[rows] = _over_classes(np.maximum, probabilities)
            row = rows.stop
        return best, confidence

    def predict_batch(
        self, images: NDArray[np.uint8], *, decoding: Decoding = "terrain_only"
    ) -> NDArray[np.uint8]:
        """Segment equally large images, such as tiles, at their own scale: (B, H, W) uint8 to the same."""
        height, width = images.shape[1:]
        logits = self._logits(pad_by_reflection(images, self.facts.multiple), self.facts.levels)
        return decode(logits[:, :height, :width], decoding)

    def _logits(self, images: NDArray[np.uint8], levels: Levels) -> NDArray[np.float32]:
        inputs = images[..., None].astype(np.float32)
        inputs /= 255
        inputs -= levels.mean
        inputs /= levels.std
        (logits,) = self._session.run(None, {self._input: inputs}, self._run_options)
        return np.asarray(logits, np.float32)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities over the last axis."""
    exponentials = np.exp(logits - _over_classes(np.maximum, logits)[..., None])
    exponentials /= _over_classes(np.add, exponentials)[..., None]
    return exponentials


def _over_classes(operation: np.ufunc, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reduce the last axis; over four or five values this is several times as fast as `ufunc.reduce`."""
    return reduce(operation, np.moveaxis(values, -1, 0))


def _read_facts(session: onnxruntime.InferenceSession, path: Path) -> NetworkFacts:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or outputs[0].shape[-1:] != [N_CLASSES]:
        raise NetworkError(f"{path} is an ONNX network, but not one from images to five terrain classes.")
    metadata: Mapping[str, str] = session.get_modelmeta().custom_metadata_map
    try:
        mean, std, multiple = float(metadata["mean"]), float(metadata["std"]), int(metadata["multiple"])
        if not (math.isfinite(mean) and 0 < std < math.inf and multiple >= 1):
            raise ValueError(f"mean {mean}, std {std}, multiple {multiple}")
    except (KeyError, ValueError) as error:
        raise NetworkError(
            f"{path} does not say how its images were standardised ({error}); was it exported by this lab?"
        ) from error
    # "256x256", "[256, 256]", or nothing when the frames are not known
    sides = [int(number) for number in re.findall(r"\d+", metadata.get("frame_size", ""))]
    return NetworkFacts(mean, std, min(sides, default=None), multiple, metadata.get("run_id", ""))


def _check_image(image: NDArray[np.uint8], frame_size: int | None) -> None:
    if image.ndim != 2 or image.dtype != np.uint8 or image.size == 0:
        raise ImageError(
            f"An image to segment is (H, W) uint8 gray levels; got {image.shape} {image.dtype}. "
            "Read files with decode_gray."
        )
    if frame_size is not None and frame_size < 8:
        raise ImageError(f"A frame has at least 8 pixels on each side; got {frame_size}, try 256 or 512.")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
