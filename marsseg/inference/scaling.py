"""Between the size of a picture and the size that a network was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_PIXELS_AT_ONCE = 500_000


def working_size(height: int, width: int, frame_side: int | None) -> tuple[tuple[int, int], float]:
    """The size in which a picture shows terrain at the scale of the training tiles, and that scale.

    Tiles were cut from square rover frames resized to `frame_side`. A stitched panorama is as high as a frame
    but wider, a crop is smaller than one: so the shorter side is brought to `frame_side`, and nothing is ever
    enlarged. An unknown `frame_side` leaves the picture as it is.
    """
    scale = 1.0 if frame_side is None else min(1.0, frame_side / min(height, width))
    return (max(1, round(height * scale)), max(1, round(width * scale))), scale


def shrink(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize (H, W) to a smaller (height, width) by area averages, as frames are on import."""
    if image.shape == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX))


def enlarge_bands(
    bands: Iterable[NDArray[np.float32]], working: tuple[int, int], size: tuple[int, int]
) -> Iterator[NDArray[np.float32]]:
    """Enlarge what comes some rows at a time, bilinearly, holding few rows in memory.

    Args:
        bands: (rows, w, K) float32, together (h, w, K).
        working: (h, w).
        size: (H, W) of the result.

    Yields:
        (rows, W, K) float32, together (H, W, K).
    """
    if working == size:
        yield from bands
        return
    upper, lower, share = _neighbours(working[0], size[0])
    columns = _neighbours(working[1], size[1])
    done = held_from = 0
    held: NDArray[np.float32] | None = None
    for band in bands:
        held = band if held is None else np.concatenate([held, band])
        # rows whose lower neighbour has arrived
        ready = int(np.searchsorted(lower, held_from + len(held)))
        step = max(1, _PIXELS_AT_ONCE // size[1])
        for first in range(done, ready, step):
            rows = slice(first, min(first + step, ready))
            between = _mix(held, upper[rows] - held_from, lower[rows] - held_from, share[rows, None, None])
            yield _mix(between.swapaxes(0, 1), columns[0], columns[1], columns[2][:, None, None]).swapaxes(
                0, 1
            )
        done = ready
        needed = int(upper[done]) if done < size[0] else held_from
        held, held_from = held[needed - held_from :].copy(), needed


def _mix(
    values: NDArray[np.float32], first: NDArray[np.intp], second: NDArray[np.intp], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    mixed = values[first] * (1 - share)
    mixed += values[second] * share
    return mixed


def _neighbours(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For each target pixel its two source pixels and the share of the second; pixel centres lie at + 0.5."""
    places = ((np.arange(target) + 0.5) * (source / target) - 0.5).clip(0, source - 1)
    first = np.floor(places).astype(np.intp)
    return first, np.minimum(first + 1, source - 1), (places - first).astype(np.float32)
