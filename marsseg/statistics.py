"""How far a difference of scores could be luck of the images: a paired bootstrap.

A mean IoU is a ratio of sums over all images, so its spread has no simple formula. Images are drawn with
replacement instead, their confusion matrices summed, and the score taken anew (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapters 6 and 13). As the images are drawn once for both sides of a
comparison, what makes an image hard for everyone cancels out. Images that were cut from one frame look
alike, so frames are drawn whole where they are known (the cluster bootstrap; Davison and Hinkley, Bootstrap
Methods and their Application, 1997, section 3.8). A resample without a true pixel of some class is left out:
its score would be a mean over other classes than the difference that the interval is of.

Such an interval speaks of other images from the same source; only repeats with other seeds speak of
training noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marsseg.errors import MarsSegError
from marsseg.metrics import Lens, mean_ious, mean_of_known, true_pixels

_DRAWS_AT_ONCE = 4_000_000
_ENOUGH = 0.5
"""Share of the resamples that must hold every class; with fewer, too few images do to tell an interval."""


class StatisticsError(MarsSegError, ValueError):
    """Too little, or not the right kind of data, to say how sure a number is."""


class Judged(Protocol):
    """What one run made of some images.

    Args:
        rows: (N,) which image each matrix belongs to, each once.
        confusions: (N, 5, 5) counts `[image, true, predicted]`.
    """

    @property
    def rows(self) -> NDArray[Any]:
        """(N,) integers."""

    @property
    def confusions(self) -> NDArray[Any]:
        """(N, 5, 5) counts."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of mean IoU between two configurations on the images that both were judged on.

    Args:
        delta: score of the first minus score of the second; NaN where one has no score. The score of a
            configuration is the mean over its repeats.
        low, high: percentile interval of `delta` over resampled images; NaN where too few images tell one:
            all are of one frame, or fewer than half of the resamples hold every class.
        n_images: how many images both were judged on.
    """

    delta: float
    low: float
    high: float
    n_images: int


def mean_and_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (n - 1) of the values that are numbers.

    Returns:
        The mean, NaN if there is no number; the deviation, None if there are fewer than two.
    """
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return math.nan, None
    return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else None


def welch_interval(
    ours: Sequence[float], theirs: Sequence[float], *, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Interval of the difference of two means over repeats, whose deviations may differ (Welch 1947).

    It says how far the difference could be luck of the seeds. With few repeats it is wide, and should be.

    Returns:
        Low and high end; None if a side has fewer than two numbers.
    """
    sides = [np.array([value for value in side if not math.isnan(value)]) for side in (ours, theirs)]
    if min(map(len, sides)) < 2:
        return None
    first, second = (float(np.var(side, ddof=1)) / len(side) for side in sides)
    delta = float(np.mean(sides[0]) - np.mean(sides[1]))
    if not first + second:
        return delta, delta
    # Imported here: pages wait for what they import, and few of them ask.
    from scipy.special import stdtrit

    freedom = (first + second) ** 2 / sum(
        variance**2 / (len(side) - 1) for variance, side in zip((first, second), sides, strict=True)
    )
    reach = float(stdtrit(freedom, 0.5 + confidence / 2)) * math.sqrt(first + second)
    return delta - reach, delta + reach


def paired_difference(
    ours: Sequence[Judged],
    theirs: Sequence[Judged],
    lens: Lens,
    *,
    frames: ArrayLike | None = None,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Difference:
    """Compare two configurations, each with one or more repeats, on their common images.

    An image is common if at least one repeat of either side was judged on it; a repeat that was not, such as
    another fold, has a say on its own images only.

    Args:
        frames: (rows,) integers, from which frame the image of each row was cut; those of one frame are drawn
            together. None where each image stands for itself.
        seed: draws the images; the same seed gives the same interval.

    Raises:
        StatisticsError: fewer than two common images, an image twice in one repeat, or wrong shapes.
    """
    common = np.intersect1d(_rows(ours), _rows(theirs))
    if len(common) < 2:
        raise StatisticsError(
            f"The two were judged on {len(common)} common images; a comparison needs at least two. "
            "Compare runs with the same dataset and split."
        )
    units = np.arange(len(common)) if frames is None else np.asarray(frames)[common]
    sides = [np.stack([_placed(each, common, units) for each in side], axis=1) for side in (ours, theirs)]
    wholes = [side.sum(axis=0) for side in sides]
    delta = float(_difference(wholes, wholes, lens))
    if len(sides[0]) < 2:
        return Difference(delta, math.nan, math.nan, len(common))
    drawn = np.concatenate([_difference(sums, wholes, lens) for sums in _resampled(n_resamples, seed, sides)])
    low, high = _percentiles(drawn, confidence)
    return Difference(delta, low, high, len(common))


def common_images(ours: Sequence[Judged], theirs: Sequence[Judged]) -> tuple[int, int]:
    """How many images both sides were judged on, and how many at least one of them was."""
    return len(np.intersect1d(_rows(ours), _rows(theirs))), len(np.union1d(_rows(ours), _rows(theirs)))


def _rows(side: Sequence[Judged]) -> NDArray[Any]:
    """Every image that any repeat was judged on, once."""
    for each in side:
        if each.confusions.ndim != 3 or each.rows.shape != each.confusions.shape[:1]:
            raise StatisticsError(
                "Each image needs its row and one confusion matrix, (N,) and (N, 5, 5); "
                f"got {each.rows.shape} and {each.confusions.shape}."
            )
        if len(np.unique(each.rows)) != len(each.rows):
            raise StatisticsError("A repeat was judged twice on one image; name each image once.")
    return np.unique(np.concatenate([np.empty(0, np.int64), *(each.rows for each in side)]))


def _placed(judged: Judged, common: NDArray[Any], units: NDArray[Any]) -> NDArray[np.float64]:
    """(U, 5, 5) sums over the common images of each unit, units ascending; zeros where this repeat has none.

    Args:
        units: (N,) to which unit each common image belongs.
    """
    known, unit_of = np.unique(units, return_inverse=True)
    sums = np.zeros((len(known), *judged.confusions.shape[1:]))
    _, places, sources = np.intersect1d(common, judged.rows, assume_unique=True, return_indices=True)
    np.add.at(sums, unit_of[places], judged.confusions[sources])
    return sums


def _difference(
    sums: Sequence[NDArray[np.float64]], wholes: Sequence[NDArray[np.float64]], lens: Lens
) -> NDArray[np.float64]:
    """(…) differences of the two sides' scores from their sums (…, repeats, 5, 5).

    Args:
        wholes: (repeats, 5, 5) for each side, the sums over all images.
    """
    ours, theirs = (_scores(*side, lens) for side in zip(sums, wholes, strict=True))
    return np.asarray(ours - theirs)


def _scores(sums: NDArray[np.float64], whole: NDArray[np.float64], lens: Lens) -> NDArray[np.float64]:
    """(…) means over repeats of mean IoU; NaN where a class has true pixels in `whole`, but none here."""
    is_undrawn = (true_pixels(whole, lens) > 0) & (true_pixels(sums, lens) == 0)
    means = mean_of_known(mean_ious(sums, lens))
    return np.where(is_undrawn.any(axis=(-1, -2)), np.nan, means)


def _resampled(
    n_resamples: int, seed: int, sides: Sequence[NDArray[np.float64]]
) -> Iterator[list[NDArray[np.float64]]]:
    """Sums over units drawn with replacement, (K, repeats, 5, 5) for each side, a bounded number at a time.

    How often each unit is drawn is counted, so that the sums are one matrix product.
    """
    rng = np.random.default_rng(seed)
    n_units = len(sides[0])
    step = max(1, _DRAWS_AT_ONCE // n_units)
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        drawn = rng.integers(0, n_units, (size, n_units))
        drawn += n_units * np.arange(size)[:, None]  # a range of numbers to each resample
        times_drawn = np.bincount(drawn.ravel(), minlength=size * n_units).reshape(size, n_units)
        weights = times_drawn.astype(np.float64)
        yield [(weights @ side.reshape(n_units, -1)).reshape(size, *side.shape[1:]) for side in sides]


def _percentiles(values: ArrayLike, confidence: float) -> tuple[float, float]:
    drawn = np.asarray(values)
    known = drawn[~np.isnan(drawn)]
    if len(known) < max(1, _ENOUGH * len(drawn)):
        return math.nan, math.nan
    low, high = np.quantile(known, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)
