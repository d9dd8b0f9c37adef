"""What an epoch measured: its record for the store, and its line in the log."""

from __future__ import annotations

import logging

import numpy as np

from marsseg.metrics import Decoding, class_iou, mean_iou
from marsseg.store.records import EpochRecord
from marsseg.training.evaluation import SplitPrediction

SELECTION_DECODING: Decoding = "terrain_only"
"""Decoding under which validation picks the best epoch: that of the leaderboard's default."""

logger = logging.getLogger(__name__)


def build_record(
    epoch: int,
    loss: float,
    validation: SplitPrediction,
    *,
    learning_rate: float,
    seconds: float,
    images_per_second: float,
) -> EpochRecord:
    """Put together what the store keeps of an epoch; its checkpoint's name comes later.

    Args:
        loss: mean over the steps.
        learning_rate: that of the last step.
        seconds: training, validation and previews together.
    """
    confusion: np.ndarray = validation.confusions[SELECTION_DECODING].sum(axis=0)
    return EpochRecord(
        epoch=epoch,
        loss=loss,
        val_loss=validation.loss,
        val_terrain_miou=mean_iou(confusion, "terrain"),
        val_class_iou=tuple(float(iou) for iou in class_iou(confusion, "terrain")),
        learning_rate=learning_rate,
        seconds=seconds,
        images_per_second=images_per_second,
    )


def log_record(record: EpochRecord, epochs: int) -> None:
    """Write one line a person can follow training by."""
    logger.info(
        "epoch %d/%d  loss %.4f  val loss %.4f  val terrain mIoU %.4f  lr %.3g  %.1f s  %.1f images/s",
        record.epoch,
        epochs,
        record.loss,
        record.val_loss,
        record.val_terrain_miou,
        record.learning_rate,
        record.seconds,
        record.images_per_second,
    )
