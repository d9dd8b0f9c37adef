"""The store on PostgreSQL: where MARSSEG_TEST_DATABASE_URL is set, all other tests here use it too."""

from __future__ import annotations

import pytest

from marsseg.errors import StoreError
from marsseg.store import RunStore
from marsseg.store.records import RunStatus
from tests.store.building import add_dataset, epoch, evaluation, new_run, start_run
from tests.store.racer import Race
from tests.store.test_contention import CLAIM_ALL


def test_a_run_from_queue_to_leaderboard(postgresql_url: str) -> None:
    store = RunStore(postgresql_url)
    run_id, token = start_run(store, add_dataset(store))
    store.add_epoch(run_id, token, epoch(1))
    store.add_evaluation(token, evaluation(run_id))
    store.finish(run_id, token, RunStatus.COMPLETED, "Done.", best_epoch=1)
    assert store.confusion_totals("test", "argmax")[run_id].shape == (5, 5)
    store.delete_runs([run_id])
    assert store.confusion_totals("test", "argmax") == {}
    store.close()


def test_processes_opening_and_claiming_together(postgresql_url: str, race: Race) -> None:
    script = "RunStore(arguments[0]).close()\n" + CLAIM_ALL
    race("result = RunStore(arguments[0]).version()", postgresql_url)
    store = RunStore(postgresql_url)
    dataset = add_dataset(store)
    ids = [store.add_run(new_run(dataset, f"run {number}")).id for number in range(20)]
    claimed = [run_id for claims in race(script, postgresql_url, "1000") for run_id, _ in claims]
    assert sorted(claimed) == sorted(ids)
    store.close()


def test_an_unreachable_server_is_one_sentence_without_the_password(postgresql_url: str) -> None:
    with pytest.raises(StoreError, match="reachable") as caught:
        RunStore("postgresql+psycopg://lab:secret@127.0.0.1:1/lab")
    assert "secret" not in str(caught.value)
