"""Terms of the overlap of each class, truth with prediction, over all labelled pixels of the batch.

TP = Σ p_c t_c, FP = Σ p_c (1 − t_c) and FN = Σ (1 − p_c) t_c with p = softmax(logits). A class's weight only
says whether the class is labelled (above 0) or not.
"""

from __future__ import annotations

from collections.abc import Sequence

from keras import ops

from marsseg.training.terms.pixels import (
    TINY,
    Tensor,
    labelled_pixels,
    mean_over_classes,
    one_hot_and_logits,
)

STEEP = 1e-6
"""Below this, focal Tversky is a straight line: its slope would grow without bound towards 0."""


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
    present, hits, false_positives, false_negatives = _overlap(mask, logits, class_weights)
    costs = hits + alpha * false_positives + beta * false_negatives
    index = hits / ops.maximum(costs, TINY)
    return mean_over_classes(1.0 - index, present)


def focal_tversky(
    mask: Tensor, logits: Tensor, class_weights: Sequence[float], *, alpha: float, beta: float, gamma: float
) -> Tensor:
    """Focal Tversky loss, mean over classes of (1 − TI)^(1/γ), TI the index of `tversky` (Abraham 2019).

    Counts pixels and classes as `tversky` does, of which it is the case γ = 1. For γ > 1 the slope in 1 − TI
    is infinite at a perfect class. Below 1 − TI = 1e-6 the power is therefore replaced by the straight line
    from 0 to its value there, which no one can tell from it in a value and which keeps the gradient finite.

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: five numbers.
        alpha: α ≥ 0, price of false positives.
        beta: β ≥ 0, price of false negatives.
        gamma: γ > 0; above 1, classes done well keep a larger say.

    Returns:
        A scalar in [0, 1]; 0 where no class counts.
    """
    present, hits, false_positives, false_negatives = _overlap(mask, logits, class_weights)
    misses = alpha * false_positives + beta * false_negatives
    loss = misses / ops.maximum(hits + misses, TINY)  # 1 − TI without its rounding error
    power = ops.power(ops.maximum(loss, STEEP), 1.0 / gamma)
    line = loss * STEEP ** (1.0 / gamma - 1.0)
    return mean_over_classes(ops.where(loss < STEEP, line, power), present)


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


def generalized_dice(mask: Tensor, logits: Tensor, class_weights: Sequence[float]) -> Tensor:
    """Generalised Dice loss, 1 − 2 Σ_c w_c TP / Σ_c w_c (2 TP + FP + FN), w_c = 1 / (Σ t_c)² (Sudre 2017).

    Counts pixels as `tversky` does. A class that the batch's truth does not hold has no w_c and no say. All
    w_c are scaled so that the smallest class has 1, which changes nothing but keeps them from under- and
    overflowing.

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: five numbers.

    Returns:
        A scalar in [0, 1]; 0 where no class counts.
    """
    present, hits, false_positives, false_negatives = _overlap(mask, logits, class_weights)
    smallest = ops.min(ops.where(present > 0, present, float("inf")))
    weights = ops.where(present > 0, ops.square(smallest / ops.maximum(present, 1.0)), 0.0)
    misses = false_positives + false_negatives
    total = ops.sum(weights * (2.0 * hits + misses))
    return ops.sum(weights * misses) / ops.maximum(total, 1.0)  # at least 1 where a class counts


def _overlap(
    mask: Tensor, logits: Tensor, class_weights: Sequence[float]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Σ t, TP, FP and FN of each class over labelled pixels, (5,) each."""
    truth, logits = one_hot_and_logits(mask, logits)
    labelled = labelled_pixels(truth, class_weights)
    truth = truth * labelled
    p = ops.softmax(logits) * labelled

    pixels = (0, 1, 2)
    return (
        ops.sum(truth, axis=pixels),
        ops.sum(p * truth, axis=pixels),
        ops.sum(p * (1.0 - truth), axis=pixels),
        ops.sum((1.0 - p) * truth, axis=pixels),
    )
