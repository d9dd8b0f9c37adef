"""What our training loop costs beside a bare one: reporting, heartbeat, checkpoints and previews.

    python -m benchmarks.training_overhead [--epochs 5] [--filters 16]

Both loops train one network on the same demo tiles in one process, in turns, so that a busy machine is busy
for both. The bare loop is nothing but batches and `train_on_batch`. Ours runs with a real store and a
heartbeat thread. Validation is part of training and is timed apart; what remains is compared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from marsseg.config import RunConfig, parse_values
from marsseg.data.arrays import open_arrays
from marsseg.data.demo import write_demo_dataset
from marsseg.data.importing import import_dataset
from marsseg.identity import own_identity
from marsseg.settings import Settings
from marsseg.store import RunStore
from marsseg.store.records import NewRun
from marsseg.training.preparation import prepare
from marsseg.training.reporting import Heartbeat, StopFlag, StoreReporter
from marsseg.training.trainer import Trainer


class TimedTrainer(Trainer):
    """Measures each epoch apart from its validation."""

    def __init__(self, *arguments: object) -> None:
        self.validation_seconds = 0.0
        self.epoch_seconds: list[float] = []
        super().__init__(*arguments)  # type: ignore[arg-type]

    def _validate(self, epoch: int):  # type: ignore[no-untyped-def]
        began = time.perf_counter()
        try:
            return super()._validate(epoch)
        finally:
            self.validation_seconds = time.perf_counter() - began

    def _epoch(self, state):  # type: ignore[no-untyped-def]
        began = time.perf_counter()
        after = super()._epoch(state)
        self.epoch_seconds.append(time.perf_counter() - began - self.validation_seconds)
        return after


def bare_epoch(trainer: Trainer, config: RunConfig, epoch: int) -> float:
    began = time.perf_counter()
    for images, masks in trainer.material.training.training_batches(
        config.train.batch_size, seed=config.train.seed, epoch=epoch, flips=config.data
    ):
        trainer.model.train_on_batch(images, masks)
    return time.perf_counter() - began


def measure(home: Path, config: RunConfig, rounds: int) -> list[tuple[float, float]]:
    """Seconds of (our epoch, bare epoch), in turns; the first of each is left out."""
    settings = Settings(home=home, database_url=f"sqlite:///{home / 'runs.db'}")
    store = RunStore.open(settings)
    write_demo_dataset(home / "demo.npz")
    imported = import_dataset(home / "demo.npz", settings)
    dataset = store.add_dataset("demo", imported.sha256, "demo.npz", dict(imported.meta))
    store.add_run(NewRun(config, "overhead", config.fingerprint(dataset.identity), dataset.id))
    claimed = store.claim_next(1)
    assert claimed is not None
    run, token = claimed
    store.worker_started(run.id, token, own_identity(token))
    reporter, stop = StoreReporter(store, run.id, token), StopFlag()
    material = prepare(config, open_arrays(imported.folder), ())
    pairs = []
    with Heartbeat(reporter, stop):
        trainer = TimedTrainer(config, material, settings.run_dir(run.id), reporter, stop)
        state = trainer._begin()
        for number in range(rounds + 1):
            state = trainer._epoch(state)
            bare = bare_epoch(trainer, config, state.epoch)
            if number:
                pairs.append((trainer.epoch_seconds[-1], bare))
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--filters", type=int, default=16)
    options = parser.parse_args()
    config = parse_values({"model.filters": options.filters, "train.epochs": options.epochs + 1})
    with tempfile.TemporaryDirectory() as home:
        pairs = measure(Path(home), config, options.epochs)
    for ours, bare in pairs:
        print(f"ours {ours:6.2f} s   bare {bare:6.2f} s   ratio {ours / bare:.3f}")
    ratios = [ours / bare for ours, bare in pairs]
    print(f"median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
