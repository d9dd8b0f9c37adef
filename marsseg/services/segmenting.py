"""Use a trained network: segment an image, or write predictions of a dataset's test tiles."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from marsseg.classes import N_CLASSES
from marsseg.errors import DatasetError, ImageError, StateError
from marsseg.services.datasets import dataset_tiles
from marsseg.services.lab import DEMO_DATASET, Lab
from marsseg.services.runs import model_path, require_model, runs_with_masks, score_by_run
from marsseg.store.records import RunRecord

if TYPE_CHECKING:
    from marsseg.config import RunConfig
    from marsseg.inference.predictor import Predictor
    from marsseg.metrics import Decoding

_BATCH = 64


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """How to segment; None leaves it to the run and the image.

    Args:
        frame_size: side in pixels that a rover frame had when the training tiles were cut from it; None for
            what the run's dataset says.
        match_brightness: give the image the brightness and contrast of the training tiles first; None does
            so only where it is far brighter or darker than they are.
        decoding: which classes may be chosen; None for `usual_decoding`.
    """

    frame_size: int | None = None
    match_brightness: bool | None = None
    decoding: Decoding | None = None


@dataclass(frozen=True, slots=True)
class SegmentedImage:
    """What became of one image.

    Args:
        image: (H, W) uint8, the gray image as the network saw it before scaling.
        mask: (H, W) uint8 classes, in the size of the input.
        confidence: (H, W) float32 probability of the chosen class.
        shares: five fractions of all pixels.
        seconds: time from pixels to mask.
        working_size: (height, width) that the network worked on.
        mean_gray: brightness of the image, 0–255.
        trained_gray: brightness of the tiles that the network was trained on, 0–255.
        far_off: whether these differ so much that the network is out of its depth.
        matched: whether brightness and contrast were matched to those of the tiles.
        decoding: which classes could be chosen.
    """

    run: RunRecord
    image: np.ndarray
    mask: np.ndarray
    confidence: np.ndarray
    shares: tuple[float, ...]
    seconds: float
    working_size: tuple[int, int]
    mean_gray: float
    trained_gray: float
    far_off: bool
    matched: bool
    decoding: Decoding

    @property
    def mask_png(self) -> bytes:
        """The mask as indexed-colour PNG: pixel value = class number, size of the input."""
        from marsseg.inference.drawing import write_mask_png

        return write_mask_png(self.mask)

    @property
    def overlay_png(self) -> bytes:
        """The image with its mask laid over it, as PNG."""
        from marsseg.inference.drawing import write_overlay_png

        return write_overlay_png(self.image, self.mask)


def usable_runs(lab: Lab) -> list[tuple[RunRecord, float]]:
    """Runs with an exported network and their test score (terrain lens, terrain only), best first.

    Those that learned from the built-in demo terrain come last: their scores are of another world. First
    stages are left out: they tell no terrain.
    """
    scores = score_by_run(lab)
    runs = [run for run in runs_with_masks(lab).values() if model_path(lab, run.id).is_file()]
    return sorted(((run, scores[run.id]) for run in runs), key=_usefulness, reverse=True)


def _usefulness(scored: tuple[RunRecord, float]) -> tuple[bool, float]:
    run, score = scored
    return run.dataset_name != DEMO_DATASET, -1.0 if np.isnan(score) else score


def usual_decoding(config: RunConfig) -> Decoding:
    """All five classes where two stages were trained for that; else terrain only, as scores are counted."""
    return "argmax" if config.combine.rule == "two_stage" else "terrain_only"


def segment(lab: Lab, run_id: str, content: bytes, options: SegmentOptions | None = None) -> SegmentedImage:
    """Segment one PNG, JPEG or TIFF with the network of a run.

    Raises:
        ImageError: the content is no image, or too large.
        StateError: the run has no exported network, or tells no terrain.
    """
    # Imported here: only this needs the readers of images, and pages wait for what they import.
    from marsseg.data.images import decode_gray
    from marsseg.inference.brightness import is_far_off, levels_of

    run, predictor = _network(lab, run_id)
    wanted = options or SegmentOptions()
    decoding = wanted.decoding or usual_decoding(run.config)
    image = decode_gray(content, lab.settings.limits.image_pixels)
    levels, trained = levels_of(image), predictor.facts.levels
    far_off = is_far_off(levels, trained)
    matched = far_off if wanted.match_brightness is None else wanted.match_brightness
    result = predictor.segment(
        image, frame_size=wanted.frame_size, match_brightness=matched, decoding=decoding
    )
    counts = np.bincount(result.mask.ravel(), minlength=N_CLASSES)
    return SegmentedImage(
        run=run,
        image=image,
        mask=result.mask,
        confidence=result.confidence,
        shares=tuple(float(share) for share in counts / counts.sum()),
        seconds=result.seconds,
        working_size=result.working_size,
        mean_gray=levels.mean * 255,
        trained_gray=trained.mean * 255,
        far_off=far_off,
        matched=matched,
        decoding=decoding,
    )


def segment_file(
    lab: Lab, run_id: str, path: Path, out: Path, options: SegmentOptions | None = None
) -> tuple[SegmentedImage, Path, Path]:
    """Segment an image file into `STEM_mask.png` and `STEM_overlay.png`; returns their paths.

    Raises:
        ImageError: the file cannot be read or is no image.
        StateError: the run has no exported network, or tells no terrain.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    result = segment(lab, run_id, content, options)
    out.mkdir(parents=True, exist_ok=True)
    mask, overlay = out / f"{path.stem}_mask.png", out / f"{path.stem}_overlay.png"
    mask.write_bytes(result.mask_png)
    overlay.write_bytes(result.overlay_png)
    return result, mask, overlay


def write_submission(
    lab: Lab,
    run_id: str,
    out: Path,
    *,
    dataset: str | None = None,
    decoding: Decoding = "terrain_only",
    progress: Callable[[float, str], None] | None = None,
) -> int:
    """Write one CSV row a test tile: `id`, then its pixels' classes row by row; returns the number of tiles.

    Raises:
        DatasetError: the dataset has no unlabelled test tiles, or `out` is a folder.
        StateError: the run has no exported network, or tells no terrain.
    """
    run, predictor = _network(lab, run_id)
    tiles = dataset_tiles(lab, dataset or run.dataset_name).test_images
    if not len(tiles):
        raise DatasetError(
            f"{dataset or run.dataset_name} has no unlabelled test tiles; choose a dataset with a test_set."
        )
    if out.is_dir():
        raise DatasetError(f"{out} is a folder; give the file to write, such as {out / 'submission.csv'}.")
    with _whole_file(out) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *range(tiles[0].size)])
        for start in range(0, len(tiles), _BATCH):
            masks = predictor.predict_batch(np.asarray(tiles[start : start + _BATCH]), decoding=decoding)
            writer.writerows([start + i, *mask.ravel().tolist()] for i, mask in enumerate(masks))
            if progress:
                progress(min(1.0, (start + _BATCH) / len(tiles)), "segmenting test tiles")
    return len(tiles)


@contextmanager
def _whole_file(out: Path) -> Iterator[TextIO]:
    """A text file that appears under its name when it is complete, or not at all."""
    partial = out.with_name(f".{out.name}.partial")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            yield file
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _network(lab: Lab, run_id: str) -> tuple[RunRecord, Predictor]:
    run, path = require_model(lab, run_id)
    if not run.config.data.tells_terrain:
        raise StateError(
            f"Run {run.id} ({run.name}) is a first stage: it only tells background from terrain. "
            "Choose the run that combines it with a second stage."
        )
    return run, _predictor(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _predictor(path: Path, modified_ns: int) -> Predictor:  # noqa: ARG001 - part of the cache's key
    """Load a network once; `modified_ns` makes a re-exported one load again."""
    from marsseg.inference.predictor import load_predictor

    return load_predictor(path)
