"""Gray levels: tables against formulas and Pillow, strengths as documented, squares where they belong."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps
from scipy import stats

from marsseg.config import AugmentConfig
from marsseg.data.augmenting import augment_batch
from tests.support.coordinates import noise_tiles, only


def gray_after(images, config, seed=0):
    masks = np.zeros(images.shape, np.uint8)
    return augment_batch(images, masks, config, np.random.default_rng(seed))[0].astype(float)


def is_uniform(values, low, high):
    assert values.min() >= low - 0.01
    assert values.max() <= high + 0.01
    return stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 0.001


def test_brightness_shifts_all_levels_alike_by_any_share_up_to_its_strength():
    images = np.tile(np.array([100, 140], np.uint8), (2000, 8, 4))
    after = gray_after(images, only("brightness", brightness_strength=0.3))
    assert (np.ptp(after, axis=(1, 2)) == 40).all()
    assert is_uniform((after[:, 0, 0] - 100) / 255, -0.3, 0.3)


def test_brightness_stops_at_black_and_white():
    images = np.tile(np.array([10, 245], np.uint8), (200, 8, 4))
    after = gray_after(images, only("brightness", brightness_strength=1.0))
    shift = np.where(after[:, 0, 0] > 10, after[:, 0, 0] - 10, after[:, 0, 1] - 245)
    np.testing.assert_allclose(after[:, 0], np.clip(images[:, 0] + shift[:, np.newaxis], 0, 255), atol=1)


def test_contrast_spreads_levels_around_the_mean_by_any_factor_up_to_its_strength():
    images = np.tile(np.array([70, 70, 70, 150], np.uint8), (2000, 8, 2))  # mean 90
    after = gray_after(images, only("contrast", contrast_strength=0.6))
    assert is_uniform((after[:, 0, 3] - 90) / 60, 0.4, 1.6)
    np.testing.assert_allclose(after[:, 0, 0] - 90, (after[:, 0, 3] - 90) / -3, atol=1)


def test_gamma_draws_the_logarithm_of_its_exponent_evenly_and_leaves_black_and_white():
    images = np.tile(np.array([0, 64, 128, 255], np.uint8), (2000, 8, 2))
    after = gray_after(images, only("gamma", gamma_strength=0.8))
    assert (after[:, 0, 0] == 0).all()
    assert (after[:, 0, 3] == 255).all()
    exponent = np.log(after[:, 0, 1] / 255) / np.log(64 / 255)
    assert is_uniform(np.log(exponent), -0.8, 0.8)
    np.testing.assert_allclose(after[:, 0, 2] / 255, (128 / 255) ** exponent, atol=0.01)


@pytest.mark.parametrize("cutoff", [0.0, 0.01, 0.1, 0.2])
def test_auto_contrast_agrees_with_pillow(cutoff):
    generator = np.random.default_rng(1)
    images = np.clip(generator.normal(60, [[[5]], [[15]], [[30]]], (3, 32, 50)), 0, 255).astype(np.uint8)
    after = gray_after(images, only("auto_contrast", auto_contrast_cutoff=cutoff))
    expected = [ImageOps.autocontrast(Image.fromarray(image), cutoff=100 * cutoff) for image in images]
    np.testing.assert_allclose(after, np.stack(expected), atol=1)  # Pillow truncates, we round
    assert after.max() == 255


def test_auto_contrast_leaves_a_tile_of_one_gray_level():
    images = np.full((2, 8, 8), 77, np.uint8)
    np.testing.assert_array_equal(gray_after(images, only("auto_contrast")), images)


def test_changes_of_levels_follow_one_another_and_are_rounded_once():
    images, _ = noise_tiles(1)
    images = images // 4 + 90
    config = AugmentConfig(auto_contrast=1.0, brightness=1.0, contrast=1.0, gamma=1.0)
    after = gray_after(images, config)
    streams = np.random.default_rng(0).spawn(10)
    shift, factor, power = (
        generator.uniform(-strength, strength)
        for generator, strength in zip(_after_the_choice(streams[6:9]), (0.2, 0.2, 0.3), strict=True)
    )
    low, high = float(images.min()), float(images.max())
    levels = np.clip((images - low) * 255 / (high - low) + 255 * shift, 0, 255)
    levels = np.clip(levels.mean() + (1 + factor) * (levels - levels.mean()), 0, 255)
    np.testing.assert_array_equal(after, np.rint(255 * (levels / 255) ** np.exp(power)))


def _after_the_choice(generators):
    for generator in generators:
        generator.random(1)
        yield generator


def runs(pattern):
    """Starts and ends of the stretches that are true."""
    edges = np.diff(np.concatenate([[0], pattern.astype(int), [0]]))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def test_a_grid_mask_covers_squares_at_even_distances_with_the_mean_gray():
    height, width, ratio = 32, 256, 0.4
    images = np.tile(np.array([[0, 200], [200, 0]], np.uint8), (400, height // 2, width // 2))
    covered = gray_after(images, only("grid_mask", grid_mask_ratio=ratio)) == 100
    distances = []
    for tile in covered:
        rows, columns = tile.any(axis=1), tile.any(axis=0)
        np.testing.assert_array_equal(tile, np.outer(rows, columns))
        starts, ends = runs(columns)
        (distance,) = set(np.diff(starts)[1:])
        assert set((ends - starts)[1:-1]) == {round(ratio * distance)}
        tops, bottoms = runs(rows)
        assert (bottoms - tops).max() <= round(ratio * distance)
        distances.append(distance)
    counts = np.bincount(distances, minlength=33)[8:]
    assert counts.sum() == 400  # all between a quarter of the height and the height
    assert stats.chisquare(counts).pvalue > 0.001
    beginnings = [runs(tile.any(axis=0))[0][1] % d / d for tile, d in zip(covered, distances, strict=True)]
    assert 0.4 < np.mean(beginnings) < 0.6
