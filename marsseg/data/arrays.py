"""Open an imported dataset: memory-mapped tiles and what the import measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsseg.classes import BIG_ROCK, N_CLASSES
from marsseg.data.cleaning import OutlierGroup
from marsseg.errors import DatasetError

META_KEYS = frozenset(
    {"format", "sha256", "pairs", "test_images", "tile", "frame_size", "class_counts", "outlier_groups"}
    | {"has_groups", "mean", "std", "known_as"}
)

_ADD_AGAIN = "add it again from its source, the demo with `python -m marsseg datasets add --demo`"


@dataclass(frozen=True)
class DatasetArrays:
    """An imported dataset; the arrays are read-only maps of files, so opening is cheap.

    Args:
        folder: where the dataset lies.
        images: (N, H, W) uint8 gray values.
        masks: (N, H, W) uint8 classes 0-4.
        test_images: (M, H, W) uint8 unlabelled tiles; M may be 0.
        counts: (N, 5) int64 pixels per class in each mask.
        groups: (N,) int64 source frame of each tile; None where the dataset does not know.
        meta: content of `meta.json`.
    """

    folder: Path
    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    counts: NDArray[np.int64]
    groups: NDArray[np.int64] | None
    meta: Mapping[str, Any]

    @cached_property
    def has_rock(self) -> NDArray[np.bool_]:
        """(N,) bool: whether the tile holds any big rock."""
        return np.asarray(self.counts[:, BIG_ROCK.index] > 0)

    @property
    def outlier_groups(self) -> list[OutlierGroup]:
        """The suspected outliers that the import found."""
        return [
            OutlierGroup(g["id"], tuple(g["rows"]), tuple(g["mask_classes"]))
            for g in self.meta["outlier_groups"]
        ]


def open_arrays(folder: Path) -> DatasetArrays:
    """Open the dataset in `folder` and check that its files belong together.

    Raises:
        DatasetError: the folder is gone, incomplete or damaged.
    """
    if not folder.is_dir():
        raise DatasetError(f"The dataset folder {folder} is gone; {_ADD_AGAIN}.")
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        arrays = DatasetArrays(
            folder=folder,
            images=_open(folder / "images.npy"),
            masks=_open(folder / "masks.npy"),
            test_images=_open(folder / "test_images.npy"),
            counts=_open(folder / "counts.npy"),
            groups=_open(folder / "groups.npy") if meta["has_groups"] else None,
            meta=meta,
        )
        problem = _mismatch(arrays)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        problem = str(error)
    if problem:
        raise DatasetError(f"The dataset in {folder} is incomplete or damaged ({problem}); {_ADD_AGAIN}.")
    return arrays


def _open(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def _mismatch(arrays: DatasetArrays) -> str:
    """Say what contradicts `meta.json`; empty if nothing does."""
    meta = arrays.meta
    if missing := META_KEYS - meta.keys():
        return f"meta.json lacks {', '.join(sorted(missing))}"
    pairs, tile = meta["pairs"], tuple(meta["tile"])
    expected: dict[str, tuple[NDArray[Any] | None, tuple[int, ...], type[np.generic]]] = {
        "images.npy": (arrays.images, (pairs, *tile), np.uint8),
        "masks.npy": (arrays.masks, (pairs, *tile), np.uint8),
        "test_images.npy": (arrays.test_images, (meta["test_images"], *tile), np.uint8),
        "counts.npy": (arrays.counts, (pairs, N_CLASSES), np.int64),
        "groups.npy": (arrays.groups, (pairs,), np.int64),
    }
    for name, (array, shape, dtype) in expected.items():
        if array is not None and (array.shape != shape or array.dtype != dtype):
            return f"{name} holds {array.dtype} {array.shape}, not {np.dtype(dtype)} {shape}"
    return ""
