from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marsseg import services
from marsseg.config import DataConfig
from marsseg.data import duplicates
from marsseg.data.duplicates import CACHE
from marsseg.data.splits import Split
from marsseg.services import leaks
from marsseg.services.lab import Lab
from tests.support.copies import COPIES, PAIRS, add_copies
from tests.support.labs import DATASET, config
from tests.support.terrain import write_frames

HALVES = {"dataset": COPIES, "validation_fraction": 0.2, "test_fraction": 0.2, "split_seed": 1}


@pytest.fixture
def lab(lab: Lab, tmp_path: Path) -> Lab:
    add_copies(lab, tmp_path)
    return lab


def parts_by_hand(lab: Lab, data: DataConfig) -> dict[int, str]:
    split = services.split_of(lab, data)
    rows = {"training": split.train, "validation": split.validation, "test": split.test}
    return {int(row): part for part, members in rows.items() for row in members}


def test_pairs_that_a_split_divides_are_told_with_their_parts(lab: Lab) -> None:
    data = DataConfig(**HALVES)
    part = parts_by_hand(lab, data)
    divided = {pair: (part[pair[0]], part[pair[1]]) for pair in PAIRS if part[pair[0]] != part[pair[1]]}
    report = services.find_leaks(lab, data)
    assert {pair.rows: pair.parts for pair in report.pairs} == divided
    assert divided
    assert {pair.mirrored for pair in report.pairs} == {"left-right"}
    assert report.together == len(PAIRS) - len(divided)
    assert f"{len(divided)} pairs of near-duplicate tiles are divided" in report.warning


def test_the_seed_that_is_advised_keeps_every_pair_together(lab: Lab) -> None:
    data = DataConfig(**HALVES)
    report = services.find_leaks(lab, data)
    assert report.better_seed is not None
    assert f"Split seed {report.better_seed} keeps every pair together" in report.warning
    better = data.model_copy(update={"split_seed": report.better_seed})
    part = parts_by_hand(lab, better)
    assert all(part[first] == part[second] for first, second in PAIRS)
    after = services.find_leaks(lab, better)
    assert (after.pairs, after.together, after.warning) == ((), len(PAIRS), "")


def test_folds_are_looked_at_one_by_one_and_no_seed_is_advised(lab: Lab) -> None:
    run = config(data__dataset=COPIES, data__folds=3, data__fold=2)
    part = parts_by_hand(lab, run.data)
    report = services.find_leaks(lab, run)
    assert {pair.rows for pair in report.pairs} == {pair for pair in PAIRS if part[pair[0]] != part[pair[1]]}
    assert report.pairs
    assert report.better_seed is None


def test_of_several_folds_every_pair_is_told_that_any_of_them_divides(lab: Lab) -> None:
    folds = [config(data__dataset=COPIES, data__folds=3, data__fold=fold) for fold in range(3)]
    parts = [parts_by_hand(lab, run.data) for run in folds]
    divided = [{pair for pair in PAIRS if part[pair[0]] != part[pair[1]]} for part in parts]
    wanted = set.union(*divided)
    assert divided[0] < wanted  # fold 0 alone would pass over some
    flipped = [run.with_values({"data.flip_vertical": True}) for run in folds]
    report = services.find_leaks(lab, *folds, *flipped)
    assert {pair.rows for pair in report.pairs} == wanted
    assert len(report.pairs) == len(wanted)
    assert [pair.similarity for pair in report.pairs] == sorted(
        (pair.similarity for pair in report.pairs), reverse=True
    )
    assert report.together == len(PAIRS) - len(wanted)
    assert report.folds == 3
    assert "divided between parts in at least one of 3 folds" in report.warning


def test_tiles_that_cleaning_leaves_out_leak_nothing(lab: Lab) -> None:
    outliers = services.dataset_report(lab, DATASET).record.dropped_rows
    assert outliers
    split = services.split_of(lab, DataConfig(dataset=DATASET))
    tiles = services.dataset_tiles(lab, DATASET)
    pairs = (duplicates.DuplicatePair(outliers[0], int(split.test[0]), 0.9),)
    duplicates.write_duplicates(tiles.folder / CACHE, duplicates.Duplicates(pairs))
    assert services.find_leaks(lab, DataConfig(dataset=DATASET)).pairs == ()


def test_a_clean_dataset_has_nothing_to_warn_of_and_says_what_it_cannot_know(lab: Lab) -> None:
    report = services.find_leaks(lab, config())
    assert (report.pairs, report.groups, report.together, report.warning) == ((), (), 0, "")
    assert not report.knows_sources


def test_an_import_knows_its_copies_and_an_older_one_finds_them_at_first_need(lab: Lab) -> None:
    cache = services.dataset_tiles(lab, COPIES).folder / CACHE
    before = cache.read_bytes()
    cache.unlink()
    leaks._crossing.cache_clear()
    told: list[str] = []
    assert services.find_leaks(lab, DataConfig(**HALVES), progress=lambda _, what: told.append(what)).pairs
    assert cache.read_bytes() == before
    assert set(told) == {"Looking for near-duplicates"}
    services.find_leaks(lab, DataConfig(**HALVES), progress=lambda *_: pytest.fail("looked again"))


def test_source_images_that_lie_in_several_parts_are_counted_part_by_part() -> None:
    groups = np.array([7, 7, 7, 4, 4, 9, 9, 9])
    split = Split(np.array([0, 1, 3, 4]), np.array([2]), np.array([5, 7]))  # row 6 is left out
    (torn,) = leaks.torn_groups(groups, split)
    assert (torn.group, torn.tiles) == (7, (("training", 2), ("validation", 1)))
    report = services.LeakReport((), (torn,), 0, knows_sources=True)
    assert report.warning.startswith("1 source image has tiles in several parts, so scores")


def test_a_folder_of_frames_keeps_them_whole(lab: Lab, tmp_path: Path) -> None:
    services.add_dataset(lab, write_frames(tmp_path / "frames", 6), name="frames", frame_size=256)
    report = services.find_leaks(lab, DataConfig(dataset="frames", test_fraction=0.3))
    assert report.knows_sources
    assert (report.groups, report.warning) == ((), "")


def test_source_images_that_any_of_several_folds_tears_are_told_once() -> None:
    torn = tuple(services.TornGroup(number, (("training", 1), ("validation", 1))) for number in (4, 7))
    folds = [services.LeakReport((), found, 2, knows_sources=True) for found in (torn[1:], torn, ())]
    report = leaks._in_any_of(folds)
    assert (report.groups, report.together) == (torn, 2)
    assert report.warning.startswith("2 source images have tiles in several parts in at least one of 3 folds")


def test_a_file_with_too_many_copies_says_at_least() -> None:
    pair = services.LeakPair((1, 2), ("validation", "training"), 0.9)
    report = services.LeakReport((pair,), (), 0, knows_sources=True, complete=False)
    assert report.warning.startswith("At least 1 pair of near-duplicate tiles is divided")
    assert "(1 in training and validation)" in report.warning
