"""Lovász-softmax: the term that follows IoU itself."""

from __future__ import annotations

from collections.abc import Sequence

from keras import ops

from marsseg.training.terms.pixels import (
    Tensor,
    labelled_pixels,
    mean_over_classes,
    one_hot_and_logits,
)


def lovasz(mask: Tensor, logits: Tensor, class_weights: Sequence[float]) -> Tensor:
    """Lovász-softmax loss, mean over classes of Σ_i e_(i) (J_i − J_(i−1)) (Berman 2018).

    e = |t_c − softmax(logits)_c| sorted from large to small over the labelled pixels of the whole batch, and
    J_i is the Jaccard loss of class c if just the first i pixels were wrong. For hard predictions it is
    1 − mean IoU. The mean runs over classes of weight above 0 that the batch's truth holds, alike.

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: five numbers; above 0 or not is all that matters.

    Returns:
        A scalar in [0, 1]; 0 where no class counts.
    """
    truth, logits = one_hot_and_logits(mask, logits)
    labelled = labelled_pixels(truth, class_weights)
    classes = [c for c, weight in enumerate(class_weights) if weight > 0]
    errors = _rows(ops.abs(truth - ops.softmax(logits)) * labelled, classes)
    truth = _rows(truth * labelled, classes)

    slopes = _jaccard_slopes(ops.stop_gradient(errors), truth)
    return mean_over_classes(ops.sum(errors * slopes, axis=1), ops.sum(truth, axis=1))


def _rows(values: Tensor, classes: Sequence[int]) -> Tensor:
    """(B, H, W, 5) to (C, B·H·W), a row a class of `classes`."""
    rows = ops.transpose(ops.reshape(values, (-1, values.shape[-1])))
    return ops.take(rows, ops.convert_to_tensor(classes, dtype="int32"), axis=0)


def _jaccard_slopes(errors: Tensor, truth: Tensor) -> Tensor:
    """What each error is multiplied by, J_i − J_(i−1) at its rank i, in the places of the errors.

    An unlabelled pixel has error 0: it comes after every pixel that adds something, and changes none of them.

    Args:
        errors: (C, N) of at least 0.
        truth: (C, N) 1 where a labelled pixel is of the class, else 0.

    Returns:
        (C, N) in [0, 1].
    """
    n_classes, n = ops.shape(errors)
    order = ops.top_k(errors, n)[1]  # from large to small
    places = order + n * ops.arange(n_classes, dtype="int32")[:, None]  # in the flat (C·N)
    is_class = ops.take(ops.reshape(truth, (-1,)), places)

    size = ops.sum(truth, axis=1, keepdims=True)
    found = ops.cumsum(is_class, axis=1)
    union = size + ops.cast(ops.arange(1, n + 1), truth.dtype) - found
    # The differences written out: subtracting the Jaccard losses of large batches would leave few digits.
    miss = 1.0 / ops.maximum(union, 1.0)
    false_alarm = (size - found) / ops.maximum(union * (union - 1.0), 1.0)
    slopes = ops.where(is_class > 0, miss, false_alarm)
    flat = ops.scatter(ops.reshape(places, (-1, 1)), ops.reshape(slopes, (-1,)), (n_classes * n,))
    return ops.reshape(flat, (n_classes, n))
