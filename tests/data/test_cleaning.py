from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsseg.data.cleaning import (
    class_share,
    cleaning_report,
    count_classes_per_image,
    find_outlier_groups,
    kept_rows,
)


def masks_of(*values: list[list[int]]) -> np.ndarray:
    return np.array(values, np.uint8)


PASTED, DRAWN, PLAIN = [[0, 1], [2, 2]], [[3, 1], [1, 1]], [[1, 1], [1, 1]]


def test_five_identical_masks_of_two_classes_are_a_group() -> None:
    masks = masks_of(DRAWN, PASTED, PASTED, PLAIN, PASTED, PASTED, PASTED)
    (group,) = find_outlier_groups(masks)
    assert group.rows == (1, 2, 4, 5, 6)
    assert group.mask_classes == (0, 1, 2)


def test_four_are_not() -> None:
    assert find_outlier_groups(masks_of(*[PASTED] * 4, DRAWN)) == []


def test_one_pixel_makes_a_mask_another() -> None:
    assert find_outlier_groups(masks_of(*[PASTED] * 4, [[0, 1], [2, 3]])) == []


@pytest.mark.parametrize("mask", [PLAIN, [[0, 1], [0, 1]], [[0, 0], [0, 0]], [[4, 4], [0, 4]]])
def test_repeated_masks_of_one_terrain_class_are_ordinary(mask: list[list[int]]) -> None:
    assert find_outlier_groups(masks_of(*[mask] * 40)) == []


def test_two_terrain_classes_without_background_are_enough() -> None:
    (group,) = find_outlier_groups(masks_of(*[DRAWN] * 5))
    assert group.mask_classes == (1, 3)


def test_groups_are_told_apart_and_come_largest_first() -> None:
    groups = find_outlier_groups(masks_of(*[DRAWN] * 5, *[PASTED] * 6))
    assert [len(group.rows) for group in groups] == [6, 5]
    assert groups[0].id != groups[1].id


def test_a_group_keeps_its_id_in_another_dataset() -> None:
    (one,) = find_outlier_groups(masks_of(*[PASTED] * 5))
    (two,) = find_outlier_groups(masks_of(PLAIN, *[PASTED] * 9))
    assert one.id == two.id


@given(st.lists(st.sampled_from([PASTED, DRAWN, PLAIN, [[0, 2], [2, 2]], [[0, 1], [2, 4]]]), max_size=40))
def test_the_rule_as_the_design_states_it(drawn: list[list[list[int]]]) -> None:
    masks = np.array(drawn, np.uint8).reshape(-1, 2, 2)
    repeats = Counter(map(str, drawn))
    expected = [
        row
        for row, mask in enumerate(drawn)
        if repeats[str(mask)] >= 5 and len({value for line in mask for value in line} - {0}) >= 2
    ]
    found = sorted(row for group in find_outlier_groups(masks) for row in group.rows)
    assert found == expected


@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_counts_agree_with_bincount(seed: int, images: int) -> None:
    masks = np.random.default_rng(seed).integers(0, 5, (images, 6, 7), np.uint8)
    by_image = [np.bincount(mask.ravel(), minlength=5) for mask in masks]
    np.testing.assert_array_equal(count_classes_per_image(masks), by_image)


def test_counting_runs_over_chunk_borders() -> None:
    masks = np.random.default_rng(0).integers(0, 5, (700, 4, 4), np.uint8)
    counts = count_classes_per_image(masks).sum(axis=0)
    np.testing.assert_array_equal(counts, np.bincount(masks.ravel(), minlength=5))


def test_report_compares_before_and_after() -> None:
    counts = np.array([[4, 0, 0, 0, 0], [0, 2, 0, 0, 2], [0, 0, 4, 0, 0]])
    report = cleaning_report(counts, dropped=[1])
    assert (report.pairs, report.kept, report.rock_before, report.rock_after) == (3, 2, 1, 0)
    np.testing.assert_allclose(report.share_before, [4 / 12, 2 / 12, 4 / 12, 0, 2 / 12])
    np.testing.assert_allclose(report.share_after, [0.5, 0, 0.5, 0, 0])


def test_shares_of_nothing_are_zero() -> None:
    assert class_share(np.zeros(5)).tolist() == [0] * 5
    report = cleaning_report(np.ones((2, 5), np.int64), dropped=[0, 1])
    assert report.kept == 0
    assert report.share_after.tolist() == [0] * 5


def test_kept_rows_are_the_others() -> None:
    assert kept_rows(5, (3, 0)).tolist() == [1, 2, 4]


@pytest.mark.real_data
def test_exactly_the_real_outliers(real_data_dir: Path) -> None:
    with np.load(real_data_dir / "mars_tiles.npz", allow_pickle=False) as archive:
        masks = archive["training_set"][:, 1].astype(np.uint8)
    (group,) = find_outlier_groups(masks)
    assert len(group.rows) == 106
    assert len(kept_rows(len(masks), group.rows)) == 2505
    assert (masks[list(group.rows)] == masks[group.rows[0]]).all()
