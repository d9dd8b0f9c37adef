"""Scores belong to the weights of the best epoch: they go when these are others, and not before."""

from __future__ import annotations

import pytest

from marsseg.errors import StateError
from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord, RunStatus
from tests.store.building import claim, epoch, evaluation, identity, start_run


@pytest.fixture
def scored(store: RunStore, dataset: DatasetRecord) -> tuple[str, str]:
    """A run that was stopped after three epochs, evaluated, and goes on; its id and launch token."""
    run_id, token = start_run(store, dataset)
    for number in (1, 2, 3):
        store.add_epoch(run_id, token, epoch(number), is_best=number < 3)
    store.add_evaluation(token, evaluation(run_id))
    store.add_evaluation(token, evaluation(run_id, split="validation"))
    store.finish(run_id, token, RunStatus.STOPPED, "Asked to.", best_epoch=2)
    store.requeue(run_id)
    _, again = claim(store)
    store.worker_started(run_id, again, identity(again))
    return run_id, again


def told(store: RunStore, run_id: str) -> list[str]:
    return [event.message for event in store.list_events(run_id) if event.kind == "forgotten"]


def test_a_better_epoch_takes_them_with_it(store: RunStore, scored: tuple[str, str]) -> None:
    run_id, token = scored
    store.add_epoch(run_id, token, epoch(4), is_best=True)
    assert store.list_scored_splits(run_id) == []
    assert store.confusion_totals("test", "argmax") == {}
    assert store.get_run(run_id).best_epoch == 4
    assert told(store, run_id) == ["Its scores do not count any more: epoch 4 is better."]
    store.add_epoch(run_id, token, epoch(5), is_best=True)
    assert len(told(store, run_id)) == 1, "where there were none, there is nothing to tell"


def test_an_epoch_that_is_no_better_leaves_them(store: RunStore, scored: tuple[str, str]) -> None:
    run_id, token = scored
    store.add_epoch(run_id, token, epoch(4))
    assert store.list_scored_splits(run_id) == ["test", "validation"]
    assert store.get_run(run_id).best_epoch == 2
    assert told(store, run_id) == []


@pytest.mark.parametrize(
    ("after", "best", "why"),
    [
        (3, 2, ""),
        (3, 3, "epoch 3 is the best now"),
        (1, 1, "epoch 1 is the best now"),
        (0, 0, "the run begins anew"),
    ],
)
def test_going_on_keeps_them_where_the_best_epoch_is_the_same(
    store: RunStore, scored: tuple[str, str], after: int, best: int, why: str
) -> None:
    run_id, token = scored
    is_true = store.go_on_after(run_id, token, after, "It goes on.", best_epoch=best)
    assert is_true is not bool(why)
    assert store.list_scored_splits(run_id) == (["test", "validation"] if is_true else [])
    assert told(store, run_id) == ([f"Its scores do not count any more: {why}."] if why else [])


def test_weights_that_no_epoch_has_are_judged_anew(store: RunStore, dataset: DatasetRecord) -> None:
    """Stopped in its first epoch, a run has the scores of that moment; a resume starts from the beginning."""
    run_id, token = start_run(store, dataset)
    store.add_evaluation(token, evaluation(run_id))
    assert store.go_on_after(run_id, token, 0, "", best_epoch=0) is False
    assert store.list_scored_splits(run_id) == []


def test_a_first_launch_has_nothing_to_tell(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    before = store.version()
    assert store.go_on_after(run_id, token, 0, "", best_epoch=0) is False
    assert store.version() == before


def test_scores_of_other_runs_stay(store: RunStore, dataset: DatasetRecord, scored: tuple[str, str]) -> None:
    other, token = start_run(store, dataset)
    store.add_epoch(other, token, epoch(1), is_best=True)
    store.go_on_after(other, token, 0, "It goes on.", best_epoch=0)
    assert store.list_scored_splits(scored[0]) == ["test", "validation"]


def test_whoever_has_lost_the_run_forgets_nothing(store: RunStore, scored: tuple[str, str]) -> None:
    run_id, token = scored
    store.mark_lost(run_id, token, "It vanished.")
    store.requeue(run_id)
    claim(store)
    with pytest.raises(StateError):
        store.add_epoch(run_id, token, epoch(4), is_best=True)
    with pytest.raises(StateError):
        store.go_on_after(run_id, token, 0, "", best_epoch=0)
    assert store.list_scored_splits(run_id) == ["test", "validation"]
