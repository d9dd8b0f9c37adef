"""Predict a split once, in both decodings, and count what was right."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from marsseg.classes import N_CLASSES
from marsseg.metrics import DECODINGS, Decoding, confusion_matrices
from marsseg.training.files import save_array
from marsseg.training.inputs import Tiles

if TYPE_CHECKING:
    from marsseg.training.backend import EvaluationStep
    from marsseg.training.reporting import Reporter


@dataclass(frozen=True, slots=True)
class SplitPrediction:
    """What the network says about one split.

    Args:
        rows: (N,) int64, the dataset rows in the order of everything else.
        masks: predicted masks by decoding, each (N, H, W) uint8.
        confusions: (N, 5, 5) int64 by decoding, `[image, true, predicted]`.
        loss: mean loss a tile; batches weigh by their size.
    """

    rows: np.ndarray
    masks: dict[Decoding, np.ndarray]
    confusions: dict[Decoding, np.ndarray]
    loss: float


def predict_split(
    step: EvaluationStep,
    tiles: Tiles,
    batch_size: int,
    on_batch: Callable[[int, int], None] = lambda _done, _total: None,
) -> SplitPrediction:
    """Predict all tiles in order; `on_batch` hears how many batches are done, of how many."""
    masks = {name: np.empty((len(tiles), *tiles.masks.shape[1:]), np.uint8) for name in DECODINGS}
    confusions = {name: np.empty((len(tiles), N_CLASSES, N_CLASSES), np.int64) for name in DECODINGS}
    total, done, loss = math.ceil(len(tiles) / batch_size), 0, 0.0
    for number, (images, truth) in enumerate(tiles.batches(batch_size), start=1):
        *decoded, value = step(images, truth)
        here = slice(done, done + len(truth))
        for name, predicted in zip(DECODINGS, decoded, strict=True):
            masks[name][here] = predicted
            confusions[name][here] = confusion_matrices(truth, predicted, n_classes=N_CLASSES)
        done += len(truth)
        loss += value * len(truth)
        on_batch(number, total)
    return SplitPrediction(tiles.rows, masks, confusions, loss / max(done, 1))


def keep_prediction(prediction: SplitPrediction, split: str, folder: Path, reporter: Reporter) -> None:
    """Save the masks of a split, and report their confusion matrices."""
    save_predictions(prediction, split, folder)
    for decoding, confusions in prediction.confusions.items():
        reporter.evaluation(split, decoding, prediction.rows, confusions)


def save_predictions(prediction: SplitPrediction, split: str, folder: Path) -> None:
    """Write `validation_argmax.npy` and its like: (N, H, W) uint8 in the order of the split's rows."""
    for decoding, masks in prediction.masks.items():
        save_array(folder / f"{split}_{decoding}.npy", masks)
