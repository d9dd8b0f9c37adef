"""Find pasted outliers, count classes, and say what cleaning changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marsseg.classes import BIG_ROCK, N_CLASSES

MIN_REPEATS = 5
"""Smallest number of pairs with one identical mask that looks pasted rather than drawn."""

_CHUNK = 256


@dataclass(frozen=True, slots=True)
class OutlierGroup:
    """Pairs that share one mask of several terrain classes.

    Args:
        id: twelve hex digits of the mask's checksum, the same in every dataset that holds the mask.
        rows: dataset rows, ascending.
        mask_classes: classes present in the mask, background included, ascending.
    """

    id: str
    rows: tuple[int, ...]
    mask_classes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CleaningReport:
    """What leaving rows out changes.

    Args:
        pairs, kept: number of image/mask pairs before and after.
        share_before, share_after: (5,) float64, share of all pixels per class.
        rock_before, rock_after: pairs that hold any big rock.
    """

    pairs: int
    kept: int
    share_before: NDArray[np.float64]
    share_after: NDArray[np.float64]
    rock_before: int
    rock_after: int


def find_outlier_groups(masks: NDArray[np.uint8]) -> list[OutlierGroup]:
    """Find pairs whose mask repeats in at least five pairs and holds two or more terrain classes.

    Hand-drawn boundaries do not repeat, so such masks were pasted. Repeated masks of a single terrain
    class, with or without background, are ordinary and never reported.

    Args:
        masks: (N, H, W) uint8, values 0-4; may be memory-mapped.

    Returns:
        Groups by size, largest first; among equals, the one with the lowest row first.
    """
    rows_by_mask: dict[str, list[int]] = {}
    for row, mask in enumerate(masks):
        rows_by_mask.setdefault(hashlib.sha256(mask.tobytes()).hexdigest(), []).append(row)
    groups = []
    for checksum, rows in rows_by_mask.items():
        classes = np.unique(masks[rows[0]]) if len(rows) >= MIN_REPEATS else np.empty(0, np.uint8)
        if np.count_nonzero(classes) >= 2:
            groups.append(OutlierGroup(checksum[:12], tuple(rows), tuple(classes.tolist())))
    return sorted(groups, key=lambda group: (-len(group.rows), group.rows[0]))


def kept_rows(pairs: int, dropped: Iterable[int]) -> NDArray[np.int64]:
    """Rows 0 … `pairs` - 1 without `dropped`, ascending, int64."""
    return np.setdiff1d(np.arange(pairs, dtype=np.int64), np.fromiter(dropped, np.int64))


def count_classes_per_image(masks: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the pixels of each class in each mask: (N, H, W) uint8 to (N, 5) int64."""
    counts = np.empty((len(masks), N_CLASSES), np.int64)
    for start in range(0, len(masks), _CHUNK):
        chunk = np.asarray(masks[start : start + _CHUNK])
        for value in range(N_CLASSES):
            counts[start : start + _CHUNK, value] = np.count_nonzero(chunk == value, axis=(1, 2))
    return counts


def class_share(counts: ArrayLike) -> NDArray[np.float64]:
    """Turn (5,) pixel counts into shares that add up to 1, or to 0 where there is no pixel at all."""
    pixels = np.asarray(counts, np.float64)
    return np.divide(pixels, max(float(pixels.sum()), 1.0))


def rock_rows(counts_per_image: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the (N, 5) counts that hold any big rock, ascending."""
    return np.flatnonzero(counts_per_image[:, BIG_ROCK.index]).astype(np.int64)


def cleaning_report(counts_per_image: NDArray[np.int64], dropped: Iterable[int]) -> CleaningReport:
    """Compare a dataset's class shares with and without the `dropped` rows.

    Args:
        counts_per_image: (N, 5) int64, as `count_classes_per_image` returns them.
        dropped: rows left out.
    """
    kept = counts_per_image[kept_rows(len(counts_per_image), dropped)]
    return CleaningReport(
        pairs=len(counts_per_image),
        kept=len(kept),
        share_before=class_share(counts_per_image.sum(axis=0)),
        share_after=class_share(kept.sum(axis=0)),
        rock_before=len(rock_rows(counts_per_image)),
        rock_after=len(rock_rows(kept)),
    )
