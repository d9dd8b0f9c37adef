"""The Lovász extension of the Jaccard loss: a term that follows IoU itself."""

from __future__ import annotations

from collections.abc import Sequence

from keras import ops

from marsseg.classes import N_CLASSES
from marsseg.training.terms.inputs import Tensor, labelled, mean_over, one_hot_and_logits


def lovasz_softmax(mask: Tensor, logits: Tensor, class_weights: Sequence[float]) -> Tensor:
    """Lovász-softmax loss, mean over classes of Σ_i m_i g_i (Berman 2018).

    Of class c, m_i is 1 − p_i where pixel i belongs to it and p_i elsewhere, and g_i is how much the Jaccard
    loss 1 − |A ∩ B| / |A ∪ B| grows when pixel i joins the wrong ones, the largest m first. For hard
    predictions the sum is 1 − IoU. Labelled pixels of the whole batch count, and the labelled classes that
    its truth holds, all alike: a class's weight only says whether it is labelled.

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: five numbers.

    Returns:
        A scalar in [0, 1]; 0 where no class counts.
    """
    truth, logits = one_hot_and_logits(mask, logits)
    counts = ops.reshape(labelled(truth, class_weights), (1, -1))
    truth = _by_class(truth) * counts  # (5, N)
    mistakes = ops.abs(truth - _by_class(ops.softmax(logits))) * counts
    growth = ops.stop_gradient(_growth_of_jaccard_loss(truth, mistakes, counts))
    present = ops.cast(ops.sum(truth, axis=1) > 0, logits.dtype)
    return mean_over(ops.sum(mistakes * growth, axis=1), present)


def _growth_of_jaccard_loss(truth: Tensor, mistakes: Tensor, counts: Tensor) -> Tensor:
    """G of every pixel, in its place: all three (5, N) or (1, N), as is the result.

    The loss is linear in the mistakes as long as their order stays, with g as its gradient. So g is carried
    back to the pixels, and no gradient has to pass through a sort.
    """
    order = ops.argsort(ops.where(counts > 0, -mistakes, 1.0), axis=1)  # unlabelled pixels come last
    inside = ops.take_along_axis(truth, order, axis=1)
    total = ops.sum(truth, axis=1, keepdims=True)
    hits = total - ops.cumsum(inside, axis=1)
    union = total + ops.cumsum(1.0 - inside, axis=1)
    loss = 1.0 - hits / ops.maximum(union, 1.0)
    growth = loss - ops.pad(loss[:, :-1], ((0, 0), (1, 0)))
    return ops.take_along_axis(growth, ops.argsort(order, axis=1), axis=1)


def _by_class(values: Tensor) -> Tensor:
    """(B, H, W, 5) to (5, B·H·W)."""
    return ops.transpose(ops.reshape(values, (-1, N_CLASSES)))
