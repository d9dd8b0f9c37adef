"""The worker against a real store: in this process where that is enough, as a process where it dies."""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from marsseg.data.importing import import_dataset
from marsseg.metrics import confusion_matrices
from marsseg.settings import PROJECT_ROOT, Settings
from marsseg.store import RunStore
from marsseg.store.records import NewRun, RunRecord, RunStatus
from marsseg.training.reporting import StopFlag
from marsseg.training.worker import Worker

pytestmark = pytest.mark.training

SMALL = {"train.epochs": 2, "train.batch_size": 4, "model.dropout": 0.1, "train.plateau_patience": 1}


@pytest.fixture(scope="module")
def course_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty tiles in the course format: gray levels tell the classes apart."""
    generator = np.random.default_rng(0)
    masks = np.repeat(np.repeat(generator.integers(0, 5, (20, 4, 8)), 16, axis=1), 16, axis=2)
    images = masks * 40 + generator.integers(0, 20, masks.shape)
    path = tmp_path_factory.mktemp("course") / "tiles.npz"
    pairs = np.stack([images, masks], axis=1).astype(np.float64)
    np.savez(path, training_set=pairs, test_set=images[:3].astype(np.uint8))
    return path


class Lab:
    """A store with one small dataset."""

    def __init__(self, settings: Settings, course_file: Path) -> None:
        self.settings = settings
        self.store = RunStore.open(settings)
        imported = import_dataset(course_file, settings)
        self.dataset = self.store.add_dataset("small", imported.sha256, str(course_file), dict(imported.meta))

    def claim(self, config) -> tuple[RunRecord, str]:
        fingerprint = config.fingerprint(self.dataset.identity)
        self.store.add_run(NewRun(config, "small run", fingerprint, self.dataset.id, dropped_rows=(2,)))
        return self.store.claim_next(1)

    def work(self, run: RunRecord, token: str, stop: StopFlag | None = None) -> int:
        return Worker(self.settings, self.store, run.id, token, stop or StopFlag()).run()

    def launch(self, run: RunRecord, token: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "marsseg.training.worker", run.id],
            cwd=PROJECT_ROOT,
            env={**os.environ, **self.settings.environment(), "MARSSEG_LAUNCH_TOKEN": token},
        )

    def wait_for_epochs(self, run: RunRecord, process: subprocess.Popen[bytes], count: int) -> None:
        deadline = time.monotonic() + 240
        while len(self.store.list_epochs(run.id)) < count:
            assert process.poll() is None, "The worker ended early."
            assert time.monotonic() < deadline, "No epoch within 4 minutes."
            time.sleep(0.05)

    def numbers(self, run: RunRecord) -> list[tuple[object, ...]]:
        return [
            (e.epoch, e.loss, e.val_loss, e.val_terrain_miou, str(e.val_class_iou), e.learning_rate)
            for e in self.store.list_epochs(run.id)
        ]


@pytest.fixture
def lab(settings: Settings, course_file: Path) -> Lab:
    return Lab(settings, course_file)


@pytest.fixture
def lab_where_saving_fails(lab, tiny_config, monkeypatch):
    """A claimed run whose first file cannot be written, for a reason of choice."""

    def prepare(error: Exception) -> tuple[Lab, RunRecord, str]:
        def fail(*_arguments: object) -> None:
            raise error

        monkeypatch.setattr("marsseg.training.preparation.write_whole", fail)
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
        (OSError(errno.ENOSPC, "No space left on device"), "disk full while saving in .* MB are free"),
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


def test_a_diverging_run_fails_with_epoch_and_step(lab, tiny_config, monkeypatch):
    import keras

    run, token = lab.claim(tiny_config(SMALL))
    monkeypatch.setattr(
        "marsseg.training.trainer.build_loss",
        lambda *_: lambda _mask, logits: keras.ops.sum(logits) * math.nan,
    )
    assert lab.work(run, token) == 1
    failed = lab.store.get_run(run.id)
    assert failed.reason.startswith("loss became NaN in epoch 1, step 1; no weights were kept.")


def test_sigterm_ends_the_process_with_scores(lab, tiny_config):
    run, token = lab.claim(tiny_config({**SMALL, "train.epochs": 5000}))
    process = lab.launch(run, token)
    lab.wait_for_epochs(run, process, 1)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 0
    stopped = lab.store.get_run(run.id)
    assert stopped.status is RunStatus.STOPPED
    assert "the scores are those of epoch" in stopped.reason
    assert stopped.best_epoch >= 1
    assert len(lab.store.list_evaluations([run.id], "validation", "argmax")) == 1


def test_a_run_killed_as_a_process_and_resumed_equals_one_never_stopped(lab, tiny_config):
    config = tiny_config({**SMALL, "train.epochs": 20})
    run, token = lab.claim(config)
    process = lab.launch(run, token)
    lab.wait_for_epochs(run, process, 3)
    process.kill()
    process.wait(30)
    assert lab.store.get_run(run.id).status is RunStatus.RUNNING
    lab.store.mark_lost(run.id, token, "killed")
    assert len(lab.store.list_epochs(run.id)) < 20
    lab.store.requeue(run.id)
    resumed, newer = lab.store.claim_next(1)
    assert lab.work(resumed, newer) == 0

    straight, token = lab.claim(config)
    assert lab.work(straight, token) == 0
    assert lab.numbers(run) == lab.numbers(straight)
    assert len(lab.numbers(run)) == 20
    assert lab.store.get_run(run.id).best_epoch == lab.store.get_run(straight.id).best_epoch
