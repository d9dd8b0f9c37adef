from __future__ import annotations

import numpy as np
import pytest

from marsseg.config import AugmentConfig, DataConfig
from marsseg.data.splits import steps_per_epoch
from marsseg.training.inputs import Standardizer, Tiles, fit_standardizer

NO_FLIPS = DataConfig(flip_horizontal=False, flip_vertical=False)
BOTH_FLIPS = DataConfig(flip_horizontal=True, flip_vertical=True)
PLAIN = AugmentConfig()


@pytest.fixture
def tiles() -> Tiles:
    """Ten coordinate tiles: each mask is a function of its image, so they can only move together."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (12, 4, 6), dtype=np.uint8)
    return Tiles(images, images % 5, np.arange(1, 11), Standardizer(0.5, 0.25))


def levels(images: np.ndarray) -> np.ndarray:
    return np.round((images[..., 0] * 0.25 + 0.5) * 255).astype(np.uint8)


def epoch_of(
    tiles: Tiles, seed: int, epoch: int, flips: DataConfig = BOTH_FLIPS, size: int = 3
) -> np.ndarray:
    batches = tiles.training_batches(size, seed=seed, epoch=epoch, flips=flips, augment=PLAIN)
    return np.concatenate([levels(images) for images, _ in batches])


def test_standardizer_agrees_with_numpy_over_the_chosen_rows_only():
    generator = np.random.default_rng(1)
    images = generator.integers(0, 90, (1100, 3, 5), dtype=np.uint8)
    images[::2] = 255
    rows = np.arange(1, 1100, 2)
    found = fit_standardizer(images, rows)
    chosen = images[rows] / 255
    assert found.mean == pytest.approx(chosen.mean(), rel=1e-12)
    assert found.std == pytest.approx(chosen.std(), rel=1e-12)


def test_standardized_training_images_have_mean_zero_and_deviation_one(tiles):
    fitted = Tiles(tiles.images, tiles.masks, tiles.rows, fit_standardizer(tiles.images, tiles.rows))
    images = np.concatenate([images for images, _ in fitted.batches(4)])
    assert images.dtype == np.float32
    assert images.shape == (10, 4, 6, 1)
    assert images.mean() == pytest.approx(0, abs=1e-5)
    assert images.std() == pytest.approx(1, abs=1e-5)


def test_images_without_contrast_stay_finite():
    images = np.full((2, 4, 4), 60, np.uint8)
    standardizer = fit_standardizer(images, np.array([0, 1]))
    assert np.isfinite(standardizer.table()).all()
    assert standardizer.table()[60] == pytest.approx(0, abs=1e-6)


def test_plain_batches_keep_order_and_include_the_remainder(tiles):
    batches = list(tiles.batches(4))
    assert [len(masks) for _, masks in batches] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([masks for _, masks in batches]), tiles.masks[1:11])
    np.testing.assert_array_equal(
        np.concatenate([levels(images) for images, _ in batches]), tiles.images[1:11]
    )


def test_image_and_mask_move_together(tiles):
    for images, masks in tiles.training_batches(5, seed=3, epoch=2, flips=BOTH_FLIPS, augment=PLAIN):
        assert masks.dtype == np.uint8
        np.testing.assert_array_equal(levels(images) % 5, masks)


def test_an_epoch_depends_on_seed_and_epoch_alone(tiles):
    epoch_of(tiles, seed=7, epoch=1)  # drawing an earlier epoch must not matter
    again = epoch_of(tiles, seed=7, epoch=2)
    np.testing.assert_array_equal(epoch_of(tiles, seed=7, epoch=2), again)
    assert not np.array_equal(epoch_of(tiles, seed=7, epoch=3), again)
    assert not np.array_equal(epoch_of(tiles, seed=8, epoch=2), again)


def test_an_epoch_shows_every_tile_at_most_once_and_drops_only_the_remainder(tiles):
    seen = epoch_of(tiles, seed=1, epoch=1, flips=NO_FLIPS, size=3)
    rows = [int(np.flatnonzero((tiles.images == tile).all(axis=(1, 2)))[0]) for tile in seen]
    assert len(rows) == 9
    assert len(set(rows)) == 9
    assert set(rows) <= set(range(1, 11))


def test_each_flip_can_be_switched_on_alone(tiles):
    plain = epoch_of(tiles, seed=5, epoch=1, flips=NO_FLIPS)
    across = epoch_of(tiles, seed=5, epoch=1, flips=DataConfig(flip_horizontal=True, flip_vertical=False))
    upside = epoch_of(tiles, seed=5, epoch=1, flips=DataConfig(flip_horizontal=False, flip_vertical=True))
    assert all(
        np.array_equal(a, b) or np.array_equal(a, b[:, ::-1]) for a, b in zip(plain, across, strict=True)
    )
    assert all(np.array_equal(a, b) or np.array_equal(a, b[::-1]) for a, b in zip(plain, upside, strict=True))
    assert not np.array_equal(plain, across)
    assert not np.array_equal(plain, upside)


def test_about_half_of_the_tiles_are_mirrored():
    images = np.broadcast_to(np.arange(6, dtype=np.uint8), (2000, 4, 6))
    tiles = Tiles(images, np.zeros((2000, 4, 6), np.uint8), np.arange(2000), Standardizer(0.5, 0.25))
    seen = epoch_of(tiles, seed=0, epoch=1, flips=DataConfig(flip_vertical=False), size=100)
    assert 0.45 < (seen[:, 0, 0] == 5).mean() < 0.55


def test_the_dataset_itself_is_never_flipped(tiles):
    before = tiles.images.copy()
    epoch_of(tiles, seed=2, epoch=1)
    np.testing.assert_array_equal(tiles.images, before)


@pytest.mark.parametrize(("tiles", "size", "steps"), [(2004, 16, 125), (16, 16, 1), (5, 16, 1), (33, 16, 2)])
def test_steps_are_full_batches_but_at_least_one(tiles, size, steps):
    assert steps_per_epoch(tiles, size) == steps


def test_fewer_tiles_than_a_batch_make_one_batch_of_all(tiles):
    (batch,) = tiles.training_batches(64, seed=0, epoch=1, flips=NO_FLIPS, augment=PLAIN)
    assert len(batch[1]) == 10


def test_training_batches_are_the_augmented_epoch_standardised(tiles):
    augment = AugmentConfig(brightness=0.5, grid_shuffle=0.5, rock_paste=0.5, rock_oversampling=3.0)
    choice = {"seed": 1, "epoch": 2, "flips": BOTH_FLIPS, "augment": augment}
    for (images, masks), plain in zip(
        tiles.training_batches(3, **choice), tiles.epoch(3, **choice), strict=True
    ):
        assert images.dtype == np.float32
        np.testing.assert_allclose(images[..., 0], (plain.images / 255 - 0.5) / 0.25, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(masks, plain.masks)
