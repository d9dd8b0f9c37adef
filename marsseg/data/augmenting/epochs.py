"""One epoch of training batches: which tiles come when, how they are flipped and changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from marsseg.classes import BIG_ROCK
from marsseg.config import AugmentConfig, DataConfig
from marsseg.data.augmenting.batch import augment_batch
from marsseg.data.augmenting.draws import Tiles
from marsseg.data.augmenting.rocks import RockBank, cut_rocks
from marsseg.data.splits import steps_per_epoch

_AUGMENTATION = 1
"""Third number of the seeds of all but plain order and flips, which are drawn from the first two."""
_ROWS_AT_ONCE = 512

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a training step sees.

    Args:
        rows: (B,) dataset row of each tile.
        images, masks: (B, H, W) uint8.
    """

    rows: Rows
    images: Tiles
    masks: Tiles


@dataclass(frozen=True)
class TilePool:
    """Images and masks of some rows of a dataset.

    Args:
        images: (N, H, W) uint8, the whole dataset, possibly memory-mapped.
        masks: (N, H, W) uint8, values 0–4.
        rows: (K,) int64, the rows that belong to the split.
    """

    images: Tiles
    masks: Tiles
    rows: Rows

    def __len__(self) -> int:
        """How many tiles there are."""
        return len(self.rows)

    @cached_property
    def with_rock(self) -> NDArray[np.bool_]:
        """(K,) bool: which of the rows hold big rock."""
        starts = range(0, len(self.rows), _ROWS_AT_ONCE)
        parts = [self.masks[self.rows[start : start + _ROWS_AT_ONCE]] for start in starts]
        return np.concatenate([(part == BIG_ROCK.index).any(axis=(1, 2)) for part in parts])

    @cached_property
    def rocks(self) -> RockBank:
        """The big rocks of these rows, and of no others."""
        return cut_rocks(self.images, self.masks, self.rows[self.with_rock])

    def epoch(
        self, size: int, *, seed: int, epoch: int, flips: DataConfig, augment: AugmentConfig
    ) -> Iterator[Batch]:
        """Yield one epoch of shuffled, flipped, changed batches of equal size; tiles left over sit it out.

        What a batch holds depends on `(seed, epoch)` and its place in the epoch, not on earlier draws.
        Leftovers are dropped because a last batch of one or two tiles would upset batch normalisation; with
        fewer tiles than `size`, one batch holds them all.
        """
        generator = np.random.default_rng((seed, epoch))
        order = generator.permutation(self.rows)
        mirrored = generator.random((2, len(order))) < 0.5
        wanted = np.array([flips.flip_horizontal, flips.flip_vertical])
        left_right, up_down = mirrored & wanted[:, np.newaxis]
        if augment.rock_oversampling > 1:
            again = np.random.default_rng((seed, epoch, _AUGMENTATION))
            order = oversampled(self.rows, self.with_rock, augment.rock_oversampling, again)
        rocks = self.rocks if augment.rock_paste else None
        for step in range(steps_per_epoch(len(order), size)):
            here = slice(step * size, (step + 1) * size)
            images, masks = self.images[order[here]], self.masks[order[here]]
            for array in (images, masks):
                flip_tiles(array, left_right[here], up_down[here])
            draws = np.random.default_rng((seed, epoch, _AUGMENTATION, step + 1))
            images, masks = augment_batch(
                images, masks, augment, draws, rocks=rocks, mirror_rocks=flips.flip_horizontal
            )
            yield Batch(order[here], images, masks)


def oversampled(
    rows: Rows, with_rock: NDArray[np.bool_], times: float, generator: np.random.Generator
) -> Rows:
    """As many rows as there are, shuffled; those with big rock `times` as often as the others, on average.

    Of K rows, R of them with rock, round(K · times · R / (times · R + K − R)) are drawn from those with rock,
    each of them equally often but for one, and the rest from the others, each once at most.

    Args:
        rows: (K,).
        with_rock: (K,) bool.
        times: at least 1.
        generator: draws who comes once more, who sits out, and the order.
    """
    rocky, plain = generator.permutation(rows[with_rock]), generator.permutation(rows[~with_rock])
    if not len(rocky):
        return plain
    weight = times * len(rocky)
    share = round(len(rows) * weight / (weight + len(plain)))
    return generator.permutation(np.concatenate([np.resize(rocky, share), plain[: len(rows) - share]]))


def flip_tiles(tiles: Tiles, left_right: NDArray[np.bool_], up_down: NDArray[np.bool_]) -> None:
    """Mirror the chosen tiles of a batch in place.

    Args:
        tiles: (B, H, W), images or masks.
        left_right: (B,) bool, which tiles to mirror along the width.
        up_down: (B,) bool, which tiles to turn upside down.
    """
    tiles[left_right] = tiles[left_right][:, :, ::-1]
    tiles[up_down] = tiles[up_down][:, ::-1]
