"""Extending: a completed run becomes what one of so many epochs in all would have been."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from marsseg.errors import ConfigError, NotFoundError, StateError
from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord, RunRecord, RunStatus
from tests.store.building import claim, epoch, identity, new_run, queue_runs, start_run


def completed_run(
    store: RunStore, dataset: DatasetRecord, epochs: int = 4, planned: int = 4, schedule: str = "plateau"
) -> RunRecord:
    """A run of so many epochs out of those planned."""
    values = {"train.epochs": planned, "train.seed": 5, "name": "mine", "train.schedule": schedule}
    run = store.add_run(new_run(dataset, "mine", config=values))
    claimed = store.claim_next(1_000, threads=2, gpus=("GPU-a",))
    assert claimed is not None
    token = claimed[1]
    store.worker_started(run.id, token, identity(token))
    for number in range(1, epochs + 1):
        store.add_epoch(run.id, token, epoch(number))
    store.finish(run.id, token, RunStatus.COMPLETED, f"{epochs} epochs.", best_epoch=epochs or None)
    return store.get_run(run.id)


def test_it_is_queued_at_the_end_with_what_it_has(store: RunStore, dataset: DatasetRecord) -> None:
    run = completed_run(store, dataset)
    store.archive_runs([run.id])
    queue_runs(store, dataset, "a")
    extended = store.extend_run(run.id, 2)
    assert [waiting.id for waiting in store.queue()][-1] == run.id
    assert (extended.status, extended.reason, extended.archived) == (RunStatus.QUEUED, "", False)
    assert extended.config == run.config.with_values({"train.epochs": 6})
    assert [found.epoch for found in store.list_epochs(run.id)] == [1, 2, 3, 4]
    assert (extended.best_epoch, extended.train_seconds, extended.launches) == (4, 10.0, 1)
    assert store.list_events(run.id)[0].message == "Extended from 4 to 6 epochs; it was completed: 4 epochs."


def test_its_fingerprint_is_that_of_a_straight_run(store: RunStore, dataset: DatasetRecord) -> None:
    straight = store.add_run(new_run(dataset, config={"train.epochs": 6}))
    claim(store)
    run = completed_run(store, dataset)
    assert run.fingerprint != straight.fingerprint
    assert store.extend_run(run.id, 2).fingerprint == straight.fingerprint


def test_outliers_decided_on_since_do_not_count(store: RunStore, dataset: DatasetRecord) -> None:
    straight = store.add_run(new_run(dataset, config={"train.epochs": 6}))
    claim(store)
    run = completed_run(store, dataset)
    now = store.set_kept_groups(dataset.id, ["a1", "b2"])
    extended = store.extend_run(run.id, 2)
    assert extended.dropped_rows == dataset.dropped_rows != now.dropped_rows
    assert extended.fingerprint == straight.fingerprint
    assert extended.fingerprint != straight.config.fingerprint(now.identity)


def test_one_that_stopped_early_becomes_patient(store: RunStore, dataset: DatasetRecord) -> None:
    run = completed_run(store, dataset, epochs=4, planned=40)
    extended = store.extend_run(run.id, 3)
    assert extended.config.train.epochs == 7
    assert extended.config.train.early_stop_patience == 7
    straight = run.config.with_values({"train.epochs": 7, "train.early_stop_patience": 7})
    assert extended.fingerprint == straight.fingerprint(dataset.identity)


def test_one_that_did_not_stop_early_keeps_its_patience(store: RunStore, dataset: DatasetRecord) -> None:
    run = completed_run(store, dataset)
    patience = run.config.train.early_stop_patience
    assert store.extend_run(run.id, 100).config.train.early_stop_patience == patience


def test_a_run_can_be_extended_again(store: RunStore, dataset: DatasetRecord) -> None:
    run = completed_run(store, dataset)
    store.extend_run(run.id, 1)
    _, token = claim(store)
    store.worker_started(run.id, token, identity(token))
    store.add_epoch(run.id, token, epoch(5))
    store.finish(run.id, token, RunStatus.COMPLETED, "5 epochs.", best_epoch=5)
    assert store.extend_run(run.id, 1).config.train.epochs == 6


@pytest.mark.parametrize(
    ("epochs", "says"), [(0, "at least 1"), (-3, "at least 1"), (10_000, "train.epochs")]
)
def test_too_few_or_too_many_epochs_change_nothing(
    store: RunStore, dataset: DatasetRecord, epochs: int, says: str
) -> None:
    run = completed_run(store, dataset)
    before = store.version()
    with pytest.raises(ConfigError, match=says):
        store.extend_run(run.id, epochs)
    assert (store.get_run(run.id), store.version()) == (run, before)


def test_what_cannot_be_extended(store: RunStore, dataset: DatasetRecord) -> None:
    bare = completed_run(store, dataset, epochs=0)
    with pytest.raises(StateError, match=f"{bare.id} is completed and has no epochs to go on from"):
        store.extend_run(bare.id, 1)
    running, token = start_run(store, dataset)
    store.add_epoch(running, token, epoch(1))
    with pytest.raises(StateError, match=f"{running} is running and cannot be extended; let it end"):
        store.extend_run(running, 1)
    store.finish(running, token, RunStatus.STOPPED, "Asked to.")
    with pytest.raises(StateError, match="is stopped and cannot be extended; resume it and let it end"):
        store.extend_run(running, 1)
    with pytest.raises(NotFoundError):
        store.extend_run("r-00000000", 1)


def test_a_cosine_that_has_come_to_its_end_is_not_made_longer(
    store: RunStore, dataset: DatasetRecord
) -> None:
    run = completed_run(store, dataset, schedule="cosine")
    with pytest.raises(StateError, match=r"followed a cosine of 4 epochs.*clone it with more epochs"):
        store.extend_run(run.id, 2)
    assert store.get_run(run.id) == run


def test_an_extension_that_is_called_off_leaves_the_run_as_it_was(
    store: RunStore, dataset: DatasetRecord
) -> None:
    run = completed_run(store, dataset, epochs=3, planned=10)
    store.archive_runs([run.id])
    before = store.get_run(run.id)
    store.extend_run(run.id, 2)
    back = store.request_stop(run.id)
    assert back == replace(before, position=back.position)
    assert store.queue() == []
    assert store.extend_run(run.id, 1).config.train.epochs == 4


def test_a_name_given_meanwhile_outlives_an_extension_that_is_called_off(
    store: RunStore, dataset: DatasetRecord
) -> None:
    run = completed_run(store, dataset)
    store.extend_run(run.id, 2)
    store.rename_run(run.id, "better name")
    back = store.request_stop(run.id)
    assert back.name == back.config.name == "better name"
    assert back.config == run.config.with_values({"name": "better name"})


UNBEGUN: dict[str, Callable[[RunStore, str, str], object]] = {
    "stopped before its worker had reported": lambda s, run, token: (
        s.request_stop(run),
        s.release_claim(run, token),
    ),
    "no worker could be launched": lambda s, run, token: s.finish(
        run, token, RunStatus.FAILED, "No room for a log."
    ),
    "its worker died before it reported": lambda s, run, token: s.mark_lost(run, token, "Out of memory."),
    "its worker hung before it reported": lambda s, run, token: (
        s.request_stop(run),
        s.finish(run, token, RunStatus.STOPPED, "It was ended by force."),
    ),
}


@pytest.mark.parametrize("end", UNBEGUN)
def test_an_extension_that_no_worker_began_leaves_the_run_as_it_was(
    store: RunStore, dataset: DatasetRecord, end: str
) -> None:
    run = completed_run(store, dataset, epochs=3, planned=10)
    store.extend_run(run.id, 2)
    extended, token = claim(store)
    UNBEGUN[end](store, run.id, token)
    back = store.get_run(run.id)
    assert back == replace(run, position=back.position, launches=back.launches)
    assert store.queue() == []
    with pytest.raises(StateError):
        store.worker_started(run.id, token, identity(token))
    assert store.extend_run(run.id, 2).config == extended.config


def test_why_an_extension_did_not_come_about_stands_in_the_timeline(
    store: RunStore, dataset: DatasetRecord
) -> None:
    run = completed_run(store, dataset)
    store.extend_run(run.id, 2)
    _, token = claim(store)
    store.finish(run.id, token, RunStatus.FAILED, "No room for a log.")
    newest = store.list_events(run.id)[0]
    assert (newest.kind, newest.message) == (
        "completed",
        "Not extended after all; it is as before. No room for a log.",
    )


def test_an_extension_under_way_is_stopped_like_any_run(store: RunStore, dataset: DatasetRecord) -> None:
    run = completed_run(store, dataset)
    store.extend_run(run.id, 2)
    _, token = claim(store)
    store.worker_started(run.id, token, identity(token))
    store.finish(run.id, token, RunStatus.STOPPED, "Asked to.")
    store.requeue(run.id)
    assert store.request_stop(run.id).status is RunStatus.STOPPED
    assert store.get_run(run.id).config.train.epochs == 6
