"""Launch tokens: only the process of the current launch writes to a run."""

from __future__ import annotations

import pytest

from marsseg.errors import NotFoundError, StateError
from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord, Phase, Progress, RunStatus
from tests.store.building import claim, identity, start_run
from tests.store.test_transitions import CALLS

FENCED = {
    **{name: call for name, call in CALLS.items() if name not in {"request_stop", "requeue"}},
    "report_progress": lambda s, run, token: s.report_progress(run, token, Progress(Phase.TRAINING)),
}


@pytest.fixture
def relaunched(store: RunStore, dataset: DatasetRecord) -> tuple[str, str, str]:
    """A run that was lost and launched again: its id, the token of the first launch, and of the second."""
    run_id, old = start_run(store, dataset)
    store.mark_lost(run_id, old, "Not seen for a minute.")
    store.requeue(run_id)
    _, new = claim(store)
    store.worker_started(run_id, new, identity(new, pid=4343))
    return run_id, old, new


@pytest.mark.parametrize("call", FENCED)
def test_an_earlier_launch_cannot_write(store: RunStore, relaunched: tuple[str, str, str], call: str) -> None:
    run_id, old, _ = relaunched
    before, version = store.get_run(run_id), store.version()
    with pytest.raises(StateError, match=f"{run_id} was launched again"):
        FENCED[call](store, run_id, old)
    assert store.get_run(run_id) == before
    assert store.version() == version


@pytest.mark.parametrize("call", FENCED)
def test_the_current_launch_can(store: RunStore, relaunched: tuple[str, str, str], call: str) -> None:
    run_id, _, new = relaunched
    if call == "worker_started":
        store.worker_started(run_id, new, identity(new, pid=4343))
    else:
        FENCED[call](store, run_id, new)


@pytest.mark.parametrize("call", FENCED)
def test_a_deleted_run_is_not_found(store: RunStore, dataset: DatasetRecord, call: str) -> None:
    run_id, token = start_run(store, dataset)
    store.finish(run_id, token, RunStatus.FAILED, "")
    store.delete_runs([run_id])
    with pytest.raises(NotFoundError, match=run_id):
        FENCED[call](store, run_id, token)


def test_while_queued_again_nobody_can_write(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.mark_lost(run_id, token, "Vanished.")
    store.requeue(run_id)
    with pytest.raises(StateError):
        store.heartbeat(run_id, token)


def test_two_processes_cannot_share_a_launch(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    with pytest.raises(StateError, match="belongs to process 4242"):
        store.worker_started(run_id, token, identity(token, pid=777))
    assert store.get_run(run_id).process == identity(token)
