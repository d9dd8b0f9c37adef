"""Ways to multiply features by one number a channel: cost of a training step over the same U-Net without.

    python benchmarks/squeeze_excite.py [--rounds 15]

The gradient of the product sums over every pixel of an image. Printed is the median of the ratios round by
round.
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
from marsseg.training import excitation


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


def build_with(multiply: type[layers.Layer], *, squeeze_excite: bool) -> keras.Model:
    """The usual half-million-parameter network, its excitation applied by `multiply`."""
    original, excitation.layers.Multiply = excitation.layers.Multiply, multiply
    try:
        return build(ModelConfig(residual=True, squeeze_excite=squeeze_excite))
    finally:
        excitation.layers.Multiply = original


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds

    models = {"off": build_with(layers.Multiply, squeeze_excite=False)}
    models |= {name: build_with(multiply, squeeze_excite=True) for name, multiply in VARIANTS.items()}
    seconds = time_steps(models, rounds)

    print(f"{'variant':<18} {'ms a step':>10} {'ratio to off':>13}")
    for name, times in seconds.items():
        print(f"{name:<18} {milliseconds(times):>10.0f} {median_ratio(times, seconds['off']):>13.2f}")


if __name__ == "__main__":
    main()
