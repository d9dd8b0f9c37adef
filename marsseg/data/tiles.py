"""Check raw arrays and turn them into uint8 tiles; cut frames into tiles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marsseg.classes import BIG_ROCK, N_CLASSES, TILE_HEIGHT, TILE_WIDTH
from marsseg.errors import DatasetError


class TileBatch(NamedTuple):
    """Consecutive pairs: images and masks (B, 64, 128) uint8, and the source frame of each, (B,) int64."""

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    groups: NDArray[np.int64] | None


def to_images(values: NDArray[Any], first_row: int, name: str) -> NDArray[np.uint8]:
    """Check gray values 0-255 and round them to uint8; `first_row` and `name` say where in an error.

    Raises:
        DatasetError: a value is NaN, infinite, or outside 0-255.
    """
    _refuse_not_finite(values, first_row, name, "Image")
    outside = (values < 0) | (values > 255)
    if outside.any():
        row, value = _first(outside, values, first_row)
        raise DatasetError(
            f"Image values must be 0–255; found {value} in image {row} of {name}. Scale the images to "
            "0–255 and save the file again."
        )
    gray: NDArray[np.uint8] = np.rint(values).astype(np.uint8)
    return gray


def to_masks(values: NDArray[Any], first_row: int, name: str) -> NDArray[np.uint8]:
    """Check class numbers 0-4 and return them as uint8; `first_row` and `name` say where in an error.

    Raises:
        DatasetError: a value is NaN, infinite, not whole, or outside 0-4.
    """
    _refuse_not_finite(values, first_row, name, "Mask")
    wrong = (values < 0) | (values >= N_CLASSES) | (values != np.rint(values))
    if wrong.any():
        row, value = _first(wrong, values, first_row)
        advice = (
            "Is this an AI4Mars label? Import its folder instead."
            if float(value).is_integer()
            else "Were the masks resized with interpolation? Use nearest neighbour."
        )
        raise DatasetError(
            f"Mask values must be 0–{BIG_ROCK.index} (background … big rock); found {value} in image {row} "
            f"of {name}. {advice}"
        )
    return values.astype(np.uint8)


def cut_into_tiles(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut a frame (H, W), multiples of 64 and 128, into tiles (N, 64, 128), row by row."""
    rows, columns = frame.shape[0] // TILE_HEIGHT, frame.shape[1] // TILE_WIDTH
    blocks = frame.reshape(rows, TILE_HEIGHT, columns, TILE_WIDTH)  # (R, 64, C, 128)
    return blocks.swapaxes(1, 2).reshape(rows * columns, TILE_HEIGHT, TILE_WIDTH)


def _refuse_not_finite(values: NDArray[Any], first_row: int, name: str, kind: str) -> None:
    if values.dtype.kind != "f":
        return
    bad = ~np.isfinite(values)
    if bad.any():
        row, value = _first(bad, values, first_row)
        raise DatasetError(
            f"{kind} values must be finite; found {value} in image {row} of {name}. Replace NaN and "
            "infinite values and save the file again."
        )


def _first(where: NDArray[np.bool_], values: NDArray[Any], first_row: int) -> tuple[int, str]:
    """Return the row (counted from 0) and the value, as text, of the first hit."""
    place = np.unravel_index(int(np.argmax(where)), where.shape)
    return first_row + int(place[0]), f"{values[place]:g}"
