"""Runs as people handle them: added, found, listed, renamed, deleted."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest
from sqlalchemy import event

from marsseg.config import RunConfig
from marsseg.errors import NotFoundError, StateError
from marsseg.store import RunStore
from marsseg.store.records import ACTIVE, DatasetRecord, NewRun, Phase, Progress, RunStatus
from tests.store.building import (
    Clock,
    add_dataset,
    claim,
    epoch,
    evaluation,
    identity,
    new_run,
    queue_runs,
    run_in,
    start_run,
)


def test_a_run_comes_back_as_it_went_in(store: RunStore, dataset: DatasetRecord, clock: Clock) -> None:
    values = {"model.residual": True, "loss.focal": 1.0, "train.seed": 7}
    new = new_run(dataset, "+residual", config=values, priority=2)
    run = store.add_run(new)
    assert store.get_run(run.id) == run
    assert (run.config, run.name, run.fingerprint) == (new.config, "+residual", new.fingerprint)
    assert (run.seed, run.priority, run.status) == (7, 2, RunStatus.QUEUED)
    assert (run.dataset_id, run.dataset_name, run.dropped_rows) == (dataset.id, "tiles", (1, 3, 5, 8, 9))
    assert run.created_at == pytest.approx(clock.now, abs=1)
    assert run.process is run.progress is run.started_at is run.train_seconds is run.token is None


def test_records_are_frozen_and_can_be_pickled_by_a_cache(store: RunStore, dataset: DatasetRecord) -> None:
    run = store.add_run(new_run(dataset))
    with pytest.raises(AttributeError):
        run.name = "other"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(run)) == run  # noqa: S301


def test_numpy_rows_are_accepted(store: RunStore, dataset: DatasetRecord) -> None:
    rows = tuple(np.array([4, 2], dtype=np.int64))
    run = store.add_run(NewRun(RunConfig(), "numpy", "f" * 16, dataset.id, rows))
    assert store.get_run(run.id).dropped_rows == (4, 2)


def test_an_unknown_dataset_is_refused(store: RunStore) -> None:
    with pytest.raises(NotFoundError, match="datasets list"):
        store.add_run(NewRun(RunConfig(), "orphan", "f" * 16, 12))
    assert store.list_runs() == []


def test_ids_are_short_and_lowercase(store: RunStore, dataset: DatasetRecord) -> None:
    ids = queue_runs(store, dataset, ["same name"] * 20)
    assert len(set(ids)) == 20
    assert all(re.fullmatch(r"r-[0-9a-z]{8}", run_id) for run_id in ids)


def test_found_by_id_name_and_prefix(store: RunStore, dataset: DatasetRecord) -> None:
    first, second = queue_runs(store, dataset, ["focal γ 2", "100%"])
    for key in (first, first[:9], first.upper(), "focal γ 2"):
        assert store.get_run(key).id == first, key
    assert store.get_run("100%").id == second
    for key in ("", "focal", "%", "r_", "100_", "no such run", "\0", "\udcff"):
        assert store.find_run(key) is None, key
    with pytest.raises(NotFoundError, match=r"'nobody'.*runs list"):
        store.get_run("nobody")


def test_ambiguous_keys_list_the_matches(store: RunStore, dataset: DatasetRecord) -> None:
    ids = queue_runs(store, dataset, ["twin", "twin"])
    for key in ("twin", "r-"):
        with pytest.raises(NotFoundError, match=f"fits 2 runs: {ids[0]}, {ids[1]}"):
            store.find_run(key)


def test_found_by_id_alone_whatever_others_are_named(store: RunStore, dataset: DatasetRecord) -> None:
    gone, token = start_run(store, dataset)
    store.finish(gone, token, RunStatus.FAILED, "For this test.")
    store.delete_runs([gone])
    (kept,) = queue_runs(store, dataset, ["kept"])
    queue_runs(store, dataset, [gone, gone, kept])
    found = store.find_by_id(kept)
    assert found is not None
    assert found.name == "kept"
    for key in (gone, kept[:9], kept.upper(), "kept", "", "\0"):
        assert store.find_by_id(key) is None, key


def test_listed_newest_first_even_when_the_clock_goes_back(
    store: RunStore, dataset: DatasetRecord, clock: Clock
) -> None:
    first = store.add_run(new_run(dataset))
    clock.now -= 3_600
    second = store.add_run(new_run(dataset))
    assert [run.id for run in store.list_runs()] == [second.id, first.id]


def test_list_filters_combine(store: RunStore, dataset: DatasetRecord) -> None:
    other = add_dataset(store, "other")
    done, _ = run_in(store, dataset, RunStatus.COMPLETED)
    running, _ = run_in(store, other, RunStatus.RUNNING)
    queued = store.add_run(new_run(other)).id
    assert [run.id for run in store.list_runs()] == [queued, running, done]
    assert [run.id for run in store.list_runs(limit=2)] == [queued, running]
    assert [run.id for run in store.list_runs(statuses=ACTIVE)] == [running]
    assert [run.id for run in store.list_runs(dataset_id=other.id, statuses=[RunStatus.QUEUED])] == [queued]
    assert store.list_runs(statuses=[]) == []
    assert store.count_by_status() == {"completed": 1, "running": 1, "queued": 1}


def test_listing_is_one_query_however_many_runs(store: RunStore, dataset: DatasetRecord) -> None:
    queue_runs(store, dataset, [f"run {number}" for number in range(12)])
    statements: list[str] = []
    event.listen(store._database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert len(store.list_runs()) == 12
    assert len([text for text in statements if text.startswith("SELECT")]) == 1


def test_renaming_is_allowed_in_any_state(store: RunStore, dataset: DatasetRecord) -> None:
    for status in RunStatus:
        run_id, _ = run_in(store, dataset, status)
        assert store.rename_run(run_id, f"was {status}").name == f"was {status}"
        assert store.get_run(run_id).status is status
        if status in {RunStatus.QUEUED}:
            store.request_stop(run_id)
    with pytest.raises(NotFoundError):
        store.rename_run("r-00000000", "x")


@pytest.mark.parametrize("status", [status for status in RunStatus if not status.is_finished])
def test_only_finished_runs_can_be_deleted(
    store: RunStore, dataset: DatasetRecord, status: RunStatus
) -> None:
    run_id, _ = run_in(store, dataset, status)
    with pytest.raises(StateError, match=f"{run_id} is {status} and cannot be deleted"):
        store.delete_runs([run_id])
    assert store.get_run(run_id).status is status


def test_deleting_takes_everything_of_the_run_and_nothing_else(
    store: RunStore, dataset: DatasetRecord
) -> None:
    kept, gone = [], []
    for ids in (kept, gone):
        run_id, token = start_run(store, dataset)
        store.add_epoch(run_id, token, epoch(1))
        store.add_evaluation(token, evaluation(run_id))
        store.finish(run_id, token, RunStatus.COMPLETED, "Done.")
        ids.append(run_id)
    store.delete_runs([gone[0]])
    assert store.find_run(gone[0]) is None
    assert store.list_epochs(gone[0]) == store.list_events(gone[0]) == []
    assert store.list_evaluations(gone + kept, "test", "argmax")[0].run_id == kept[0]
    assert list(store.confusion_totals("test", "argmax")) == kept
    assert len(store.list_epochs(kept[0])) == 1
    assert "deleted" in {event.kind for event in store.list_events()}
    with pytest.raises(NotFoundError):
        store.delete_runs([gone[0]])


def test_resuming_keeps_epochs_and_clears_the_attempt(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.add_epoch(run_id, token, epoch(1))
    store.request_stop(run_id, now=True)
    store.finish(run_id, token, RunStatus.STOPPED, "Stopped by request.", best_epoch=1)
    run = store.requeue(run_id)
    assert (run.status, run.reason, run.stop_requested, run.stop_now) == (RunStatus.QUEUED, "", False, False)
    assert run.finished_at is run.started_at is run.process is run.progress is run.token is None
    assert [found.epoch for found in store.list_epochs(run_id)] == [1]
    assert run.train_seconds == 2.5
    again, second_token = claim(store)
    assert again.id == run_id
    assert second_token != token


def test_the_worker_fills_in_what_only_it_knows(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.record_facts(run_id, token, parameters=471_000, class_weights=tuple(np.array([0, 1.5, 1, 1, 9])))
    store.record_facts(run_id, token, provenance={"packages": {"keras": "3.15.1"}, "dirty": True})
    store.record_facts(run_id, token)
    store.report_progress(run_id, token, Progress(Phase.TRAINING, 3, 40, 17, 125, 38.5, float("inf")))
    run = store.get_run(run_id)
    assert run.parameters == 471_000
    assert run.class_weights == (0.0, 1.5, 1.0, 1.0, 9.0)
    assert run.provenance == {"packages": {"keras": "3.15.1"}, "dirty": True}
    assert run.progress == Progress(Phase.TRAINING, 3, 40, 17, 125, 38.5, None)
    assert run.process == identity(token)
