"""Terms that add up over pixels: cross-entropy, focal, and cross-entropy of the hardest pixels.

The weight of its true class multiplies what a pixel costs.
"""

from __future__ import annotations

from collections.abc import Sequence

from keras import ops

from marsseg.classes import N_CLASSES
from marsseg.training.terms.inputs import Tensor, labelled, one_hot_and_logits, pixel_weights


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
    truth, logits = one_hot_and_logits(mask, logits)
    target = (1.0 - label_smoothing) * truth + label_smoothing / N_CLASSES
    loss = -ops.sum(target * ops.log_softmax(logits), axis=-1)  # (B, H, W)
    return ops.mean(pixel_weights(truth, class_weights) * loss)


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
    truth, logits = one_hot_and_logits(mask, logits)
    log_probabilities = ops.log_softmax(logits)
    log_p = ops.sum(truth * log_probabilities, axis=-1)  # (B, H, W)
    # d(1−p)^γ/dp is infinite at p = 1 for γ < 1, although the gradient of the logits is 0 there. Written as
    # exp(γ log(1−p)), with log(1−p) gathered from the other classes, no such factor ever arises.
    log_rest = ops.logsumexp(ops.where(truth > 0, -float("inf"), log_probabilities), axis=-1)
    loss = -alpha * ops.exp(gamma * log_rest) * log_p
    return ops.mean(pixel_weights(truth, class_weights) * loss)


def top_k(mask: Tensor, logits: Tensor, class_weights: Sequence[float], *, share: float) -> Tensor:
    """Weighted cross-entropy, mean over the hardest labelled pixels of the batch (Wu 2016).

    Those are the ⌈s · n⌉ of its n labelled pixels that cost most, with s = `share`; of equal ones the first.

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: w, five numbers.
        share: s in (0, 1].

    Returns:
        A scalar; 0 where no pixel is labelled.
    """
    truth, logits = one_hot_and_logits(mask, logits)
    counts = ops.reshape(labelled(truth, class_weights), (-1,))
    cost = -ops.sum(truth * ops.log_softmax(logits), axis=-1) * pixel_weights(truth, class_weights)
    cost = ops.reshape(cost, (-1,))
    hardest = ops.ceil(share * ops.sum(counts))
    # Ranks carry no gradient, so that none has to pass through a sort.
    order = ops.argsort(ops.stop_gradient(ops.where(counts > 0, -cost, 1.0)))
    rank = ops.cast(ops.argsort(order), cost.dtype)
    chosen = ops.cast(rank < hardest, cost.dtype)
    return ops.sum(chosen * cost) / ops.maximum(hardest, 1.0)
