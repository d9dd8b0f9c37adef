from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from marsseg.data.arrays import DatasetArrays, open_arrays
from marsseg.data.cleaning import cleaning_report, kept_rows
from marsseg.data.demo import plan, write_demo_dataset
from marsseg.settings import Settings

TILES = 320


@pytest.fixture(scope="module")
def demo(first_home: Path) -> DatasetArrays:
    """The demo as the first start draws and imports it."""
    (folder,) = Settings(home=first_home, database_url="sqlite://").datasets_dir.iterdir()
    return open_arrays(folder)


def kept(demo: DatasetArrays) -> np.ndarray:
    return kept_rows(len(demo.masks), [row for group in demo.outlier_groups for row in group.rows])


def test_has_the_shapes_of_a_course_file(demo: DatasetArrays) -> None:
    assert demo.images.shape == demo.masks.shape == (TILES, 64, 128)
    assert demo.test_images.shape == (TILES // 8, 64, 128)


def test_class_shares_are_near_the_real_ones(demo: DatasetArrays) -> None:
    dropped = [row for group in demo.outlier_groups for row in group.rows]
    report = cleaning_report(demo.counts, dropped)
    percent = 100 * report.share_after
    np.testing.assert_allclose(percent[:4], [35.6, 23.6, 32.5, 7.7], atol=3.5)
    assert 0.3 < percent[4] < 1.1
    assert 0.05 <= report.rock_after / report.kept <= 0.08


def test_images_are_as_dark_as_the_real_ones(demo: DatasetArrays) -> None:
    images = demo.images[kept(demo)] / 255
    assert images.mean() == pytest.approx(0.232, abs=0.02)
    assert images.std() == pytest.approx(0.101, abs=0.02)


def test_cleaning_finds_exactly_the_pasted_group(demo: DatasetArrays) -> None:
    (group,) = demo.outlier_groups
    assert len(group.rows) == 8
    assert group.mask_classes == (0, 1, 2, 3)


def test_ordinary_masks_repeat_too(demo: DatasetArrays) -> None:
    repeats = Counter(mask.tobytes() for mask in demo.masks[kept(demo)])
    assert sum(count >= 5 for count in repeats.values()) >= 3


def test_brightness_alone_does_not_tell_the_class(demo: DatasetArrays) -> None:
    """The best threshold rule on gray values, one interval of levels a class, stays near guessing."""
    rows = kept(demo)
    images, masks = demo.images[rows], demo.masks[rows]
    histogram = np.zeros((5, 256))
    for value in range(1, 5):
        histogram[value] = np.bincount(images[masks == value], minlength=256)
    balanced = histogram[1:] / histogram[1:].sum(axis=1, keepdims=True)
    accuracy = balanced.max(axis=0).sum() / 4
    assert accuracy < 0.5  # guessing gets 0.25


def test_texture_does_tell_the_class(demo: DatasetArrays) -> None:
    """Contrast between neighbouring pixels, relative to brightness, is lower on sand than on bedrock."""
    rows = kept(demo)
    images = demo.images[rows].astype(np.float32)
    steps = np.abs(np.diff(images, axis=2))[:, :, :-1] / (images[:, :, 1:-1] + 5)
    masks = demo.masks[rows][:, :, 1:-1]
    roughness = [float(np.median(steps[masks == value])) for value in (1, 2, 3)]
    assert roughness[2] < roughness[0]
    assert roughness[2] < roughness[1]


def test_same_seed_same_bytes_other_seed_other_tiles(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_demo_dataset(tmp_path / name, tiles=24, seed=seed)
    first, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == again
    assert first != other


@pytest.mark.parametrize("tiles", [24, 40, 100])
def test_small_demos_still_have_rock_and_a_group(tiles: int) -> None:
    recipes = plan(tiles, np.random.default_rng(0))
    assert len(recipes) == tiles
    assert sum(recipe.saucer for recipe in recipes) >= 6
    assert sum(recipe.rocks > 0 for recipe in recipes) >= 3


def test_refuses_to_draw_too_few(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 24"):
        write_demo_dataset(tmp_path / "demo.npz", tiles=23)
