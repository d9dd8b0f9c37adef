from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Npz = Callable[..., Path]


def random_pairs(count: int, seed: int = 0, dtype: type = np.uint8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pairs = np.empty((count, 2, 64, 128), dtype)
    pairs[:, 0] = rng.integers(0, 256, (count, 64, 128))
    pairs[:, 1] = rng.integers(0, 5, (count, 64, 128))
    return pairs


@pytest.fixture
def make_npz(tmp_path: Path) -> Npz:
    """Write arrays to an npz file and return its path."""

    def make(name: str = "tiles.npz", **arrays: np.ndarray) -> Path:
        path = tmp_path / name
        np.savez_compressed(path, **arrays)
        return path

    return make


@pytest.fixture
def ai4mars_folder(tmp_path: Path) -> Path:
    """Three 256×256 frames with labels, one image without a label, in the layout of the public release."""
    root = tmp_path / "ai4mars"
    images, labels = root / "msl/ncam/images/edr", root / "msl/ncam/labels/train"
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, suffix in enumerate((".JPG", ".jpg", ".jpeg", ".JPG")):
        Image.fromarray(rng.integers(0, 255, (256, 256), np.uint8)).save(
            images / f"N{number}{suffix}", "JPEG"
        )
        if number < 3:
            label = rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), (256, 256))
            Image.fromarray(label).save(labels / f"N{number}.png")
    return root
