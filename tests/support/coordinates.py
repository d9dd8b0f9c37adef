"""Tiles whose gray levels say where they came from and which class they are."""

from __future__ import annotations

import numpy as np

from marsseg.config import AugmentConfig

BAND = 52
"""Gray levels of one class: class c has levels 52 c … 52 c + 51."""


def coordinate_tiles(count: int, height: int = 64, width: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Slanting ramps, every other one mirrored; the mask is a function of the gray level, `level // 52`."""
    ramp = np.add.outer(2 * np.arange(height), np.arange(width)) * 255 // (2 * height + width)
    images = np.stack([ramp if tile % 2 else ramp[:, ::-1] for tile in range(count)]).astype(np.uint8)
    return images, images // BAND


def noise_tiles(count: int, height: int = 16, width: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Random gray levels and classes; with overwhelming probability any change shows."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, height, width), dtype=np.uint8)
    return images, generator.integers(0, 5, images.shape, dtype=np.uint8)


def only(change: str, probability: float = 1.0, **strengths: float) -> AugmentConfig:
    """A configuration with one change."""
    return AugmentConfig(**{change: probability, **strengths})
