"""A full disk as a worker sees it: what was needed and is free, nothing half-written, patience.

tests/execution/test_full_disk.py fills the disk under real schedulers and workers.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from marsseg.config import ModelConfig
from marsseg.settings import Settings
from marsseg.store.records import Phase, RunStatus
from marsseg.training import reporting
from marsseg.training.files import DiskFullError, save_array, save_arrays
from tests.support.disks import filled
from tests.training.small_lab import SMALL, SmallLab
from tests.training.watching import at

pytestmark = pytest.mark.training

FOUR = {**SMALL, "train.epochs": 4}


def resume(lab: SmallLab, run) -> None:
    """Once there is room the run goes on after the second epoch."""
    assert lab.work(*lab.claim_again(run)) == 0
    done = lab.store.get_run(run.id)
    assert (done.status, done.reason) == (RunStatus.COMPLETED, "4 epochs")
    assert ("resumed", "Goes on after epoch 2 of 4.") in lab.events(run)


def test_weights_export_and_arrays_name_what_they_needed_and_leave_nothing(mount, tmp_path):
    from marsseg.training.exporting import export_onnx
    from marsseg.training.networks import build_network
    from marsseg.training.weights import save_weights

    model = build_network(ModelConfig(depth=3, filters=16), seed=0)  # 1.9 MB of weights
    numbers = np.zeros(400_000)
    writers = {
        "best.weights.h5": lambda path: save_weights(model, path),
        "model.onnx": lambda path: export_onnx(model, path, {}),
        "masks.npy": lambda path: save_array(path, numbers),
        "epoch-0001.npz": lambda path: save_arrays(path, {"numbers": numbers}),
    }
    folder = mount(tmp_path / "small", megabytes=1)
    for name, write in writers.items():
        needed = rf"saving {re.escape(name)}: \d\.\d MB were needed, 1\.0 MB are free"
        with pytest.raises(DiskFullError, match=needed):
            write(folder / name)
        assert list(folder.iterdir()) == []


def test_an_error_of_the_system_is_enough(lab, tiny_config, monkeypatch):
    """Where no small disk can be mounted, this still shows the way from the error to the sentence."""
    run, token = lab.claim(tiny_config(FOUR))
    reached = []
    at(monkeypatch, Phase.SAVING, reached.append, epoch=3)
    sync = os.fsync

    def fail(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if reached and "epoch-0003" in path.name and path.parent.name == "checkpoints":
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        assert lab.work(run, token) == 1
    failed, folder = lab.store.get_run(run.id), lab.folder(run, "checkpoints")
    assert failed.status is RunStatus.FAILED
    assert re.fullmatch(
        rf"disk full while saving epoch-0003-\w{{8}}\.npz: [\d.]+ [kM]B were needed, "
        rf"[\d.]+ MB are free in {re.escape(str(folder))}\. Make room, then resume the run\.",
        failed.reason,
    )
    assert lab.checkpoints(run) == [epoch.checkpoint for epoch in lab.store.list_epochs(run.id)]
    resume(lab, run)


@pytest.fixture
def lab_with_small_store(mount, settings, tmp_path, course_file) -> Iterator[tuple[SmallLab, Path]]:
    """The store on a small disk of its own, all files elsewhere."""
    folder = mount(tmp_path / "store", megabytes=4)
    url = f"sqlite:///{folder / 'runs.db'}"
    lab = SmallLab(Settings(home=settings.home, database_url=url), course_file)
    yield lab, folder
    lab.store.close()


@pytest.fixture
def work_with_full_store(lab_with_small_store, tiny_config, monkeypatch):
    """Work on a run whose store is full from the third epoch on; `sleep(seconds, filler)` may make room."""

    def work(sleep) -> tuple[SmallLab, Path, object, int]:
        lab, folder = lab_with_small_store
        run, token = lab.claim(tiny_config(FOUR))
        fillers: list[Path] = []
        patient = functools.partial(reporting.persist, sleep=lambda seconds: sleep(seconds, fillers[0]))
        monkeypatch.setattr("marsseg.training.reporting.persist", patient)
        monkeypatch.setattr("marsseg.training.worker.persist", patient)
        with contextlib.ExitStack() as until_the_end:

            def fill(_reporter: object) -> None:
                if not fillers:
                    fillers.append(until_the_end.enter_context(filled(folder)))

            at(monkeypatch, Phase.TRAINING, fill, epoch=3)
            exit_status = lab.work(run, token)
        return lab, folder, run, exit_status

    return work


def test_a_store_without_room_gets_everything_once_there_is_some(work_with_full_store):
    lab, _, run, exit_status = work_with_full_store(lambda _seconds, filler: filler.unlink(missing_ok=True))
    assert exit_status == 0
    assert lab.store.get_run(run.id).reason == "4 epochs"
    assert [epoch.epoch for epoch in lab.store.list_epochs(run.id)] == [1, 2, 3, 4]


def test_a_store_that_stays_without_room_is_the_last_line_of_the_log(work_with_full_store, caplog):
    waits = []
    lab, folder, run, exit_status = work_with_full_store(lambda seconds, _filler: waits.append(seconds))
    assert exit_status == 1
    assert waits == [1, 2, 4, 8, 16] * 2  # for the epoch, and for the last word
    last = caplog.messages[-1]
    assert last.startswith(f"There is no space left for {folder / 'runs.db'}; free some and try again.")
    assert "It was not told: failed, disk full while saving" in last
    assert [epoch.epoch for epoch in lab.store.list_epochs(run.id)] == [1, 2]
    resume(lab, run)
