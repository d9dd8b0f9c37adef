"""A dataset that a four-filter network learns in seconds, and a listener that writes everything down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsseg.config import RunConfig, parse_values
from marsseg.data.arrays import DatasetArrays
from marsseg.data.cleaning import count_classes_per_image
from marsseg.settings import Settings
from marsseg.store.records import EpochRecord, Progress
from marsseg.training.reporting import StopFlag
from tests.training.small_lab import SmallLab

TINY = {
    "model.filters": 4,
    "model.depth": 2,
    "train.epochs": 4,
    "train.batch_size": 8,
    "train.learning_rate": 0.01,
    "data.test_fraction": 0.2,
    "data.validation_fraction": 0.2,
}


def make_tiles(count: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Stripes of the four terrain classes at random places, each with a gray level of its own, plus noise."""
    generator = np.random.default_rng(seed)
    masks = np.zeros((count, 16, 32), np.uint8)
    for mask in masks:
        edges = np.sort(generator.integers(2, 30, 3))
        for terrain, columns in zip(
            generator.permutation(4) + 1, np.split(np.arange(32), edges), strict=True
        ):
            mask[:, columns] = terrain
        mask[:2] = 0
    gray = np.array([10, 40, 80, 120, 160])[masks] + generator.normal(0, 6, masks.shape)
    return gray.clip(0, 255).astype(np.uint8), masks


@pytest.fixture(scope="session")
def tiny_arrays(tmp_path_factory: pytest.TempPathFactory) -> DatasetArrays:
    """Forty tiles of 16×32 pixels, in memory."""
    images, masks = make_tiles()
    return DatasetArrays(
        folder=tmp_path_factory.mktemp("dataset"),
        images=images,
        masks=masks,
        test_images=images[:0],
        counts=count_classes_per_image(masks),
        groups=None,
        meta={"frame_size": [64, 64]},
    )


@pytest.fixture(scope="session")
def tiny_config() -> Callable[..., RunConfig]:
    """Build the tiny configuration, with other values at dotted paths."""
    return lambda values=None: parse_values({**TINY, **(values or {})})


@pytest.fixture
def fresh_session() -> Iterator[None]:
    """Forget the networks of a test at its end: Keras would keep them all."""
    import keras

    yield
    keras.utils.clear_session()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def mask(rng: np.random.Generator) -> np.ndarray:
    """A batch of two small masks, for losses."""
    return rng.integers(0, 5, (2, 6, 7))


@pytest.fixture
def logits(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """Logits for `mask`, whichever a file has."""
    return (rng.normal(size=(*mask.shape, 5)) * 3).astype("float32")


@dataclass
class Notebook:
    """A reporter that remembers all it hears, and can do something at a moment of choice."""

    epochs: list[EpochRecord] = field(default_factory=list)
    starts: list[tuple[int, str]] = field(default_factory=list)
    heard: list[Progress] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)
    best_epoch: int = 0
    on_progress: Callable[[Progress], None] = lambda _progress: None
    on_epoch: Callable[[EpochRecord], None] = lambda _record: None

    def progress(self, progress: Progress) -> None:
        self.heard.append(progress)
        self.on_progress(progress)

    def facts(self, *, parameters: int, class_weights: np.ndarray) -> None:
        self.told |= {"parameters": parameters, "class_weights": class_weights}

    def begins(self, epoch: int, message: str, *, best_epoch: int) -> bool:
        self.starts += [(epoch, message)] if message else []
        self.best_epoch = best_epoch
        return False

    def epoch(self, record: EpochRecord, *, is_best: bool) -> None:
        self.on_epoch(record)
        self.epochs.append(record)
        self.best_epoch = record.epoch if is_best else self.best_epoch

    def evaluation(self, split: str, decoding: str, rows: np.ndarray, confusions: np.ndarray) -> None:
        self.told[split, decoding] = (rows, confusions)

    def recorded(self) -> list[tuple[int, str | None]]:
        """What the store would know of checkpoints."""
        return [(record.epoch, record.checkpoint) for record in self.epochs]

    def numbers(self) -> list[tuple[Any, ...]]:
        """Everything an epoch measured apart from the time it took; NaN as text, so that it equals itself."""
        return [
            (r.epoch, r.loss, r.val_loss, r.val_terrain_miou, str(r.val_class_iou), r.learning_rate)
            for r in self.epochs
        ]


@pytest.fixture(scope="session")
def trainer_in(tiny_arrays: DatasetArrays) -> Callable[..., Any]:
    """Build a trainer on the tiny tiles: it works in a given folder, goes on from `recorded` epochs."""
    from marsseg.training.preparation import prepare
    from marsseg.training.trainer import Trainer

    def make(
        folder: Path,
        config: RunConfig,
        notebook: Notebook | None = None,
        stop: StopFlag | None = None,
        recorded: Sequence[tuple[int, str | None]] = (),
    ) -> Any:
        material = prepare(config, tiny_arrays, dropped_rows=())
        return Trainer(
            config,
            material,
            folder,
            notebook or Notebook(),
            stop or StopFlag(),
            launch="second" if recorded else "first",
            recorded=recorded,
        )

    return make


@pytest.fixture(scope="session")
def course_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty tiles in the course format: gray levels tell the classes apart."""
    generator = np.random.default_rng(0)
    masks = np.repeat(np.repeat(generator.integers(0, 5, (20, 4, 8)), 16, axis=1), 16, axis=2)
    images = masks * 40 + generator.integers(0, 20, masks.shape)
    path = tmp_path_factory.mktemp("course") / "tiles.npz"
    pairs = np.stack([images, masks], axis=1).astype(np.float64)
    np.savez(path, training_set=pairs, test_set=images[:3].astype(np.uint8))
    return path


@pytest.fixture
def lab(settings: Settings, course_file: Path) -> SmallLab:
    """A store with one small dataset, and workers on it."""
    return SmallLab(settings, course_file)


@pytest.fixture
def make_trainer(trainer_in: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Build a trainer on the tiny tiles: it works in `tmp_path / name`, goes on from `recorded` epochs."""

    def make(config: RunConfig, name: str = "run", notebook: Notebook | None = None, **options: Any) -> Any:
        return trainer_in(tmp_path / name, config, notebook, **options)

    return make


@pytest.fixture
def notebook() -> Notebook:
    """An empty notebook."""
    return Notebook()


@pytest.fixture(scope="session")
def new_notebook() -> type[Notebook]:
    """Make more notebooks."""
    return Notebook


@pytest.fixture
def small() -> Callable[..., Any]:
    """A network with every kind of state: weights, statistics, a dropout seed, optimizer slots."""
    import keras

    def build(units: int = 3) -> Any:
        image = keras.Input((4,))
        x = keras.layers.Dropout(0.5, seed=1)(keras.layers.BatchNormalization()(image))
        model = keras.Model(image, keras.layers.Dense(units)(x))
        model.compile(optimizer=keras.optimizers.AdamW(0.1), loss="mse")
        model.optimizer.build(model.trainable_variables)
        return model

    return build


@pytest.fixture(scope="session")
def small_step() -> Callable[[Any], None]:
    """Train a small network by one step, the same each time."""

    def step(model: Any) -> None:
        generator = np.random.default_rng(0)
        shape = (8, model.output_shape[-1])
        model.train_on_batch(generator.random((8, 4)), generator.random(shape))

    return step
