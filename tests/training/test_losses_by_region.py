"""Generalised Dice, focal Tversky and Lovász-softmax against calculations in the tests' own lines."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import jaccard_score

from marsseg.training.losses import build_loss, focal_tversky, generalized_dice, lovasz, tversky
from tests.training.loss_cases import WEIGHTS, alone, certain, value_and_gradient

pytestmark = pytest.mark.training


@pytest.fixture
def mask(rng):
    return rng.choice(5, (3, 8, 9), p=[0.3, 0.4, 0.2, 0.1, 0.0])  # no class 4; class 0 weighs 0


def labelled_probabilities(mask, logits):
    """(N, 5) probabilities and (N,) truth of labelled pixels."""
    return softmax(logits.astype("float64"), axis=-1)[mask > 0], mask[mask > 0]


# Generalised Dice


def test_generalized_dice_is_the_formula_of_the_paper(mask, logits):
    p, truth = labelled_probabilities(mask, logits)
    above = below = 0.0
    for c in (1, 2, 3):
        g = (truth == c).astype("float64")
        w = 1 / g.sum() ** 2
        above += w * (p[:, c] * g).sum()
        below += w * (p[:, c] + g).sum()
    assert float(generalized_dice(mask, logits, WEIGHTS)) == pytest.approx(1 - 2 * above / below, rel=1e-5)


def test_generalized_dice_by_hand():
    mask = np.array([[[1, 1, 2, 0]]])
    predicted = np.array([[[1, 2, 2, 3]]])
    # class 1: w = 1/4, Σpg = 1, Σ(p+g) = 3; class 2: w = 1, Σpg = 1, Σ(p+g) = 3
    expected = 1 - 2 * (1 / 4 + 1) / (3 / 4 + 3)
    assert float(generalized_dice(mask, certain(predicted), WEIGHTS)) == pytest.approx(expected, rel=1e-6)


def test_generalized_dice_does_not_depend_on_how_large_a_batch_is(mask, logits):
    many = 40  # the weights of a large batch are tiny
    value = generalized_dice(np.tile(mask, (many, 1, 1)), np.tile(logits, (many, 1, 1, 1)), WEIGHTS)
    assert float(value) == pytest.approx(float(generalized_dice(mask, logits, WEIGHTS)), rel=1e-5)


# Focal Tversky


@pytest.mark.parametrize("gamma", [0.5, 1.0, 4 / 3, 5.0])
def test_focal_tversky_is_the_formula_of_the_paper(mask, logits, gamma):
    p, truth = labelled_probabilities(mask, logits)
    losses = []
    for c in (1, 2, 3):
        g = (truth == c).astype("float64")
        hits = (p[:, c] * g).sum()
        index = hits / (hits + 0.3 * (p[:, c] * (1 - g)).sum() + 0.7 * ((1 - p[:, c]) * g).sum())
        losses.append((1 - index) ** (1 / gamma))
    value = focal_tversky(mask, logits, WEIGHTS, alpha=0.3, beta=0.7, gamma=gamma)
    assert float(value) == pytest.approx(np.mean(losses), rel=1e-5)


def test_focal_tversky_without_gamma_is_tversky(mask, logits):
    value = focal_tversky(mask, logits, WEIGHTS, alpha=0.3, beta=0.7, gamma=1.0)
    assert float(value) == pytest.approx(float(tversky(mask, logits, WEIGHTS, alpha=0.3, beta=0.7)), rel=1e-5)


@pytest.mark.parametrize("gamma", [4 / 3, 5.0])
@pytest.mark.parametrize("margin", [5.0, 8.0, 12.0, 14.0, 20.0, 40.0])
def test_focal_tversky_near_perfection_keeps_falling_gently(mask, gamma, margin):
    logits = np.where(np.arange(5) == mask[..., None], margin, 0.0).astype("float32")
    loss = build_loss(alone("focal_tversky", focal_tversky_gamma=gamma), WEIGHTS)
    value, gradient = value_and_gradient(loss, mask, logits)
    better, _ = value_and_gradient(loss, mask, logits * 1.2)
    assert better < value or value < 1e-6
    assert np.abs(gradient).max() < 1


# Lovász-softmax


def jaccard_slopes(truth):
    """Algorithm 1 of the paper: ground truth in the order of errors to the gradient of the Jaccard loss."""
    intersection = truth.sum() - np.cumsum(truth)
    union = truth.sum() + np.cumsum(1 - truth)
    jaccard = 1 - intersection / union
    return np.concatenate([jaccard[:1], np.diff(jaccard)])


def published_lovasz(p, truth):
    """Mean over present classes of the Lovász extension of the Jaccard loss, with its slope in p."""
    losses, slopes = [], np.zeros_like(p)
    present = np.unique(truth)
    for c in present:
        g = (truth == c).astype("float64")
        errors = np.abs(g - p[:, c])
        order = np.argsort(-errors, kind="stable")
        weights = jaccard_slopes(g[order])
        losses.append(errors[order] @ weights)
        slopes[order, c] = weights * np.sign(p[order, c] - g[order]) / len(present)
    return np.mean(losses), slopes


def test_lovasz_is_the_published_algorithm(mask, logits):
    p, truth = labelled_probabilities(mask, logits)
    value, slopes = published_lovasz(p, truth)
    expected = np.zeros(logits.shape)
    expected[mask > 0] = p * (slopes - (slopes * p).sum(axis=1, keepdims=True))  # through the softmax
    loss, gradient = value_and_gradient(build_loss(alone("lovasz"), WEIGHTS), mask, logits)
    assert loss == pytest.approx(value, rel=1e-5)
    assert gradient == pytest.approx(expected, rel=1e-3, abs=1e-8)


def test_lovasz_of_hard_predictions_is_the_mean_jaccard_loss(mask, rng):
    predicted = rng.integers(0, 5, mask.shape)
    labelled = mask > 0
    index = jaccard_score(mask[labelled], predicted[labelled], average="macro", labels=[1, 2, 3])
    assert float(lovasz(mask, certain(predicted), WEIGHTS)) == pytest.approx(1 - index, rel=1e-5)


def test_lovasz_of_many_pixels_keeps_its_digits(rng):
    mask = rng.choice([1, 2, 3, 4], (8, 64, 128), p=[0.6, 0.3, 0.0995, 0.0005])
    logits = rng.normal(size=(*mask.shape, 5)).astype("float32")
    p, truth = labelled_probabilities(mask, logits)
    value, slopes = published_lovasz(p, truth)
    expected = (p * (slopes - (slopes * p).sum(axis=1, keepdims=True))).reshape(logits.shape)
    loss, gradient = value_and_gradient(build_loss(alone("lovasz"), WEIGHTS), mask, logits)
    assert loss == pytest.approx(value, rel=1e-5)
    # single precision orders a few near-equal errors otherwise; nearly every pixel agrees to four digits
    close = np.isclose(gradient, expected, rtol=1e-4, atol=1e-12)
    assert close.mean() > 0.99
    assert np.abs(gradient - expected).sum() < 1e-3 * np.abs(expected).sum()
