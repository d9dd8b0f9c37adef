"""Batches from NumPy: standardised by the training split, decided by seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from marsseg.config import AugmentConfig, DataConfig
from marsseg.data.augmenting import TilePool

GRAY_LEVELS = 256
ROWS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Standardizer:
    """Maps gray levels to zero mean and unit standard deviation.

    Args:
        mean: mean of the training images on a 0–1 scale.
        std: their standard deviation on a 0–1 scale.
    """

    mean: float
    std: float

    def table(self) -> np.ndarray:
        """(256,) float32: the standardised value of each gray level, (level / 255 − mean) / std."""
        levels = np.arange(GRAY_LEVELS, dtype=np.float64) / (GRAY_LEVELS - 1)
        return ((levels - self.mean) / self.std).astype(np.float32)


def fit_standardizer(images: np.ndarray, rows: np.ndarray) -> Standardizer:
    """Measure mean and standard deviation over all pixels of the given rows, exactly and in little memory.

    Args:
        images: (N, H, W) uint8, possibly memory-mapped.
        rows: the training rows.

    A set of images without contrast gets the standard deviation of one gray level.
    """
    histogram = np.zeros(GRAY_LEVELS, dtype=np.int64)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = images[rows[start : start + ROWS_AT_ONCE]]
        histogram += np.bincount(part.ravel(), minlength=GRAY_LEVELS)
    levels = np.arange(GRAY_LEVELS, dtype=np.float64) / (GRAY_LEVELS - 1)
    share = histogram / histogram.sum()
    mean = float(share @ levels)
    std = float(np.sqrt(share @ (levels - mean) ** 2))
    return Standardizer(mean, max(std, 1 / (GRAY_LEVELS - 1)))


@dataclass(frozen=True)
class Tiles(TilePool):
    """Images and masks of some rows of a dataset, ready to be cut into batches.

    Args:
        images: (N, H, W) uint8, the whole dataset, possibly memory-mapped.
        masks: (N, H, W) uint8, values 0–4.
        rows: (K,) int64, the rows that belong to the split.
        standardizer: of the training split.
    """

    standardizer: Standardizer

    def batches(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield all tiles in order: images (B, H, W, 1) float32 and masks (B, H, W) uint8."""
        table = self.standardizer.table()
        for start in range(0, len(self.rows), size):
            chosen = self.rows[start : start + size]
            yield table[self.images[chosen]][..., np.newaxis], np.asarray(self.masks[chosen])

    def training_batches(
        self, size: int, *, seed: int, epoch: int, flips: DataConfig, augment: AugmentConfig
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield one epoch of shuffled, flipped and changed batches, standardised; see `TilePool.epoch`.

        Order, flips and changes depend on `(seed, epoch)` alone, so that any epoch can be repeated.
        """
        table = self.standardizer.table()
        for batch in self.epoch(size, seed=seed, epoch=epoch, flips=flips, augment=augment):
            yield table[batch.images][..., np.newaxis], batch.masks
