"""Scores, masks and exported network of a run that goes on: those of its best epoch, or none."""

from __future__ import annotations

import pytest

from marsseg.store.records import Phase, RunStatus
from marsseg.training.reporting import StopFlag
from tests.training.small_lab import SMALL
from tests.training.watching import at

pytestmark = pytest.mark.training

LEARNS = {**SMALL, "train.epochs": 8, "train.learning_rate": 0.01}
STALLS = {**SMALL, "train.epochs": 5, "train.learning_rate": 1e-9, "model.normalization": "none"}
"""Its first epoch stays the best one."""
BOTH = ["test", "validation"]


@pytest.fixture
def stop_after(lab, monkeypatch):
    """Be the worker of a run until an epoch is recorded, then ask it to stop, at once or not."""

    def work(run, token, epoch, *, now):
        stop = StopFlag()

        def ask(reporter):
            if len(reporter.store.list_epochs(run.id)) == epoch:
                (stop.hurry if now else stop.set)()

        with monkeypatch.context() as patch:
            at(patch, Phase.TRAINING, ask)
            assert lab.work(run, token, stop) == 0
        return lab.store.get_run(run.id)

    return work


def results(lab, run) -> list[str]:
    """Names of the exported network and of the masks that are there."""
    folder = lab.settings.run_dir(run.id)
    return sorted(path.name for path in (*folder.glob("*.onnx"), *folder.glob("predictions/*")))


@pytest.mark.long
def test_those_of_an_epoch_that_is_the_best_no_more_are_not_shown_as_the_run_s(lab, tiny_config, stop_after):
    run, token = lab.claim(tiny_config(LEARNS))
    first = stop_after(run, token, 1, now=False)
    assert (first.status, first.best_epoch) == (RunStatus.STOPPED, 1)
    assert lab.store.list_scored_splits(run.id) == BOTH
    assert len(results(lab, run)) == 5

    stopped = stop_after(*lab.claim_again(run), 6, now=True)
    assert stopped.best_epoch > 1
    assert stopped.reason.endswith("; not evaluated, as asked")
    assert lab.store.list_scored_splits(run.id) == []
    assert results(lab, run) == []

    assert lab.work(*lab.claim_again(run)) == 0
    assert lab.store.list_scored_splits(run.id) == BOTH
    assert len(results(lab, run)) == 5


def test_those_of_the_epoch_that_is_still_the_best_stay_and_the_reason_says_so(lab, tiny_config, stop_after):
    run, token = lab.claim(tiny_config(STALLS))
    stop_after(run, token, 2, now=False)
    made = results(lab, run)
    assert len(made) == 5

    stopped = stop_after(*lab.claim_again(run), 4, now=True)
    assert (stopped.status, stopped.best_epoch) == (RunStatus.STOPPED, 1)
    assert stopped.reason.endswith("; the scores are those of epoch 1, the best of 4")
    assert lab.store.list_scored_splits(run.id) == BOTH
    assert results(lab, run) == made
