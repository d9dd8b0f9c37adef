"""Changes of gray levels: one table a tile for all that depends on the level alone, then the grid mask."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from marsseg.config import AugmentConfig
from marsseg.data.augmenting.draws import Tiles, chosen

WHITE = 255
LEVELS = WHITE + 1

Table = NDArray[np.float64]
"""(B, 256) float64: what becomes of each gray level of each tile."""


def change_levels(images: Tiles, config: AugmentConfig, draws: Mapping[str, np.random.Generator]) -> None:
    """Auto-contrast, brightness, contrast and gamma of some tiles each, one after the other, in place.

    Levels are kept within 0–255 after each change and rounded once, at the end.
    """
    if not (config.auto_contrast or config.brightness or config.contrast or config.gamma):
        return
    count = len(images)
    places = images + np.arange(0, count * LEVELS, LEVELS)[:, np.newaxis, np.newaxis]
    pixels = np.bincount(places.reshape(-1), minlength=count * LEVELS).reshape(count, LEVELS)
    table = np.tile(np.arange(LEVELS, dtype=np.float64), (count, 1))
    who = chosen(draws["auto_contrast"], count, config.auto_contrast)
    table[who] = _stretched(table[who], pixels[who], config.auto_contrast_cutoff)
    who = chosen(draws["brightness"], count, config.brightness)
    table[who] = _shifted(table[who], config.brightness_strength, draws["brightness"])
    who = chosen(draws["contrast"], count, config.contrast)
    table[who] = _spread(table[who], pixels[who], config.contrast_strength, draws["contrast"])
    who = chosen(draws["gamma"], count, config.gamma)
    table[who] = _bent(table[who], config.gamma_strength, draws["gamma"])
    images[...] = np.rint(table).astype(np.uint8).reshape(-1)[places]


def cover_grid(images: Tiles, config: AugmentConfig, generator: np.random.Generator) -> None:
    """Cover a grid of squares of some tiles with the tile's mean gray (Chen 2020), in place.

    The distance of the squares is any whole number of pixels between a quarter of the height and all of it,
    equally likely; so is where the grid begins.
    """
    changed = np.flatnonzero(chosen(generator, len(images), config.grid_mask))
    if not len(changed):
        return
    _, height, width = images.shape
    distance = generator.integers(-(-height // 4), height, len(changed), endpoint=True)
    side = np.maximum(np.rint(distance * config.grid_mask_ratio), 1)[:, np.newaxis]
    begin = generator.integers(0, distance, (2, len(changed)))
    rows, columns = (
        (np.arange(size) + start[:, np.newaxis]) % distance[:, np.newaxis] < side
        for size, start in zip((height, width), begin, strict=True)
    )
    covered = rows[:, :, np.newaxis] & columns[:, np.newaxis]
    gray = np.rint(images[changed].mean(axis=(1, 2))).astype(np.uint8)
    images[changed] = np.where(covered, gray[:, np.newaxis, np.newaxis], images[changed])


def _stretched(table: Table, pixels: NDArray[np.int64], cutoff: float) -> Table:
    """The darkest level that is left becomes black, the brightest white; one gray level alone stays.

    A level is cut off when all pixels up to it, counted from its end, are no more than the share `cutoff`.
    """
    cut = cutoff * pixels.sum(axis=1, keepdims=True)
    darkest = (pixels.cumsum(axis=1) > cut).argmax(axis=1)
    brightest = WHITE - (pixels[:, ::-1].cumsum(axis=1) > cut).argmax(axis=1)
    start, span = darkest[:, np.newaxis], (brightest - darkest)[:, np.newaxis]
    stretched = (table - start) * (WHITE / np.maximum(span, 1))
    return np.where(span > 0, _kept_gray(stretched), table)


def _shifted(table: Table, strength: float, generator: np.random.Generator) -> Table:
    """Add `U(−strength, strength)` of the gray range."""
    return _kept_gray(table + WHITE * generator.uniform(-strength, strength, (len(table), 1)))


def _spread(
    table: Table, pixels: NDArray[np.int64], strength: float, generator: np.random.Generator
) -> Table:
    """Multiply deviations from the tile's mean by `U(1 − strength, 1 + strength)`."""
    mean = (table * pixels).sum(axis=1, keepdims=True) / pixels.sum(axis=1, keepdims=True)
    factor = generator.uniform(1 - strength, 1 + strength, (len(table), 1))
    return _kept_gray(mean + factor * (table - mean))


def _bent(table: Table, strength: float, generator: np.random.Generator) -> Table:
    """Raise levels, on a 0–1 scale, to the power `exp(U(−strength, strength))`."""
    exponent = np.exp(generator.uniform(-strength, strength, (len(table), 1)))
    bent: Table = WHITE * (table / WHITE) ** exponent
    return bent


def _kept_gray(table: Table) -> Table:
    return np.clip(table, 0, WHITE)
