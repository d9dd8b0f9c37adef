"""What the kill matrix is made of: a lab with real processes, and a gate to hold a worker at."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from marsseg import services
from marsseg.config import RunConfig, parse_values
from marsseg.execution.control import scheduler_status
from marsseg.services.lab import Lab
from marsseg.services.submitting import prepare_run
from marsseg.settings import Settings
from marsseg.store.records import RunRecord, RunStatus
from marsseg.store.store import RunStore
from tests.conftest import processes_of

GATE_FOLDER = Path(__file__).parent / "gate"
HEARTBEATS = 3
EPOCHS = 3
CONFIG: RunConfig = parse_values(
    {
        "data.dataset": "small",
        "model.filters": 4,
        "model.depth": 2,
        "model.dropout": 0.1,
        "train.epochs": EPOCHS,
        "train.batch_size": 4,
        "train.learning_rate": 0.01,
        "train.plateau_patience": 1,
    }
)
POINTS: dict[str, dict[str, Any]] = {
    "loading": {"phase": "opening dataset"},
    "building": {"phase": "building graph"},
    "mid-epoch": {"phase": "training", "epoch": 2, "step": 2},
    "checkpoint write": {"phase": "checkpoint", "epoch": 2},
    "evaluation": {"phase": "evaluating", "step": 1},
    "export": {"phase": "exporting"},
}
"""Where a worker is held for each phase of the matrix; "queued" is held by pausing the queue."""


def write_small_course(path: Path) -> Path:
    """Twenty-four tiles in the course format: gray levels tell the classes apart."""
    generator = np.random.default_rng(0)
    masks = np.repeat(np.repeat(generator.integers(0, 5, (24, 4, 8)), 16, axis=1), 16, axis=2)
    images = masks * 40 + generator.integers(0, 20, masks.shape)
    pairs = np.stack([images, masks], axis=1).astype(np.float64)
    np.savez(path, training_set=pairs)
    return path


@dataclass
class Arena:
    """One lab, its processes, and the gate."""

    lab: Lab
    monkeypatch: pytest.MonkeyPatch

    @classmethod
    def make(cls, settings: Settings, monkeypatch: pytest.MonkeyPatch, source: Path) -> Arena:
        settings.datasets_dir.mkdir(parents=True)
        settings.runs_dir.mkdir(parents=True, exist_ok=True)
        arena = cls(Lab(settings, RunStore.open(settings)), monkeypatch)
        services.add_dataset(arena.lab, source, name="small")
        monkeypatch.setenv("PYTHONPATH", str(GATE_FOLDER))
        monkeypatch.setenv("MARSSEG_TEST_GATE", str(arena.gate))
        return arena

    @property
    def gate(self) -> Path:
        return self.lab.settings.home / "gate"

    def hold_at(self, point: dict[str, Any]) -> None:
        """Let the next worker that comes to this point wait there."""
        self.gate.write_text(json.dumps(point))

    def is_held(self) -> bool:
        return Path(f"{self.gate}.reached").exists()

    def release(self) -> None:
        self.gate.unlink(missing_ok=True)
        Path(f"{self.gate}.reached").unlink(missing_ok=True)

    def run(self, run_id: str) -> RunRecord:
        return services.get_run(self.lab, run_id)

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 120) -> float:
        """Poll until a condition holds; returns how long that took."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {what}\n{self.story()}"
            time.sleep(0.02)
        return time.monotonic() - began

    def wait_for_beat(self, run_id: str) -> None:
        """Wait until the run's worker gives its next sign of life."""
        last = self.run(run_id).heartbeat_at or 0.0
        self.wait(lambda: (self.run(run_id).heartbeat_at or 0.0) > last, "the worker to go on beating", 30)

    def queue(self) -> str:
        """Queue the run without starting a scheduler for it; returns its id."""
        return self.lab.store.add_run(prepare_run(self.lab, CONFIG, "queued by nobody")).id

    def finish(self, run_id: str) -> RunRecord:
        """Let a run end, with someone looking on as pages do."""
        self.release()
        self.wait(lambda: services.look_after(self.lab, run_id).status.is_finished, "the run to end", 240)
        return self.run(run_id)

    def schedulers(self) -> list[psutil.Process]:
        return self._processes("marsseg.execution.scheduler")

    def workers(self) -> list[psutil.Process]:
        return self._processes("marsseg.training.worker")

    def use_slots(self, slots: int) -> None:
        """Let the next scheduler run so many at once."""
        self.lab = Lab(replace(self.lab.settings, slots=slots), self.lab.store)

    def end(self) -> None:
        """Nothing may stay: the idle scheduler is told to go, and whoever else is there fails the test."""
        self.release()
        for process in self.schedulers():
            process.terminate()
        psutil.wait_procs(self.schedulers(), timeout=30)
        self.lab.store.close()

    def story(self) -> str:
        """What the store and the logs say, for a test that failed."""
        parts = [f"{e.kind}: {e.message}" for e in reversed(self.lab.store.list_events())]
        for log in [
            self.lab.settings.artifacts / "scheduler.log",
            *self.lab.settings.runs_dir.glob("*/log.txt"),
        ]:
            with contextlib.suppress(OSError):
                parts += [f"--- {log}", *log.read_text().splitlines()[-30:]]
        return "\n".join(parts)

    def _processes(self, module: str) -> list[psutil.Process]:
        found = []
        for process in processes_of(self.lab.settings.home):
            with contextlib.suppress(psutil.Error):
                if module in process.cmdline():
                    found.append(process)
        return found


def kill_worker(arena: Arena, run_id: str, signum: signal.Signals) -> None:
    (worker,) = arena.workers()
    os.kill(worker.pid, signum)


def kill_scheduler(arena: Arena, run_id: str, signum: signal.Signals) -> None:
    pid = scheduler_status(arena.lab.store).pid
    assert pid is not None
    os.kill(pid, signum)


def numbers(lab: Lab, run_id: str) -> dict[str, Any]:
    """Everything that a run measured apart from the time it took."""
    return {
        "epochs": [
            (e.epoch, e.loss, e.val_loss, e.val_terrain_miou, str(e.val_class_iou), e.learning_rate)
            for e in lab.store.list_epochs(run_id)
        ],
        "confusions": [
            lab.store.list_evaluations([run_id], split, decoding)[0].confusions.tolist()
            for split in ("validation", "test")
            for decoding in ("argmax", "terrain_only")
        ],
        "best": lab.store.get_run(run_id).best_epoch,
    }


def works_on(lab: Lab, run_id: str) -> int:
    """How many workers reported for a run."""
    return sum(event.kind == RunStatus.RUNNING for event in lab.store.list_events(run_id))
