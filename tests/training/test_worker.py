"""The worker against a real store: in this process where that is enough, as a process where it dies."""

from __future__ import annotations

import errno
import math
import re
import shutil
import signal

import numpy as np
import onnx
import pytest

from marsseg.metrics import confusion_matrices
from marsseg.store import RunStore
from marsseg.store.records import Phase, RunRecord, RunStatus
from tests.support.files import contents
from tests.training.small_lab import SMALL, SmallLab
from tests.training.watching import at

pytestmark = pytest.mark.training


@pytest.fixture
def lab_where_saving_fails(lab, tiny_config, monkeypatch):
    """A claimed run whose first file cannot be written, for a reason of choice."""

    def prepare(error: Exception) -> tuple[SmallLab, RunRecord, str]:
        def fail(*_arguments: object) -> None:
            raise error

        monkeypatch.setattr("marsseg.training.preparation.save_arrays", fail)
        return lab, *lab.claim(tiny_config(SMALL))

    return prepare


def test_a_completed_run_leaves_everything_that_was_promised(lab, tiny_config):
    run, token = lab.claim(tiny_config(SMALL))
    assert lab.work(run, token) == 0

    done = lab.store.get_run(run.id)
    assert (done.status, done.reason) == (RunStatus.COMPLETED, "2 epochs")
    epochs = lab.store.list_epochs(run.id)
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    assert epochs[done.best_epoch - 1].val_terrain_miou == max(e.val_terrain_miou for e in epochs)
    assert done.train_seconds == pytest.approx(sum(epoch.seconds for epoch in epochs))
    assert done.parameters > 1000
    assert tuple(done.class_weights) == (0, 1, 1, 1, 1)
    assert done.provenance["dataset_sha256"] == lab.dataset.sha256
    assert done.provenance["packages"]["keras"]

    folder = lab.settings.run_dir(run.id)
    rows = np.load(folder / "split.npz")
    parts = [set(rows[part].tolist()) for part in ("train", "validation", "test")]
    assert set.union(*parts) == set(range(20)) - {2}
    assert sum(map(len, parts)) == 19
    masks = np.load(lab.settings.datasets_dir / lab.dataset.sha256 / "masks.npy")
    for split in ("validation", "test"):
        for decoding in ("argmax", "terrain_only"):
            (stored,) = lab.store.list_evaluations([run.id], split, decoding)
            predicted = np.load(folder / "predictions" / f"{split}_{decoding}.npy")
            np.testing.assert_array_equal(stored.rows, rows[split])
            np.testing.assert_array_equal(
                stored.confusions, confusion_matrices(masks[rows[split]], predicted)
            )
    properties = {p.key: p.value for p in onnx.load(folder / "model.onnx").metadata_props}
    assert properties["run_id"] == run.id
    assert properties["multiple"] == "4"
    images = np.load(lab.settings.datasets_dir / lab.dataset.sha256 / "images.npy")[rows["train"]] / 255
    assert float(properties["mean"]) == pytest.approx(images.mean(), rel=1e-12)
    assert float(properties["std"]) == pytest.approx(images.std(), rel=1e-12)


def test_a_dataset_that_vanished_is_named(lab, tiny_config):
    run, token = lab.claim(tiny_config(SMALL))
    shutil.rmtree(lab.settings.datasets_dir / lab.dataset.sha256)
    assert lab.work(run, token) == 1
    failed = lab.store.get_run(run.id)
    assert failed.status is RunStatus.FAILED
    assert failed.reason.startswith("dataset 'small' cannot be read: ")
    assert "gone" in failed.reason


def test_a_stop_before_the_first_epoch_still_evaluates_and_exports(lab, tiny_config):
    run, token = lab.claim(tiny_config(SMALL))
    lab.store.request_stop(run.id)
    assert lab.work(run, token) == 0
    stopped = lab.store.get_run(run.id)
    assert (stopped.status, stopped.best_epoch) == (RunStatus.STOPPED, None)
    assert stopped.reason.startswith("stopped before epoch 1; no epoch was completed")
    assert lab.store.list_epochs(run.id) == []
    assert len(lab.store.list_evaluations([run.id], "test", "terrain_only")) == 1
    assert (lab.settings.run_dir(run.id) / "model.onnx").exists()


def test_an_immediate_stop_skips_evaluation_and_export(lab, tiny_config):
    run, token = lab.claim(tiny_config(SMALL))
    lab.store.request_stop(run.id, now=True)
    assert lab.work(run, token) == 0
    assert lab.store.get_run(run.id).reason == "stopped before epoch 1; not evaluated, as asked"
    assert lab.store.list_evaluations([run.id], "test", "terrain_only") == []


def test_a_worker_that_was_replaced_writes_nothing(lab, tiny_config):
    run, token = lab.claim(tiny_config(SMALL))
    lab.store.mark_lost(run.id, token, "The machine was restarted.")
    lab.store.requeue(run.id)
    lab.store.claim_next(1)
    before = lab.store.get_run(run.id)
    assert lab.work(run, token) == 0
    assert lab.store.get_run(run.id) == before
    assert not lab.settings.run_dir(run.id).exists()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.EACCES, "Permission denied"), "PermissionError: .*Permission denied"),
        (MemoryError(), "out of memory"),
        (ValueError("two\nlines"), r"ValueError: two \(the log has the traceback\)"),
    ],
)
def test_whatever_goes_wrong_becomes_a_sentence(lab_where_saving_fails, error, sentence, caplog):
    lab, run, token = lab_where_saving_fails(error)
    assert lab.work(run, token) == 1
    failed = lab.store.get_run(run.id)
    assert failed.status is RunStatus.FAILED
    assert re.search(sentence, failed.reason)
    assert "Traceback" in caplog.text


def test_mixed_precision_where_tensorflow_sees_no_gpu_fails_with_a_sentence(lab, tiny_config, monkeypatch):
    monkeypatch.setattr("marsseg.training.backend.count_gpus", lambda: 0)
    run, token = lab.claim(tiny_config({**SMALL, "train.mixed_precision": True}))
    assert lab.work(run, token) == 1
    done = lab.store.get_run(run.id)
    assert done.status is RunStatus.FAILED
    assert done.reason == (
        "train.mixed_precision: works on a GPU only, and this machine shows none; switch it off."
    )
    assert lab.store.list_epochs(run.id) == []


def test_a_diverging_run_fails_with_epoch_and_step(lab, tiny_config, monkeypatch):
    import keras

    run, token = lab.claim(tiny_config(SMALL))
    monkeypatch.setattr(
        "marsseg.training.trainer.build_loss",
        lambda *_: lambda _mask, logits: keras.ops.sum(logits) * math.nan,
    )
    assert lab.work(run, token) == 1
    failed = lab.store.get_run(run.id)
    assert failed.reason == (
        "loss became NaN in epoch 1, step 1; no weights were kept. Try a lower learning rate."
    )
    assert lab.store.list_evaluations([run.id], "test", "argmax") == []


def test_a_run_that_diverged_keeps_the_scores_of_its_best_epoch(lab, tiny_config, monkeypatch):
    from marsseg.training.trainer import Trainer

    run, token = lab.claim(tiny_config({**SMALL, "train.epochs": 5}))
    built = []
    plain = Trainer._build
    monkeypatch.setattr(Trainer, "_build", lambda trainer: (plain(trainer), built.append(trainer)))

    def poison(_reporter):
        head = built[0].model.get_layer("head")
        head.bias.assign(head.bias * math.nan)

    at(monkeypatch, Phase.TRAINING, poison, epoch=3)
    assert lab.work(run, token) == 1
    failed = lab.store.get_run(run.id)
    assert failed.status is RunStatus.FAILED
    assert failed.best_epoch in {1, 2}
    assert failed.reason == (
        "loss became NaN in epoch 3, step 1; last finite weights kept, those after epoch 2; "
        f"the scores are those of epoch {failed.best_epoch}. Try a lower learning rate."
    )
    assert len(lab.store.list_evaluations([run.id], "test", "argmax")) == 1
    assert {"model.onnx", "best.weights.h5"} <= {path.name for path in lab.folder(run, "").iterdir()}


@pytest.mark.parametrize(
    ("scored", "left_out"),
    [
        ([], "not evaluated"),
        pytest.param(["validation"], "not evaluated on test tiles", marks=pytest.mark.long),
        (["test", "validation"], "not exported"),
    ],
)
def test_a_stop_in_a_hurry_ends_evaluation_and_export_and_says_where(
    lab, tiny_config, monkeypatch, scored, left_out
):
    run, token = lab.claim(tiny_config(SMALL))

    def hurry(reporter):
        if reporter.store.list_scored_splits(run.id) == scored:
            reporter.store.request_stop(run.id, now=True)

    at(monkeypatch, Phase.EVALUATING, hurry)
    at(monkeypatch, Phase.EXPORTING, hurry)
    assert lab.work(run, token) == 0
    stopped = lab.store.get_run(run.id)
    assert (stopped.status, stopped.reason) == (RunStatus.STOPPED, f"2 epochs; {left_out}, as asked")
    assert stopped.best_epoch in {1, 2}
    assert lab.store.list_scored_splits(run.id) == scored
    assert not (lab.settings.run_dir(run.id) / "model.onnx").exists()

    monkeypatch.undo()
    again, token = lab.claim_again(run)
    assert lab.work(again, token) == 0
    done = lab.store.get_run(run.id)
    assert (done.status, done.reason) == (RunStatus.COMPLETED, "2 epochs")
    assert ("resumed", "Goes on after epoch 2 of 2.") in lab.events(run)
    assert len(lab.store.list_evaluations([run.id], "test", "argmax")) == 1


@pytest.mark.parametrize("phase", [Phase.SAVING, Phase.EVALUATING, Phase.EXPORTING])
def test_a_worker_that_loses_its_run_takes_back_what_it_wrote(lab, tiny_config, monkeypatch, phase):
    """As after a suspension of hours: it wakes, and another worker has the run."""
    run, token = lab.claim(tiny_config({**SMALL, "train.epochs": 1}))

    def lose(reporter):
        if reporter.store.get_run(run.id).token == token:
            lab.claim_again(run)

    at(monkeypatch, phase, lose)
    assert lab.work(run, token) == 0
    kept = {path.name for path in lab.settings.run_dir(run.id).iterdir()}
    assert not kept & {"best.weights.h5", "model.onnx"}
    assert lab.store.get_run(run.id).status is RunStatus.STARTING
    if phase is Phase.SAVING:
        assert lab.store.list_epochs(run.id) == []
        assert lab.checkpoints(run) == []


def test_sigterm_ends_the_process_with_scores(lab, tiny_config):
    run, token = lab.claim(tiny_config({**SMALL, "train.epochs": 5000}))
    process = lab.launch(run, token)
    lab.wait_for_epochs(run, process, 1)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 0
    stopped = lab.store.get_run(run.id)
    assert stopped.status is RunStatus.STOPPED
    where = r"(in epoch \d+ after step \d of \d|before epoch \d+)"
    assert re.match(rf"stopped by SIGTERM {where}; the scores are those of epoch", stopped.reason)
    told = [message for kind, message in lab.events(run) if kind == "stopping"]
    assert len(told) == 1  # two signals, one announcement
    assert re.match(
        r"Received SIGTERM; ends (at the next batch|once it is evaluated and exported)\.", told[0]
    )
    assert stopped.best_epoch >= 1
    assert len(lab.store.list_evaluations([run.id], "validation", "argmax")) == 1


@pytest.mark.long
def test_sigint_is_named_too(lab, tiny_config):
    run, token = lab.claim(tiny_config(SMALL))
    process = lab.launch(run, token, "tests.training.dying_worker", MOMENT="loading", SIGNAL="SIGINT")
    assert process.wait(120) == 0
    stopped = lab.store.get_run(run.id)
    assert stopped.status is RunStatus.STOPPED
    assert stopped.reason.startswith("stopped by SIGINT before epoch 1; no epoch was completed")


def test_a_worker_whose_store_was_replaced_ends_with_its_checkpoints(lab, tiny_config, tmp_path):
    run, token = lab.claim(tiny_config({**SMALL, "train.epochs": 500}))
    worker = lab.launch(run, token)
    lab.wait_for_epochs(run, worker, 1)
    lab.store.close()
    database = lab.settings.home / "runs.db"
    RunStore(f"sqlite:///{tmp_path / 'new.db'}").close()
    database.rename(database.with_name("aside.db"))
    (tmp_path / "new.db").rename(database)
    before = contents(lab.settings.home)

    assert worker.wait(60) == 1
    assert contents(lab.settings.home) == before
    assert lab.checkpoints(run)
    log = lab.log(run)
    assert any("moved, removed or replaced" in line and "It was not told" in line for line in log)
    assert not any("Traceback" in line for line in log)
