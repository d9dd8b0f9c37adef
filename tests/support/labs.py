"""Labs with finished runs, without training: predictions are the truth with a share of pixels disturbed.

Everything goes through the same store calls and files as a worker's, so what reads them is tested for real.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from marsseg import services
from marsseg.config import RunConfig
from marsseg.identity import own_identity
from marsseg.metrics import DECODINGS, SPLITS, confusion_matrices
from marsseg.services.lab import Lab
from marsseg.services.submitting import prepare_run, run_name
from marsseg.settings import Settings
from marsseg.store.records import EpochRecord, EvaluationRecord, RunRecord, RunStatus
from marsseg.store.store import RunStore
from tests.support.terrain import write_course_file

DATASET = "bands"
PROVENANCE = {
    "python": "3.12.1",
    "packages": {"tensorflow": "2.20.0", "keras": "3.15.0"},
    "platform": "Some-Linux-on-two-cores",
    "git_commit": "0123456789abcdef0123456789abcdef01234567",
    "git_dirty": True,
}


def make_lab(home: Path, *, tiles: int = 60) -> Lab:
    """A lab in an empty folder with one small dataset."""
    settings = Settings(home=home, database_url=f"sqlite:///{home / 'runs.db'}")
    settings.datasets_dir.mkdir(parents=True)
    settings.runs_dir.mkdir(parents=True)
    lab = Lab(settings, RunStore.open(settings))
    services.add_dataset(lab, write_course_file(home / "bands.npz", tiles), name=DATASET)
    return lab


def config(**values: Any) -> RunConfig:
    """A small configuration on the lab's dataset; keys use `__` for a dot."""
    dotted = {key.replace("__", "."): value for key, value in values.items()}
    return RunConfig().with_values({"data.dataset": DATASET, "train.batch_size": 4, **dotted})


def queue_run(lab: Lab, run_config: RunConfig, name: str | None = None) -> RunRecord:
    """Queue a run without waking a scheduler."""
    return lab.store.add_run(prepare_run(lab, run_config, name or run_name(run_config)))


def finish_run(
    lab: Lab,
    run_config: RunConfig,
    *,
    error_rate: float = 0.2,
    name: str | None = None,
    epochs: int = 3,
    status: RunStatus = RunStatus.COMPLETED,
) -> RunRecord:
    """Take a run through all its states and write what a worker writes."""
    queued = queue_run(lab, run_config, name)
    return finish_queued(lab, queued, error_rate=error_rate, epochs=epochs, status=status)


def finish_queued(
    lab: Lab,
    queued: RunRecord,
    *,
    error_rate: float = 0.2,
    epochs: int = 3,
    status: RunStatus = RunStatus.COMPLETED,
) -> RunRecord:
    """Take the next queued run through all its states."""
    run, token = start_run(lab, queued.id)
    for epoch in range(1, epochs + 1):
        lab.store.add_epoch(run.id, token, epoch_record(epoch, error_rate))
    _write_predictions(lab, run, token, error_rate)
    weights = (0.0, 1.0, 1.0, 1.0, 1.0)
    lab.store.record_facts(run.id, token, parameters=12_345, class_weights=weights, provenance=PROVENANCE)
    lab.store.finish(run.id, token, status, f"{epochs} epochs", best_epoch=epochs or None)
    return lab.store.get_run(run.id)


def start_run(lab: Lab, run_id: str) -> tuple[RunRecord, str]:
    """Claim the next queued run, which must be this one, in the name of the test's own process."""
    claimed = lab.store.claim_next(1_000)
    assert claimed is not None
    run, token = claimed
    assert run.id == run_id
    lab.store.worker_started(run_id, token, own_identity(token))
    return run, token


def epoch_record(epoch: int, error_rate: float = 0.2, checkpoint: str | None = None) -> EpochRecord:
    """What an epoch may have measured."""
    return EpochRecord(
        epoch=epoch,
        loss=1.0 / epoch,
        val_loss=1.2 / epoch,
        val_terrain_miou=(1 - error_rate) * epoch / 4,
        val_class_iou=(float("nan"), 0.5, 0.6, 0.7, 0.1 * epoch),
        learning_rate=1e-3,
        seconds=2.0,
        images_per_second=40.0,
        checkpoint=checkpoint,
    )


def _write_predictions(lab: Lab, run: RunRecord, token: str, error_rate: float) -> None:
    folder = lab.settings.run_dir(run.id)
    (folder / "predictions").mkdir(parents=True)
    split = services.split_of(lab, run.config.data)
    np.savez(folder / "split.npz", train=split.train, validation=split.validation, test=split.test)
    truth = services.dataset_tiles(lab, run.config.data.dataset).masks
    for part in SPLITS:
        rows = getattr(split, part)
        for decoding in DECODINGS:
            masks = _disturbed(truth[rows], error_rate, seed=run.seed, lowest=int(decoding != "argmax"))
            np.save(folder / "predictions" / f"{part}_{decoding}.npy", masks)
            matrices = confusion_matrices(truth[rows], masks)
            lab.store.add_evaluation(token, EvaluationRecord(run.id, part, decoding, rows, matrices))
    previews = folder / "previews"
    previews.mkdir()
    rows = split.validation[:8]
    np.save(previews / "rows.npy", rows)
    for epoch in range(4):
        np.save(previews / f"epoch-{epoch:04d}.npy", _disturbed(truth[rows], 1 - epoch / 4, run.seed, 0))


def _disturbed(truth: np.ndarray, rate: float, seed: int, lowest: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.integers(lowest, 5, truth.shape, dtype=np.uint8)
    masks = np.where(rng.random(truth.shape) < rate, noise, truth)
    return np.maximum(masks, lowest).astype(np.uint8)
