"""Models of a single part, and their weights: what tests of blocks compare with formulas."""

from __future__ import annotations

import keras
import numpy as np


def model_of(part, channels=8, inputs=1):
    tensors = [keras.Input((None, None, channels)) for _ in range(inputs)]
    return keras.Model(tensors if inputs > 1 else tensors[0], part(*tensors))


def weights_of(model, layer):
    return [np.asarray(weight, "float64") for weight in model.get_layer(layer).weights]


def fill(model, rng):
    """Random weights everywhere, biases too, so that no term of a formula can hide behind a zero."""
    model.set_weights([rng.normal(size=w.shape, scale=0.5) for w in model.get_weights()])
    return model
