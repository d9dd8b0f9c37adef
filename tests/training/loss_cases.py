"""Every term of the loss, alone and together, for the checks that all of them must pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from marsseg.config import LossConfig

WEIGHTS = (0.0, 0.5, 1.0, 2.0, 7.0)
ONES = (1.0,) * 5


def alone(term: str, **settings: float) -> LossConfig:
    """One term switched on, the others off."""
    return LossConfig.model_validate({"cross_entropy": 0.0, term: 1.0, **settings})


TERMS = {
    "cross_entropy": LossConfig(),
    "smoothed": LossConfig(label_smoothing=0.1),
    "focal": alone("focal"),
    "focal_gamma_below_1": alone("focal", focal_gamma=0.25),
    "focal_gamma_0": alone("focal", focal_gamma=0.0),
    "dice": alone("dice"),
    "generalized_dice": alone("generalized_dice"),
    "tversky": alone("tversky"),
    "tversky_without_false_negatives": alone("tversky", tversky_alpha=1.0, tversky_beta=0.0),
    "focal_tversky": alone("focal_tversky"),
    "focal_tversky_gamma_5": alone("focal_tversky", focal_tversky_gamma=5.0),
    "focal_tversky_gamma_below_1": alone("focal_tversky", focal_tversky_gamma=0.5),
    "lovasz": alone("lovasz"),
    "boundary": alone("boundary", boundary_tolerance=1),
    "top_k": alone("top_k"),
    "top_k_all": alone("top_k", top_k_share=1.0),
    "all": LossConfig(
        focal=0.5,
        dice=0.5,
        generalized_dice=0.5,
        tversky=0.25,
        focal_tversky=0.25,
        lovasz=1.5,
        boundary=0.5,
        top_k=2.0,
    ),
}
every_term = pytest.mark.parametrize("config", TERMS.values(), ids=TERMS.keys())


def certain(classes: np.ndarray) -> np.ndarray:
    """Logits that leave no doubt."""
    return np.where(np.arange(5) == classes[..., None], 100.0, -100.0).astype("float32")


def value_and_gradient(loss: Any, mask: np.ndarray, logits: np.ndarray) -> tuple[float, np.ndarray]:
    """Value of a loss and its gradient in the logits."""
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        value = loss(mask, variable)
    return float(value), tape.gradient(value, variable).numpy()
