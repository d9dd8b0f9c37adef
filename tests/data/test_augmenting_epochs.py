"""Epochs: order, oversampling, repeatability, and what stays as it was before there was augmentation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsseg.config import AugmentConfig, DataConfig
from marsseg.data.augmenting import CHANGES, TilePool, flip_tiles, oversampled
from tests.support.coordinates import BAND, coordinate_tiles, noise_tiles

FLIPS = DataConfig(flip_horizontal=True, flip_vertical=True)
ALL_ON = AugmentConfig(**dict.fromkeys(CHANGES, 0.5), rock_oversampling=4.0)


@pytest.fixture(scope="module")
def pool() -> TilePool:
    """Forty tiles, of which 4 … 35 are in the split; every fourth holds a rock of a gray level of its own."""
    images, masks = noise_tiles(40, 16, 32)
    masks %= 4
    for row in range(0, 40, 4):
        masks[row, 4:9, 5:11] = 4
        images[row, 4:9, 5:11] = 200 + row
        images[row][images[row] >= 200] = 200 + row
    images[(images >= 200) & (np.arange(40) % 4 > 0)[:, np.newaxis, np.newaxis]] = 0
    return TilePool(images, masks, np.arange(4, 36))


def epoch_of(pool, augment, *, seed=0, epoch=1, size=5, flips=FLIPS):
    return list(pool.epoch(size, seed=seed, epoch=epoch, flips=flips, augment=augment))


def test_without_augmentation_an_epoch_is_what_it_always_was(pool):
    """Stored runs are resumed: permutation first, then the coins for left-right and for up-down."""
    generator = np.random.default_rng((7, 3))
    order = generator.permutation(np.arange(4, 36))
    mirrored = generator.random((2, 32)) < 0.5
    for step, batch in enumerate(epoch_of(pool, AugmentConfig(), seed=7, epoch=3)):
        for place, row in enumerate(order[5 * step : 5 * step + 5]):
            assert batch.rows[place] == row
            for tile, source in ((batch.images, pool.images), (batch.masks, pool.masks)):
                expected = source[row][:, ::-1] if mirrored[0, 5 * step + place] else source[row]
                expected = expected[::-1] if mirrored[1, 5 * step + place] else expected
                np.testing.assert_array_equal(tile[place], expected)
    assert step == 5


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_leaves_the_order_of_the_tiles_alone(pool, change):
    plain = epoch_of(pool, AugmentConfig())
    changed = epoch_of(pool, AugmentConfig(**{change: 0.5}))
    assert [batch.rows.tolist() for batch in plain] == [batch.rows.tolist() for batch in changed]
    assert any(not np.array_equal(a.images, b.images) for a, b in zip(plain, changed, strict=True))


def test_an_epoch_depends_on_seed_and_epoch_alone(pool):
    def images(**choice):
        return np.concatenate([batch.images for batch in epoch_of(pool, ALL_ON, **choice)])

    again = images(seed=7, epoch=2)
    np.testing.assert_array_equal(images(seed=7, epoch=2), again)
    assert not np.array_equal(images(seed=7, epoch=3), again)
    assert not np.array_equal(images(seed=8, epoch=2), again)


def test_all_batches_of_an_epoch_are_changed_differently():
    images, masks = coordinate_tiles(12)
    pool = TilePool(np.repeat(images[:1], 12, axis=0), np.repeat(masks[:1], 12, axis=0), np.arange(12))
    flips = DataConfig(flip_horizontal=False)
    first, *others = epoch_of(pool, AugmentConfig(elastic=1.0), size=2, flips=flips)
    assert all(not np.array_equal(first.images, other.images) for other in others)


def test_pasted_rocks_come_from_rows_of_the_pool_alone(pool):
    assert set(pool.rocks.rows) == set(range(4, 36, 4))
    seen: set[int] = set()
    for epoch in range(1, 6):
        for batch in epoch_of(pool, AugmentConfig(rock_paste=1.0), epoch=epoch):
            seen |= set(np.unique(batch.images[batch.masks == 4]).tolist())
    assert seen == {200 + row for row in range(4, 36, 4)}


def test_rocks_are_mirrored_only_if_tiles_are():
    images, masks = coordinate_tiles(1, 16, 32)  # levels fall along the width
    images, masks = np.repeat(images, 64, axis=0), np.zeros((64, 16, 32), np.uint8)
    masks[0, 4:12, 4:8] = 4
    pool = TilePool(images, masks, np.arange(64))
    directions = []
    for flips in (DataConfig(flip_horizontal=False), DataConfig(flip_horizontal=True)):
        config = AugmentConfig(rock_paste=1.0, rock_paste_most=1)
        (batch,) = epoch_of(pool, config, size=64, flips=flips)
        plain = batch.rows > 0
        rock = batch.masks[plain] == 4
        steps = np.diff(batch.images[plain].astype(int), axis=2)[rock[:, :, 1:] & rock[:, :, :-1]]
        directions.append(set(np.sign(steps)))
    assert directions == [{-1}, {-1, 1}]


def test_the_bank_is_empty_and_order_plain_in_a_pool_without_rock():
    images, masks = noise_tiles(20)
    pool = TilePool(images, masks % 4, np.arange(20))
    batches = epoch_of(pool, AugmentConfig(rock_paste=1.0, rock_oversampling=9.0))
    assert sorted(np.concatenate([batch.rows for batch in batches])) == list(range(20))
    for batch in batches:
        assert (batch.masks < 4).all()


def test_image_and_mask_move_together_through_a_whole_epoch():
    images, masks = coordinate_tiles(20)
    pool = TilePool(images, masks, np.arange(20))
    config = AugmentConfig(grid_shuffle=0.5, cutmix=0.5, rock_paste=0.5)
    for batch in epoch_of(pool, config):
        np.testing.assert_array_equal(batch.images // BAND, batch.masks)


@pytest.mark.parametrize("times", [1.5, 4.0, 50.0])
def test_tiles_with_big_rock_come_so_many_times_as_often_over_epochs(times):
    rows, with_rock = np.arange(100, 1100), np.arange(1000) % 20 == 0
    drawn = [oversampled(rows, with_rock, times, np.random.default_rng(epoch)) for epoch in range(60)]
    often = np.stack([np.bincount(epoch - 100, minlength=1000) for epoch in drawn]).mean(axis=0)
    assert often[with_rock].mean() / often[~with_rock].mean() == pytest.approx(times, rel=0.01)
    assert np.ptp(often[with_rock]) <= 0.6 + often[with_rock].mean() * 0.01
    assert often[~with_rock].min() > 0


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(1, 50), st.integers(0, 9))
def test_an_epoch_keeps_its_number_of_tiles_and_spreads_them_evenly(flags, times, seed):
    rows, with_rock = np.arange(len(flags)) + 3, np.array(flags)
    drawn = oversampled(rows, with_rock, times, np.random.default_rng(seed))
    assert len(drawn) == len(rows)
    often = np.bincount(drawn - 3, minlength=len(rows))
    assert len(often) == len(rows)
    assert np.ptp(often[with_rock]) <= 1 if with_rock.any() else True
    assert often[~with_rock].max(initial=0) <= 1
    share = times * with_rock.sum() / (times * with_rock.sum() + (~with_rock).sum())
    assert abs(often[with_rock].sum() - len(rows) * share) <= 0.5 + 1e-9


def test_oversampling_of_1_draws_each_tile_once(pool):
    plain, once = AugmentConfig(), AugmentConfig(rock_oversampling=1.0, brightness=0.5)
    for batch, other in itertools.zip_longest(epoch_of(pool, plain), epoch_of(pool, once)):
        np.testing.assert_array_equal(batch.rows, other.rows)


def test_flipping_touches_the_chosen_tiles_only():
    batch = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)
    expected = np.stack([np.fliplr(batch[0]), np.flipud(batch[1]), batch[2]])
    flip_tiles(batch, np.array([True, False, False]), np.array([False, True, False]))
    np.testing.assert_array_equal(batch, expected)
