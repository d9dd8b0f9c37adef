from __future__ import annotations

import numpy as np
import pytest

from marsseg.inference.brightness import Levels, is_far_off, levels_of, matching
from marsseg.inference.predictor import load_predictor
from tests.inference.conftest import LEVELS, MEAN, STD, WriteNetwork, nearest_level

TRAINED = Levels(MEAN, STD)


@pytest.fixture
def dark() -> np.ndarray:
    """A picture with the mean and spread that the test's networks were told to expect."""
    rng = np.random.default_rng(3)
    return np.rint(rng.normal(MEAN, STD, (64, 96)).clip(0, 1) * 255).astype(np.uint8)


def test_levels_are_mean_and_standard_deviation(dark: np.ndarray) -> None:
    levels = levels_of(dark)
    assert levels.mean == pytest.approx(dark.mean() / 255)
    assert levels.std == pytest.approx(dark.std() / 255)


@pytest.mark.parametrize("mean", [0.11, 0.25, 0.39])
def test_within_one_and_a_half_standard_deviations_is_not_far(mean: float) -> None:
    assert not is_far_off(Levels(mean, 0.1), TRAINED)


@pytest.mark.parametrize("mean", [0.0, 0.09, 0.41, 1.0])
def test_beyond_them_is_far(mean: float) -> None:
    assert is_far_off(Levels(mean, 0.1), TRAINED)


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 110), (0.5, 120), (0.4, 0)])
def test_a_matched_picture_gets_the_mask_that_it_has_at_the_brightness_of_the_tiles(
    brightness_network: WriteNetwork, dark: np.ndarray, gain: float, offset: int
) -> None:
    predictor = load_predictor(brightness_network())
    other = np.rint(dark * gain + offset).clip(0, 255).astype(np.uint8)
    expected = nearest_level(dark)
    as_it_is = predictor.segment(other).mask
    matched = predictor.segment(other, match_brightness=True).mask
    assert (matched == expected).mean() > 0.95
    assert (as_it_is == expected).mean() < 0.9


def test_a_uniform_picture_is_no_problem(brightness_network: WriteNetwork) -> None:
    white = np.full((16, 16), 255, np.uint8)
    assert matching(levels_of(white), TRAINED).std == STD / 4
    mask = load_predictor(brightness_network()).segment(white, match_brightness=True).mask
    assert np.unique(mask).tolist() == [np.abs(LEVELS[1:] - 255 * MEAN).argmin() + 1]
