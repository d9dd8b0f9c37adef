"""Use cases around datasets: add, look at, overrule the cleaning, rename, remove."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from marsseg.data.arrays import DatasetArrays, open_arrays
from marsseg.data.cleaning import cleaning_report
from marsseg.errors import DatasetError, MarsSegError, NotFoundError
from marsseg.services.lab import Lab
from marsseg.store.records import DatasetRecord
from marsseg.store.texts import cut_name, tidy_name

if TYPE_CHECKING:
    from marsseg.data.importing import ImportedDataset

Progress = Callable[[float, str], None]
UPLOAD_OF = "upload of "
"""How the source of a dataset begins that came through the page; the file's own name follows."""


@dataclass(frozen=True, slots=True)
class AddedDataset:
    """What an import led to.

    Args:
        already_there: the same content had been added before.
        restored: it had, but its files were gone or damaged, and have been made anew.
    """

    record: DatasetRecord
    already_there: bool
    restored: bool = False


@dataclass(frozen=True, slots=True)
class OutlierGroupView:
    """One suspected outlier group: the dataset rows that share one mask, and whether they are kept."""

    id: str
    rows: tuple[int, ...]
    mask_classes: tuple[int, ...]
    kept: bool


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """The cleaning report. Shares are fractions of all pixels, background … big rock."""

    record: DatasetRecord
    pairs: int
    kept: int
    test_images: int
    with_big_rock: int
    groups: tuple[OutlierGroupView, ...]
    share_before: tuple[float, ...]
    share_after: tuple[float, ...]


def silent(fraction: float, what: str) -> None:
    """Report to nobody."""


def add_dataset(
    lab: Lab,
    path: str | Path,
    *,
    name: str | None = None,
    frame_size: int | None = None,
    progress: Progress | None = None,
    source: str | None = None,
) -> AddedDataset:
    """Import a course npz or an AI4Mars folder; the same content twice is told, not doubled.

    Args:
        path: file or folder on this machine.
        name: what people call it; the file's name unless told otherwise, made unique.
        frame_size: side in pixels of the frames that the tiles are or were cut from.
        progress: called with the fraction done, 0 to 1, and what is being done.

    Raises:
        DatasetError: the source cannot be used, or another dataset already has the name.
        ConfigError: the name is too long, or nothing is left of it.
    """
    # Imported here: only an import needs the readers of all formats, and pages wait for what they import.
    from marsseg.data.importing import import_dataset

    path = Path(path).expanduser()
    wanted = tidy_name(name) if name else None

    def approve(sha256: str) -> None:
        if wanted in _names(lab) and lab.store.find_dataset(sha256) is None:
            raise DatasetError(
                f"A dataset called {wanted} exists already; choose another name for {path.name}."
            )

    imported = import_dataset(
        path, lab.settings, frame_size=frame_size, progress=progress or silent, approve=approve
    )
    known = lab.store.find_dataset(imported.sha256)
    if known:
        return AddedDataset(known, already_there=True, restored=not imported.already_there)
    final = wanted or unused_name(lab, path.stem or path.name)
    return _register(lab, imported, final, source or str(path))


def _register(lab: Lab, imported: ImportedDataset, name: str, source: str) -> AddedDataset:
    """Enter an import into the store; if the store refuses it, its files go again."""
    try:
        record = lab.store.add_dataset(name, imported.sha256, source, imported.meta)
    except MarsSegError:
        known = lab.store.find_dataset(imported.sha256)
        if known is not None:  # another process was quicker
            return AddedDataset(known, already_there=True)
        if not imported.already_there:
            shutil.rmtree(imported.folder, ignore_errors=True)
        raise
    return AddedDataset(record, already_there=False)


def list_datasets(lab: Lab) -> list[DatasetRecord]:
    """All datasets, in the order they were added."""
    return lab.store.list_datasets()


def dataset_report(lab: Lab, name: str) -> DatasetReport:
    """Counts, class shares before and after cleaning, and the suspected outlier groups.

    Raises:
        NotFoundError: no dataset goes by that name.
    """
    record = lab.store.get_dataset(name)
    cleaning = cleaning_report(pixel_counts(lab, record), record.dropped_rows)
    return DatasetReport(
        record=record,
        pairs=cleaning.pairs,
        kept=cleaning.kept,
        test_images=record.meta["test_images"],
        with_big_rock=cleaning.rock_after,
        groups=tuple(
            OutlierGroupView(
                group["id"],
                tuple(group["rows"]),
                tuple(group["mask_classes"]),
                group["id"] in record.kept_groups,
            )
            for group in record.meta["outlier_groups"]
        ),
        share_before=tuple(cleaning.share_before.tolist()),
        share_after=tuple(cleaning.share_after.tolist()),
    )


def keep_group(lab: Lab, name: str, group_id: str, *, keep: bool) -> None:
    """Overrule the cleaning for one suspected group, or take the overruling back.

    Runs that are already queued go on with the tiles they were queued with.

    Raises:
        NotFoundError: no such dataset or group.
    """
    record = lab.store.get_dataset(name)
    if group_id not in {group["id"] for group in record.meta["outlier_groups"]}:
        raise NotFoundError(f"Dataset {record.name} has no outlier group {group_id}.")
    kept = set(record.kept_groups) - {group_id}
    lab.store.set_kept_groups(record.id, sorted(kept | {group_id} if keep else kept))


def dataset_tiles(lab: Lab, name: str) -> DatasetArrays:
    """The tiles of a dataset, memory-mapped.

    Raises:
        DatasetError: the imported files are gone or damaged.
    """
    return arrays_of(lab, lab.store.get_dataset(name))


def arrays_of(lab: Lab, record: DatasetRecord) -> DatasetArrays:
    """The same by record."""
    return open_arrays(lab.settings.datasets_dir / record.sha256)


def pixel_counts(lab: Lab, record: DatasetRecord) -> np.ndarray:
    """(N, 5) int64 pixels of each class in each tile."""
    return arrays_of(lab, record).counts


def rename_dataset(lab: Lab, name: str, new_name: str) -> None:
    """Give a dataset another name; runs keep pointing at it."""
    record = lab.store.get_dataset(name)
    lab.store.rename_dataset(record.id, new_name.strip())


def remove_dataset(lab: Lab, name: str) -> None:
    """Remove a dataset that no run refers to, with its imported files; the original is not touched.

    Raises:
        StateError: runs still refer to it.
    """
    record = lab.store.get_dataset(name)
    lab.store.remove_dataset(record.id)
    shutil.rmtree(lab.settings.datasets_dir / record.sha256, ignore_errors=True)


def _names(lab: Lab) -> list[str]:
    return [record.name for record in lab.store.list_datasets()]


def unused_name(lab: Lab, wanted: str) -> str:
    """The name itself, tidied and cut to length, or with a number behind it if it is taken."""
    taken = _names(lab)
    wanted = tidy_name(cut_name(wanted))
    numbered = (f"{cut_name(wanted, room=8)} {n}" for n in itertools.count(2))
    return next(name for name in itertools.chain([wanted], numbered) if name not in taken)
