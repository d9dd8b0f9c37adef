"""How the tiles of a dataset are divided for a run, and how large the parts are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from marsseg.config import DataConfig, RunConfig
from marsseg.data.arrays import DatasetArrays, open_arrays
from marsseg.data.splits import Split, split_dataset
from marsseg.errors import DatasetError
from marsseg.services.datasets import arrays_of, dataset_tiles
from marsseg.services.lab import Lab
from marsseg.store.records import RunRecord

SPLIT_FIELDS = ("validation_fraction", "test_fraction", "split_seed", "folds", "fold")
"""Fields of `DataConfig` that decide how the tiles of a dataset are divided."""


@dataclass(frozen=True, slots=True)
class SplitPart:
    """One part of a split: its name, its tiles, and how many of them hold big rock."""

    name: str
    tiles: int
    with_big_rock: int


def split_of(lab: Lab, config: DataConfig) -> Split:
    """The split that a run with this configuration would use.

    Raises:
        NotFoundError: no such dataset.
        DatasetError: there are too few tiles to split.
    """
    record = lab.store.get_dataset(config.dataset)
    folder = lab.settings.datasets_dir / record.sha256
    return _cached_split(folder, record.dropped_rows, config)


def split_for(lab: Lab, config: RunConfig) -> Split:
    """The split that a run would use, if a run can work with it.

    Raises:
        NotFoundError: no such dataset.
        DatasetError: there are too few tiles to split, or to fill a batch, or none has terrain.
    """
    split = split_of(lab, config.data)
    if not dataset_tiles(lab, config.data.dataset).counts[split.train, 1:].any():
        raise DatasetError(
            f"No terrain is labelled in the training tiles of {config.data.dataset}, so there is nothing to "
            "learn; choose another dataset."
        )
    if len(split.train) < config.train.batch_size:
        raise DatasetError(
            f"{config.data.dataset} leaves {len(split.train)} training tiles, fewer than one batch of "
            f"{config.train.batch_size}; lower the batch size or the validation and test shares."
        )
    return split


def split_summary(lab: Lab, config: DataConfig) -> list[SplitPart]:
    """Sizes of training, validation and test part with their big-rock counts."""
    return _parts(dataset_tiles(lab, config.dataset), split_of(lab, config))


def split_of_run(lab: Lab, run: RunRecord) -> list[SplitPart]:
    """The same for the tiles that a run was queued with, whatever was decided or renamed since.

    Raises:
        DatasetError: the imported files are gone or damaged.
    """
    arrays = arrays_of(lab, lab.store.get_dataset(run.dataset_id))
    return _parts(arrays, split_dataset(arrays, run.dropped_rows, run.config.data))


def _parts(arrays: DatasetArrays, split: Split) -> list[SplitPart]:
    parts = {"training": split.train, "validation": split.validation, "test": split.test}
    return [SplitPart(name, len(rows), int(arrays.has_rock[rows].sum())) for name, rows in parts.items()]


@lru_cache(maxsize=64)
def _cached_split(folder: Path, dropped: tuple[int, ...], config: DataConfig) -> Split:
    return split_dataset(open_arrays(folder), dropped, config)
