"""How sure a score or a difference of scores is: bootstrap over images, t-intervals over repeats.

A mean IoU is a ratio of sums over all images, so its spread has no simple formula. Images are drawn with
replacement instead, their confusion matrices summed, and the score taken anew (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapters 6 and 13). As the images are drawn once for both sides of a
comparison, what makes an image hard for everyone cancels out. Such an interval speaks of other images from
the same source; only repeats with other seeds speak of training noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from marsseg.errors import MarsSegError
from marsseg.metrics import Lens, mean_iou, mean_ious

_WEIGHTS_AT_ONCE = 4_000_000


class StatisticsError(MarsSegError, ValueError):
    """Too little, or not the right kind of data, to say how sure a number is."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of mean IoU between two networks on the same images.

    Args:
        delta: score of the first minus score of the second; NaN where one has no score.
        low, high: percentile interval of `delta` over resampled images.
        p_value: two-sided; twice the share of resamples on the less likely side of 0 (the smallest
            1 - confidence whose interval touches 0), never below 2 / (resamples + 1).
        n_images: how many images both were judged on.
    """

    delta: float
    low: float
    high: float
    p_value: float
    n_images: int

    @property
    def is_clear(self) -> bool:
        """The interval leaves 0 out."""
        return self.low > 0 or self.high < 0


def mean_and_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (n - 1) of the values that are numbers.

    Returns:
        The mean, NaN if there is no number; the deviation, None if there are fewer than two.
    """
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return math.nan, None
    return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else None


def repeats_interval(values: Sequence[float], *, confidence: float = 0.95) -> tuple[float, float] | None:
    """Student's t-interval of the mean over repeats; None if there are fewer than two."""
    mean, sd = mean_and_sd(values)
    if sd is None:
        return None
    n = sum(not math.isnan(value) for value in values)
    reach = float(stdtrit(n - 1, 0.5 + confidence / 2)) * sd / math.sqrt(n)
    return mean - reach, mean + reach


def score_interval(
    confusions: ArrayLike,
    lens: Lens,
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the mean IoU over resampled images.

    Args:
        confusions: (N, 5, 5) counts, one matrix an image.

    Returns:
        Low and high; NaN where no class counts.

    Raises:
        StatisticsError: fewer than two images.
    """
    images = _per_image(confusions)
    scores = np.concatenate([mean_ious(total, lens) for (total,) in _resampled(n_resamples, seed, images)])
    return _percentiles(scores, confidence)


def paired_difference(
    confusions_a: ArrayLike,
    confusions_b: ArrayLike,
    lens: Lens,
    *,
    rows_a: ArrayLike | None = None,
    rows_b: ArrayLike | None = None,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Difference:
    """Compare two networks on the images that both were judged on.

    Args:
        confusions_a: (N, 5, 5) counts of the first, one matrix an image.
        confusions_b: (M, 5, 5) counts of the second.
        rows_a: (N,) which image each matrix belongs to; needs `rows_b`. Without them the order is the same.
        rows_b: (M,) the same for the second.
        seed: draws the images; the same seed gives the same interval.

    Raises:
        StatisticsError: fewer than two common images, an image twice, or lengths that do not fit.
    """
    ours, theirs = _paired(_per_image(confusions_a), _per_image(confusions_b), rows_a, rows_b)
    drawn = _resampled(n_resamples, seed, ours, theirs)
    deltas = np.concatenate([mean_ious(a, lens) - mean_ious(b, lens) for a, b in drawn])
    low, high = _percentiles(deltas, confidence)
    return Difference(
        delta=mean_iou(ours.sum(axis=0), lens) - mean_iou(theirs.sum(axis=0), lens),
        low=low,
        high=high,
        p_value=_p_value(deltas),
        n_images=len(ours),
    )


def _resampled(
    n_resamples: int, seed: int, *sides: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.float64], ...]]:
    """Sums over images drawn with replacement, (K, 5, 5) for each side, a bounded number at a time.

    How often each image is drawn is a multinomial count, so that the sums are one matrix product.
    """
    rng = np.random.default_rng(seed)
    n_images = len(sides[0])
    step = max(1, _WEIGHTS_AT_ONCE // n_images)
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        times_drawn = rng.multinomial(n_images, np.full(n_images, 1 / n_images), size).astype(np.float64)
        yield tuple(
            (times_drawn @ side.reshape(n_images, -1)).reshape(size, *side.shape[1:]) for side in sides
        )


def _percentiles(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


def _p_value(deltas: NDArray[np.float64]) -> float:
    known = deltas[~np.isnan(deltas)]
    if not len(known):
        return math.nan
    fewer = min(np.count_nonzero(known <= 0), np.count_nonzero(known >= 0))
    return float(min(1.0, 2 * (fewer + 1) / (len(known) + 1)))


def _per_image(confusions: ArrayLike) -> NDArray[np.float64]:
    images = np.asarray(confusions, dtype=np.float64)
    if images.ndim != 3 or images.shape[1] != images.shape[2]:
        raise StatisticsError(
            f"An interval over images needs one confusion matrix an image, (N, 5, 5); got {images.shape}."
        )
    if len(images) < 2:
        raise StatisticsError(
            f"An interval over images needs at least two; got {len(images)}. Score a larger split."
        )
    return images


def _paired(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], rows_a: ArrayLike | None, rows_b: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if rows_a is None and rows_b is None:
        rows_a, rows_b = np.arange(len(ours)), np.arange(len(theirs))
        if len(ours) != len(theirs):
            raise StatisticsError(
                f"{len(ours)} and {len(theirs)} images cannot be paired by order; give the rows of both."
            )
    if rows_a is None or rows_b is None:
        raise StatisticsError("Images can be matched only by the rows of both sides; one side's are missing.")
    first, second = np.asarray(rows_a), np.asarray(rows_b)
    for rows, images in ((first, ours), (second, theirs)):
        if rows.shape != (len(images),) or len(np.unique(rows)) != len(rows):
            raise StatisticsError(
                f"Rows must name each of the {len(images)} images once; got {rows.shape} with "
                f"{len(np.unique(rows))} different ones."
            )
    common, places_a, places_b = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    if len(common) < 2:
        raise StatisticsError(
            f"The two were judged on {len(common)} common images; a comparison needs at least two. "
            "Compare runs with the same dataset and split."
        )
    return ours[places_a], theirs[places_b]
