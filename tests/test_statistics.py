from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from marsseg import statistics
from marsseg.errors import MarsSegError
from marsseg.metrics import mean_iou
from marsseg.statistics import mean_and_sd, paired_difference, repeats_interval, score_interval


def binary_images(rng: np.random.Generator, n: int, accuracy: float, spread: float = 0.0) -> np.ndarray:
    """Images of 100 soil pixels each, some of them missed: their terrain IoU is the share that was hit."""
    rates = np.clip(accuracy + spread * rng.standard_normal(n), 0, 1)
    hits = rng.binomial(100, rates)
    confusions = np.zeros((n, 5, 5), np.int64)
    confusions[:, 1, 1] = hits
    confusions[:, 1, 0] = 100 - hits  # a background prediction misses soil and adds no class
    return confusions


def test_mean_and_sd_agree_with_scipy():
    values = [0.41, 0.44, 0.47, 0.39]
    described = stats.describe(values)
    assert mean_and_sd(values) == pytest.approx((described.mean, math.sqrt(described.variance)))


def test_one_value_has_no_deviation_and_none_has_no_mean():
    assert mean_and_sd([0.5]) == (0.5, None)
    assert mean_and_sd([0.5, math.nan]) == (0.5, None)
    mean, sd = mean_and_sd([math.nan])
    assert math.isnan(mean)
    assert sd is None
    assert repeats_interval([0.5]) is None


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_interval_over_repeats_agrees_with_scipy(confidence):
    values = [0.41, 0.44, 0.47]
    expected = stats.t.interval(confidence, 2, np.mean(values), stats.sem(values))
    assert repeats_interval([*values, math.nan], confidence=confidence) == pytest.approx(expected)


def test_score_interval_agrees_with_scipys_bootstrap():
    images = binary_images(np.random.default_rng(0), 60, 0.7, spread=0.2)
    low, high = score_interval(images, "terrain", n_resamples=20_000)
    expected = stats.bootstrap(
        (images[:, 1, 1] / 100,), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert low == pytest.approx(expected.low, abs=0.003)
    assert high == pytest.approx(expected.high, abs=0.003)
    assert low < mean_iou(images.sum(axis=0), "terrain") < high


def test_difference_agrees_with_scipys_paired_bootstrap():
    rng = np.random.default_rng(2)
    better, worse = binary_images(rng, 80, 0.75, 0.1), binary_images(rng, 80, 0.7, 0.1)
    difference = paired_difference(better, worse, "terrain", n_resamples=20_000)
    per_image = (better[:, 1, 1] - worse[:, 1, 1]) / 100
    expected = stats.bootstrap(
        (per_image,), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert difference.delta == pytest.approx(per_image.mean())
    assert difference.low == pytest.approx(expected.low, abs=0.003)
    assert difference.high == pytest.approx(expected.high, abs=0.003)
    assert difference.n_images == 80


def test_images_that_are_hard_for_both_do_not_widen_the_interval():
    shared = binary_images(np.random.default_rng(3), 100, 0.6, spread=0.25)
    better = shared.copy()
    better[:, 1, 1] = np.minimum(100, shared[:, 1, 1] + 2)
    better[:, 1, 0] = 100 - better[:, 1, 1]
    difference = paired_difference(better, shared, "terrain")
    alone = score_interval(shared, "terrain")
    assert difference.is_clear
    assert difference.high - difference.low < (alone[1] - alone[0]) / 10
    assert difference.p_value < 0.01


def test_equal_networks_do_not_differ():
    images = binary_images(np.random.default_rng(4), 30, 0.7)
    difference = paired_difference(images, images, "terrain")
    assert (difference.delta, difference.low, difference.high) == (0, 0, 0)
    assert difference.p_value == 1
    assert not difference.is_clear


def test_swapping_the_sides_turns_the_sign():
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 50, (2, 40, 5, 5))
    forward, backward = paired_difference(a, b, "course"), paired_difference(b, a, "course")
    assert backward.delta == -forward.delta
    assert (backward.low, backward.high) == pytest.approx((-forward.high, -forward.low))
    assert backward.p_value == forward.p_value


def test_the_same_seed_gives_the_same_numbers_however_they_are_split_up(monkeypatch):
    a, b = np.random.default_rng(6).integers(0, 50, (2, 40, 5, 5))
    first = paired_difference(a, b, "terrain", seed=3)
    assert paired_difference(a, b, "terrain", seed=3) == first
    assert paired_difference(a, b, "terrain", seed=4) != first
    monkeypatch.setattr(statistics, "_WEIGHTS_AT_ONCE", 999)
    in_parts = paired_difference(a, b, "terrain", seed=3)
    assert (in_parts.low, in_parts.high) == pytest.approx((first.low, first.high))


def test_only_images_judged_by_both_are_compared():
    a, b = np.random.default_rng(7).integers(0, 50, (2, 6, 5, 5))
    by_rows = paired_difference(a, b, "terrain", rows_a=[5, 1, 9, 7, 3, 2], rows_b=[2, 3, 40, 5, 9, 41])
    by_hand = paired_difference(a[[5, 4, 0, 2]], b[[0, 1, 3, 4]], "terrain")
    assert by_rows == by_hand
    assert by_rows.n_images == 4


@pytest.mark.parametrize("lens", ["terrain", "course"])
def test_images_without_terrain_have_no_interval(lens):
    background = np.zeros((4, 5, 5), int)
    background[:, 0, 0] = 10
    assert all(math.isnan(end) for end in score_interval(background, lens))
    assert math.isnan(paired_difference(background, background, lens).p_value)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(8)
    covered = wrongly_clear = 0
    for trial in range(200):
        a, b = binary_images(rng, 60, 0.7, 0.15), binary_images(rng, 60, 0.7, 0.15)
        difference = paired_difference(a, b, "terrain", n_resamples=400, seed=trial)
        covered += difference.low <= 0 <= difference.high
        wrongly_clear += difference.p_value < 0.05
    # 95 % of 200 trials is 190; the percentile interval is a little narrow, and 3 standard errors are 9
    assert 178 <= covered <= 199
    assert wrongly_clear <= 22


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((np.ones((1, 5, 5)), np.ones((1, 5, 5))), {}, "at least two"),
        ((np.ones((5, 5)), np.ones((5, 5))), {}, "one confusion matrix an image"),
        ((np.ones((3, 5, 5)), np.ones((4, 5, 5))), {}, "give the rows of both"),
        ((np.ones((3, 5, 5)), np.ones((3, 5, 5))), {"rows_a": [1, 2, 3]}, "one side's are missing"),
        ((np.ones((2, 5, 5)), np.ones((2, 5, 5))), {"rows_a": [1, 1], "rows_b": [1, 2]}, "once"),
        ((np.ones((2, 5, 5)), np.ones((2, 5, 5))), {"rows_a": [1, 2], "rows_b": [2, 3]}, "1 common images"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_sentence(arguments, options, sentence):
    with pytest.raises(MarsSegError, match=sentence):
        paired_difference(*arguments, "terrain", **options)
