"""The loss on integer masks (B, H, W) and logits (B, H, W, 5): a sum of terms, as one Keras loss.

Masks hold 0–4 in any integer or float dtype. A class of weight 0 is unlabelled terrain: its pixels add
nothing to any term. Every term is finite, gradient included, on batches without a labelled pixel and on
logits that are confidently wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from marsseg.classes import N_CLASSES
from marsseg.config import LossConfig
from marsseg.errors import ConfigError
from marsseg.training import terms
from marsseg.training.terms.inputs import Tensor

Term = Callable[[Tensor, Tensor, Sequence[float]], Tensor]


@keras.saving.register_keras_serializable(package="marsseg")
class SegmentationLoss(keras.losses.Loss):
    """Σ weight · term over the terms that a `LossConfig` switches on.

    Args:
        config: weights and settings of the terms; its own `class_weights` section is not read.
        class_weights: the five numbers that came of that section.
        name: as Keras shows it.
    """

    def __init__(
        self, config: LossConfig, class_weights: Sequence[float], name: str = "segmentation_loss"
    ) -> None:
        super().__init__(name=name)
        self.config = config
        self.class_weights = tuple(float(weight) for weight in class_weights)
        self.terms = _terms(config)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Scalar loss of masks (B, H, W) and logits (B, H, W, 5)."""
        return sum(weight * term(y_true, y_pred, self.class_weights) for weight, term in self.terms.values())

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs, as JSON values."""
        return {
            "config": self.config.model_dump(mode="json"),
            "class_weights": list(self.class_weights),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SegmentationLoss:
        """Rebuild the loss from `get_config`."""
        loss_config = LossConfig.model_validate_json(json.dumps(config["config"]))
        return cls(loss_config, config["class_weights"], config["name"])


@keras.saving.register_keras_serializable(package="marsseg")
class BackgroundLoss(keras.losses.Loss):
    """A loss that is told background from terrain and nothing else: classes 1–4 become class 1.

    Args:
        loss: is given masks of 0 and 1; the logits stay those of five classes, three of them without a pixel.
    """

    def __init__(self, loss: keras.losses.Loss, name: str = "background_loss") -> None:
        super().__init__(name=name)
        self.loss = loss

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Scalar loss of masks (B, H, W) and logits (B, H, W, 5)."""
        return self.loss(ops.minimum(ops.cast(y_true, "int32"), 1), y_pred)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs, as JSON values."""
        return {"loss": keras.losses.serialize(self.loss), "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BackgroundLoss:
        """Rebuild the loss from `get_config`."""
        return cls(keras.losses.deserialize(config["loss"]), config["name"])


def build_loss(config: LossConfig, class_weights: Sequence[float]) -> keras.losses.Loss:
    """Build the loss that `config` describes.

    Args:
        config: weights and settings of the terms.
        class_weights: one weight a class, background first, each finite and at least 0.

    Returns:
        A serialisable loss of masks (B, H, W) and logits (B, H, W, 5) that gives a scalar.

    Raises:
        ConfigError: `class_weights` are not five finite numbers of at least 0.
    """
    weights = [float(weight) for weight in class_weights]
    if len(weights) != N_CLASSES or not all(0 <= weight < float("inf") for weight in weights):
        problem = f"must be {N_CLASSES} finite numbers of at least 0, background first; got {weights}."
        raise ConfigError({"loss.class_weights": problem})
    return SegmentationLoss(config, weights)


def _terms(config: LossConfig) -> dict[str, tuple[float, Term]]:
    """Weight and function of each term that is switched on, by the name of its field."""
    c = config
    prices = {"alpha": c.tversky_alpha, "beta": c.tversky_beta}
    functions: dict[str, Term] = {
        "cross_entropy": lambda y, z, w: terms.cross_entropy(y, z, w, label_smoothing=c.label_smoothing),
        "focal": lambda y, z, w: terms.focal(y, z, w, gamma=c.focal_gamma, alpha=c.focal_alpha),
        "dice": terms.dice,
        "generalized_dice": terms.generalized_dice,
        "tversky": lambda y, z, w: terms.tversky(y, z, w, **prices),
        "focal_tversky": lambda y, z, w: terms.focal_tversky(y, z, w, **prices, gamma=c.focal_tversky_gamma),
        "lovasz": terms.lovasz_softmax,
        "boundary": lambda y, z, w: terms.boundary(y, z, w, tolerance=c.boundary_tolerance),
        "top_k": lambda y, z, w: terms.top_k(y, z, w, share=c.top_k_share),
    }
    return {name: (getattr(c, name), term) for name, term in functions.items() if getattr(c, name)}
