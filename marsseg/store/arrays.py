"""Confusion matrices as bytes: packed for keeping, summed for the leaderboard."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence

import numpy as np

from marsseg.classes import N_CLASSES
from marsseg.errors import StoreError
from marsseg.store.records import EvaluationRecord

SPLITS = ("validation", "test")
DECODINGS = ("argmax", "terrain_only")
"""As in `marsseg.metrics`, which the execution room, and so the store below it, does without."""

_TOTAL = np.dtype("<i8")


def check_evaluation(record: EvaluationRecord) -> None:
    """Refuse what could not be read back as promised.

    Raises:
        StoreError: unknown split or decoding, wrong shapes, or numbers that are no counts.
    """
    check_kind(record.split, record.decoding)
    rows, confusions = record.rows, record.confusions
    if rows.ndim != 1 or confusions.shape != (len(rows), N_CLASSES, N_CLASSES):
        raise StoreError(
            f"An evaluation needs rows (N,) and confusions (N, {N_CLASSES}, {N_CLASSES}); "
            f"got {rows.shape} and {confusions.shape}."
        )
    for name, values in (("rows", rows), ("confusions", confusions)):
        if values.dtype.kind not in "iu" or (values.size and values.min() < 0):
            raise StoreError(f"An evaluation's {name} must be whole numbers from 0; got {values.dtype}.")


def check_kind(split: str, decoding: str) -> None:
    """Refuse names that no evaluation has.

    Raises:
        StoreError: unknown split or decoding.
    """
    if split not in SPLITS or decoding not in DECODINGS:
        raise StoreError(
            f"Evaluations are kept for {' and '.join(SPLITS)} with {' and '.join(DECODINGS)}; "
            f"got {split!r} with {decoding!r}."
        )


def pack(counts: np.ndarray) -> bytes:
    """Non-negative whole numbers as a compressed npy in the smallest type that holds them."""
    smallest = np.min_scalar_type(int(counts.max())) if counts.size else np.dtype(np.uint8)
    buffer = io.BytesIO()
    np.save(buffer, counts.astype(smallest), allow_pickle=False)
    return zlib.compress(buffer.getvalue(), level=6)


def unpack(content: bytes) -> np.ndarray:
    """The int64 array that `pack` was given.

    Raises:
        StoreError: the bytes are damaged.
    """
    try:
        stored: np.ndarray = np.load(io.BytesIO(zlib.decompress(content)), allow_pickle=False)
    except (zlib.error, ValueError, EOFError) as error:
        raise StoreError(
            "A stored evaluation is damaged; evaluate the run again or restore a backup."
        ) from error
    return stored.astype(np.int64)


def pack_total(confusions: np.ndarray) -> bytes:
    """The sum over images of (N, 5, 5) counts."""
    total: np.ndarray = confusions.sum(axis=0, dtype=_TOTAL)
    return total.tobytes()


def unpack_totals(contents: Sequence[bytes]) -> np.ndarray:
    """Sums of many evaluations as one (M, 5, 5) int64 array."""
    return np.frombuffer(b"".join(contents), _TOTAL).astype(np.int64).reshape(-1, N_CLASSES, N_CLASSES)
