"""Small datasets for tests: textured tiles whose classes can be told apart, and frames of noise."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

LEVELS = np.array([40, 60, 90, 120, 200])
N_OUTLIERS = 6


def tiles(n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(n, 64, 128) uint8 images and masks: vertical bands of classes, a block of big rock in every fourth."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((n, 64, 128), np.uint8)
    for mask in masks:
        edges = np.sort(rng.integers(8, 120, size=2))
        for band, terrain in zip(np.split(mask, edges, axis=1), rng.permutation([1, 2, 3]), strict=True):
            band[:] = terrain
        mask[: rng.integers(2, 20)] = 0
    masks[::4, 40:56, 20:50] = 4
    noise = rng.normal(0, 12, masks.shape)
    return np.clip(LEVELS[masks] + noise, 0, 255).astype(np.uint8), masks


def write_course_file(path: Path, n: int = 60, *, seed: int = 0, test_tiles: int = 5) -> Path:
    """Write a course npz of `n` ordinary tiles and `N_OUTLIERS` outliers at its end."""
    path.write_bytes(_course_file(n, seed, test_tiles))
    return path


@cache
def _course_file(n: int, seed: int, test_tiles: int) -> bytes:
    """Made once: compressing takes two thirds of the time of a lab, and most tests have one."""
    images, masks = tiles(n, seed)
    odd_images, odd_masks = tiles(N_OUTLIERS, seed + 1)
    odd_masks[:] = odd_masks[0]
    pairs = np.stack(
        [np.concatenate([images, odd_images]), np.concatenate([masks, odd_masks])], axis=1
    ).astype(np.float64)
    content = io.BytesIO()
    np.savez_compressed(content, training_set=pairs, test_set=images[:test_tiles])
    return content.getvalue()


def write_frames(root: Path, n: int) -> Path:
    """Write `n` frames of 256 × 256 pixels in the AI4Mars layout: noise in grays and in classes."""
    for kind in ("images/edr", "labels/train"):
        (root / "msl/ncam" / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(n):
        pixels = rng.integers(0, 255, (256, 256), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"msl/ncam/images/edr/N{number}.JPG", "JPEG")
        label = Image.fromarray(rng.integers(0, 4, (256, 256), dtype=np.uint8))
        label.save(root / f"msl/ncam/labels/train/N{number}.png")
    return root
