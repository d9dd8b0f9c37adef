"""What the input pipeline can deliver, all augmentations on, against what training consumes.

    python -m benchmarks.input_pipeline [--rounds 12] [--dataset ../shared/data/mars_tiles.npz] [--filters 16]

Delivered are batches of the epoch itself, flipped, augmented with every probability at 1, tiles with big rock
drawn five times as often, and standardised. Consumed are batches by `train_on_batch` of the default network.
Both take turns in one process, so that a busy machine slows them alike; printed are medians, and the median
of the ratios round by round. At a ratio of 10, batches add a tenth to the time of training.
Then each augmentation is timed alone, by its fastest round.

Without `--dataset` the tiles are those of the demo.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from marsseg.config import AugmentConfig, RunConfig, parse_values
from marsseg.data.arrays import open_arrays
from marsseg.data.augmenting import CHANGES
from marsseg.data.demo import write_demo_dataset
from marsseg.data.importing import import_dataset
from marsseg.settings import Settings
from marsseg.training.backend import seed_everything
from marsseg.training.inputs import Tiles
from marsseg.training.losses import build_loss
from marsseg.training.networks import build_network
from marsseg.training.optimizer import build_optimizer
from marsseg.training.preparation import Material, prepare

BATCHES, STEPS = 40, 4
TARGET = 10
Batch = tuple[np.ndarray, np.ndarray]


def material(config: RunConfig, source: Path | None, home: Path) -> Material:
    """The splits of a dataset; of the demo if none is given."""
    if source is None:
        source = home / "demo.npz"
        write_demo_dataset(source)
    settings = Settings(home=home, database_url=f"sqlite:///{home / 'runs.db'}")
    arrays = open_arrays(import_dataset(source, settings).folder)
    outliers = [row for group in arrays.outlier_groups for row in group.rows]
    return prepare(config, arrays, tuple(outliers))


def batches(tiles: Tiles, config: RunConfig, augment: AugmentConfig) -> Iterator[Batch]:
    """Batches without end, epoch after epoch."""
    train, epoch = config.train, 0
    while True:
        epoch += 1
        yield from tiles.training_batches(
            train.batch_size, seed=train.seed, epoch=epoch, flips=config.data, augment=augment
        )


def delivered(source: Iterator[Batch], count: int = BATCHES) -> float:
    """Images a second of the pipeline alone."""
    began = time.perf_counter()
    images = sum(len(masks) for _, masks in islice(source, count))
    return images / (time.perf_counter() - began)


class Training:
    """The default network, and what it consumes."""

    def __init__(self, config: RunConfig, material: Material) -> None:
        seed_everything(config.train.seed, deterministic=config.train.deterministic)
        self.model = build_network(config.model, seed=config.train.seed)
        loss = build_loss(config.loss, material.class_weights.tolist())
        self.model.compile(build_optimizer(config.train, self.model), loss=loss, jit_compile=False)

    def consumed(self, batch: Batch) -> float:
        """Images a second of training steps alone."""
        began = time.perf_counter()
        for _ in range(STEPS):
            float(self.model.train_on_batch(*batch))
        return STEPS * len(batch[1]) / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--filters", type=int, default=RunConfig().model.filters)
    options = parser.parse_args()
    config = parse_values({"model.filters": options.filters, "data.flip_vertical": True})
    everything = AugmentConfig(**dict.fromkeys(CHANGES, 1.0), rock_oversampling=5.0)
    with tempfile.TemporaryDirectory() as home:
        prepared = material(config, options.dataset, Path(home))
        source = batches(prepared.training, config, everything)
        training, batch = Training(config, prepared), next(source)
        training.consumed(batch)  # builds the graph
        rates = [(delivered(source), training.consumed(batch)) for _ in range(options.rounds)]
        alone = {
            name: max(delivered(batches(prepared.training, config, augment), 10) for _ in range(5))
            for name, augment in {
                "none": AugmentConfig(),
                **{name: AugmentConfig(**{name: 1.0}) for name in CHANGES},
            }.items()
        }
    ratio = statistics.median(ours / theirs for ours, theirs in rates)
    ours, theirs = (statistics.median(side) for side in zip(*rates, strict=True))
    print(f"delivered, all augmentations on  {ours:8.0f} images a second")
    print(f"consumed by training             {theirs:8.0f} images a second")
    print(f"ratio                            {ratio:8.1f}   (target: {TARGET} or more)")
    for name, rate in alone.items():
        print(f"{name:32} {rate:8.0f} images a second at best")


if __name__ == "__main__":
    main()
