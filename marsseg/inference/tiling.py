"""Walk over an image of any size with overlapping tiles, and blend what a network says about them.

Tiles come in bands from top to bottom, and the rows of a band are handed on as soon as no later tile can
change it, so that the whole image's probabilities are never in memory at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Classify = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From an image (H, W), both multiples of the network's, to class probabilities (H, W, K)."""


@dataclass(frozen=True, slots=True)
class Span:
    """Part of an axis that one tile covers.

    Args:
        start: first pixel.
        weights: (L,) float32, the tile's say on each of its pixels; all spans on a pixel sum to 1.
    """

    start: int
    weights: NDArray[np.float32]

    @property
    def stop(self) -> int:
        """One past the last pixel."""
        return self.start + len(self.weights)


def cover(length: int, longest: int, overlap: int, multiple: int) -> tuple[Span, ...]:
    """Cover an axis with equally long spans that start on the network's pooling grid.

    Args:
        length: of the axis; a multiple of `multiple`, as are `longest` and `overlap`.
        longest: no span is longer.
        overlap: neighbours share at least this much; less than half of `longest`.
    """
    if length <= longest:
        return (Span(0, np.ones(length, np.float32)),)
    count = math.ceil((length - overlap) / (longest - overlap))
    side = round_up(math.ceil((length + (count - 1) * overlap) / count), multiple)
    starts = [min(i * (side - overlap), length - side) for i in range(count)]
    to_edge = np.arange(side) + 0.5
    to_edge = np.minimum(to_edge, to_edge[::-1])
    # Next to its edge a tile guesses what lies beyond: there it has no say where another tile has any.
    ramp = np.clip(to_edge - overlap / 4, 1e-3, max(overlap / 2, 1e-3))
    total = np.zeros(length)
    for start in starts:
        total[start : start + side] += ramp
    return tuple(Span(start, (ramp / total[start : start + side]).astype(np.float32)) for start in starts)


def blended_bands(
    image: NDArray[np.uint8], classify: Classify, *, multiple: int, pixels_at_once: int, overlap: int = 128
) -> Iterator[NDArray[np.float32]]:
    """Class probabilities of an image from top to bottom, some rows at a time.

    Args:
        image: (H, W), continued by reflection where its sides are no multiples of `multiple`.
        classify: the network.
        multiple: both sides that `classify` is given are multiples of this.
        pixels_at_once: the most pixels to give to `classify`, unless a tile with its overlaps needs more.
        overlap: how much neighbouring tiles share, in pixels.

    Yields:
        (rows, W, K) float32, from the first row to the last.
    """
    height, width = image.shape
    padded = pad_by_reflection(image, multiple)
    rows, columns = _plan(padded.shape, multiple, pixels_at_once, round_up(overlap, multiple))
    pending: NDArray[np.float32] | None = None
    for i, row in enumerate(rows):
        band = _band(padded[row.start : row.stop], columns, classify)
        band *= row.weights[:, None, None]
        if pending is not None:
            band[: len(pending)] += pending
        settled = (rows[i + 1].start if i + 1 < len(rows) else row.stop) - row.start
        yield band[: min(settled, height - row.start), :width]
        pending = band[settled:]


def pad_by_reflection(images: NDArray[np.uint8], multiple: int) -> NDArray[np.uint8]:
    """Continue (…, H, W) at the bottom and right by reflection until both are multiples of `multiple`."""
    missing = [round_up(side, multiple) - side for side in images.shape[-2:]]
    if not any(missing):
        return images
    return np.pad(images, [(0, 0)] * (images.ndim - 2) + [(0, side) for side in missing], mode="reflect")


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is at least `value`."""
    return -(-value // multiple) * multiple


def _band(image: NDArray[np.uint8], columns: tuple[Span, ...], classify: Classify) -> NDArray[np.float32]:
    """Probabilities of one band, its tiles blended from left to right."""
    if len(columns) == 1:
        return np.array(classify(image))
    band: NDArray[np.float32] | None = None
    for column in columns:
        probabilities = classify(image[:, column.start : column.stop])
        if band is None:
            band = np.zeros((*image.shape, probabilities.shape[-1]), np.float32)
        band[:, column.start : column.stop] += probabilities * column.weights[:, None]
    assert band is not None
    return band


def _plan(
    shape: tuple[int, ...], multiple: int, pixels_at_once: int, overlap: int
) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """One tile if the image is small enough, otherwise tiles of about `pixels_at_once` square."""
    height, width = shape
    if height * width <= pixels_at_once:
        return cover(height, height, 0, multiple), cover(width, width, 0, multiple)
    smallest = 2 * overlap + multiple
    tall = max(round_up(math.isqrt(pixels_at_once), multiple) - multiple, smallest)
    wide = max(pixels_at_once // min(tall, height) // multiple * multiple, smallest)
    return cover(height, tall, overlap, multiple), cover(width, wide, overlap, multiple)
