"""Events: each change tells what happened and why, in the same transaction, and moves the version on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from marsseg.config import RunConfig
from marsseg.errors import DatasetError, StateError
from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord, Phase, Progress, RunStatus
from tests.store.building import Clock, add_dataset, claim, epoch, evaluation, queue_runs, run_in, start_run


def test_an_empty_store_is_at_version_zero(store: RunStore) -> None:
    assert store.version() == 0


def test_the_timeline_of_a_run(store: RunStore, dataset: DatasetRecord, clock: Clock) -> None:
    run_id, token = start_run(store, dataset, "first try")
    store.rename_run(run_id, "second thought")
    store.request_stop(run_id)
    store.add_evaluation(token, evaluation(run_id))
    store.finish(run_id, token, RunStatus.STOPPED, "Stopped by request in epoch 3.")
    store.requeue(run_id)
    claim(store)
    timeline = store.list_events(run_id)[::-1]
    assert [event.kind for event in timeline] == [
        "queued", "starting", "running", "renamed", "stopping", "evaluated", "stopped", "queued", "starting",
    ]  # fmt: skip
    assert timeline[3].message == "Renamed from “first try” to “second thought”."
    assert timeline[6].message == "Stopped by request in epoch 3."
    assert "stopped: Stopped by request in epoch 3." in timeline[7].message
    assert [event.at for event in timeline] == sorted(event.at for event in timeline)
    assert timeline[-1].at == pytest.approx(clock.now, abs=1)
    assert store.version() == timeline[-1].id


CHANGES: dict[str, Callable[[RunStore, DatasetRecord], object]] = {
    "dataset added": lambda s, _: add_dataset(s, "another"),
    "dataset renamed": lambda s, d: s.rename_dataset(d.id, "renamed"),
    "groups kept": lambda s, d: s.set_kept_groups(d.id, ["b2"]),
    "dataset removed": lambda s, _: s.remove_dataset(add_dataset(s, "another").id),
    "study added": lambda s, _: s.add_study("Blocks", RunConfig()),
    "run queued": lambda s, d: queue_runs(s, d, "a"),
    "run moved": lambda s, d: s.move_queued(queue_runs(s, d, "ab")[1], "top"),
    "priority": lambda s, d: s.set_priority(queue_runs(s, d, "a")[0], 3),
    "run deleted": lambda s, d: s.delete_runs([run_in(s, d, RunStatus.FAILED)[0]]),
    "queue paused": lambda s, _: s.pause_queue(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_moves_the_version_on(store: RunStore, dataset: DatasetRecord, change: str) -> None:
    before = store.version()
    CHANGES[change](store, dataset)
    assert store.version() > before


def test_each_change_of_a_run_tells_its_cause(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.set_notes(run_id, "a thought")
    store.set_notes(run_id, "")
    store.change_tags(run_id, add=["rock", "basalt"])
    store.change_tags(run_id, remove=["rock", "basalt"])
    store.go_on_after(run_id, token, 0, "No checkpoint can be read; begins anew.", best_epoch=0)
    store.heartbeat(run_id, token, ending="Received SIGTERM; ends at the next batch.")
    store.finish(run_id, token, RunStatus.COMPLETED, "Done.")
    store.archive_runs([run_id])
    store.archive_runs([run_id], archived=False)
    told = [(event.kind, event.message) for event in store.list_events(run_id)[::-1]]
    assert told[3:] == [
        ("noted", "Notes changed."),
        ("noted", "Notes removed."),
        ("tagged", "Tags: basalt, rock."),
        ("tagged", "Tags: none."),
        ("resumed", "No checkpoint can be read; begins anew."),
        ("stopping", "Received SIGTERM; ends at the next batch."),
        ("completed", "Done."),
        ("archived", "Archived."),
        ("unarchived", "Taken out of the archive."),
    ]


def test_what_changes_nothing_tells_nothing(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, _ = run_in(store, dataset, RunStatus.FAILED)
    waiting = queue_runs(store, dataset, "a")[0]
    store.set_notes(run_id, "a thought")
    store.change_tags(run_id, add=["rock"])
    before = store.version()
    store.set_notes(run_id, "  a thought\n")
    store.change_tags(run_id, add=["rock", " rock "])
    store.archive_runs([run_id], archived=False)
    store.set_priority(waiting, 0)
    store.pause_queue(paused=False)
    assert store.version() == before


def test_a_pause_is_told_once(store: RunStore, dataset: DatasetRecord) -> None:
    for paused in (True, True, False, False):
        store.pause_queue(paused)
    assert [event.message for event in store.list_events(limit=2)] == ["Queue continued.", "Queue paused."]
    assert store.list_events(limit=3)[2].kind == "dataset added"


def test_deleting_the_newest_run_does_not_turn_the_version_back(
    store: RunStore, dataset: DatasetRecord
) -> None:
    versions = [store.version()]
    for _ in range(3):
        run_id, _ = run_in(store, dataset, RunStatus.COMPLETED)
        versions.append(store.version())
        store.delete_runs([run_id])
        versions.append(store.version())
    assert versions == sorted(set(versions))


def test_what_only_a_live_view_shows_is_no_event(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    before = store.version()
    store.heartbeat(run_id, token)
    store.report_progress(run_id, token, Progress(Phase.TRAINING, 1, 2, 3, 4))
    store.add_epoch(run_id, token, epoch(1))
    store.rename_run(run_id, "baseline")
    store.rename_dataset(dataset.id, "tiles")
    assert store.version() == before


def test_a_refused_change_leaves_no_event(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    before = store.version()
    with pytest.raises(StateError):
        store.requeue(run_id)
    with pytest.raises(StateError):
        store.finish(run_id, token, RunStatus.LOST, "")
    with pytest.raises(DatasetError):
        add_dataset(store)
    assert store.version() == before


def test_listed_newest_first_up_to_a_limit(store: RunStore, dataset: DatasetRecord) -> None:
    ids = queue_runs(store, dataset, "abc")
    assert [event.run_id for event in store.list_events(limit=2)] == [ids[2], ids[1]]
    assert [event.run_id for event in store.list_events(ids[0])] == [ids[0]]
    assert store.list_events("r-00000000") == []
