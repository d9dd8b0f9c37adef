from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from marsseg import statistics
from marsseg.errors import MarsSegError
from marsseg.metrics import mean_iou
from marsseg.statistics import Difference, common_images, mean_and_sd, paired_difference, welch_interval


@dataclass(frozen=True)
class Run:
    """What a run made of some images."""

    rows: np.ndarray
    confusions: np.ndarray


def run(confusions: np.ndarray, rows: list[int] | None = None) -> Run:
    return Run(np.arange(len(confusions)) if rows is None else np.array(rows), np.asarray(confusions))


def compare(a: np.ndarray, b: np.ndarray, lens: str = "terrain", **options: object) -> Difference:
    return paired_difference([run(a)], [run(b)], lens, **options)


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


def test_difference_agrees_with_scipys_paired_bootstrap():
    rng = np.random.default_rng(2)
    better, worse = binary_images(rng, 80, 0.75, 0.1), binary_images(rng, 80, 0.7, 0.1)
    difference = compare(better, worse, n_resamples=20_000)
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
    paired = compare(better, shared)
    shuffled = compare(better, np.random.default_rng(0).permutation(shared))
    assert paired.low > 0
    assert paired.high - paired.low < (shuffled.high - shuffled.low) / 10


def test_equal_networks_do_not_differ():
    images = binary_images(np.random.default_rng(4), 30, 0.7)
    difference = compare(images, images)
    assert (difference.delta, difference.low, difference.high) == (0, 0, 0)


def test_swapping_the_sides_turns_the_sign():
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 50, (2, 40, 5, 5))
    forward, backward = compare(a, b, "course"), compare(b, a, "course")
    assert backward.delta == -forward.delta
    assert (backward.low, backward.high) == pytest.approx((-forward.high, -forward.low))


def test_the_same_seed_gives_the_same_numbers_however_they_are_split_up(monkeypatch):
    a, b = np.random.default_rng(6).integers(0, 50, (2, 40, 5, 5))
    first = compare(a, b, seed=3)
    assert compare(a, b, seed=3) == first
    assert compare(a, b, seed=4) != first
    monkeypatch.setattr(statistics, "_DRAWS_AT_ONCE", 999)
    in_parts = compare(a, b, seed=3)
    assert (in_parts.low, in_parts.high) == pytest.approx((first.low, first.high))


def test_only_images_judged_by_both_are_compared():
    a, b = np.random.default_rng(7).integers(0, 50, (2, 6, 5, 5))
    ours, theirs = [run(a, [5, 1, 9, 7, 3, 2])], [run(b, [2, 3, 40, 5, 9, 41])]
    by_rows = paired_difference(ours, theirs, "terrain")
    by_hand = paired_difference([run(a[[5, 4, 0, 2]])], [run(b[[0, 1, 3, 4]])], "terrain")
    assert by_rows == by_hand
    assert common_images(ours, theirs) == (by_rows.n_images, 8) == (4, 8)


def test_the_score_of_repeats_is_their_mean_and_not_that_of_their_pooled_pixels():
    a, b, c = np.random.default_rng(9).integers(0, 50, (3, 30, 5, 5))
    difference = paired_difference([run(a), run(b)], [run(c)], "strict")
    scores = [mean_iou(images.sum(axis=0), "strict") for images in (a, b, c)]
    assert difference.delta == pytest.approx((scores[0] + scores[1]) / 2 - scores[2])
    assert difference.low < difference.delta < difference.high


def test_the_spread_of_a_mean_of_repeats_agrees_with_scipys_bootstrap():
    rng = np.random.default_rng(10)
    one, two, base = (binary_images(rng, 70, rate, 0.1) for rate in (0.75, 0.8, 0.7))
    difference = paired_difference([run(one), run(two)], [run(base)], "terrain", n_resamples=20_000)
    hits = [images[:, 1, 1] / 100 for images in (one, two, base)]
    expected = stats.bootstrap(
        (hits[0] / 2 + hits[1] / 2 - hits[2],), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high), abs=0.003)


def test_folds_have_a_say_on_their_own_images_only():
    images, base = np.random.default_rng(11).integers(0, 50, (2, 20, 5, 5))
    folds = [run(images[:10], list(range(10))), run(images[10:], list(range(10, 20)))]
    whole = run(base)
    difference = paired_difference(folds, [whole], "terrain")
    halves = [mean_iou(part.sum(axis=0), "terrain") for part in (images[:10], images[10:])]
    assert difference.n_images == 20
    assert difference.delta == pytest.approx(np.mean(halves) - mean_iou(base.sum(axis=0), "terrain"))


def test_images_of_one_frame_are_drawn_together():
    a, b = np.random.default_rng(12).integers(0, 50, (2, 40, 5, 5))
    frames = np.random.default_rng(13).permutation(np.repeat(np.arange(10), 4))
    whole = [np.stack([side[frames == frame].sum(axis=0) for frame in range(10)]) for side in (a, b)]
    by_frame, by_hand = compare(a, b, "strict", frames=frames * 7), compare(*whole, "strict")
    assert (by_frame.delta, by_frame.low, by_frame.high) == (by_hand.delta, by_hand.low, by_hand.high)
    assert by_frame.n_images == 40


def test_copies_within_a_frame_add_no_certainty():
    rng = np.random.default_rng(14)
    a, b = binary_images(rng, 30, 0.75, 0.1), binary_images(rng, 30, 0.7, 0.1)
    once, copied = compare(a, b), [np.repeat(side, 9, axis=0) for side in (a, b)]
    by_frame = compare(*copied, frames=np.repeat(np.arange(30), 9))
    assert (by_frame.low, by_frame.high) == pytest.approx((once.low, once.high))
    by_tile = compare(*copied)
    assert by_tile.high - by_tile.low == pytest.approx((once.high - once.low) / 3, rel=0.1)


def test_frames_are_looked_up_by_row():
    a, b = np.random.default_rng(15).integers(0, 50, (2, 6, 5, 5))
    rows = [9, 2, 4, 7, 0, 5]
    frames = np.array([3, 0, 3, 0, 8, 8, 0, 5, 0, 5])
    by_row = paired_difference([run(a, rows)], [run(b, rows)], "terrain", frames=frames)
    by_hand = compare(a, b, frames=frames[rows])
    assert (by_row.low, by_row.high) == pytest.approx((by_hand.low, by_hand.high))


def test_images_of_a_single_frame_have_a_difference_but_no_interval():
    a, b = np.random.default_rng(16).integers(0, 50, (2, 6, 5, 5))
    difference = compare(a, b, frames=np.full(6, 3))
    assert difference.delta == compare(a, b).delta
    assert math.isnan(difference.low)
    assert math.isnan(difference.high)


def test_resamples_without_a_rare_class_do_not_turn_against_the_side_that_predicts_it():
    confusions = np.zeros((30, 5, 5), int)
    confusions[:, 1, 1], confusions[:, 1, 2], confusions[:, 2, 2] = 60, 40, 60
    confusions[:2, 4, 2] = 50  # rock, on two images of thirty, which one resample in eight does not hold
    never, sometimes = confusions.copy(), confusions.copy()
    sometimes[:2, 4, 4], sometimes[:2, 4, 2] = 20, 30
    sometimes[::3, 1, 4], sometimes[::3, 1, 2] = 1, 39  # and a little of it where there is none
    difference = compare(sometimes, never)
    assert 0.05 < difference.delta < 0.2
    assert 0.03 < difference.low < difference.delta < difference.high < 0.2
    backward = compare(never, sometimes)
    assert (backward.low, backward.high) == pytest.approx((-difference.high, -difference.low))


def test_resamples_are_those_that_hold_every_class():
    """By hand: of six images the first two hold rock, and resamples without either are left out."""
    a, b = np.random.default_rng(17).integers(1, 50, (2, 6, 5, 5))
    a[2:, 4], b[2:, 4] = 0, 0
    drawn = np.random.default_rng(0).integers(0, 6, (2000, 6))
    scores = [
        mean_iou(a[images].sum(axis=0), "terrain") - mean_iou(b[images].sum(axis=0), "terrain")
        for images in drawn
        if set(images) & {0, 1}
    ]
    assert 1000 < len(scores) < 2000
    difference = compare(a, b)
    assert (difference.low, difference.high) == pytest.approx(np.quantile(scores, [0.025, 0.975]).tolist())


def test_too_few_images_of_some_classes_have_no_interval():
    """Each class on an image of its own: one resample in eleven holds all four, and all those are alike."""
    a, b = np.zeros((2, 4, 5, 5), int)
    for image in range(4):
        a[image, image + 1, image + 1], b[image, image + 1, image + 1], b[image, image + 1, 0] = 10, 5, 5
    difference = compare(a, b)
    assert difference.delta == pytest.approx(0.5)
    assert math.isnan(difference.low)
    assert math.isnan(difference.high)


@pytest.mark.parametrize("lens", ["terrain", "course"])
def test_images_without_terrain_have_no_interval(lens):
    background = np.zeros((4, 5, 5), int)
    background[:, 0, 0] = 10
    difference = compare(background, background, lens)
    assert all(math.isnan(number) for number in (difference.delta, difference.low, difference.high))


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(8)
    covered = 0
    for trial in range(200):
        a, b = binary_images(rng, 60, 0.7, 0.15), binary_images(rng, 60, 0.7, 0.15)
        difference = compare(a, b, n_resamples=400, seed=trial)
        covered += difference.low <= 0 <= difference.high
    # 95 % of 200 trials is 190; the percentile interval is a little narrow, and 3 standard errors are 9
    assert 178 <= covered <= 199


@pytest.mark.parametrize(
    ("ours", "theirs", "sentence"),
    [
        (run(np.ones((1, 5, 5))), run(np.ones((1, 5, 5))), "1 common images"),
        (run(np.ones((2, 5, 5)), [1, 2]), run(np.ones((2, 5, 5)), [2, 3]), "1 common images"),
        (run(np.ones((5, 5))), run(np.ones((5, 5))), "one confusion matrix"),
        (run(np.ones((3, 5, 5)), [1, 2]), run(np.ones((3, 5, 5))), "one confusion matrix"),
        (run(np.ones((2, 5, 5)), [1, 1]), run(np.ones((2, 5, 5)), [1, 2]), "once"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_sentence(ours, theirs, sentence):
    with pytest.raises(MarsSegError, match=sentence):
        paired_difference([ours], [theirs], "terrain")


def test_an_interval_over_seeds_is_welchs():
    ours, theirs = [0.51, 0.55, 0.53, math.nan], [0.41, 0.50]
    expected = stats.ttest_ind(ours[:3], theirs, equal_var=False).confidence_interval(0.95)
    assert welch_interval(ours, theirs) == pytest.approx((expected.low, expected.high))
    narrow = stats.ttest_ind(ours[:3], theirs, equal_var=False).confidence_interval(0.5)
    assert welch_interval(ours, theirs, confidence=0.5) == pytest.approx((narrow.low, narrow.high))


def test_a_single_seed_has_no_interval_and_seeds_that_agree_have_a_point():
    assert welch_interval([0.5], [0.4, 0.5]) is None
    assert welch_interval([0.5, math.nan], [0.4, 0.5]) is None
    assert welch_interval([0.5, 0.5], [0.4, 0.4]) == pytest.approx((0.1, 0.1))
