"""Ways to enlarge features to the size of others: cost of a training step by each.

    python benchmarks/resizing.py [--rounds 9]

Both ways are timed in turn in one process, so that a busy machine slows each of them alike; printed is the
median of the ratios round by round.
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
from marsseg.training import parts
from marsseg.training.custom_layers import ResizeLike
from marsseg.training.losses import build_loss
from marsseg.training.networks import build_network

BATCH, HEIGHT, WIDTH = 16, 64, 128
NETWORKS = {
    "UNet 3+": ModelConfig(architecture="unet3plus"),
    "DeepLabV3+": ModelConfig(architecture="deeplabv3plus"),
    "pyramid pooling": ModelConfig(bottleneck="pyramid_pooling"),
}


class Products(layers.Layer):
    """A product with a matrix of hat functions for each axis."""

    def call(self, inputs):
        x, like = inputs
        (_, height, width, _), (_, rows, columns, _) = ops.shape(x), ops.shape(like)
        x = ops.einsum("Hh,bhwc->bHwc", _weights(height, rows), x)
        return ops.einsum("Ww,bHwc->bHWc", _weights(width, columns), x)

    def compute_output_shape(self, shapes):
        return (*shapes[1][:3], shapes[0][3])


def _weights(old, new):
    """(new, old): 1 at the place itself, falling to 0 at the next."""
    count = ops.cast(old, "float32")
    place = (ops.cast(ops.arange(new), "float32") + 0.5) * (count / ops.cast(new, "float32")) - 0.5
    distance = ops.clip(place, 0.0, count - 1.0)[:, None] - ops.cast(ops.arange(old), "float32")
    return ops.relu(1.0 - ops.abs(distance))


def build(config: ModelConfig, resize: type[layers.Layer]) -> keras.Model:
    """The network, its features resized by `resize`."""
    original, parts.ResizeLike = parts.ResizeLike, resize
    try:
        model = build_network(config, seed=0)
    finally:
        parts.ResizeLike = original
    model.compile(keras.optimizers.AdamW(1e-4), build_loss(LossConfig(), (0, 1, 1, 1, 1)))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds

    rng = np.random.default_rng(0)
    images = rng.normal(size=(BATCH, HEIGHT, WIDTH, 1)).astype("float32")
    masks = rng.integers(0, 5, (BATCH, HEIGHT, WIDTH))

    print(f"{'network':<16} {'kernel ms':>10} {'products ms':>12} {'ratio':>6}")
    for name, config in NETWORKS.items():
        models = [build(config, kind) for kind in (ResizeLike, Products)]
        seconds: list[list[float]] = [[], []]
        for step in range(rounds + 1):
            for times, model in zip(seconds, models, strict=True):
                start = time.perf_counter()
                model.train_on_batch(images, masks)
                if step:  # the first one compiles
                    times.append(time.perf_counter() - start)
        kernel, products = (1000 * statistics.median(times) for times in seconds)
        ratio = statistics.median(b / a for a, b in zip(*seconds, strict=True))
        print(f"{name:<16} {kernel:>10.0f} {products:>12.0f} {ratio:>6.2f}")
        keras.utils.clear_session()


if __name__ == "__main__":
    main()
