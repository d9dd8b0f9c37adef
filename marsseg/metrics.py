"""From masks to confusion matrices, and from confusion matrices to scores. NumPy only.

A lens says which pixels and classes of a confusion matrix `C[true, predicted]` count; it is applied to
matrices summed over a whole split, never averaged per image.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marsseg.classes import N_CLASSES
from marsseg.errors import MarsSegError

Lens = Literal["terrain", "course", "strict"]
Decoding = Literal["argmax", "terrain_only"]
Split = Literal["validation", "test"]

LENSES: tuple[Lens, ...] = get_args(Lens)
DECODINGS: tuple[Decoding, ...] = get_args(Decoding)
SPLITS: tuple[Split, ...] = get_args(Split)

_PIXELS_AT_ONCE = 4_000_000


class MetricsError(MarsSegError, ValueError):
    """Masks, logits or confusion matrices that no score can be computed from."""


def confusion_matrices(y_true: ArrayLike, y_pred: ArrayLike, n_classes: int = N_CLASSES) -> NDArray[np.int64]:
    """Count the pixels of each image by true and predicted class.

    Args:
        y_true: (N, H, W) integers 0 … n_classes - 1.
        y_pred: (N, H, W) integers 0 … n_classes - 1.
        n_classes: number of classes.

    Returns:
        (N, n_classes, n_classes) int64, `[image, true, predicted]`.

    Raises:
        MetricsError: the arrays are no integer masks of one shape, or hold other values.
    """
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    _check_masks(true, pred, n_classes)
    counts = np.zeros((len(true), n_classes, n_classes), np.int64)
    pixels = int(np.prod(true.shape[1:]))
    if pixels == 0:
        return counts
    step = max(1, _PIXELS_AT_ONCE // pixels)  # index arrays take 8 bytes a pixel: a bounded number at once
    for start in range(0, len(true), step):
        part = slice(start, start + step)
        counts[part] = _count(true[part], pred[part], n_classes)
    return counts


def class_iou(confusion: ArrayLike, lens: Lens) -> NDArray[np.float64]:
    """Intersection over union of each class, as the lens sees it.

    `terrain` and `course` count the pixels whose true class is not background. `terrain` leaves the
    background class out of the result, so predicting it there is only a miss of the true class; `course`
    keeps it, so a single such pixel adds a class with IoU 0. `strict` counts all pixels and classes. Under
    every lens a class that is in neither truth nor prediction of the counted pixels does not count.

    Args:
        confusion: (…, 5, 5) non-negative counts `[true, predicted]`; leading axes are kept.
        lens: one of `LENSES`.

    Returns:
        (…, 5) float64; NaN where a class does not count.

    Raises:
        MetricsError: no square matrix of counts, or an unknown lens.
    """
    counts = _counted(confusion, lens)
    intersection = np.diagonal(counts, axis1=-2, axis2=-1)
    union = counts.sum(axis=-1) + counts.sum(axis=-2) - intersection
    iou = np.full(union.shape, np.nan)
    np.divide(intersection, union, out=iou, where=union > 0)
    if lens == "terrain":
        iou[..., 0] = np.nan
    return iou


def true_pixels(confusion: ArrayLike, lens: Lens) -> NDArray[np.float64]:
    """Pixels of each true class that the lens counts.

    Args:
        confusion: (…, 5, 5) non-negative counts `[true, predicted]`; leading axes are kept.

    Returns:
        (…, 5) float64 pixels.

    Raises:
        MetricsError: no square matrix of counts, or an unknown lens.
    """
    return np.asarray(_counted(confusion, lens).sum(axis=-1))


def mean_iou(confusion: ArrayLike, lens: Lens) -> float:
    """Mean of `class_iou` over the classes that count; NaN if none does.

    Args:
        confusion: (5, 5) non-negative counts `[true, predicted]`, summed over a whole split.
        lens: one of `LENSES`.

    Raises:
        MetricsError: not one square matrix of counts, or an unknown lens.
    """
    counts = np.asarray(confusion)
    if counts.ndim != 2:
        raise MetricsError(
            f"A score needs one matrix, summed over all images; got an array of shape {counts.shape}. "
            "Sum over the first axis, or use mean_ious."
        )
    return float(mean_ious(counts, lens))


def mean_ious(confusions: ArrayLike, lens: Lens) -> NDArray[np.float64]:
    """`mean_iou` of each of many matrices at once.

    Args:
        confusions: (…, 5, 5) non-negative counts, such as (K, 5, 5) bootstrap sums.
        lens: one of `LENSES`.

    Returns:
        (…) float64; NaN where no class counts.

    Raises:
        MetricsError: no square matrices of counts, or an unknown lens.
    """
    return mean_of_known(class_iou(confusions, lens))


def mean_of_known(values: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """Mean over one axis of the values that are not NaN; NaN where all are, without a warning.

    Args:
        values: (…) float.
    """
    known = ~np.isnan(values)
    n_known = np.asarray(known.sum(axis=axis))
    means = np.full(n_known.shape, np.nan)
    total = np.where(known, values, 0.0).sum(axis=axis)
    np.divide(total, n_known, out=means, where=n_known > 0)
    return means


def decode(logits: ArrayLike, decoding: Decoding) -> NDArray[np.uint8]:
    """Turn logits (or probabilities) into classes; of equal ones the lowest class wins.

    Args:
        logits: (…, 5) numbers.
        decoding: "argmax" over all classes, or "terrain_only" over classes 1–4.

    Returns:
        (…) uint8 classes.

    Raises:
        MetricsError: the last axis does not hold five classes, or an unknown decoding.
    """
    scores = np.asarray(logits)
    if scores.ndim == 0 or scores.shape[-1] != N_CLASSES:
        raise MetricsError(f"Logits need {N_CLASSES} classes on the last axis; got shape {scores.shape}.")
    if decoding == "argmax":
        return np.asarray(scores.argmax(axis=-1), np.uint8)
    if decoding == "terrain_only":
        return np.asarray(scores[..., 1:].argmax(axis=-1) + 1, np.uint8)
    raise MetricsError(f"There is no decoding {decoding!r}; use one of {', '.join(DECODINGS)}.")


def _count(true: NDArray[np.integer], pred: NDArray[np.integer], n_classes: int) -> NDArray[np.int64]:
    n_images = len(true)
    cells = n_classes * n_classes
    index = true.reshape(n_images, -1).astype(np.int64)
    index *= n_classes
    index += pred.reshape(n_images, -1).astype(np.int64, copy=False)
    index += (np.arange(n_images) * cells)[:, None]
    counts = np.bincount(index.ravel(), minlength=n_images * cells)
    return counts.reshape(n_images, n_classes, n_classes)


def _check_masks(true: NDArray[np.integer], pred: NDArray[np.integer], n_classes: int) -> None:
    if true.shape != pred.shape or true.ndim != 3:
        raise MetricsError(
            "True and predicted masks must both have shape (N, H, W); "
            f"got {true.shape} and {pred.shape}. Add an axis in front of a single mask."
        )
    for name, masks in (("y_true", true), ("y_pred", pred)):
        if masks.dtype.kind not in "iu":
            raise MetricsError(
                f"Masks must hold whole numbers; {name} is {masks.dtype}. Decode logits, or cast with astype."
            )
        if masks.size and (masks.min() < 0 or masks.max() >= n_classes):
            image, row, column = np.argwhere((masks < 0) | (masks >= n_classes))[0]
            raise MetricsError(
                f"Mask values must be 0–{n_classes - 1}; found {masks[image, row, column]} in image {image} "
                f"of {name}. Map other labels, such as 255 for unlabelled, to a class first."
            )


def _counted(confusion: ArrayLike, lens: Lens) -> NDArray[np.float64]:
    """The counts without the pixels that the lens leaves out."""
    counts = _as_counts(confusion)
    if lens not in LENSES:
        raise MetricsError(f"There is no lens {lens!r}; use one of {', '.join(LENSES)}.")
    if lens != "strict":
        counts = counts.copy()
        counts[..., 0, :] = 0
    return counts


def _as_counts(confusion: ArrayLike) -> NDArray[np.float64]:
    counts = np.asarray(confusion, dtype=np.float64)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2]:
        raise MetricsError(
            f"A confusion matrix is square, [true, predicted]; got an array of shape {counts.shape}."
        )
    if not (counts >= 0).all():  # also false for NaN
        raise MetricsError("A confusion matrix holds pixel counts; got negative numbers or NaN in it.")
    return counts
