"""Class weights from pixel counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marsseg.classes import N_CLASSES
from marsseg.config import ClassWeightConfig, RunConfig

Floats = NDArray[np.float64]


def loss_weights(config: RunConfig, pixel_counts: ArrayLike) -> Floats:
    """`class_weights` of the classes that a run learns: with background as the target all terrain is class 1.

    Args:
        config: of the run.
        pixel_counts: (5,) training pixels per class, background first.

    Returns:
        (5,) float64, finite and not negative.
    """
    counts = np.asarray(pixel_counts)
    if not config.data.tells_terrain:
        counts = np.array([counts[0], counts[1:].sum(), 0, 0, 0])
    return class_weights(config.loss.class_weights, counts)


def class_weights(config: ClassWeightConfig, pixel_counts: ArrayLike) -> Floats:
    """Weigh the five classes by how many training pixels each has.

    `inverse_frequency`: w_c ∝ 1 / n_c. `effective_number`: w_c ∝ (1 - β) / (1 - β^n_c), Cui et al. 2019,
    https://arxiv.org/abs/1901.05555, with pixels as samples. Both are scaled so that the mean weight of a
    labelled training pixel, Σ n_c w_c / Σ n_c over classes 1-4, is 1. A cap is applied with that mean
    held: what is cut off the heaviest classes is spread over the others in proportion. Only a cap below 1
    cannot keep the mean; then every class present weighs exactly the cap. Classes without a pixel get 0.

    `none` weighs every terrain class 1. `background` is the weight of class 0 (at most the cap). `manual`
    returns its five numbers untouched.

    Args:
        config: mode, background weight, beta, cap and manual weights.
        pixel_counts: (5,) training pixels per class, background first.

    Returns:
        (5,) float64, finite and not negative.
    """
    if config.mode == "manual":
        return np.array(config.manual, np.float64)
    weights = np.ones(N_CLASSES)
    weights[0] = config.background
    if config.mode == "none":
        return weights
    terrain = np.asarray(pixel_counts, np.float64)[1:]
    cap = np.inf if config.cap is None else config.cap
    raw = (
        _inverse(terrain)
        if config.mode == "inverse_frequency"
        else _effective(terrain, config.effective_beta)
    )
    weights[1:] = _scale_to_mean_one(raw, terrain, cap)
    weights[0] = min(config.background, cap)
    return weights


def _inverse(pixels: Floats) -> Floats:
    return np.divide(1.0, pixels, out=np.zeros_like(pixels), where=pixels > 0)


def _effective(pixels: Floats, beta: float) -> Floats:
    if beta == 0:
        return (pixels > 0).astype(np.float64)
    lost = -np.expm1(pixels * np.log(beta))  # 1 - β^n without cancellation for β close to 1
    share: Floats = np.divide(1.0 - beta, lost, out=np.zeros_like(pixels), where=lost > 0)
    return share


def _scale_to_mean_one(raw: Floats, pixels: Floats, cap: float) -> Floats:
    """Scale `raw` to a pixel-weighted mean of 1 under `cap`; the capped set only grows, so it settles."""
    present = raw > 0
    if cap <= 1:
        return np.where(present, cap, 0.0)
    weights = raw.copy()
    capped = np.zeros(len(raw), bool)
    while (free := present & ~capped).any():
        left = pixels[present].sum() - weights[capped] @ pixels[capped]
        weights[free] = raw[free] * (left / (raw[free] @ pixels[free]))
        too_heavy = free & (weights > cap)
        if not too_heavy.any():
            break
        weights[too_heavy] = cap
        capped |= too_heavy
    return weights
