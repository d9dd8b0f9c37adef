"""CutMix: a rectangle of one tile, with its mask, in the place of the same rectangle of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marsseg.config import AugmentConfig
from marsseg.data.augmenting.draws import Tiles, chosen


def cut_and_mix(images: Tiles, masks: Tiles, config: AugmentConfig, generator: np.random.Generator) -> None:
    """Replace a rectangle of some tiles by that of another tile of the batch (Yun 2019), in place.

    The share replaced is `U(0, cutmix_area)`, one pixel at least. The rectangle has the tile's proportions
    and lies anywhere inside, so that the share is what was drawn; in the paper it may stick out. A tile alone
    in its batch stays.
    """
    count = len(images)
    changed = np.flatnonzero(chosen(generator, count, config.cutmix))
    if not len(changed) or count == 1:
        return
    other = (changed + generator.integers(1, count, len(changed))) % count
    side = np.sqrt(generator.uniform(0, config.cutmix_area, len(changed)))
    rows, columns = (_stretch(side, size, generator) for size in images.shape[1:])
    inside = rows[:, :, np.newaxis] & columns[:, np.newaxis]
    for tiles in (images, masks):
        tiles[changed] = np.where(inside, tiles[other], tiles[changed])


def _stretch(side: NDArray[np.float64], size: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """(B, size) bool: a stretch of each axis, `side` of its length, anywhere on it."""
    length = np.maximum(np.rint(side * size).astype(np.int64), 1)
    start = generator.integers(0, size - length, endpoint=True)[:, np.newaxis]
    place = np.arange(size)
    return (place >= start) & (place < start + length[:, np.newaxis])
