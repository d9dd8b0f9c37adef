from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marsseg import services
from marsseg.config import DataConfig
from marsseg.errors import ConfigError, DatasetError, NotFoundError, StateError, StoreError
from marsseg.services.lab import Lab
from marsseg.store.store import RunStore
from tests.support.labs import DATASET, config, queue_run
from tests.support.terrain import N_OUTLIERS, write_course_file


def test_the_same_content_is_told_not_doubled(lab: Lab, tmp_path: Path) -> None:
    again = services.add_dataset(lab, tmp_path / "bands.npz", name="another name")
    assert again.already_there
    assert again.record.name == DATASET
    assert len(services.list_datasets(lab)) == 1


def test_a_dataset_whose_files_are_gone_is_restored_from_its_source(lab: Lab, tmp_path: Path) -> None:
    (record,) = services.list_datasets(lab)
    folder = lab.settings.datasets_dir / record.sha256
    folder.rename(tmp_path / "moved away")
    again = services.add_dataset(lab, tmp_path / "bands.npz")
    assert (again.already_there, again.restored) == (True, True)
    assert len(services.dataset_tiles(lab, DATASET).masks) == record.meta["pairs"]
    assert not services.add_dataset(lab, tmp_path / "bands.npz").restored


def test_a_taken_name_is_refused_and_nothing_is_added(lab: Lab, tmp_path: Path) -> None:
    other = write_course_file(tmp_path / "other.npz", seed=9)
    with pytest.raises(DatasetError, match="exists already"):
        services.add_dataset(lab, other, name=DATASET)
    assert len(services.list_datasets(lab)) == 1


def test_a_name_that_cannot_be_is_refused_before_anything_is_imported(lab: Lab, tmp_path: Path) -> None:
    other = write_course_file(tmp_path / "other.npz", seed=9)
    before = sorted(lab.settings.datasets_dir.iterdir())
    with pytest.raises(ConfigError, match="1 to 200 visible characters"):
        services.add_dataset(lab, other, name="x" * 201)
    with pytest.raises(DatasetError, match="exists already"):
        services.add_dataset(lab, other, name=f"  {DATASET} ")
    assert sorted(lab.settings.datasets_dir.iterdir()) == before


def test_an_import_that_the_store_refuses_leaves_no_files(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("The store is busy.")

    before = sorted(lab.settings.datasets_dir.iterdir())
    monkeypatch.setattr(RunStore, "add_dataset", refuse)
    with pytest.raises(StoreError, match="busy"):
        services.add_dataset(lab, write_course_file(tmp_path / "other.npz", seed=9))
    assert sorted(lab.settings.datasets_dir.iterdir()) == before


def test_a_file_with_a_very_long_name_can_be_added_twice_over(lab: Lab, tmp_path: Path) -> None:
    names = []
    for seed in (8, 9):
        folder = tmp_path / str(seed)
        folder.mkdir()
        source = write_course_file(folder / f"{'tile' * 60}.npz", seed=seed)
        names.append(services.add_dataset(lab, source).record.name)
    assert len(set(names)) == 2
    assert all(name.startswith("tiletile") and len(name) <= 200 for name in names)


def test_unnamed_datasets_get_their_files_name_made_unique(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    added = services.add_dataset(lab, write_course_file(folder / "bands.npz", seed=9))
    assert added.record.name == "bands 2"


def test_the_report_counts_what_cleaning_drops(lab: Lab) -> None:
    report = services.dataset_report(lab, DATASET)
    assert (report.pairs, report.kept) == (60 + N_OUTLIERS, 60)
    (group,) = report.groups
    assert group.rows == tuple(range(60, 60 + N_OUTLIERS))
    assert sum(report.share_after) == pytest.approx(1)
    assert report.share_before != report.share_after


def test_keeping_a_group_changes_what_runs_see_and_can_be_taken_back(lab: Lab) -> None:
    before = services.dataset_report(lab, DATASET)
    services.keep_group(lab, DATASET, before.groups[0].id, keep=True)
    kept = services.dataset_report(lab, DATASET)
    assert kept.kept == kept.pairs
    assert kept.record.identity != before.record.identity
    services.keep_group(lab, DATASET, before.groups[0].id, keep=False)
    assert services.dataset_report(lab, DATASET).record.identity == before.record.identity


def test_keeping_an_unknown_group_is_refused(lab: Lab) -> None:
    with pytest.raises(NotFoundError, match="no outlier group"):
        services.keep_group(lab, DATASET, "nothing", keep=True)


def test_the_split_leaves_outliers_out_and_covers_the_rest_once(lab: Lab) -> None:
    split = services.split_of(lab, DataConfig(dataset=DATASET))
    rows = np.concatenate([split.train, split.validation, split.test])
    assert sorted(rows) == list(range(60))


def test_the_split_summary_counts_tiles_with_big_rock(lab: Lab) -> None:
    parts = services.split_summary(lab, DataConfig(dataset=DATASET))
    assert [part.name for part in parts] == ["training", "validation", "test"]
    assert sum(part.with_big_rock for part in parts) == 15
    assert all(part.with_big_rock for part in parts)


def test_a_dataset_in_use_cannot_be_removed_and_an_unused_one_can(lab: Lab, tmp_path: Path) -> None:
    queue_run(lab, config())
    with pytest.raises(StateError):
        services.remove_dataset(lab, DATASET)
    other = services.add_dataset(lab, write_course_file(tmp_path / "other.npz", seed=9)).record
    services.remove_dataset(lab, other.name)
    assert [record.name for record in services.list_datasets(lab)] == [DATASET]
    assert not (lab.settings.datasets_dir / other.sha256).exists()
    assert (tmp_path / "other.npz").is_file()
