"""Draw masks: as indexed PNG files, and in colours over their image."""

from __future__ import annotations

import io
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsseg.classes import CLASSES, N_CLASSES, TERRAIN_CLASSES
from marsseg.errors import ImageError

PALETTE: NDArray[np.uint8] = np.array([terrain.rgb for terrain in CLASSES], np.uint8)
"""(5, 3) colours by class number."""

_PIXELS_AT_ONCE = 2_000_000


def write_mask_png(mask: NDArray[np.uint8]) -> bytes:
    """Encode classes (H, W) as an indexed-colour PNG: pixel values are class numbers, colours its palette.

    Raises:
        ImageError: a pixel is no class number.
    """
    _check_mask(mask)
    image = Image.fromarray(np.ascontiguousarray(mask, np.uint8))
    image.putpalette(PALETTE.tobytes())
    return _png(image)


def stretch_contrast(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Spread gray levels from 1st to 99th percentile over 0–255: for eyes, never for networks."""
    low, high = np.percentile(image, [1, 99])
    if high <= low:
        return image.copy()
    levels = (np.arange(256) - low) * (255 / (high - low))
    return np.rint(levels).clip(0, 255).astype(np.uint8)[image]


def overlay(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    opacity: float = 0.45,
    classes: Collection[int] | None = None,
    *,
    contrast: bool = False,
) -> NDArray[np.uint8]:
    """Lay class colours over a gray image.

    Args:
        image: (H, W) uint8.
        mask: (H, W) classes.
        opacity: 0 shows the image alone, 1 the colours alone.
        classes: class numbers to colour; the four of terrain unless told otherwise.
        contrast: stretch the image's contrast first.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ImageError: sizes differ, or a pixel is no class number.
    """
    _check_mask(mask)
    if image.shape != mask.shape:
        raise ImageError(f"Image and mask must have one size; got {image.shape} and {mask.shape}.")
    chosen = [terrain.index for terrain in TERRAIN_CLASSES] if classes is None else list(classes)
    share = np.zeros((N_CLASSES, 1), np.float32)
    share[chosen] = min(max(opacity, 0.0), 1.0)
    tint, rest = PALETTE * share, 1 - share
    gray = stretch_contrast(image) if contrast else image
    blended = np.empty((*mask.shape, 3), np.uint8)
    step = max(1, _PIXELS_AT_ONCE // mask.shape[1])  # floats for a whole panorama would take gigabytes
    for start in range(0, len(mask), step):
        rows = slice(start, start + step)
        blended[rows] = np.rint(gray[rows, :, None] * rest[mask[rows]] + tint[mask[rows]])
    return blended


def write_overlay_png(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    opacity: float = 0.45,
    classes: Collection[int] | None = None,
    *,
    contrast: bool = False,
) -> bytes:
    """Encode `overlay` as a PNG; arguments and errors are its own."""
    return _png(Image.fromarray(overlay(image, mask, opacity, classes, contrast=contrast)))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _check_mask(mask: NDArray[np.uint8]) -> None:
    if mask.ndim != 2 or mask.dtype.kind not in "iu" or mask.size == 0:
        raise ImageError(f"A mask to draw is (H, W) whole numbers; got {mask.shape} {mask.dtype}.")
    if mask.min() < 0 or mask.max() >= N_CLASSES:
        raise ImageError(
            f"Mask values must be 0–{N_CLASSES - 1}; found {mask.min()} to {mask.max()}. Decode logits first."
        )
