"""Changes of place against SciPy, and their distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats
from scipy.interpolate import BSpline

from marsseg.data.augmenting import augment_batch
from marsseg.data.augmenting.geometry import NODE_DISTANCE, elastic_shifts, resample
from tests.support.coordinates import noise_tiles, only


def augmented(images, masks, config, seed=0):
    return augment_batch(images, masks, config, np.random.default_rng(seed))


def test_resampling_agrees_with_scipy():
    images, masks = noise_tiles(3, 24, 40)
    generator = np.random.default_rng(1)
    rows = generator.uniform(0, 23, images.shape).astype(np.float32)
    columns = generator.uniform(0, 39, images.shape).astype(np.float32)
    rows[:, 0], columns[:, :, 0], rows[:, 1], columns[:, :, 1] = 0, 0, 23, 39
    new_images, new_masks = resample(images, masks, rows, columns)
    for tile in range(3):
        places = np.stack([rows[tile], columns[tile]]).astype(np.float64)
        expected = ndimage.map_coordinates(images[tile].astype(float), places, order=1)
        np.testing.assert_allclose(new_images[tile], expected, atol=0.51)
        expected = ndimage.map_coordinates(masks[tile], places, order=0)
        np.testing.assert_array_equal(new_masks[tile], expected)


def test_elastic_fields_are_b_splines_through_their_nodes_and_move_as_far_as_told():
    height, width = 64, 128
    nodes = np.random.default_rng(2).uniform(-1, 1, (3, 2, 5, 7)).astype(np.float32)
    fields = elastic_shifts(nodes, height, width, 3.0)
    for count, size, axis in ((5, height, 2), (7, width, 3)):
        knots = np.arange(-3, count + 1) * NODE_DISTANCE
        matrix = BSpline(knots, np.eye(count), 3)(np.arange(size))
        nodes = np.moveaxis(np.tensordot(matrix, nodes.astype(float), (1, axis)), 0, axis)
    scale = 3.0 / np.abs(nodes).max(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(fields, nodes * scale, atol=1e-4)
    np.testing.assert_allclose(np.abs(fields).max(axis=(2, 3)), 3.0, rtol=1e-5)


@pytest.mark.parametrize("pixels", [1.0, 6.0])
def test_elastic_moves_no_pixel_farther_than_told_and_some_as_far(pixels):
    """On a ramp of two levels a pixel, the change of gray level tells the shift along the width."""
    images = np.tile(2 * np.arange(120, dtype=np.uint8), (20, 64, 1))
    after, _ = augmented(images, images // 52, only("elastic", elastic_pixels=pixels))
    moved = np.abs(after.astype(float) - images)[:, :, 8:-8] / 2
    assert moved.max() <= pixels + 0.5
    assert moved.max() >= pixels - 0.5
    assert (moved.max(axis=(1, 2)) > pixels / 4).all()


def test_a_crop_has_any_side_from_the_smallest_on_and_lies_anywhere():
    across = np.tile(2 * np.arange(120, dtype=np.uint8), (1500, 60, 1))
    down = np.tile(4 * np.arange(60, dtype=np.uint8)[:, np.newaxis], (1500, 1, 120))
    config = only("crop_resize", crop_smallest=0.4)
    wide, _ = augmented(across, across // 52, config)
    high, _ = augmented(down, down // 52, config)
    # Slopes inside, away from the border, where what lies outside is continued.
    side = (wide[:, 30, 100].astype(float) - wide[:, 30, 20]) / 160
    assert stats.kstest(side, stats.uniform(0.4, 0.6).cdf).pvalue > 0.001
    same = (high[:, 50, 60].astype(float) - high[:, 10, 60]) / 160
    np.testing.assert_allclose(same, side, atol=0.02)  # it keeps the tile's proportions
    middles = wide[:, 30, 59:61].mean(axis=1) / 2 + 0.5, high[:, 29:31, 60].mean(axis=1) / 4 + 0.5
    for middle, size in zip(middles, (120, 60), strict=True):
        clear = side < 0.9
        corner = (middle - size * side / 2)[clear] / (size * (1 - side[clear]))
        assert stats.kstest(corner, stats.uniform(0, 1).cdf).pvalue > 0.001


def test_every_new_order_of_cells_is_equally_likely_and_the_old_one_never_comes():
    cells = np.array([[10, 20], [30, 40]], np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    images = np.tile(cells, (4600, 1, 1))
    after, masks = augmented(images, images // 10, only("grid_shuffle"))
    np.testing.assert_array_equal(after // 10, masks)
    orders, counts = np.unique(after[:, ::8, ::8].reshape(-1, 4), axis=0, return_counts=True)
    assert len(orders) == 23
    assert [10, 20, 30, 40] not in orders.tolist()
    assert stats.chisquare(counts).pvalue > 0.001


def test_rows_and_columns_that_no_cell_takes_stay():
    images, masks = noise_tiles(10, 64, 128)
    after, new_masks = augmented(images, masks, only("grid_shuffle", grid_shuffle_cells=3))
    for new, old in ((after, images), (new_masks, masks)):
        np.testing.assert_array_equal(new[:, 63:], old[:, 63:])
        np.testing.assert_array_equal(new[:, :, 126:], old[:, :, 126:])
        for before, now in zip(old, new, strict=True):
            kept = [{tile[21 * i :][:21, 42 * j :][:, :42].tobytes() for i in range(3) for j in range(3)}
                    for tile in (before, now)]  # fmt: skip
            assert kept[0] == kept[1]


def test_more_cells_than_pixels_leave_a_tile_as_it_is():
    images, masks = noise_tiles(2, 6, 20)
    after, _ = augmented(images, masks, only("grid_shuffle", grid_shuffle_cells=8))
    np.testing.assert_array_equal(after, images)


def test_cutmix_replaces_any_share_up_to_its_area_by_the_same_place_of_any_other_tile():
    numbers = np.arange(200, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    images = np.broadcast_to(numbers, (200, 100, 200))
    shares, partners = [], []
    for seed in range(5):
        after, masks = augmented(images, images % 5, only("cutmix", cutmix_area=0.6), seed)
        np.testing.assert_array_equal(after % 5, masks)
        foreign = after != images
        shares += foreign.mean(axis=(1, 2)).tolist()
        for number, (tile, inside) in enumerate(zip(after, foreign, strict=True)):
            (other,) = set(tile[inside])
            partners.append((int(other) - number) % 200)
            rows, columns = inside.any(axis=1), inside.any(axis=0)
            assert inside.sum() == rows.sum() * columns.sum()  # one rectangle
            assert abs(columns.sum() - 2 * rows.sum()) <= 2
    assert stats.kstest(shares, stats.uniform(0, 0.6).cdf).pvalue > 0.001
    assert stats.kstest(partners, stats.uniform(0.5, 199).cdf).pvalue > 0.001


def test_cutmix_takes_from_the_same_place():
    images, masks = noise_tiles(2, 20, 30)
    after, new_masks = augmented(images, masks, only("cutmix"))
    for new, old in ((after, images), (new_masks, masks)):
        assert ((new == old) | (new == old[::-1])).all()


def test_a_tile_alone_in_its_batch_has_nothing_to_be_mixed_with():
    images, masks = noise_tiles(1)
    after, _ = augmented(images, masks, only("cutmix"))
    np.testing.assert_array_equal(after, images)
