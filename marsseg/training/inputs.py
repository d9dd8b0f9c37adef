"""Batches from NumPy: standardised by the training split, shuffled and flipped by seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from marsseg.config import DataConfig

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


@dataclass(frozen=True, slots=True)
class Tiles:
    """Images and masks of some rows of a dataset, ready to be cut into batches.

    Args:
        images: (N, H, W) uint8, the whole dataset, possibly memory-mapped.
        masks: (N, H, W) uint8, values 0–4.
        rows: (K,) int64, the rows that belong to the split.
        standardizer: of the training split.
    """

    images: np.ndarray
    masks: np.ndarray
    rows: np.ndarray
    standardizer: Standardizer

    def __len__(self) -> int:
        """How many tiles there are."""
        return len(self.rows)

    def batches(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield all tiles in order: images (B, H, W, 1) float32 and masks (B, H, W) uint8."""
        table = self.standardizer.table()
        for start in range(0, len(self.rows), size):
            chosen = self.rows[start : start + size]
            yield table[self.images[chosen]][..., np.newaxis], np.asarray(self.masks[chosen])

    def training_batches(
        self, size: int, *, seed: int, epoch: int, flips: DataConfig
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield one epoch of shuffled, flipped batches of equal size; tiles left over sit this epoch out.

        Order and flips depend on `(seed, epoch)` and nothing else, so that any epoch can be repeated.
        Leftovers are dropped because a last batch of one or two tiles would upset batch normalisation; with
        fewer tiles than `size`, one batch holds them all.
        """
        generator = np.random.default_rng((seed, epoch))
        order = generator.permutation(self.rows)
        mirrored = generator.random((2, len(order))) < 0.5
        wanted = np.array([flips.flip_horizontal, flips.flip_vertical])
        left_right, up_down = mirrored & wanted[:, np.newaxis]
        table = self.standardizer.table()
        for step in range(steps_per_epoch(len(order), size)):
            here = slice(step * size, (step + 1) * size)
            images, masks = self.images[order[here]], self.masks[order[here]]
            for array in (images, masks):
                flip_tiles(array, left_right[here], up_down[here])
            yield table[images][..., np.newaxis], masks


def steps_per_epoch(tiles: int, batch_size: int) -> int:
    """How many full batches the tiles make; one smaller batch if they make none."""
    return max(1, tiles // batch_size)


def flip_tiles(tiles: np.ndarray, left_right: np.ndarray, up_down: np.ndarray) -> None:
    """Mirror the chosen tiles of a batch in place.

    Args:
        tiles: (B, H, W), images or masks.
        left_right: (B,) bool, which tiles to mirror along the width.
        up_down: (B,) bool, which tiles to turn upside down.
    """
    tiles[left_right] = tiles[left_right][:, :, ::-1]
    tiles[up_down] = tiles[up_down][:, ::-1]
