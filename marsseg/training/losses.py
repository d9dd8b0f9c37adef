"""Losses on integer masks (B, H, W) and logits (B, H, W, 5): pure functions, and one Keras loss of their sum.

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

Tensor = Any
TINY = 1e-7


def cross_entropy(
    mask: Tensor, logits: Tensor, class_weights: Sequence[float], *, label_smoothing: float = 0.0
) -> Tensor:
    """Weighted cross-entropy, mean over all B·H·W pixels of −w[y] Σ_c t_c log p_c.

    The target t is (1 − ε)·onehot(y) + ε/5 with ε = `label_smoothing` (Szegedy 2016). The mean divides by
    the number of all pixels, not by the sum of weights, as Keras' "sum_over_batch_size" does.

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: w, five numbers.
        label_smoothing: ε in [0, 1).

    Returns:
        A scalar; 0 where every pixel's class has weight 0.
    """
    truth, logits = _one_hot_and_logits(mask, logits)
    target = (1.0 - label_smoothing) * truth + label_smoothing / N_CLASSES
    loss = -ops.sum(target * ops.log_softmax(logits), axis=-1)  # (B, H, W)
    return ops.mean(_pixel_weights(truth, class_weights) * loss)


def focal(
    mask: Tensor, logits: Tensor, class_weights: Sequence[float], *, gamma: float, alpha: float
) -> Tensor:
    """Focal loss, mean over all B·H·W pixels of −w[y] α (1 − p)^γ log p (Lin 2017).

    p = softmax(logits)[y] is the probability of the true class.

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: w, five numbers.
        gamma: γ ≥ 0; 0 gives α times cross-entropy.
        alpha: α, scales the whole term.

    Returns:
        A scalar; 0 where every pixel's class has weight 0.
    """
    truth, logits = _one_hot_and_logits(mask, logits)
    log_probabilities = ops.log_softmax(logits)
    log_p = ops.sum(truth * log_probabilities, axis=-1)  # (B, H, W)
    # d(1−p)^γ/dp is infinite at p = 1 for γ < 1, although the gradient of the logits is 0 there. Written as
    # exp(γ log(1−p)), with log(1−p) gathered from the other classes, no such factor ever arises.
    log_rest = ops.logsumexp(ops.where(truth > 0, -float("inf"), log_probabilities), axis=-1)
    loss = -alpha * ops.exp(gamma * log_rest) * log_p
    return ops.mean(_pixel_weights(truth, class_weights) * loss)


def tversky(
    mask: Tensor, logits: Tensor, class_weights: Sequence[float], *, alpha: float, beta: float
) -> Tensor:
    """Tversky loss, 1 − mean over classes of TP / (TP + α FP + β FN) (Salehi 2017).

    TP = Σ p_c t_c, FP = Σ p_c (1 − t_c) and FN = Σ (1 − p_c) t_c with p = softmax(logits) run over the whole
    batch, on pixels whose true class has a weight above 0. The mean runs over classes of weight above 0 that
    the batch's truth holds, alike: beyond 0 or not, weights do not apply. α prices false positives and β
    false negatives, as in the paper (Keras 3.15 has them swapped).

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: five numbers.
        alpha: α ≥ 0.
        beta: β ≥ 0.

    Returns:
        A scalar in [0, 1]; 0 where no class counts.
    """
    truth, logits = _one_hot_and_logits(mask, logits)
    labelled = ops.cast(_pixel_weights(truth, class_weights) > 0, logits.dtype)[..., None]
    truth = truth * labelled
    p = ops.softmax(logits) * labelled

    pixels = (0, 1, 2)
    present = ops.sum(truth, axis=pixels)  # (5,) pixels
    hits = ops.sum(p * truth, axis=pixels)
    false_positives = ops.sum(p * (1.0 - truth), axis=pixels)
    false_negatives = ops.sum((1.0 - p) * truth, axis=pixels)
    costs = hits + alpha * false_positives + beta * false_negatives
    index = hits / ops.maximum(costs, TINY)

    counts = ops.cast(present > 0, logits.dtype)
    return ops.sum(counts * (1.0 - index)) / ops.maximum(ops.sum(counts), 1.0)


def dice(mask: Tensor, logits: Tensor, class_weights: Sequence[float]) -> Tensor:
    """Dice loss, 1 − mean over classes of 2 TP / (2 TP + FP + FN) (Milletari 2016, without squares).

    Counts pixels and classes as `tversky` does, of which it is the case α = β = ½.

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: five numbers.

    Returns:
        A scalar in [0, 1]; 0 where no class counts.
    """
    return tversky(mask, logits, class_weights, alpha=0.5, beta=0.5)


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


Term = Callable[[Tensor, Tensor, Sequence[float]], Tensor]


def _terms(config: LossConfig) -> dict[str, tuple[float, Term]]:
    """Weight and function of each term that is switched on, by the name of its field."""
    terms: dict[str, Term] = {
        "cross_entropy": lambda y, z, w: cross_entropy(y, z, w, label_smoothing=config.label_smoothing),
        "focal": lambda y, z, w: focal(y, z, w, gamma=config.focal_gamma, alpha=config.focal_alpha),
        "dice": dice,
        "tversky": lambda y, z, w: tversky(y, z, w, alpha=config.tversky_alpha, beta=config.tversky_beta),
    }
    return {name: (getattr(config, name), term) for name, term in terms.items() if getattr(config, name)}


def _one_hot_and_logits(mask: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """(B, H, W) class indices of any dtype to (B, H, W, 5), both in the logits' dtype, float32 at least."""
    logits = ops.convert_to_tensor(logits)
    logits = ops.cast(logits, keras.backend.result_type(logits.dtype, "float32"))
    return ops.one_hot(ops.cast(mask, "int32"), N_CLASSES, dtype=logits.dtype), logits


def _pixel_weights(truth: Tensor, class_weights: Sequence[float]) -> Tensor:
    """Weight of each pixel's true class: (B, H, W, 5) one-hot to (B, H, W)."""
    return ops.sum(truth * ops.convert_to_tensor(class_weights, dtype=truth.dtype), axis=-1)
