"""Steps of several networks timed in turn in one process, so that a busy machine slows each of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from marsseg.config import LossConfig, ModelConfig
from marsseg.training.losses import build_loss
from marsseg.training.networks import build_network

BATCH, HEIGHT, WIDTH = 16, 64, 128


def build(config: ModelConfig) -> keras.Model:
    """The network of `config`, ready to train."""
    model = build_network(config, seed=0)
    model.compile(keras.optimizers.AdamW(1e-4), build_loss(LossConfig(), (0, 1, 1, 1, 1)))
    return model


def time_steps(models: Mapping[str, keras.Model], rounds: int) -> dict[str, list[float]]:
    """Seconds of a training step on one batch, each round; the round that compiles is left out."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(BATCH, HEIGHT, WIDTH, 1)).astype("float32")
    masks = rng.integers(0, 5, (BATCH, HEIGHT, WIDTH))
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds + 1):
        for name, model in models.items():
            start = time.perf_counter()
            model.train_on_batch(images, masks)
            seconds[name].append(time.perf_counter() - start)
    return {name: times[1:] for name, times in seconds.items()}


def median_ratio(times: Sequence[float], others: Sequence[float]) -> float:
    """The median of the ratios round by round, which a slow minute does not move."""
    return statistics.median(ours / theirs for ours, theirs in zip(times, others, strict=True))


def milliseconds(times: Sequence[float]) -> float:
    """The median of the times."""
    return 1000 * statistics.median(times)
