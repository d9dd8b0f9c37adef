"""Augmentation of training tiles in NumPy: the input pipeline and the preview on the data page share it."""

from marsseg.data.augmenting.batch import CHANGES, augment_batch, is_active
from marsseg.data.augmenting.epochs import Batch, TilePool, flip_tiles, oversampled
from marsseg.data.augmenting.rocks import RockBank, cut_rocks

__all__ = [
    "CHANGES",
    "Batch",
    "RockBank",
    "TilePool",
    "augment_batch",
    "cut_rocks",
    "flip_tiles",
    "is_active",
    "oversampled",
]
