from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsseg.config import DataConfig
from marsseg.data.splits import Split, make_split
from marsseg.errors import DatasetError


def rocky(total: int, rocks: int, seed: int = 0) -> np.ndarray:
    has_rock = np.zeros(total, bool)
    has_rock[np.random.default_rng(seed).permutation(total)[:rocks]] = True
    return has_rock


def all_parts(split: Split) -> tuple[np.ndarray, ...]:
    return split.train, split.validation, split.test


def check_partition(split: Split, rows: np.ndarray) -> None:
    for part in all_parts(split):
        assert part.dtype == np.int64
        assert len(part)
        assert (np.diff(part) > 0).all()
    np.testing.assert_array_equal(np.sort(np.concatenate(all_parts(split))), np.sort(rows))


def test_eighty_ten_ten_with_rock_in_proportion() -> None:
    has_rock = rocky(2505, 126)
    split = make_split(has_rock, np.arange(2505), None, DataConfig())
    check_partition(split, np.arange(2505))
    assert [len(part) for part in all_parts(split)] == pytest.approx([2004, 250, 250], abs=1)
    assert [has_rock[part].sum() for part in all_parts(split)] == pytest.approx([100, 13, 13], abs=1)


@given(
    total=st.integers(3, 300),
    rock_share=st.floats(0, 1),
    seed=st.integers(0, 2**31 - 1),
    validation=st.floats(0.01, 0.45),
    test=st.floats(0.01, 0.45),
)
def test_every_row_goes_to_one_part_and_sizes_are_right(
    total: int, rock_share: float, seed: int, validation: float, test: float
) -> None:
    has_rock = rocky(total + 20, round(rock_share * total), seed)
    rows = np.sort(np.random.default_rng(seed).permutation(total + 20)[:total])
    config = DataConfig(validation_fraction=validation, test_fraction=test, split_seed=seed)
    split = make_split(has_rock, rows, None, config)
    check_partition(split, rows)
    assert abs(len(split.test) - max(1, test * total)) <= 1.5
    assert abs(len(split.validation) - max(1, validation * total)) <= 1.5
    rocks = has_rock[rows].sum()
    if rocks >= 3:
        assert all(has_rock[part].any() for part in all_parts(split))
    assert abs(has_rock[split.test].sum() - test * rocks) <= 1.5


@given(frames=st.integers(3, 40), seed=st.integers(0, 1000), folds=st.sampled_from([0, 2]))
def test_source_frames_stay_whole(frames: int, seed: int, folds: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.sort(np.concatenate([np.arange(frames), rng.integers(0, frames, 5 * frames)]))
    has_rock = rng.random(len(groups)) < 0.15
    config = DataConfig(split_seed=seed, folds=folds)
    split = make_split(has_rock, np.arange(len(groups)), groups, config)
    check_partition(split, np.arange(len(groups)))
    owners = [set(groups[part]) for part in all_parts(split)]
    assert sum(map(len, owners)) == len(set.union(*owners)) == frames


def test_shares_hold_for_frames_of_eight_tiles() -> None:
    groups = np.arange(240).repeat(8)
    has_rock = rocky(1920, 150)
    split = make_split(has_rock, np.arange(1920), groups, DataConfig())
    assert [len(part) / 1920 for part in all_parts(split)] == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
    assert [has_rock[part].sum() / 150 for part in all_parts(split)] == pytest.approx(
        [0.8, 0.1, 0.1], abs=0.03
    )


def test_same_seed_same_split_other_seed_other_split() -> None:
    has_rock, rows = rocky(200, 12), np.arange(200)
    first = make_split(has_rock, rows, None, DataConfig(split_seed=1))
    again = make_split(has_rock, rows[::-1], None, DataConfig(split_seed=1))
    other = make_split(has_rock, rows, None, DataConfig(split_seed=2))
    for one, two in zip(all_parts(first), all_parts(again), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first.test, other.test)


def test_what_does_not_concern_the_split_does_not_move_it() -> None:
    has_rock, rows = rocky(200, 12), np.arange(200)
    plain = make_split(has_rock, rows, None, DataConfig())
    flipped = make_split(has_rock, rows, None, DataConfig(flip_vertical=True, dataset="other"))
    np.testing.assert_array_equal(plain.train, flipped.train)


def test_the_test_part_is_the_same_for_every_fold_and_validation_share() -> None:
    has_rock, rows = rocky(200, 12), np.arange(200)
    configs = [DataConfig(validation_fraction=0.3), *(DataConfig(folds=5, fold=fold) for fold in range(5))]
    tests = [make_split(has_rock, rows, None, config).test for config in configs]
    for test in tests[1:]:
        np.testing.assert_array_equal(test, tests[0])


@given(st.integers(2, 7), st.integers(8, 120), st.integers(0, 999))
def test_folds_divide_what_the_test_leaves(folds: int, total: int, seed: int) -> None:
    has_rock, rows = rocky(total, total // 6, seed), np.arange(total)
    splits = [
        make_split(has_rock, rows, None, DataConfig(folds=folds, fold=fold, split_seed=seed))
        for fold in range(folds)
    ]
    for split in splits:
        check_partition(split, rows)
    validated = np.concatenate([split.validation for split in splits])
    np.testing.assert_array_equal(np.sort(validated), np.setdiff1d(rows, splits[0].test))
    sizes = [len(split.validation) for split in splits]
    rocks = [int(has_rock[split.validation].sum()) for split in splits]
    assert max(sizes) - min(sizes) <= 1
    assert max(rocks) - min(rocks) <= 1


@given(frames=st.integers(6, 40), folds=st.integers(2, 5), seed=st.integers(0, 999))
def test_folds_of_whole_frames_validate_every_tile_once(frames: int, folds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(frames), rng.integers(0, frames, 4 * frames)])
    rows, rock = np.arange(len(groups)), rng.random(len(groups)) < 0.1
    splits = [
        make_split(rock, rows, groups, DataConfig(folds=folds, fold=fold, split_seed=seed))
        for fold in range(folds)
    ]
    validated = np.concatenate([split.validation for split in splits])
    np.testing.assert_array_equal(np.sort(validated), np.setdiff1d(rows, splits[0].test))
    frames_of = [set(groups[split.validation]) for split in splits]
    assert sum(map(len, frames_of)) == len(set.union(*frames_of))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_tiles(count: int) -> None:
    have = "1 tile" if count == 1 else f"{count} tiles"
    with pytest.raises(DatasetError, match=rf"^{have} cannot be divided.*at least 3 tiles"):
        make_split(np.zeros(10, bool), np.arange(count), None, DataConfig())


def test_too_few_tiles_for_the_folds() -> None:
    with pytest.raises(DatasetError, match="at least 6 tiles"):
        make_split(np.zeros(5, bool), np.arange(5), None, DataConfig(folds=5))


def test_too_few_frames() -> None:
    with pytest.raises(DatasetError, match=r"16 tiles from 2 source images.*kept whole"):
        make_split(np.zeros(16, bool), np.arange(16), np.arange(2).repeat(8), DataConfig())


def test_dropped_rows_never_come_back() -> None:
    rows = np.arange(10, 60)
    split = make_split(rocky(100, 10), rows, None, DataConfig())
    check_partition(split, rows)
