"""Import a dataset once: check it, convert it to uint8 arrays, measure it, and publish it in one step."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsseg.classes import N_CLASSES, TILE_HEIGHT, TILE_WIDTH
from marsseg.data.arrays import open_arrays
from marsseg.data.cleaning import count_classes_per_image, find_outlier_groups
from marsseg.data.duplicates import CACHE, find_duplicates, write_duplicates
from marsseg.data.formats import KNOWN_FILES, TileSource, open_source
from marsseg.data.npy import NpyWriter
from marsseg.data.progress import Report, ignore_progress, part
from marsseg.errors import DatasetError
from marsseg.settings import Settings

TILE = (TILE_HEIGHT, TILE_WIDTH)
STAGING = ".import-"
"""How folders beside the datasets begin that hold what is not imported yet; see `remove_stale`."""
_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class ImportedDataset:
    """A dataset in the lab's own form.

    Args:
        sha256: checksum of the original file, or of the folder's names, contents and frame size.
        meta: content of `meta.json`.
        folder: where the arrays lie; `open_arrays` opens it.
        already_there: whether an earlier import had made it.
    """

    sha256: str
    meta: Mapping[str, Any]
    folder: Path
    already_there: bool


def _approve_all(sha256: str) -> None:
    """Call nothing off."""


def import_dataset(
    source: Path,
    settings: Settings,
    *,
    frame_size: int | None = None,
    progress: Report = ignore_progress,
    approve: Callable[[str], None] = _approve_all,
) -> ImportedDataset:
    """Convert a course npz or an AI4Mars folder; the original is only read.

    The new folder appears complete or not at all. Importing the same content again finds the first import.

    Args:
        source: the file or folder.
        settings: where datasets lie, and the limits on what is read.
        frame_size: see `open_source`.
        progress: called with the share done, 0-1, and what is being done.
        approve: called with the checksum before the long part of the work; may raise to call it off.

    Raises:
        DatasetError: the source is no dataset, is damaged, holds values that no tile may hold, or does not
            fit on the disk.
    """
    tiles = open_source(Path(source), settings.limits, frame_size)
    sha256 = _guarded_checksum(tiles, part(progress, 0.0, 0.1))
    approve(sha256)
    folder = settings.datasets_dir / sha256
    if (meta := _find_import(folder)) is not None:
        _refuse_other_frame_size(meta, frame_size)
        progress(1.0, "Already imported")
        return ImportedDataset(sha256, meta, folder, already_there=True)
    _refuse_full_disk(tiles, settings.home)
    try:
        with _staging_folder(settings.datasets_dir) as staging:
            meta = _write(tiles, sha256, staging, part(progress, 0.1, 0.98))
            progress(0.98, "Publishing the dataset")
            already_there = _publish(staging, folder)
    except OSError as error:
        raise DatasetError(
            f"The dataset could not be written to {settings.datasets_dir} ({error.strerror or error}); free "
            "some space or check the folder's permissions, then import it again."
        ) from error
    progress(1.0, "Imported")
    return ImportedDataset(sha256, meta, folder, already_there)


def _guarded_checksum(tiles: TileSource, report: Report) -> str:
    try:
        return tiles.checksum(report)
    except OSError as error:
        raise DatasetError(
            f"The dataset cannot be read ({error}); check its path and permissions."
        ) from error


def _find_import(folder: Path) -> Mapping[str, Any] | None:
    """Return the meta of a complete import; None if there is none, or if it is damaged."""
    try:
        return open_arrays(folder).meta
    except DatasetError:
        return None


def _refuse_other_frame_size(meta: Mapping[str, Any], frame_size: int | None) -> None:
    if frame_size is not None and meta["frame_size"] != [frame_size, frame_size]:
        known = meta["frame_size"] or ["unknown", "unknown"]
        raise DatasetError(
            f"This file is already imported with frames of {known[0]}×{known[1]} pixels, not "
            f"{frame_size}×{frame_size}; remove that dataset first, or leave the frame size out."
        )


def _refuse_full_disk(tiles: TileSource, home: Path) -> None:
    needed = (2 * tiles.pairs + tiles.test_images) * TILE_HEIGHT * TILE_WIDTH
    free = shutil.disk_usage(home).free if home.exists() else needed
    if free < needed:
        raise DatasetError(
            f"The dataset needs {needed / 1e6:.0f} MB in {home} and {free / 1e6:.0f} MB are free; make room."
        )


@contextmanager
def _staging_folder(datasets_dir: Path) -> Iterator[Path]:
    """Give a fresh folder beside the datasets, which is gone afterwards unless it was renamed."""
    datasets_dir.mkdir(parents=True, exist_ok=True)
    remove_stale(datasets_dir)
    staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=datasets_dir))
    staging.chmod(0o755)  # mkdtemp's 0700 would shut out a lab that runs as another user
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def list_stale(datasets_dir: Path) -> list[Path]:
    """What imports and uploads that were killed left behind: nothing in it has changed for over a day."""
    long_ago = time.time() - _STALE_SECONDS
    return sorted(left for left in datasets_dir.glob(f"{STAGING}*") if last_change(left) < long_ago)


def remove_stale(datasets_dir: Path) -> None:
    """Remove what `list_stale` finds."""
    for left in list_stale(datasets_dir):
        shutil.rmtree(left, ignore_errors=True)


def last_change(folder: Path) -> float:
    """When anything in a folder changed last; now, if it changes while we look."""
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        return time.time()


def _publish(staging: Path, folder: Path) -> bool:
    """Rename `staging` to `folder`; return whether another import of the same content was faster."""
    _sync(staging)
    if folder.exists() and _find_import(folder) is None:
        with tempfile.TemporaryDirectory(prefix=STAGING, dir=folder.parent) as aside:
            folder.rename(Path(aside) / "damaged")
    try:
        staging.rename(folder)
    except OSError:
        if _find_import(folder) is None:
            raise
        return True
    _sync(folder.parent)
    return False


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(tiles: TileSource, sha256: str, folder: Path, report: Report) -> dict[str, Any]:
    """Write all arrays and `meta.json` into `folder` and return the meta."""
    share = tiles.pairs / (tiles.pairs + tiles.test_images)
    measured = _write_pairs(tiles, folder, part(report, 0.0, 0.9 * share))
    with NpyWriter(folder / "test_images.npy", (tiles.test_images, *TILE)) as writer:
        for images in tiles.read_test_images(part(report, 0.9 * share, 0.9)):
            writer.append(images)
    labelled: NDArray[np.uint8] = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    write_duplicates(folder / CACHE, find_duplicates(labelled, part(report, 0.9, 0.98)))
    report(0.98, "Looking for outliers")
    masks: NDArray[np.uint8] = np.load(folder / "masks.npy", mmap_mode="r", allow_pickle=False)
    outliers = [
        {"id": g.id, "rows": list(g.rows), "mask_classes": list(g.mask_classes)}
        for g in find_outlier_groups(masks)
    ]
    meta = _describe(tiles, sha256) | measured | {"outlier_groups": outliers}
    with (folder / "meta.json").open("x", encoding="utf-8") as file:
        json.dump(meta, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    return meta


def _describe(tiles: TileSource, sha256: str) -> dict[str, Any]:
    known = KNOWN_FILES.get(sha256)
    side = tiles.frame_size or (known.frame_size if known else None)
    names = tiles.group_names
    return {
        "format": tiles.format,
        "sha256": sha256,
        "pairs": tiles.pairs,
        "test_images": tiles.test_images,
        "tile": list(TILE),
        "frame_size": [side, side] if side else None,
        "has_groups": names is not None,
        "group_names": list(names) if names is not None else None,
        "known_as": known.sentence if known else None,
    }


def _write_pairs(tiles: TileSource, folder: Path, report: Report) -> dict[str, Any]:
    """Write images, masks, counts and groups, and measure class counts, mean and standard deviation."""
    histogram = np.zeros(256, np.int64)
    counts: list[NDArray[np.int64]] = []
    groups: list[NDArray[np.int64]] = []
    shape = (tiles.pairs, *TILE)
    with (
        NpyWriter(folder / "images.npy", shape) as images,
        NpyWriter(folder / "masks.npy", shape) as masks,
    ):
        for batch in tiles.read_pairs(report):
            images.append(batch.images)
            masks.append(batch.masks)
            histogram += np.bincount(batch.images.reshape(-1), minlength=256)
            counts.append(count_classes_per_image(batch.masks))
            groups += [] if batch.groups is None else [batch.groups]
    _save(folder / "counts.npy", np.concatenate(counts), (tiles.pairs, N_CLASSES))
    if groups:
        _save(folder / "groups.npy", np.concatenate(groups), (tiles.pairs,))
    mean, std = _moments(histogram)
    return {"class_counts": np.concatenate(counts).sum(axis=0).tolist(), "mean": mean, "std": std}


def _save(path: Path, array: NDArray[np.int64], shape: tuple[int, ...]) -> None:
    with NpyWriter(path, shape, np.int64) as writer:
        writer.append(array)


def _moments(histogram: NDArray[np.int64]) -> tuple[float, float]:
    """Mean and standard deviation on a 0-1 scale, from how often each of the 256 gray values occurs."""
    levels = np.arange(256) / 255
    mean = float(histogram @ levels / histogram.sum())
    variance = float(histogram @ (levels - mean) ** 2 / histogram.sum())
    return mean, variance**0.5
