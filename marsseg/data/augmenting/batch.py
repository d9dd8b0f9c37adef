"""All changes to a batch of training tiles, in one fixed order."""

from __future__ import annotations

import numpy as np

from marsseg.config import AugmentConfig
from marsseg.data.augmenting.draws import Tiles
from marsseg.data.augmenting.geometry import crop_and_bend, shuffle_cells
from marsseg.data.augmenting.mixing import cut_and_mix
from marsseg.data.augmenting.photometry import change_levels, cover_grid
from marsseg.data.augmenting.rocks import RockBank, paste_rocks

CHANGES = (
    "crop_resize",
    "elastic",
    "grid_shuffle",
    "cutmix",
    "rock_paste",
    "auto_contrast",
    "brightness",
    "contrast",
    "gamma",
    "grid_mask",
)
"""The probabilities of `AugmentConfig` in the order in which the changes are made."""


def is_active(config: AugmentConfig) -> bool:
    """Whether any change can befall a tile."""
    return any(getattr(config, change) for change in CHANGES)


def augment_batch(
    images: Tiles,
    masks: Tiles,
    config: AugmentConfig,
    generator: np.random.Generator,
    *,
    rocks: RockBank | None = None,
    mirror_rocks: bool = True,
) -> tuple[Tiles, Tiles]:
    """Change a batch as the configuration says; images and masks move together.

    The order is that of taking a picture: first what lies where (crop and resize, elastic, grid shuffle,
    CutMix, pasted rocks), then the light on it (auto-contrast, brightness, contrast, gamma), and last what
    covers the lens (grid mask). Each change has a stream of random numbers of its own, so that switching one
    on leaves the others as they were.

    Args:
        images: (B, H, W) uint8.
        masks: (B, H, W) uint8, values 0–4.
        config: probability and strength of each change.
        generator: the same state gives the same batch.
        rocks: what to paste; without them nothing is pasted.
        mirror_rocks: whether pasted rocks may be mirrored left-right.

    Returns:
        New contiguous arrays of the same shapes and types; the given ones when nothing is switched on.
    """
    if not is_active(config):
        return images, masks
    draws = dict(zip(CHANGES, generator.spawn(len(CHANGES)), strict=True))
    images, masks = images.copy(order="C"), masks.copy(order="C")
    crop_and_bend(images, masks, config, draws["crop_resize"], draws["elastic"])
    shuffle_cells(images, masks, config, draws["grid_shuffle"])
    cut_and_mix(images, masks, config, draws["cutmix"])
    if rocks is not None:
        paste_rocks(images, masks, config, rocks, draws["rock_paste"], mirror=mirror_rocks)
    change_levels(images, config, draws)
    cover_grid(images, config, draws["grid_mask"])
    return images, masks
