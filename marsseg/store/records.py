"""Frozen values that the store hands out: what callers see instead of database rows.

Times are seconds since the epoch (UTC), as `time.time()` gives them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from marsseg.config import RunConfig
from marsseg.identity import ProcessIdentity


class RunStatus(StrEnum):
    """Where a run stands. `queued → starting → running → (stopping) → one of the finished states`."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    LOST = "lost"

    @property
    def is_finished(self) -> bool:
        """No process works on the run any more, and none will unless it is resumed."""
        return self in FINISHED

    @property
    def is_active(self) -> bool:
        """A process works on the run, or is about to."""
        return self in ACTIVE

    @property
    def ended_well(self) -> bool:
        """The run has a network: trained to its end, or stopped by a person and evaluated all the same."""
        return self in ENDED_WELL

    @property
    def is_resumable(self) -> bool:
        """The run ended early and can go on from its last checkpoint."""
        return self in RESUMABLE


FINISHED = frozenset({RunStatus.COMPLETED, RunStatus.STOPPED, RunStatus.FAILED, RunStatus.LOST})
ENDED_WELL = frozenset({RunStatus.COMPLETED, RunStatus.STOPPED})
ACTIVE = frozenset({RunStatus.STARTING, RunStatus.RUNNING, RunStatus.STOPPING})
RESUMABLE = frozenset({RunStatus.STOPPED, RunStatus.FAILED, RunStatus.LOST})
_LONG_SILENCE = 20.0
"""Seconds; workers give a sign of life every second, but wait for a disk or a database that is busy."""


class Phase(StrEnum):
    """What a worker is doing right now."""

    LOADING = "loading"
    BUILDING = "building graph"
    TRAINING = "training"
    VALIDATING = "validating"
    SAVING = "saving"
    EVALUATING = "evaluating"
    EXPORTING = "exporting"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a worker has come.

    Args:
        phase: what it is doing.
        epoch: current epoch, counted from 1; 0 before the first.
        epochs: epochs asked for.
        step: batches done in this epoch.
        steps: batches in an epoch.
        images_per_second: training tiles a second over the last steps; None before the first.
        seconds_left: estimate until the last epoch ends; None while unknown.
        step_seconds: median time of a training step; None before the first.
    """

    phase: Phase
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    images_per_second: float | None = None
    seconds_left: float | None = None
    step_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """One imported dataset.

    Args:
        sha256: checksum of the original file or folder contents; also its folder's name.
        meta: what the import measured, the content of `meta.json` (see `marsseg.data.importing`).
        kept_groups: ids of outlier groups that a person decided to keep.
    """

    id: int
    name: str
    sha256: str
    source: str
    created_at: float
    meta: Mapping[str, Any] = field(repr=False)
    kept_groups: tuple[str, ...] = ()

    @property
    def dropped_rows(self) -> tuple[int, ...]:
        """Rows left out of training and evaluation: all outlier groups that were not overruled."""
        groups = self.meta["outlier_groups"]
        return tuple(sorted(r for g in groups if g["id"] not in self.kept_groups for r in g["rows"]))

    @property
    def identity(self) -> str:
        """What stands for the tiles in a run's fingerprint, as the dataset is now."""
        return tiles_identity(self.sha256, self.dropped_rows)


def tiles_identity(sha256: str, dropped_rows: Sequence[int]) -> str:
    """What stands for the tiles in a run's fingerprint: the dataset's checksum and the rows left out."""
    rows = hashlib.sha256(",".join(map(str, dropped_rows)).encode()).hexdigest()[:8]
    return f"{sha256}:{rows}"


@dataclass(frozen=True, slots=True)
class NewRun:
    """What it takes to queue a run.

    Args:
        dropped_rows: rows of the dataset that this run leaves out, as decided when it was queued.
        threads: how many CPU threads it gets; None for its share of the cores.
        needs: ids of runs that have to end, well or not, before it may begin.
    """

    config: RunConfig
    name: str
    fingerprint: str
    dataset_id: int
    dropped_rows: tuple[int, ...] = ()
    study_id: int | None = None
    priority: int = 0
    threads: int | None = None
    notes: str = ""
    tags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as the store knows it.

    Args:
        seed: `config.train.seed`, by which repeats are told apart.
        started_at: when the current or last attempt was claimed; None while queued.
        heartbeat_at: last sign of life of the process; the claim counts as the first.
        progress_at: last time that the training moved; the claim counts as the first.
        process: who works on it; None until the worker reports.
        train_seconds: sum over its epochs; None before the first.
        stop_now: the stop must not wait for evaluation and export.
        token: launch token of the current or last attempt, by which the run can be written to.
        launches: how many workers have been started for it.
        threads: CPU threads of all its attempts, fixed at the first, as the last digits depend on them.
        gpu: which GPU the current or last attempt was given; None for none.
        notes: what a person wrote about it.
        archived: put out of sight, but kept.
    """

    id: str
    name: str
    status: RunStatus
    reason: str
    config: RunConfig = field(repr=False)
    fingerprint: str
    seed: int
    dataset_id: int
    dataset_name: str
    dropped_rows: tuple[int, ...] = field(repr=False)
    study_id: int | None
    priority: int
    position: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    stop_requested: bool
    progress: Progress | None
    heartbeat_at: float | None
    progress_at: float | None
    process: ProcessIdentity | None
    parameters: int | None
    class_weights: tuple[float, ...] | None
    best_epoch: int | None
    train_seconds: float | None
    provenance: Mapping[str, Any] = field(repr=False)
    stop_now: bool = False
    token: str | None = field(default=None, repr=False)
    launches: int = 0
    threads: int | None = None
    gpu: str | None = None
    notes: str = ""
    tags: tuple[str, ...] = ()
    archived: bool = False

    def silence(self, now: float) -> float:
        """Seconds since the last sign of life of its worker, once that is far too long; else 0.

        Args:
            now: seconds since the epoch.
        """
        if not self.status.is_active or self.process is None or self.heartbeat_at is None:
            return 0.0
        silent = now - self.heartbeat_at
        return silent if silent > _LONG_SILENCE else 0.0


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """What one epoch measured, and where it was saved.

    Args:
        val_class_iou: five values, NaN where a class does not count.
        checkpoint: name of the file in the run's `checkpoints` folder; None when nothing was saved.
    """

    epoch: int
    loss: float
    val_loss: float
    val_terrain_miou: float
    val_class_iou: tuple[float, ...]
    learning_rate: float
    seconds: float
    images_per_second: float
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class EvaluationRecord:
    """Confusion matrices of one run on one split with one decoding.

    Args:
        split: "validation" or "test".
        decoding: "argmax" or "terrain_only".
        rows: (N,) int64, the dataset rows in the order of `confusions`.
        confusions: (N, 5, 5) int64, `[image, true, predicted]`.
    """

    run_id: str
    split: str
    decoding: str
    rows: np.ndarray
    confusions: np.ndarray


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One thing that happened to a run, a dataset or a study."""

    id: int
    at: float
    kind: str
    message: str
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A planned set of runs that vary one baseline."""

    id: int
    name: str
    created_at: float
    baseline: RunConfig = field(repr=False)


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """Who may act as the one process of its kind, until when.

    Args:
        owner: text that no other process uses.
        expires_at: from then on another owner may take the lease.
        token: fencing token; grows each time that the lease changes hands.
    """

    name: str
    owner: str
    expires_at: float
    token: int
