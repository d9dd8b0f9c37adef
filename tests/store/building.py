"""What the store's tests build with: small values, and runs in a given state."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from marsseg.config import RunConfig
from marsseg.identity import ProcessIdentity
from marsseg.store import RunStore
from marsseg.store.records import (
    DatasetRecord,
    EpochRecord,
    EvaluationRecord,
    NewRun,
    RunRecord,
    RunStatus,
)

OUTLIERS = [
    {"id": "a1", "rows": [3, 5, 8], "mask_classes": [1, 2]},
    {"id": "b2", "rows": [1, 9], "mask_classes": [0, 4]},
]


class Clock:
    """A clock that a test sets; every look at it takes a hundredth of a second."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


def sha_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def add_dataset(store: RunStore, name: str = "tiles") -> DatasetRecord:
    return store.add_dataset(
        name, sha_of(name), f"/data/{name}.npz", {"pairs": 20, "outlier_groups": OUTLIERS}
    )


def new_run(dataset: DatasetRecord, name: str = "baseline", **values: Any) -> NewRun:
    """A run; `config` holds values by dotted path, the rest are fields of NewRun."""
    config = RunConfig().with_values(values.pop("config", {}))
    return NewRun(
        config, name, config.fingerprint(dataset.identity), dataset.id, dataset.dropped_rows, **values
    )


def queue_runs(store: RunStore, dataset: DatasetRecord, names: Sequence[str]) -> list[str]:
    """Queue a run for each name; returns their ids."""
    return [store.add_run(new_run(dataset, name)).id for name in names]


def claim(store: RunStore, slots: int = 1_000) -> tuple[RunRecord, str]:
    claimed = store.claim_next(slots)
    assert claimed is not None
    return claimed


def identity(token: str, pid: int = 4242) -> ProcessIdentity:
    return ProcessIdentity(pid, 1_699_999_999.25, "boot-1", token)


def start_run(store: RunStore, dataset: DatasetRecord, name: str = "baseline") -> tuple[str, str]:
    """Queue, claim and start a run; nothing else may be queued. Returns its id and launch token."""
    queued = store.add_run(new_run(dataset, name))
    run, token = claim(store)
    assert run.id == queued.id
    store.worker_started(run.id, token, identity(token))
    return run.id, token


def run_in(store: RunStore, dataset: DatasetRecord, status: RunStatus) -> tuple[str, str]:
    """A run in the given state, and its launch token ("" where it has none)."""
    if status is RunStatus.QUEUED:
        return store.add_run(new_run(dataset)).id, ""
    if status is RunStatus.STARTING:
        store.add_run(new_run(dataset))
        run, token = claim(store)
        return run.id, token
    run_id, token = start_run(store, dataset)
    if status is RunStatus.STOPPING:
        store.request_stop(run_id)
    elif status is RunStatus.LOST:
        store.mark_lost(run_id, token, "It vanished.")
    elif status is not RunStatus.RUNNING:
        store.finish(run_id, token, status, "The end.")
    assert store.get_run(run_id).status is status
    return run_id, token


def epoch(number: int, **values: Any) -> EpochRecord:
    defaults: dict[str, Any] = {
        "epoch": number,
        "loss": 1.0 / number,
        "val_loss": 1.5 / number,
        "val_terrain_miou": 0.4,
        "val_class_iou": (float("nan"), 0.5, 0.6, 0.7, 0.1),
        "learning_rate": 1e-4,
        "seconds": 2.5,
        "images_per_second": 40.0,
    }
    return EpochRecord(**{**defaults, **values})


def evaluation(run_id: str, images: int = 7, seed: int = 0, **values: Any) -> EvaluationRecord:
    rng = np.random.default_rng(seed)
    defaults: dict[str, Any] = {
        "split": "test",
        "decoding": "argmax",
        "rows": np.sort(rng.choice(2_600, images, replace=False)).astype(np.int64),
        "confusions": rng.integers(0, 8_193, (images, 5, 5), dtype=np.int64),
    }
    return EvaluationRecord(run_id, **{**defaults, **values})
