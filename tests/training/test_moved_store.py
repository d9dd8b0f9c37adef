"""A worker whose database is moved away ends, keeps its checkpoints, and says so in its log."""

from __future__ import annotations

import pytest

from marsseg.store.records import Phase, RunStatus
from tests.training.small_lab import SMALL
from tests.training.watching import at

pytestmark = pytest.mark.training


def test_it_ends_with_its_checkpoints_and_goes_on_once_the_database_is_back(
    lab, tiny_config, monkeypatch, caplog
):
    run, token = lab.claim(tiny_config({**SMALL, "train.epochs": 4}))
    file = lab.settings.home / "runs.db"
    aside = file.with_name("aside.db")
    at(monkeypatch, Phase.TRAINING, lambda _: aside.exists() or file.rename(aside), epoch=3)
    with monkeypatch.context():
        assert lab.work(run, token) == 1
    assert "was moved, removed or replaced" in caplog.messages[-1]
    assert not any(record.exc_info for record in caplog.records)
    aside.rename(file)
    monkeypatch.undo()

    assert [epoch.epoch for epoch in lab.store.list_epochs(run.id)] == [1, 2]
    assert lab.work(*lab.claim_again(run)) == 0
    done = lab.store.get_run(run.id)
    assert (done.status, done.reason) == (RunStatus.COMPLETED, "4 epochs")
    assert ("resumed", "Goes on after epoch 2 of 4.") in lab.events(run)
