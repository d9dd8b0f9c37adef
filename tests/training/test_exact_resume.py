"""However a run is interrupted, it ends with the same numbers as one that never was, bit for bit."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest

from marsseg.store.records import RunStatus
from tests.training.small_lab import DYING_WORKER, SmallLab

pytestmark = pytest.mark.training

SIX = {
    "train.epochs": 6,
    "train.batch_size": 4,
    "train.learning_rate": 0.3,  # too high on purpose: the score stalls, so that the plateau rule has work
    "train.plateau_patience": 2,
    "train.weight_decay": 0.01,
    "train.seed": 1,
    "model.dropout": 0.2,
    "model.residual": True,
    "data.flip_vertical": True,
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory, course_file) -> SmallLab:
    """One lab for all: the runs do not see each other."""
    from marsseg.settings import Settings

    home = tmp_path_factory.mktemp("exact")
    return SmallLab(Settings(home=home, database_url=f"sqlite:///{home / 'runs.db'}"), course_file)


@pytest.fixture(scope="module")
def straight(lab, tiny_config):
    """Six epochs without a break."""
    run, token = lab.claim(tiny_config(SIX))
    assert lab.work(run, token) == 0
    rates = [epoch.learning_rate for epoch in lab.store.list_epochs(run.id)]
    assert rates[2] == rates[0] > rates[-1]  # the rate drops after the third epoch, that of the kill
    return run


def assert_same(lab: SmallLab, ours, theirs) -> None:
    """Equal epochs, evaluations, weights, optimizer, seed generators, plateau and patience counters."""
    assert lab.numbers(ours) == lab.numbers(theirs)
    assert [epoch for epoch, *_ in lab.numbers(ours)] == list(range(1, len(lab.numbers(ours)) + 1))
    one, other = lab.store.get_run(ours.id), lab.store.get_run(theirs.id)
    assert one.status is other.status is RunStatus.COMPLETED
    assert (one.best_epoch, one.reason) == (other.best_epoch, other.reason)
    for split in ("validation", "test"):
        for decoding in ("argmax", "terrain_only"):
            mine, wanted = lab.store.list_evaluations([ours.id, theirs.id], split, decoding)
            np.testing.assert_array_equal(mine.confusions, wanted.confusions)
    mine, wanted = dict(lab.last_checkpoint(ours)), dict(lab.last_checkpoint(theirs))
    states = [json.loads(str(arrays.pop("state"))) for arrays in (mine, wanted)]
    assert states[0] | {"train_seconds": 0} == states[1] | {"train_seconds": 0}
    assert mine.keys() == wanted.keys()
    for name, array in mine.items():
        np.testing.assert_array_equal(array, wanted[name], err_msg=name)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("epoch 3 step 1", marks=pytest.mark.long),
        pytest.param("writing epoch 3", marks=pytest.mark.long),
        "between file and row of epoch 3",
    ],
)
def test_a_run_killed_in_its_third_epoch(lab, tiny_config, straight, moment):
    run, token = lab.claim(tiny_config(SIX))
    process = lab.launch(run, token, DYING_WORKER, MOMENT=moment)
    assert process.wait(240) == -signal.SIGKILL
    assert [epoch.epoch for epoch in lab.store.list_epochs(run.id)] == [1, 2]
    left = [name for name in lab.checkpoints(run) if name.startswith((".", "epoch-0003"))]
    assert len(left) == (0 if moment.startswith("epoch") else 1)

    again, newer = lab.claim_again(run)
    assert lab.work(again, newer) == 0
    assert ("resumed", "Goes on after epoch 2 of 6.") in lab.events(run)
    assert_same(lab, run, straight)
    recorded = {epoch.checkpoint for epoch in lab.store.list_epochs(run.id)}
    assert set(lab.checkpoints(run)) <= recorded
    assert len(lab.checkpoints(run)) in {2, 3}


@pytest.mark.long
def test_a_run_stopped_in_its_third_epoch(lab, tiny_config, straight):
    run, token = lab.claim(tiny_config(SIX))
    process = lab.launch(run, token, DYING_WORKER, MOMENT="epoch 3 step 1", SIGNAL="SIGTERM")
    assert process.wait(240) == 0
    stopped = lab.store.get_run(run.id)
    assert stopped.reason.startswith("stopped by SIGTERM in epoch 3 after step 1 of 2; the scores are those")

    again, newer = lab.claim_again(run)
    assert lab.launch(again, newer).wait(240) == 0
    assert_same(lab, run, straight)


@pytest.mark.long
def test_four_epochs_and_two_more(lab, tiny_config, straight):
    run, token = lab.claim(tiny_config({**SIX, "train.epochs": 4}))
    assert lab.work(run, token) == 0
    assert lab.store.get_run(run.id).reason == "4 epochs"
    lab.store.extend_run(run.id, 2)
    assert lab.work(*lab.claim_next()) == 0
    assert ("resumed", "Goes on after epoch 4 of 6.") in lab.events(run)
    assert_same(lab, run, straight)
    assert lab.store.get_run(run.id).fingerprint == straight.fingerprint


@pytest.mark.long
def test_an_early_stop_and_two_more(lab, tiny_config):
    """As `extend_run` says, it is then patient for all of its epochs."""
    impatient = {**SIX, "train.epochs": 50, "train.early_stop_patience": 2}
    run, token = lab.claim(tiny_config(impatient))
    assert lab.work(run, token) == 0
    last = len(lab.store.list_epochs(run.id))
    assert lab.store.get_run(run.id).reason.startswith(f"early stop after epoch {last}")
    lab.store.extend_run(run.id, 2)
    assert lab.work(*lab.claim_next()) == 0

    patient = {**SIX, "train.epochs": last + 2, "train.early_stop_patience": last + 2}
    straight, token = lab.claim(tiny_config(patient))
    assert lab.work(straight, token) == 0
    assert_same(lab, run, straight)


@pytest.mark.long
def test_a_resume_under_another_number_of_slots_keeps_its_threads(lab, tiny_config):
    """The last digits depend on the threads, so a run keeps those of its first launch."""
    straight, token = lab.claim(tiny_config(SIX), threads=1)
    assert lab.launch(straight, token, MARSSEG_THREADS="1").wait(240) == 0

    run, token = lab.claim(tiny_config(SIX), threads=1)
    killed = lab.launch(run, token, DYING_WORKER, MOMENT="epoch 3 step 1", MARSSEG_THREADS="1")
    assert killed.wait(240) == -signal.SIGKILL
    again, newer = lab.claim_again(run)
    assert lab.launch(again, newer, MARSSEG_THREADS="2").wait(240) == 0
    assert lab.store.get_run(run.id).provenance["intra_op_threads"] == 1
    assert_same(lab, run, straight)
