"""A term that compares the outlines of classes instead of their areas."""

from __future__ import annotations

from collections.abc import Sequence

from keras import ops

from marsseg.training.terms.inputs import TINY, Tensor, labelled, mean_over, one_hot_and_logits

PIXELS = (0, 1, 2)


def boundary(mask: Tensor, logits: Tensor, class_weights: Sequence[float], *, tolerance: int) -> Tensor:
    """Boundary loss, 1 − mean over classes of the F1 of outlines (Bokhovkin & Burnaev 2019).

    The outline of a class are those of its pixels that touch another class: b = pool₃(1 − y) − (1 − y) with
    maximum pooling over 3×3 pixels, for truth and softmax alike. Precision is the share of the predicted
    outline that lies within `tolerance` pixels of the true one, recall the other way round; both over the
    whole batch. An edge between a class and unlabelled pixels is no outline. Classes count that have an
    outline in the truth, all alike: a class's weight only says whether it is labelled.

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: five numbers.
        tolerance: in pixels, along both axes.

    Returns:
        A scalar in [0, 1]; 0 where no class has an outline.
    """
    truth, logits = one_hot_and_logits(mask, logits)
    counts = labelled(truth, class_weights)[..., None]
    true, predicted = _outline(truth, counts), _outline(ops.softmax(logits), counts)
    reach = 2 * tolerance + 1
    precision = _share(predicted, _pool(true, reach))
    recall = _share(true, _pool(predicted, reach))
    f1 = 2.0 * precision * recall / ops.maximum(precision + recall, TINY)
    return mean_over(1.0 - f1, ops.cast(ops.sum(true, axis=PIXELS) > 0, logits.dtype))


def _outline(inside: Tensor, counts: Tensor) -> Tensor:
    """How far each pixel is one of its class beside another: (B, H, W, 5) to the same.

    Args:
        counts: (B, H, W, 1), 1 where a pixel is labelled.
    """
    outside = (1.0 - inside) * counts
    return (_pool(outside, 3) - outside) * counts


def _share(part: Tensor, allowed: Tensor) -> Tensor:
    """Share of each class's outline that is allowed, (5,)."""
    return ops.sum(part * allowed, axis=PIXELS) / ops.maximum(ops.sum(part, axis=PIXELS), TINY)


def _pool(values: Tensor, size: int) -> Tensor:
    return ops.max_pool(values, size, strides=1, padding="same")
