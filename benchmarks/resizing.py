"""Ways to enlarge features to the size of others: cost of a training step by each.

    python benchmarks/resizing.py [--rounds 9]

Printed is the median of the ratios round by round.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras
from keras import layers, ops

from benchmarks.in_turn import build, median_ratio, milliseconds, time_steps
from marsseg.config import ModelConfig
from marsseg.training import parts
from marsseg.training.custom_layers import ResizeLike

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


def build_with(resize: type[layers.Layer], config: ModelConfig) -> keras.Model:
    """The network, its features resized by `resize`."""
    original, parts.ResizeLike = parts.ResizeLike, resize
    try:
        return build(config)
    finally:
        parts.ResizeLike = original


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds

    print(f"{'network':<16} {'kernel ms':>10} {'products ms':>12} {'ratio':>6}")
    for name, config in NETWORKS.items():
        models = {kind.__name__: build_with(kind, config) for kind in (ResizeLike, Products)}
        kernel, products = time_steps(models, rounds).values()
        ratio = median_ratio(products, kernel)
        print(f"{name:<16} {milliseconds(kernel):>10.0f} {milliseconds(products):>12.0f} {ratio:>6.2f}")
        keras.utils.clear_session()


if __name__ == "__main__":
    main()
