"""Ways to multiply features by one number a channel: cost of a training step over the same U-Net without.

    python benchmarks/squeeze_excite.py [--rounds 15]

The gradient of the product sums over every pixel of an image. All variants are timed in turn in one process,
so that a busy machine slows each of them alike; printed is the median of the ratios round by round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras
import numpy as np
from keras import layers, ops

from marsseg.config import LossConfig, ModelConfig
from marsseg.training import excitation
from marsseg.training.losses import build_loss
from marsseg.training.networks import build_network

BATCH, HEIGHT, WIDTH = 16, 64, 128


class Flat(layers.Layer):
    """Pixels in one axis: (B, H·W, C) × (B, 1, C)."""

    def call(self, inputs):
        x, scale = inputs
        pixels = ops.reshape(x, (ops.shape(x)[0], -1, x.shape[-1]))
        return ops.reshape(pixels * scale[:, 0], ops.shape(x))


class Einsum(layers.Layer):
    """Left to `einsum`."""

    def call(self, inputs):
        x, scale = inputs
        return ops.einsum("bhwc,bc->bhwc", x, scale[:, 0, 0])


class Diagonal(layers.Layer):
    """A matrix product with diag(scale), whose gradient is a matrix product too."""

    def call(self, inputs):
        x, scale = inputs
        pixels = ops.reshape(x, (ops.shape(x)[0], -1, x.shape[-1]))
        return ops.reshape(ops.matmul(pixels, scale[:, 0] * ops.eye(x.shape[-1])), ops.shape(x))


class Repeated(layers.Layer):
    """The scale written out for every pixel, so that nothing is broadcast."""

    def call(self, inputs):
        x, scale = inputs
        return x * ops.broadcast_to(scale, ops.shape(x))


VARIANTS = {
    "Multiply (in use)": layers.Multiply,
    "flat": Flat,
    "einsum": Einsum,
    "diagonal": Diagonal,
    "repeated": Repeated,
}


def build(squeeze_excite: bool, multiply: type[layers.Layer]) -> keras.Model:
    """The usual half-million-parameter network, its excitation applied by `multiply`."""
    original, excitation.layers.Multiply = excitation.layers.Multiply, multiply
    try:
        model = build_network(ModelConfig(residual=True, squeeze_excite=squeeze_excite), seed=0)
    finally:
        excitation.layers.Multiply = original
    model.compile(keras.optimizers.AdamW(1e-4), build_loss(LossConfig(), (0, 1, 1, 1, 1)))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds

    rng = np.random.default_rng(0)
    images = rng.normal(size=(BATCH, HEIGHT, WIDTH, 1)).astype("float32")
    masks = rng.integers(0, 5, (BATCH, HEIGHT, WIDTH))

    models = {"off": build(False, layers.Multiply)}
    models |= {name: build(True, multiply) for name, multiply in VARIANTS.items()}
    for model in models.values():
        model.train_on_batch(images, masks)

    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds):
        for name, model in models.items():
            start = time.perf_counter()
            model.train_on_batch(images, masks)
            seconds[name].append(time.perf_counter() - start)

    print(f"{'variant':<18} {'ms a step':>10} {'ratio to off':>13}")
    for name, times in seconds.items():
        ratio = statistics.median(t / off for t, off in zip(times, seconds["off"], strict=True))
        print(f"{name:<18} {1000 * statistics.median(times):>10.0f} {ratio:>13.2f}")


if __name__ == "__main__":
    main()
