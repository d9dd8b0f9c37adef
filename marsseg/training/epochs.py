"""What an epoch measured: its record for the store, and its line in the log."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from marsseg.metrics import class_iou, mean_iou
from marsseg.store.records import EpochRecord
from marsseg.training.evaluation import SplitPrediction

Target = Literal["terrain", "background"]

logger = logging.getLogger(__name__)


def build_record(
    epoch: int,
    loss: float,
    validation: SplitPrediction,
    *,
    target: Target,
    learning_rate: float,
    seconds: float,
    images_per_second: float,
) -> EpochRecord:
    """Put together what the store keeps of an epoch; its checkpoint's name comes later.

    Args:
        loss: mean over the steps.
        target: what the network learns; decides which scores there are.
        learning_rate: that of the last step.
        seconds: training, validation and previews together.
    """
    score, class_scores = _SCORES[target](validation)
    return EpochRecord(
        epoch=epoch,
        loss=loss,
        val_loss=validation.loss,
        val_terrain_miou=score,
        val_class_iou=class_scores,
        learning_rate=learning_rate,
        seconds=seconds,
        images_per_second=images_per_second,
    )


def selection_score(record: EpochRecord, target: Target) -> float:
    """The validation score by which the best epoch is chosen: what the network learns, and nothing else."""
    return _chosen(record.val_terrain_miou, record.val_class_iou, target)


def score_to_select_by(validation: SplitPrediction, target: Target) -> float:
    """The same of a prediction, as `build_record` would put it down."""
    return _chosen(*_SCORES[target](validation), target)


def _chosen(mean: float, class_scores: tuple[float, ...], target: Target) -> float:
    return class_scores[0] if target == "background" else mean


def _terrain_scores(validation: SplitPrediction) -> tuple[float, tuple[float, ...]]:
    """Mean IoU and that of each class, in lens and decoding of the leaderboard's default."""
    confusion: np.ndarray = validation.confusions["terrain_only"].sum(axis=0)
    return mean_iou(confusion, "terrain"), tuple(float(iou) for iou in class_iou(confusion, "terrain"))


def _background_scores(validation: SplitPrediction) -> tuple[float, tuple[float, ...]]:
    """IoU of background over all pixels; which terrain the rest is, the network does not say."""
    confusion: np.ndarray = validation.confusions["argmax"].sum(axis=0)
    background = float(class_iou(confusion, "strict")[0])
    return math.nan, (background, math.nan, math.nan, math.nan, math.nan)


_SCORES: Mapping[Target, Callable[[SplitPrediction], tuple[float, tuple[float, ...]]]] = {
    "terrain": _terrain_scores,
    "background": _background_scores,
}


def log_record(record: EpochRecord, epochs: int, target: Target) -> None:
    """Write one line a person can follow training by."""
    logger.info(
        "epoch %d/%d  loss %.4f  val loss %.4f  val %s %.4f  lr %.3g  %.1f s  %.1f images/s",
        record.epoch,
        epochs,
        record.loss,
        record.val_loss,
        "background IoU" if target == "background" else "terrain mIoU",
        selection_score(record, target),
        record.learning_rate,
        record.seconds,
        record.images_per_second,
    )
