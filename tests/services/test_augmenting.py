"""The preview of augmentation is what training sees, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from marsseg import services
from marsseg.data.augmenting import CHANGES, TilePool
from marsseg.errors import DatasetError, NotFoundError
from marsseg.services.lab import Lab
from tests.support.labs import DATASET, config

ALL_ON = {f"augment__{change}": 0.5 for change in CHANGES} | {"augment__rock_oversampling": 3.0}


def test_the_preview_shows_tiles_beside_what_the_pipeline_yields(lab: Lab) -> None:
    wanted = config(**ALL_ON, train__seed=3)
    shown = services.preview_augmentation(lab, wanted, 2, most=3)
    arrays = services.dataset_tiles(lab, DATASET)
    pool = TilePool(arrays.images, arrays.masks, services.split_of(lab, wanted.data).train)
    batch = next(pool.epoch(4, seed=3, epoch=2, flips=wanted.data, augment=wanted.augment))
    assert (shown.seed, shown.epoch, shown.batch_size, len(shown.tiles)) == (3, 2, 4, 3)
    for place, tile in enumerate(shown.tiles):
        assert tile.row == batch.rows[place]
        np.testing.assert_array_equal(tile.image, arrays.images[tile.row])
        np.testing.assert_array_equal(tile.mask, arrays.masks[tile.row])
        np.testing.assert_array_equal(tile.new_image, batch.images[place])
        np.testing.assert_array_equal(tile.new_mask, batch.masks[place])


def test_another_split_shows_other_tiles_and_only_those_of_training(lab: Lab) -> None:
    seen = []
    for split_seed in (0, 1):
        wanted = config(data__split_seed=split_seed)
        shown = services.preview_augmentation(lab, wanted, most=99)
        rows = [tile.row for tile in shown.tiles]
        assert len(rows) == 4
        assert set(rows) <= set(services.split_of(lab, wanted.data).train)
        seen.append(rows)
    assert seen[0] != seen[1]


def test_what_no_run_could_work_with_is_refused(lab: Lab) -> None:
    with pytest.raises(DatasetError, match="fewer than one batch"):
        services.preview_augmentation(lab, config(train__batch_size=64))
    with pytest.raises(NotFoundError):
        services.preview_augmentation(lab, config(data__dataset="nowhere"))
