"""Terms that add up pixel by pixel, each pixel by the weight of its class."""

from __future__ import annotations

from collections.abc import Sequence

from keras import ops

from marsseg.classes import N_CLASSES
from marsseg.training.terms.pixels import Tensor, one_hot_and_logits, pixel_weights


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
    """Cross-entropy of hard pixels, mean of −w[y] log p over the k labelled pixels of least p (Wu 2016).

    p = softmax(logits)[y] is the probability of the true class, and k = share · labelled pixels of the whole
    batch, rounded, at least 1. Weights scale what a hard pixel costs; they do not make it hard. Pixels
    equally hard where only some have room share that room alike, so that their order does not matter.

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: w, five numbers.
        share: in (0, 1]; 1 gives cross-entropy per labelled pixel.

    Returns:
        A scalar; 0 where every pixel's class has weight 0.
    """
    truth, logits = one_hot_and_logits(mask, logits)
    weights = pixel_weights(truth, class_weights)
    loss = -ops.sum(truth * ops.log_softmax(logits), axis=-1)  # (B, H, W)
    labelled = weights > 0
    kept = ops.maximum(ops.round(share * ops.sum(ops.cast(labelled, loss.dtype))), 1.0)
    chosen = _hardest(ops.stop_gradient(loss), labelled, kept)
    return ops.sum(chosen * weights * loss) / kept


def _hardest(loss: Tensor, labelled: Tensor, kept: Tensor) -> Tensor:
    """How much each pixel counts among the `kept` labelled ones of highest loss: (B, H, W) in [0, 1]."""
    rising = ops.sort(ops.reshape(ops.where(labelled, loss, -1.0), (-1,)))
    threshold = ops.take(rising, ops.size(rising) - ops.cast(kept, "int32"))

    above = ops.cast(ops.logical_and(labelled, loss > threshold), loss.dtype)
    level = ops.cast(ops.logical_and(labelled, loss == threshold), loss.dtype)
    room = kept - ops.sum(above)
    return above + level * room / ops.maximum(ops.sum(level), 1.0)
