"""Terms of overlap, class by class, of which all labelled classes that the batch's truth holds count alike.

A class's weight only says whether it is labelled: 0 or not.
"""

from __future__ import annotations

from collections.abc import Sequence

from keras import ops

from marsseg.training.terms.inputs import TINY, Tensor, labelled, mean_over, one_hot_and_logits

PIXELS = (0, 1, 2)
STEEPEST = 1e-5
"""What keeps the slope of a root finite at 0."""


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
    index, present = _tversky_index(mask, logits, class_weights, alpha, beta)
    return mean_over(1.0 - index, present)


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


def focal_tversky(
    mask: Tensor,
    logits: Tensor,
    class_weights: Sequence[float],
    *,
    alpha: float,
    beta: float,
    gamma: float,
) -> Tensor:
    """Focal Tversky loss, mean over classes of (1 − TI)^(1/γ) (Abraham 2019), TI as in `tversky`.

    The slope of that root is infinite where a class is perfect; (x + ε)^(1/γ) − ε^(1/γ) with ε = 1e-5 takes
    its place, which is 0 there, too, and differs by less than ε^(1/γ) elsewhere (by ε/γ for γ < 1).

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: five numbers.
        alpha: price of false positives.
        beta: price of false negatives.
        gamma: γ; 1 gives the Tversky loss.

    Returns:
        A scalar in [0, 1]; 0 where no class counts.
    """
    index, present = _tversky_index(mask, logits, class_weights, alpha, beta)
    root = 1.0 / gamma
    return mean_over((1.0 - index + STEEPEST) ** root - STEEPEST**root, present)


def generalized_dice(mask: Tensor, logits: Tensor, class_weights: Sequence[float]) -> Tensor:
    """Generalised Dice loss, 1 − 2 Σ_c v_c Σ p t / Σ_c v_c Σ (p + t) with v_c = 1 / (Σ t)² (Sudre 2017).

    The sums Σ run over all labelled pixels of the batch. A class that its truth does not hold would have an
    infinite v; it has no say instead.

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: five numbers.

    Returns:
        A scalar in [0, 1]; 0 where no class counts.
    """
    truth, p = _truth_and_probabilities(mask, logits, class_weights)
    pixels = ops.sum(truth, axis=PIXELS)  # (5,)
    present = ops.cast(pixels > 0, p.dtype)
    smallest = ops.min(ops.where(pixels > 0, pixels, float("inf")))
    # Only their ratios matter; relative to the rarest class they are neither tiny nor huge.
    weights = present * ops.square(ops.where(pixels > 0, smallest, 0.0) / ops.maximum(pixels, 1.0))
    hits = ops.sum(weights * ops.sum(p * truth, axis=PIXELS))
    sizes = ops.sum(weights * ops.sum(p + truth, axis=PIXELS))
    return ops.max(present) * (1.0 - 2.0 * hits / ops.maximum(sizes, TINY))


def _tversky_index(
    mask: Tensor, logits: Tensor, class_weights: Sequence[float], alpha: float, beta: float
) -> tuple[Tensor, Tensor]:
    """TP / (TP + α FP + β FN) of each class, and 1 for those that the truth holds; both (5,)."""
    truth, p = _truth_and_probabilities(mask, logits, class_weights)
    hits = ops.sum(p * truth, axis=PIXELS)
    false_positives = ops.sum(p * (1.0 - truth), axis=PIXELS)
    false_negatives = ops.sum((1.0 - p) * truth, axis=PIXELS)
    costs = hits + alpha * false_positives + beta * false_negatives
    present = ops.cast(ops.sum(truth, axis=PIXELS) > 0, p.dtype)
    return hits / ops.maximum(costs, TINY), present


def _truth_and_probabilities(
    mask: Tensor, logits: Tensor, class_weights: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """One-hot truth and softmax, both (B, H, W, 5) and 0 on pixels that are not labelled."""
    truth, logits = one_hot_and_logits(mask, logits)
    counts = labelled(truth, class_weights)[..., None]
    return truth * counts, ops.softmax(logits) * counts
