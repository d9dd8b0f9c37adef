"""Checkpoint pointers, and a run that goes on from one of them."""

from __future__ import annotations

from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord, RunStatus
from tests.store.building import claim, epoch, start_run


def test_an_epoch_remembers_where_it_was_saved(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.add_epoch(run_id, token, epoch(1, checkpoint="epoch-0001-ab12cd34.npz"))
    store.add_epoch(run_id, token, epoch(2))
    assert [found.checkpoint for found in store.list_epochs(run_id)] == ["epoch-0001-ab12cd34.npz", None]
    store.add_epoch(run_id, token, epoch(1, checkpoint="epoch-0001-ef56ab78.npz"))
    assert store.list_epochs(run_id)[0].checkpoint == "epoch-0001-ef56ab78.npz"


def test_going_on_forgets_later_epochs_and_their_time(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    other, other_token = start_run(store, dataset)
    for number in (1, 2, 3, 4):
        store.add_epoch(run_id, token, epoch(number))
        store.add_epoch(other, other_token, epoch(number))
    store.go_on_after(run_id, token, 2, "Checkpoint 4 is torn; goes on after epoch 2.", best_epoch=1)
    assert [found.epoch for found in store.list_epochs(run_id)] == [1, 2]
    assert store.get_run(run_id).train_seconds == 5.0
    assert len(store.list_epochs(other)) == 4
    assert store.list_events(run_id)[0].message == "Checkpoint 4 is torn; goes on after epoch 2."


def test_a_best_epoch_that_is_forgotten_is_the_best_no_more(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    for number in (1, 2, 3):
        store.add_epoch(run_id, token, epoch(number))
    store.finish(run_id, token, RunStatus.STOPPED, "Asked to.", best_epoch=3)
    store.requeue(run_id)
    _, again = claim(store)
    store.go_on_after(run_id, again, 3, "Goes on after epoch 3 of 40.", best_epoch=3)
    assert store.get_run(run_id).best_epoch == 3
    store.go_on_after(run_id, again, 2, "Checkpoint 3 is torn; goes on after epoch 2.", best_epoch=1)
    assert store.get_run(run_id).best_epoch == 1
    store.go_on_after(run_id, again, 0, "No checkpoint can be read; begins anew.", best_epoch=0)
    assert store.get_run(run_id).best_epoch is None


def test_beginning_anew_forgets_all_of_them(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.add_epoch(run_id, token, epoch(1))
    store.go_on_after(run_id, token, 0, "Begins anew.", best_epoch=0)
    assert store.list_epochs(run_id) == []
    assert store.get_run(run_id).train_seconds is None


def test_going_on_after_the_last_epoch_forgets_none(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.add_epoch(run_id, token, epoch(1))
    store.mark_lost(run_id, token, "It vanished.")
    store.requeue(run_id)
    _, again = claim(store)
    store.go_on_after(run_id, again, 1, "Goes on after epoch 1 of 40.", best_epoch=1)
    assert [found.epoch for found in store.list_epochs(run_id)] == [1]


def test_a_worker_that_ends_by_itself_is_seen_ending_but_was_not_asked_to(
    store: RunStore, dataset: DatasetRecord
) -> None:
    run_id, token = start_run(store, dataset)
    sentence = "Received SIGTERM; ends at the next batch."
    assert store.heartbeat(run_id, token, ending=sentence) is False
    run = store.get_run(run_id)
    assert (run.status, run.stop_requested) == (RunStatus.STOPPING, False)
    assert store.heartbeat(run_id, token, ending=sentence) is False
    assert [event.message for event in store.list_events(run_id)].count(sentence) == 1
    store.request_stop(run_id)
    assert store.heartbeat(run_id, token) is True
