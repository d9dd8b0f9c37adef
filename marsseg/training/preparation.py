"""From a dataset and a configuration to the tiles of each split and the class weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marsseg.config import RunConfig
from marsseg.data.arrays import DatasetArrays
from marsseg.data.splits import Split, split_dataset
from marsseg.data.weights import loss_weights
from marsseg.training.files import save_arrays
from marsseg.training.inputs import Standardizer, Tiles, fit_standardizer


@dataclass(frozen=True, slots=True)
class Material:
    """What a run learns from and is judged on.

    Args:
        training, validation, test: tiles of each split, all standardised by the training split.
        class_weights: (5,) float64.
        frame_size: [H, W] of the frames that the tiles were cut from; None when unknown.
    """

    training: Tiles
    validation: Tiles
    test: Tiles
    class_weights: np.ndarray
    frame_size: list[int] | None

    @property
    def standardizer(self) -> Standardizer:
        """Mean and standard deviation of the training split."""
        return self.training.standardizer

    def save_split(self, path: Path) -> None:
        """Write the dataset rows of each split as `split.npz`."""
        splits = {"train": self.training, "validation": self.validation, "test": self.test}
        save_arrays(path, {name: tiles.rows for name, tiles in splits.items()})


def prepare(config: RunConfig, arrays: DatasetArrays, dropped_rows: tuple[int, ...]) -> Material:
    """Split the kept tiles, measure the training split, and weigh the classes by its pixels.

    Raises:
        DatasetError: too few tiles are left to split.
    """
    split = split_dataset(arrays, dropped_rows, config.data)
    pixels = arrays.counts[split.train].sum(axis=0)
    return build_material(arrays, split, loss_weights(config, pixels))


def build_material(arrays: DatasetArrays, split: Split, weights: np.ndarray) -> Material:
    """Bundle arrays, split and class weights; mean and std come from the training rows."""
    standardizer = fit_standardizer(arrays.images, split.train)
    training, validation, test = (
        Tiles(arrays.images, arrays.masks, rows, standardizer)
        for rows in (split.train, split.validation, split.test)
    )
    return Material(training, validation, test, weights, arrays.meta.get("frame_size"))
