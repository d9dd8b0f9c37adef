"""Boundary loss: whether the outlines of classes lie where they should."""

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


def boundary(mask: Tensor, logits: Tensor, class_weights: Sequence[float], *, tolerance: int) -> Tensor:
    """Boundary loss, 1 − mean over classes of 2 P R / (P + R) (Bokhovkin & Burnaev 2019).

    The outline of a class is b = p − (smallest p among a pixel and its eight neighbours), for truth and for
    p = softmax(logits) alike. P is the share of the predicted outline within `tolerance` pixels of the true
    one, R the share of the true outline within `tolerance` of the predicted one, in squares of side
    2 · tolerance + 1 and summed over the whole batch. Unlabelled pixels are nobody's neighbours and carry no
    outline, so that no outline arises where labels end. The mean runs over classes of weight above 0 whose
    truth has an outline in the batch, alike.

    Args:
        mask: (B, H, W) class indices.
        logits: (B, H, W, 5) float.
        class_weights: five numbers; above 0 or not is all that matters.
        tolerance: how far apart two outlines may be and still match, at least 1.

    Returns:
        A scalar in [0, 1]; 0 where no class has an outline.
    """
    truth, logits = one_hot_and_logits(mask, logits)
    labelled = labelled_pixels(truth, class_weights)
    true = _outline(truth, labelled)
    predicted = _outline(ops.softmax(logits), labelled)

    length = _per_class(true)
    precision = _per_class(predicted * _dilate(true, tolerance)) / ops.maximum(_per_class(predicted), TINY)
    recall = _per_class(true * _dilate(predicted, tolerance)) / ops.maximum(length, TINY)
    f1 = 2.0 * precision * recall / ops.maximum(precision + recall, TINY)
    return mean_over_classes(1.0 - f1, length)


def _outline(p: Tensor, labelled: Tensor) -> Tensor:
    """How far each pixel rises above its lowest labelled neighbour: (B, H, W, 5) to the same."""
    rest = labelled * (1.0 - p)
    return labelled * (_dilate(rest, 1) - rest)


def _dilate(values: Tensor, radius: int) -> Tensor:
    """Greatest value within `radius` rows and columns: (B, H, W, 5) to the same."""
    side = 2 * radius + 1
    for window in ((side, 1), (1, side)):  # rows, then columns: the same as a square, for far less work
        values = ops.max_pool(values, window, strides=1, padding="same", data_format="channels_last")
    return values


def _per_class(values: Tensor) -> Tensor:
    """(B, H, W, 5) to (5,) sums."""
    return ops.sum(values, axis=(0, 1, 2))
