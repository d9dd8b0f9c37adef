"""Big rocks: what is cut out, and what is pasted where."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from marsseg.data.augmenting import augment_batch, cut_rocks
from tests.support.coordinates import only


def tiles(count: int = 1, height: int = 32, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    return np.full((count, height, width), 50, np.uint8), np.ones((count, height, width), np.uint8)


def pasted(images, masks, bank, seed=0, *, mirror=True, **strengths):
    config, generator = only("rock_paste", **strengths), np.random.default_rng(seed)
    return augment_batch(images, masks, config, generator, rocks=bank, mirror_rocks=mirror)


@pytest.fixture
def corner_bank():
    """One rock, a triangle of 4 + … + 1 columns and 20 pixels whose gray levels are all different."""
    images, masks = tiles()
    shape = np.repeat(np.tril(np.ones((4, 4), bool)), 2, axis=0)
    masks[0, 10:18, 20:24][shape] = 4
    images[0, 10:18, 20:24] = 100 + np.arange(32).reshape(8, 4)
    return cut_rocks(images, masks, np.array([0])), images[0, 10:18, 20:24] * shape


def test_pixels_that_touch_by_a_side_or_a_corner_are_one_rock_and_each_tile_has_its_own():
    images, masks = tiles(3)
    masks[0, :4, :4], masks[0, 4:8, 4:8], masks[0, 20:24, 20:25] = 4, 4, 4
    masks[1, 4:8, 4:8] = 4
    images[0, 4:8, 4:8], images[1] = 60, 70
    bank = cut_rocks(images, masks, np.arange(3))
    assert len(bank) == 3
    assert bank.rows.tolist() == [0, 0, 1]
    assert np.diff(bank.starts).tolist() == [32, 20, 16]
    assert bank.heights.tolist() == [8, 4, 4]
    assert bank.widths.tolist() == [8, 5, 4]
    assert [sorted(set(part)) for part in np.split(bank.gray, bank.starts[1:-1])] == [[50, 60], [50], [70]]


def test_specks_and_rocks_that_fill_more_than_a_quarter_of_a_tile_are_left_out():
    images, masks = tiles(4)
    for tile, pixels in enumerate((15, 16, 512, 513)):
        masks[tile].reshape(-1)[:pixels] = 4
    assert np.diff(cut_rocks(images, masks, np.arange(4)).starts).tolist() == [16, 512]


def test_only_the_given_rows_are_cut():
    images, masks = tiles(6)
    masks[:, 4:9, 4:9] = 4
    images += np.arange(6, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    bank = cut_rocks(images, masks, np.array([1, 4]))
    assert bank.rows.tolist() == [1, 4]
    assert set(bank.gray) == {51, 54}


def test_many_rows_are_cut_part_by_part():
    images, masks = tiles(1100, 8, 16)
    masks[::100, 2:6, 2:7] = 4
    rows = np.arange(0, 1100, 2)
    np.testing.assert_array_equal(cut_rocks(images, masks, rows).rows, rows[::50])


def test_a_rock_is_pasted_pixel_by_pixel_or_mirrored_and_its_mask_becomes_big_rock(corner_bank):
    bank, rock = corner_bank
    images, masks = tiles(200)
    new_images, new_masks = pasted(images, masks, bank, rock_paste_most=1)
    np.testing.assert_array_equal(new_masks == 4, new_images >= 100)
    assert ((new_images == 50) == (new_masks == 1)).all()
    mirrored = 0
    places = []
    for image in np.where(new_masks == 4, new_images, 0):
        down, across = np.nonzero(image)
        found = image[down.min() : down.max() + 1, across.min() : across.max() + 1]
        is_mirrored = np.array_equal(found, rock[:, ::-1])
        assert is_mirrored or np.array_equal(found, rock)
        mirrored += is_mirrored
        places.append((down.min(), across.min()))
    assert 70 < mirrored < 130
    for place, most in zip(np.transpose(places), (32 - 8, 64 - 4), strict=True):
        assert place.min() < most / 10
        assert place.max() > most * 0.9
        assert stats.kstest(place + 0.5, stats.uniform(0, most + 1).cdf).pvalue > 0.001


def test_a_rock_is_never_mirrored_where_tiles_are_not(corner_bank):
    bank, rock = corner_bank
    new_images, new_masks = pasted(*tiles(50), bank, mirror=False, rock_paste_most=1)
    for image in np.where(new_masks == 4, new_images, 0):
        down, across = np.nonzero(image)
        np.testing.assert_array_equal(image[down.min() :, across.min() :][:8, :4], rock)


def test_one_to_the_most_rocks_are_pasted_equally_often_and_every_rock_of_the_bank():
    images, masks = tiles(40, 8, 8)
    masks[:, 1:5, 1:5] = 4
    images += np.arange(40, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    bank = cut_rocks(images, masks, np.arange(40))
    blank = np.zeros((3000, 64, 128), np.uint8)
    new_images, _ = pasted(blank, blank + 1, bank, rock_paste_most=3)
    seen = [set(np.unique(image)) - {0} for image in new_images]
    # Of two or three rocks some are alike, or hidden behind another.
    ones = np.mean([len(rocks) == 1 for rocks in seen])
    assert 1 / 3 - 0.03 < ones < 1 / 3 + 0.06
    assert max(map(len, seen)) == 3
    assert set.union(*seen) == set(range(50, 90))


def test_a_rock_as_wide_as_the_tile_fits():
    images, masks = tiles(1, 16, 64)
    masks[0, 2:6] = 4
    bank = cut_rocks(images + 9, masks, np.array([0]))
    new_images, new_masks = pasted(*tiles(30, 16, 64), bank, rock_paste_most=1)
    assert ((new_masks == 4).sum(axis=(1, 2)) == 4 * 64).all()
    assert set(np.unique(new_images)) == {50, 59}


def test_a_bank_without_rocks_changes_nothing():
    images, masks = tiles(3)
    bank = cut_rocks(images, masks, np.arange(3))
    assert len(bank) == 0
    new_images, new_masks = pasted(images, masks, bank)
    np.testing.assert_array_equal(new_images, images)
    np.testing.assert_array_equal(new_masks, masks)
