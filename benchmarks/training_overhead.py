"""What a run costs beside a bare training loop: progress, heartbeat, checkpoints and epoch rows.

    python -m benchmarks.training_overhead [--rounds 40] [--filters 16]

One network trains on the same demo tiles in one process, in blocks of ten steps: ours and bare in turns, each
first as often as second, so that a noisy machine is noisy for both. A block of ours is the trainer's own loop
with a real store and the heartbeat thread at work; a bare one is nothing but batches and `train_on_batch`.
What comes once an epoch, writing a synced checkpoint and recording the epoch with its name, is timed apart.
From both follows the ratio for an epoch of the real data (125 steps) and of the demo (16 steps).

Validation and previews are what a run is asked to do, not what it costs to keep it safe: they are left out.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from marsseg.config import RunConfig, parse_values
from marsseg.data.arrays import open_arrays
from marsseg.data.demo import write_demo_dataset
from marsseg.data.importing import import_dataset
from marsseg.identity import own_identity
from marsseg.settings import Settings
from marsseg.store import RunStore
from marsseg.store.records import EpochRecord, NewRun
from marsseg.training.checkpoints import TrainingState
from marsseg.training.inputs import Tiles
from marsseg.training.optimizer import Watch
from marsseg.training.preparation import Material, prepare
from marsseg.training.reporting import Heartbeat, StopFlag, StoreReporter
from marsseg.training.trainer import Trainer

STEPS = 10
EPOCHS_OF = {"the real tiles": 125, "the demo tiles": 16}


class Workbench:
    """A claimed run in a store of its own, and a trainer for it whose epochs have ten steps."""

    def __init__(self, home: Path, config: RunConfig) -> None:
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
        self.config = config
        self.reporter, self.stop = StoreReporter(store, run.id, token), StopFlag()
        material = shortened(
            prepare(config, open_arrays(imported.folder), ()), STEPS * config.train.batch_size
        )
        self.trainer = Trainer(
            config, material, settings.run_dir(run.id), self.reporter, self.stop, launch=token[:8]
        )

    def ours(self, epoch: int) -> float:
        """Seconds of a step in the trainer's own loop, with a heartbeat beside it."""
        with Heartbeat(self.reporter, self.stop):
            return timed(lambda: self.trainer._train_batches(epoch, Watch(1e-4))) / STEPS

    def bare(self, epoch: int) -> float:
        """Seconds of a step with nothing around it."""
        return timed(lambda: self._train(epoch)) / STEPS

    def keep(self, epoch: int) -> float:
        """Seconds to write the checkpoint of an epoch and to record it."""
        state = TrainingState(epoch, Watch(1e-4, best_epoch=epoch, best_score=0.5))
        record = EpochRecord(epoch, 1.0, 1.0, 0.5, (0.5,) * 5, 1e-4, 1.0, 1.0)
        with Heartbeat(self.reporter, self.stop):
            return timed(lambda: self.trainer._keep(state, record))

    def _train(self, epoch: int) -> None:
        train = self.config.train
        for images, masks in self.trainer.material.training.training_batches(
            train.batch_size,
            seed=train.seed,
            epoch=epoch,
            flips=self.config.data,
            augment=self.config.augment,
        ):
            float(self.trainer.model.train_on_batch(images, masks))


def shortened(material: Material, tiles: int) -> Material:
    """The same material with fewer training tiles."""
    training = material.training
    few = Tiles(training.images, training.masks, training.rows[:tiles], training.standardizer)
    return replace(material, training=few)


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def measure(bench: Workbench, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds a step, ours and bare, round by round; who goes first changes each time."""
    ours, bare = [], []
    for epoch in range(1, rounds + 1):
        turns = [(ours, bench.ours), (bare, bench.bare)]
        for seconds, block in turns if epoch % 2 else turns[::-1]:
            seconds.append(block(epoch))
    return ours, bare


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--filters", type=int, default=16)
    options = parser.parse_args()
    config = parse_values({"model.filters": options.filters})
    with tempfile.TemporaryDirectory() as home:
        bench = Workbench(Path(home), config)
        measure(bench, 2)  # builds the graph
        ours, bare = measure(bench, options.rounds)
        once = statistics.median(bench.keep(epoch) for epoch in range(1, 12))
    a_step = statistics.median(mine / theirs for mine, theirs in zip(ours, bare, strict=True))
    step = statistics.median(bare)
    print(f"a bare step             {1000 * step:7.1f} ms, median of {options.rounds} blocks of {STEPS}")
    print(f"ours against bare       {a_step:7.3f} in time, median of as many pairs")
    print(f"once an epoch           {1000 * once:7.1f} ms, checkpoint and epoch row")
    for name, steps in EPOCHS_OF.items():
        print(f"an epoch of {name:15} {a_step + once / (steps * step):.3f} times a bare one, {steps} steps")


if __name__ == "__main__":
    main()
