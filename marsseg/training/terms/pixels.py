"""What every term starts from: one-hot truth, pixels that count, and means over classes that count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from marsseg.classes import N_CLASSES

Tensor = Any
TINY = 1e-7
"""Stands in for a denominator of 0."""


def one_hot_and_logits(mask: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """(B, H, W) class indices of any dtype to (B, H, W, 5), both in the logits' dtype, float32 at least."""
    logits = ops.convert_to_tensor(logits)
    logits = ops.cast(logits, keras.backend.result_type(logits.dtype, "float32"))
    return ops.one_hot(ops.cast(mask, "int32"), N_CLASSES, dtype=logits.dtype), logits


def pixel_weights(truth: Tensor, class_weights: Sequence[float]) -> Tensor:
    """Weight of each pixel's true class: (B, H, W, 5) one-hot to (B, H, W)."""
    return ops.sum(truth * ops.convert_to_tensor(class_weights, dtype=truth.dtype), axis=-1)


def labelled_pixels(truth: Tensor, class_weights: Sequence[float]) -> Tensor:
    """1 where the true class has a weight above 0, else 0: (B, H, W, 5) one-hot to (B, H, W, 1)."""
    return ops.cast(pixel_weights(truth, class_weights) > 0, truth.dtype)[..., None]


def mean_over_classes(values: Tensor, present: Tensor) -> Tensor:
    """Mean of the values (C,) of classes that are present, (C,) above 0; 0 where none is."""
    counts = ops.cast(present > 0, values.dtype)
    return ops.sum(counts * values) / ops.maximum(ops.sum(counts), 1.0)
