"""What all changes share: arrays of tiles, and the draw of who is changed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Tiles = NDArray[np.uint8]
"""(B, H, W) uint8: gray levels of images, or classes of masks."""


def chosen(generator: np.random.Generator, count: int, probability: float) -> NDArray[np.bool_]:
    """(count,) bool: whom a change befalls; nobody at 0, everybody at 1."""
    befallen: NDArray[np.bool_] = generator.random(count) < probability
    return befallen
