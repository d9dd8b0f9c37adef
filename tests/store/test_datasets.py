"""Datasets and studies: registered once, found by name, checksum or id, never pulled away from runs."""

from __future__ import annotations

import pytest

from marsseg.config import RunConfig
from marsseg.errors import DatasetError, NotFoundError, StateError
from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord
from tests.store.building import OUTLIERS, add_dataset, new_run, sha_of


def test_a_dataset_comes_back_as_it_went_in(store: RunStore, dataset: DatasetRecord) -> None:
    found = store.get_dataset("tiles")
    assert found == dataset
    assert (found.source, found.kept_groups) == ("/data/tiles.npz", ())
    assert found.meta == {"pairs": 20, "outlier_groups": OUTLIERS}
    assert found.dropped_rows == (1, 3, 5, 8, 9)


def test_found_by_name_checksum_prefix_and_id(store: RunStore, dataset: DatasetRecord) -> None:
    sha = sha_of("tiles")
    for key in ("tiles", sha, sha[:4], sha[:12].upper(), dataset.id, str(dataset.id)):
        assert store.find_dataset(key) == dataset, key
    for key in ("tile", "", sha[:3], "%", "____", dataset.id + 1, "9" * 40):
        assert store.find_dataset(key) is None, key


def test_a_name_goes_before_an_id(store: RunStore, dataset: DatasetRecord) -> None:
    named_like_an_id = add_dataset(store, str(dataset.id))
    assert store.get_dataset(str(dataset.id)) == named_like_an_id
    assert store.get_dataset(dataset.id) == dataset


def test_an_ambiguous_checksum_lists_what_it_fits(store: RunStore) -> None:
    for name in ("first", "second"):
        store.add_dataset(name, "abcd" + sha_of(name)[4:], "", {})
    with pytest.raises(NotFoundError, match=r"'abcd' fits 2 datasets: first, second"):
        store.find_dataset("abcd")


def test_get_says_how_to_list(store: RunStore) -> None:
    with pytest.raises(NotFoundError, match="datasets list"):
        store.get_dataset("nowhere")


def test_same_content_or_name_is_refused(store: RunStore, dataset: DatasetRecord) -> None:
    with pytest.raises(DatasetError, match=r"here already, as 'tiles'"):
        store.add_dataset("another", dataset.sha256, "", {})
    with pytest.raises(DatasetError, match=r"'tiles' is here already; choose another"):
        store.add_dataset("tiles", sha_of("other"), "", {})
    assert store.list_datasets() == [dataset]


def test_keeping_groups_changes_rows_and_identity(store: RunStore, dataset: DatasetRecord) -> None:
    changed = store.set_kept_groups(dataset.id, ["a1", "a1"])
    assert changed.kept_groups == ("a1",)
    assert changed.dropped_rows == (1, 9)
    assert changed.identity != dataset.identity
    assert store.get_dataset("tiles") == changed
    assert store.set_kept_groups(dataset.id, []) == dataset


def test_unknown_groups_are_refused_and_change_nothing(store: RunStore, dataset: DatasetRecord) -> None:
    with pytest.raises(NotFoundError, match="'zz'"):
        store.set_kept_groups(dataset.id, ["a1", "zz"])
    assert store.get_dataset(dataset.id) == dataset


def test_renaming(store: RunStore, dataset: DatasetRecord) -> None:
    add_dataset(store, "other")
    run = store.add_run(new_run(dataset))
    assert store.rename_dataset(dataset.id, "  Mars  2024 ").name == "Mars 2024"
    assert store.get_run(run.id).dataset_name == "Mars 2024"
    with pytest.raises(DatasetError, match="'other'"):
        store.rename_dataset(dataset.id, "other")
    with pytest.raises(NotFoundError):
        store.rename_dataset(99, "x")


def test_a_dataset_in_use_stays(store: RunStore, dataset: DatasetRecord) -> None:
    run = store.add_run(new_run(dataset))
    with pytest.raises(StateError, match=rf"'tiles' is used by 1 run \({run.id}\)"):
        store.remove_dataset(dataset.id)
    store.request_stop(run.id)
    store.delete_runs([run.id])
    store.remove_dataset(dataset.id)
    assert store.list_datasets() == []
    with pytest.raises(NotFoundError):
        store.remove_dataset(dataset.id)


def test_studies(store: RunStore, dataset: DatasetRecord) -> None:
    baseline = RunConfig().with_values({"model.residual": True})
    first, second = store.add_study("Blocks", baseline), store.add_study("Losses", RunConfig())
    assert store.list_studies() == [second, first]
    assert first.baseline == baseline
    run = store.add_run(new_run(dataset, study_id=first.id))
    store.add_run(new_run(dataset))
    assert [found.id for found in store.list_runs(study_id=first.id)] == [run.id]
    with pytest.raises(NotFoundError, match="study"):
        store.add_run(new_run(dataset, study_id=99))
