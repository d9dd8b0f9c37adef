"""What holds for every change alike: probability, repeatability, and masks that stay masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marsseg.config import AugmentConfig
from marsseg.data.augmenting import CHANGES, augment_batch, cut_rocks
from tests.support.coordinates import BAND, coordinate_tiles, noise_tiles, only

STRONG = {
    "brightness_strength": 1.0,
    "contrast_strength": 0.9,
    "gamma_strength": 2.0,
    "auto_contrast_cutoff": 0.1,
    "cutmix_area": 1.0,
    "elastic_pixels": 4.0,
}
MOVES = ("crop_resize", "elastic", "grid_shuffle", "cutmix", "rock_paste")
ALL_ON = AugmentConfig(**dict.fromkeys(CHANGES, 1.0))


@pytest.fixture(scope="module")
def bank():
    images, masks = coordinate_tiles(1, 16, 16)
    return cut_rocks(images, np.where(np.add.outer(range(16), range(16)) < 8, 4, masks), np.array([0]))


def augmented(images, masks, config, seed=0, **options):
    return augment_batch(images, masks, config, np.random.default_rng(seed), **options)


def changed(before, after):
    return np.array([not np.array_equal(a, b) for a, b in zip(before, after, strict=True)])


@pytest.mark.parametrize("change", CHANGES)
def test_probability_1_changes_every_tile(change, bank):
    images, masks = noise_tiles(40)
    new_images, new_masks = augmented(images, masks, only(change, **STRONG), rocks=bank)
    assert changed(images, new_images).all()
    # A part nearly as large as its tile moves no mask by half a pixel.
    assert (changed(masks, new_masks).mean() > 0.5) == (change in MOVES)


@pytest.mark.parametrize("change", CHANGES)
def test_a_probability_is_the_share_of_tiles_that_change_and_the_others_keep_every_bit(change, bank):
    images, masks = noise_tiles(3000)
    new_images, _ = augmented(images, masks, only(change, 0.3, **STRONG), rocks=bank)
    assert changed(images, new_images).mean() == pytest.approx(0.3, abs=0.03)


def test_with_all_probabilities_0_nothing_happens(bank):
    images, masks = noise_tiles(20)
    config = AugmentConfig(**STRONG, rock_oversampling=9.0)
    generator = np.random.default_rng(0)
    new_images, new_masks = augment_batch(images, masks, config, generator, rocks=bank)
    np.testing.assert_array_equal(images, new_images)
    np.testing.assert_array_equal(masks, new_masks)
    assert generator.random() == np.random.default_rng(0).random()


def test_the_same_seed_gives_the_same_batch_and_another_one_another(bank):
    images, masks = coordinate_tiles(8)
    first = augmented(images, masks, ALL_ON, 3, rocks=bank)
    again = augmented(images, masks, ALL_ON, 3, rocks=bank)
    other = augmented(images, masks, ALL_ON, 4, rocks=bank)
    for one, two, three in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, two)
        assert changed(one, three).all()


@pytest.mark.parametrize("other", [change for change in CHANGES if change not in {"auto_contrast", "gamma"}])
def test_switching_another_change_on_leaves_the_draws_of_a_change_alone(other, bank):
    """On tiles of one gray level the others are not to be seen, so what differs would be brightness."""
    images, masks = np.full((30, 16, 16), 100, np.uint8), np.zeros((30, 16, 16), np.uint8)
    both = AugmentConfig(**({"brightness": 0.5} | {other: 0.7}), rock_paste_most=1)
    alone = AugmentConfig(brightness=both.brightness)
    brightness, _ = augmented(images, masks, alone)
    together, new_masks = augmented(images, masks, both, rocks=bank)
    plain = new_masks != 4  # beside pasted rocks
    np.testing.assert_array_equal(together[plain], brightness[plain])


@pytest.mark.parametrize("change", ["grid_shuffle", "cutmix", "rock_paste"])
def test_what_is_moved_whole_keeps_image_and_mask_together(change):
    images, masks = coordinate_tiles(16)
    rocks = cut_rocks(images, np.where(masks == 4, 4, 0), np.arange(16))
    assert len(rocks)
    new_images, new_masks = augmented(images, masks, only(change), rocks=rocks)
    assert changed(masks, new_masks).sum() > 4  # with two kinds of tiles, many are mixed with their like
    np.testing.assert_array_equal(new_images // BAND, new_masks)


@pytest.mark.parametrize("config", [only("crop_resize"), only("elastic"), ALL_ON.model_copy(
    update=dict.fromkeys(("auto_contrast", "brightness", "contrast", "gamma", "grid_mask"), 0.0))],
    ids=["crop", "elastic", "all that moves"])  # fmt: skip
def test_what_is_resampled_keeps_image_and_mask_together(config):
    """A gray level and its mask come from within half a pixel, which is a level and a half on the ramps."""
    images, masks = coordinate_tiles(16)
    rocks = cut_rocks(images, np.where(masks == 4, 4, 0), np.arange(16))
    new_images, new_masks = augmented(images, masks, config, rocks=rocks)
    assert changed(masks, new_masks).all()
    beside = new_images.astype(int) - new_masks.astype(int) * BAND
    assert beside.min() >= -2
    assert beside.max() <= BAND + 1


@pytest.mark.parametrize("change", [change for change in CHANGES if change not in MOVES])
def test_light_and_what_covers_the_lens_leave_the_mask_as_it_is(change):
    images, masks = noise_tiles(20)
    _, new_masks = augmented(images, masks, only(change))
    np.testing.assert_array_equal(masks, new_masks)


PROBABILITIES = st.fixed_dictionaries(dict.fromkeys(CHANGES, st.sampled_from([0.0, 0.5, 1.0])))


SIZES = st.tuples(st.integers(1, 5), st.integers(8, 40), st.integers(8, 40))


@settings(max_examples=60)
@given(PROBABILITIES, SIZES, st.integers(2, 8), st.integers(0))
def test_any_batch_stays_a_batch_of_gray_levels_and_labels(probabilities, size, cells, seed):
    images, masks = coordinate_tiles(*size)
    kept = images.copy(), masks.copy()
    rocks = cut_rocks(images, masks, np.arange(len(images)))
    config = AugmentConfig(**probabilities, grid_shuffle_cells=cells)
    new_images, new_masks = augmented(images, masks, config, seed, rocks=rocks)
    for new, old, before in zip((new_images, new_masks), (images, masks), kept, strict=True):
        np.testing.assert_array_equal(old, before)
        assert new.dtype == np.uint8
        assert new.shape == old.shape
        assert new.flags.c_contiguous
        assert new.flags.writeable
    assert set(np.unique(new_masks)) <= set(np.unique(masks)) | {4}
