from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from marsseg.config import RunConfig
from marsseg.errors import MovedStoreError, StateError, StoreError
from marsseg.identity import ProcessIdentity
from marsseg.settings import Settings
from marsseg.store import RunStore
from marsseg.store.records import EpochRecord, NewRun, Phase, Progress, RunStatus
from marsseg.training.reporting import Heartbeat, HurriedError, StopFlag, StoreReporter, persist

META = {"pairs": 9, "outlier_groups": []}


@pytest.fixture
def reporter(settings: Settings) -> StoreReporter:
    """The reporter of a run that was claimed and has started."""
    store = RunStore.open(settings)
    dataset = store.add_dataset("tiny", "0" * 64, "tiny.npz", META)
    store.add_run(NewRun(RunConfig(), "a run", "f" * 16, dataset.id))
    run, token = store.claim_next(1)
    store.worker_started(run.id, token, ProcessIdentity(1, 0.0, "boot", token))
    return StoreReporter(store, run.id, token)


def run_of(reporter: StoreReporter):
    return reporter.store.get_run(reporter.run_id)


def wait_for(condition) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("It did not happen within 30 seconds.")


def test_a_store_that_refuses_for_a_while_gets_what_it_is_told_in_the_end():
    refusals, waited, written = [StoreError("busy"), StoreError("still busy")], [], []

    def write() -> None:
        if refusals:
            raise refusals.pop()
        written.append(True)

    persist(write, waits=(1, 2, 3), sleep=waited.append)
    assert (written, waited) == ([True], [1, 2])


@pytest.mark.parametrize(("error", "attempts"), [(StoreError("full"), 3), (StateError("launched again"), 1)])
def test_a_store_that_refuses_for_good_is_not_asked_for_ever(error, attempts):
    asked = []

    def write() -> None:
        asked.append(True)
        raise error

    with pytest.raises(type(error)):
        persist(write, waits=(1, 2), sleep=lambda _: None)
    assert len(asked) == attempts


def test_progress_is_written_by_the_heartbeat_alone(reporter):
    reporter.progress(Progress(Phase.TRAINING, 1, 4, 3, 10))
    assert run_of(reporter).progress is None
    Heartbeat(reporter, StopFlag()).beat()
    assert run_of(reporter).progress == Progress(Phase.TRAINING, 1, 4, 3, 10)


def test_progress_that_did_not_change_does_not_count_as_movement(reporter):
    heartbeat = Heartbeat(reporter, StopFlag())
    reporter.progress(Progress(Phase.TRAINING, 1, 4, 3, 10))
    heartbeat.beat()
    moved = run_of(reporter).progress_at
    time.sleep(0.02)
    heartbeat.beat()
    run = run_of(reporter)
    assert run.progress_at == moved
    assert run.heartbeat_at > moved


def test_the_thread_beats_until_the_block_ends_and_writes_the_last_progress(reporter):
    with Heartbeat(reporter, StopFlag(), interval=0.01):
        first = run_of(reporter).heartbeat_at
        wait_for(lambda: run_of(reporter).heartbeat_at > first)
        reporter.progress(Progress(Phase.EXPORTING, 4, 4))
    assert run_of(reporter).progress.phase is Phase.EXPORTING
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())


def test_a_stop_asked_for_on_a_page_reaches_the_loop(reporter):
    stop = StopFlag()
    with Heartbeat(reporter, stop, interval=0.01) as heartbeat:
        assert not stop.is_set()
        reporter.store.request_stop(reporter.run_id)
        wait_for(stop.is_set)
    assert not heartbeat.disowned.is_set()


def test_a_worker_whose_run_was_launched_again_falls_silent(reporter):
    stop = StopFlag()
    reporter.store.mark_lost(reporter.run_id, reporter.token, "The machine was restarted.")
    reporter.store.requeue(reporter.run_id)
    _, newer = reporter.store.claim_next(1)
    assert newer != reporter.token
    reporter.progress(Progress(Phase.TRAINING, 9, 9, 9, 9))
    heartbeat = Heartbeat(reporter, stop)
    heartbeat.beat()
    assert heartbeat.disowned.is_set()
    assert stop.is_set()
    assert run_of(reporter).progress is None


def test_a_store_that_fails_for_a_moment_is_asked_again(reporter, monkeypatch, caplog):
    heartbeat = Heartbeat(reporter, StopFlag())
    with monkeypatch.context() as patch:
        patch.setattr(reporter.store, "heartbeat", lambda *_, **__: 1 / 0)
        heartbeat.beat()
    assert "could not be written" in caplog.text
    reporter.progress(Progress(Phase.TRAINING, 1, 1, 1, 1))
    heartbeat.beat()
    assert run_of(reporter).progress is not None


def test_a_store_that_was_moved_ends_the_run_in_one_sentence_and_without_waiting(reporter, settings, caplog):
    database, stop = settings.home / "runs.db", StopFlag()
    heartbeat = Heartbeat(reporter, stop)
    database.rename(database.with_name("aside.db"))
    for _ in range(3):
        heartbeat.beat()
    with pytest.raises(HurriedError):
        stop.raise_if_urgent()
    (said,) = caplog.records
    assert "moved, removed or replaced" in said.message
    assert "The run ends here, with its checkpoints." in said.message
    assert said.exc_info is None
    with pytest.raises(MovedStoreError):
        persist(heartbeat.reporter.store.version, sleep=lambda _: pytest.fail("It waited."))


def test_a_store_that_is_busy_for_a_moment_is_told_in_one_sentence(reporter, monkeypatch, caplog):
    def busy(*_, **__):
        raise StoreError("The database stayed busy.")

    monkeypatch.setattr(reporter.store, "heartbeat", busy)
    stop = StopFlag()
    Heartbeat(reporter, stop).beat()
    (said,) = caplog.records
    assert said.message == "The database stayed busy. A heartbeat could not be written."
    assert said.exc_info is None
    assert not stop.is_set()


def test_facts_and_evaluations_arrive(reporter):
    reporter.facts(parameters=1234, class_weights=np.array([0, 1, 1, 1, 2.5]))
    confusions = np.arange(50).reshape(2, 5, 5)
    reporter.evaluation("test", "argmax", np.array([3, 8]), confusions)
    run = run_of(reporter)
    assert (run.parameters, tuple(run.class_weights)) == (1234, (0, 1, 1, 1, 2.5))
    (stored,) = reporter.store.list_evaluations([reporter.run_id], "test", "argmax")
    np.testing.assert_array_equal(stored.rows, [3, 8])
    np.testing.assert_array_equal(stored.confusions, confusions)


def test_a_signal_is_told_to_the_store_once(reporter):
    stop = StopFlag()
    stop.set("SIGTERM")
    stop.set("SIGINT")
    reporter.progress(Progress(Phase.TRAINING, 1, 4, 3, 10))
    heartbeat = Heartbeat(reporter, stop)
    heartbeat.beat()
    heartbeat.beat()
    run = run_of(reporter)
    assert (run.status, run.stop_requested) == (RunStatus.STOPPING, False)
    newest, before = reporter.store.list_events(run.id)[:2]
    assert (newest.kind, newest.message) == ("stopping", "Received SIGTERM; ends at the next batch.")
    assert before.kind == "running"


@pytest.mark.parametrize("phase", [Phase.EVALUATING, Phase.EXPORTING])
def test_a_signal_during_evaluation_promises_what_is_true(reporter, phase):
    stop = StopFlag()
    stop.set("SIGTERM")
    reporter.progress(Progress(phase, 4, 4))
    Heartbeat(reporter, stop).beat()
    event = reporter.store.list_events(reporter.run_id)[0]
    assert event.message == "Received SIGTERM; ends once it is evaluated and exported."


def test_a_stop_in_a_hurry_is_told_from_one_that_is_not(reporter):
    stop = StopFlag()
    heartbeat = Heartbeat(reporter, stop)
    reporter.store.request_stop(reporter.run_id)
    heartbeat.beat()
    assert stop.is_set()
    stop.raise_if_urgent()
    reporter.store.request_stop(reporter.run_id, now=True)
    heartbeat.beat()
    with pytest.raises(HurriedError):
        stop.raise_if_urgent()
    assert stop.cause == ""


def test_a_person_who_asked_is_the_cause_whoever_was_heard_first():
    stop = StopFlag()
    stop.set()
    stop.set("SIGTERM")
    assert stop.cause == ""
    woken = StopFlag()
    woken.set("SIGTERM")
    woken.set()
    assert woken.cause == ""


def test_a_suspended_worker_that_a_signal_wakes_knows_who_asked(reporter):
    stop = StopFlag()
    reporter.store.request_stop(reporter.run_id)
    stop.set("SIGTERM")
    Heartbeat(reporter, stop).beat()
    assert stop.is_set()
    assert stop.cause == ""


def test_going_on_forgets_later_epochs_and_says_so(reporter):
    for number in (1, 2, 3):
        reporter.epoch(
            EpochRecord(number, 1.0, 1.0, 0.5, (0.5,) * 5, 0.1, 1.0, 9.0, f"epoch-{number:04d}.npz"),
            is_best=number == 1,
        )
    reporter.begins(1, "Goes on after epoch 1 of 3.", best_epoch=1)
    (kept,) = reporter.store.list_epochs(reporter.run_id)
    assert (kept.epoch, kept.checkpoint) == (1, "epoch-0001.npz")
    event = reporter.store.list_events(reporter.run_id)[0]
    assert (event.kind, event.message) == ("resumed", "Goes on after epoch 1 of 3.")
