"""A store with one small dataset, and workers on it: in this process, or as processes where they die."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from marsseg.config import RunConfig
from marsseg.data.importing import import_dataset
from marsseg.settings import PROJECT_ROOT, Settings
from marsseg.store import RunStore
from marsseg.store.records import NewRun, RunRecord, tiles_identity
from marsseg.training.reporting import StopFlag
from marsseg.training.worker import Worker

SMALL = {"train.epochs": 2, "train.batch_size": 4, "model.dropout": 0.1, "train.plateau_patience": 1}
DROPPED = (2,)
"""The row that its runs leave out."""
WORKER = "marsseg.training.worker"
DYING_WORKER = "tests.training.dying_worker"


class SmallLab:
    """A store with one small dataset."""

    def __init__(self, settings: Settings, course_file: Path) -> None:
        self.settings = settings
        self.store = RunStore.open(settings)
        imported = import_dataset(course_file, settings)
        self.dataset = self.store.add_dataset("small", imported.sha256, str(course_file), dict(imported.meta))

    def add(self, config: RunConfig, *, threads: int | None = None) -> RunRecord:
        """Queue a run."""
        fingerprint = config.fingerprint(tiles_identity(self.dataset.sha256, DROPPED))
        new = NewRun(config, "small run", fingerprint, self.dataset.id, dropped_rows=DROPPED, threads=threads)
        return self.store.add_run(new)

    def claim(self, config: RunConfig, *, threads: int | None = None) -> tuple[RunRecord, str]:
        """Queue a run and take it from the queue."""
        self.add(config, threads=threads)
        return self.claim_next()

    def claim_next(self) -> tuple[RunRecord, str]:
        """Take the next run from the queue, with its launch token."""
        claimed = self.store.claim_next(9)
        assert claimed is not None
        return claimed

    def claim_again(self, run: RunRecord) -> tuple[RunRecord, str]:
        """Resume a run that ended early, or that was killed, which nobody has told the store yet."""
        current = self.store.get_run(run.id)
        if current.status.is_active:
            self.store.mark_lost(run.id, current.token or "", "killed")
        self.store.requeue(run.id)
        return self.claim_next()

    def work(self, run: RunRecord, token: str, stop: StopFlag | None = None) -> int:
        """Be the worker."""
        return Worker(self.settings, self.store, run.id, token, stop or StopFlag()).run()

    def launch(
        self, run: RunRecord, token: str, module: str = WORKER, **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start a worker; it prints into the run's log."""
        log = self.settings.run_dir(run.id) / "log.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", module, run.id],
                cwd=PROJECT_ROOT,
                env=self.environment(token) | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def environment(self, token: str) -> dict[str, str]:
        """What a worker finds in its environment."""
        return {**os.environ, **self.settings.environment(), "MARSSEG_LAUNCH_TOKEN": token}

    def log(self, run: RunRecord) -> list[str]:
        """The lines of a run's log."""
        return (self.settings.run_dir(run.id) / "log.txt").read_text().splitlines()

    def wait_for_epochs(self, run: RunRecord, process: subprocess.Popen[bytes], count: int) -> None:
        """Wait until a worker has recorded so many epochs."""
        deadline = time.monotonic() + 240
        while len(self.store.list_epochs(run.id)) < count:
            assert process.poll() is None, "The worker ended early."
            assert time.monotonic() < deadline, "No epoch within 4 minutes."
            time.sleep(0.05)

    def numbers(self, run: RunRecord) -> list[tuple[Any, ...]]:
        """What epochs measured apart from the time it took; NaN as text, so that it equals itself."""
        return [
            (e.epoch, e.loss, e.val_loss, e.val_terrain_miou, str(e.val_class_iou), e.learning_rate)
            for e in self.store.list_epochs(run.id)
        ]

    def events(self, run: RunRecord) -> list[tuple[str, str]]:
        """Kind and message of a run's events, oldest first."""
        return [(event.kind, event.message) for event in reversed(self.store.list_events(run.id))]

    def checkpoints(self, run: RunRecord) -> list[str]:
        """Names in the folder of a run's checkpoints."""
        return sorted(path.name for path in self.folder(run, "checkpoints").iterdir())

    def folder(self, run: RunRecord, name: str) -> Path:
        """A folder of a run."""
        return self.settings.run_dir(run.id) / name

    def last_checkpoint(self, run: RunRecord) -> Mapping[str, np.ndarray]:
        """All arrays of the last checkpoint: weights, optimizer, seed generators, state."""
        name = self.store.list_epochs(run.id)[-1].checkpoint
        with np.load(self.folder(run, "checkpoints") / str(name), allow_pickle=False) as arrays:
            return dict(arrays)
