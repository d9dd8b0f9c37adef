"""What training will see of the tiles: the input pipeline's own batches, beside the tiles as they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from marsseg.config import RunConfig
from marsseg.data.arrays import open_arrays
from marsseg.services.lab import Lab
from marsseg.services.splits import split_for

if TYPE_CHECKING:
    from marsseg.data.augmenting import TilePool


@dataclass(frozen=True, slots=True)
class ChangedTile:
    """A training tile before and after; (H, W) uint8 each.

    Args:
        row: dataset row.
        image, mask: as imported.
        new_image, new_mask: flipped and augmented.
    """

    row: int
    image: np.ndarray
    mask: np.ndarray
    new_image: np.ndarray
    new_mask: np.ndarray


@dataclass(frozen=True, slots=True)
class AugmentationPreview:
    """The first tiles of the first batch of an epoch.

    Args:
        seed, epoch: which draw it is; a run with this seed trains on just this in that epoch.
        batch_size: how many tiles the whole batch has.
    """

    seed: int
    epoch: int
    batch_size: int
    tiles: tuple[ChangedTile, ...]


def preview_augmentation(
    lab: Lab, config: RunConfig, epoch: int = 1, *, most: int = 6
) -> AugmentationPreview:
    """Draw the first batch of an epoch just as a run would, and show up to `most` of its tiles.

    Raises:
        NotFoundError: the dataset is unknown.
        DatasetError: the dataset cannot be read or split, or fills no batch.
    """
    rows = split_for(lab, config).train
    record = lab.store.get_dataset(config.data.dataset)
    pool = _pool(lab.settings.datasets_dir / record.sha256, tuple(rows.tolist()))
    train = config.train
    batch = next(
        pool.epoch(train.batch_size, seed=train.seed, epoch=epoch, flips=config.data, augment=config.augment)
    )
    return AugmentationPreview(
        seed=train.seed,
        epoch=epoch,
        batch_size=len(batch.rows),
        tiles=tuple(
            ChangedTile(int(row), np.asarray(pool.images[row]), np.asarray(pool.masks[row]), image, mask)
            for row, image, mask in zip(batch.rows[:most], batch.images, batch.masks, strict=False)
        ),
    )


@lru_cache(maxsize=4)
def _pool(folder: Path, rows: tuple[int, ...]) -> TilePool:
    """The training tiles; kept, as cutting out their rocks takes a moment."""
    from marsseg.data.augmenting import TilePool  # brings SciPy, which no other page waits for

    arrays = open_arrays(folder)
    return TilePool(arrays.images, arrays.masks, np.array(rows, np.int64))
