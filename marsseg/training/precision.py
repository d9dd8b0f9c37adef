"""Half precision for training on a GPU, and the way back for files that others read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras

from marsseg.config import ModelConfig
from marsseg.training.networks import build_networks


@contextlib.contextmanager
def precision(*, mixed: bool) -> Iterator[None]:
    """Let layers made meanwhile compute in float16, with weights in float32 (Micikevicius 2018)."""
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16" if mixed else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(usual)


def in_full_precision(network: keras.Model, config: ModelConfig) -> keras.Model:
    """Return the inference network, or a float32 copy if it computes in half precision.

    ONNX Runtime has no half-precision kernels for a CPU, where most exported networks run.
    """
    if network.dtype_policy.name != "mixed_float16":
        return network
    with precision(mixed=False):
        copy = build_networks(config, seed=0).inference
    copy.set_weights(network.get_weights())
    return copy
