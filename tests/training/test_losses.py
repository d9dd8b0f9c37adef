from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.metrics import f1_score, log_loss

from marsseg.training.losses import cross_entropy, dice, focal, tversky
from tests.training.loss_cases import ONES, WEIGHTS, value_and_gradient

pytestmark = pytest.mark.training


def true_class(values, mask):
    return np.take_along_axis(values, mask[..., None], axis=-1)[..., 0]


# Values against a calculation by hand


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_the_weighted_mean_over_all_pixels(mask, logits, smoothing):
    log_p = log_softmax(logits.astype("float64"), axis=-1)
    pixel = -((1 - smoothing) * true_class(log_p, mask) + smoothing / 5 * log_p.sum(axis=-1))
    expected = (np.asarray(WEIGHTS)[mask] * pixel).sum() / mask.size
    assert float(cross_entropy(mask, logits, WEIGHTS, label_smoothing=smoothing)) == pytest.approx(
        expected, rel=1e-5
    )


def test_cross_entropy_agrees_with_scikit_learn_and_keras(mask, logits):
    value = float(cross_entropy(mask, logits, ONES))
    probabilities = softmax(logits.astype("float64"), axis=-1).reshape(-1, 5)
    assert value == pytest.approx(log_loss(mask.ravel(), probabilities, labels=range(5)), rel=1e-5)
    reference = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    weights = np.asarray(WEIGHTS, "float32")[mask]
    assert float(cross_entropy(mask, logits, WEIGHTS)) == pytest.approx(
        float(reference(mask, logits, weights)), rel=1e-5
    )


@pytest.mark.parametrize("gamma", [0.0, 0.25, 1.0, 2.0])
def test_focal_is_the_formula_of_the_paper(mask, logits, gamma):
    p = true_class(softmax(logits.astype("float64"), axis=-1), mask)
    pixel = -0.25 * (1 - p) ** gamma * np.log(p)
    expected = (np.asarray(WEIGHTS)[mask] * pixel).sum() / mask.size
    assert float(focal(mask, logits, WEIGHTS, gamma=gamma, alpha=0.25)) == pytest.approx(expected, rel=1e-5)


def test_focal_without_gamma_and_alpha_is_cross_entropy(mask, logits):
    plain = focal(mask, logits, WEIGHTS, gamma=0.0, alpha=1.0)
    assert float(plain) == pytest.approx(float(cross_entropy(mask, logits, WEIGHTS)), rel=1e-5)


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.7), (0.5, 0.5), (1.0, 0.0), (0.0, 2.0)])
def test_tversky_counts_labelled_pixels_of_present_classes(rng, logits, alpha, beta):
    mask = rng.integers(0, 4, (2, 6, 7))  # no class 4; class 0 weighs 0
    labelled = mask != 0
    p, truth = softmax(logits.astype("float64"), axis=-1)[labelled], mask[labelled]
    indices = []
    for c in (1, 2, 3):
        hits = p[truth == c, c].sum()
        false_positives = p[truth != c, c].sum()
        false_negatives = (1 - p[truth == c, c]).sum()
        indices.append(hits / (hits + alpha * false_positives + beta * false_negatives))
    value = tversky(mask, logits, WEIGHTS, alpha=alpha, beta=beta)
    assert float(value) == pytest.approx(1 - np.mean(indices), rel=1e-5)


def test_tversky_alpha_prices_false_positives():
    mask = np.array([[[1, 2, 2, 2]]])
    all_first = np.full((1, 1, 4, 5), -50.0, "float32")
    all_first[..., 1] = 50.0  # class 1: one hit, three false positives; class 2: three misses
    value = tversky(mask, all_first, WEIGHTS, alpha=0.2, beta=0.9)
    assert float(value) == pytest.approx(1 - (1 / (1 + 0.2 * 3) + 0) / 2, rel=1e-5)


def test_dice_is_one_minus_f1_of_hard_predictions(mask, rng):
    predicted = rng.integers(1, 5, mask.shape)
    logits = np.where(np.arange(5) == predicted[..., None], 100.0, -100.0).astype("float32")
    labelled = mask > 0
    score = f1_score(mask[labelled], predicted[labelled], average="macro", labels=[1, 2, 3, 4])
    assert float(dice(mask, logits, WEIGHTS)) == pytest.approx(1 - score, rel=1e-5)


def test_dice_agrees_with_keras_where_every_class_counts(mask, logits):
    reference = keras.losses.Dice(axis=(0, 1, 2))
    truth = np.eye(5, dtype="float32")[mask]
    expected = float(keras.ops.mean(reference(truth, softmax(logits, axis=-1))))
    assert float(dice(mask, logits, ONES)) == pytest.approx(expected, rel=1e-5)


def test_overlap_terms_ignore_how_much_a_class_weighs(mask, logits):
    assert float(dice(mask, logits, (0, 1, 1, 1, 1))) == float(dice(mask, logits, (0, 9, 0.1, 1, 50)))


@pytest.mark.parametrize("gamma", [0.0, 0.25, 0.5, 2.0])
def test_confidently_wrong_focal_costs_what_the_logits_say(gamma):
    logits = np.array([[[[1e4, -1e4, -1e4, -1e4, -1e4]]]], "float32")
    value, gradient = value_and_gradient(
        lambda y, z: focal(y, z, ONES, gamma=gamma, alpha=1.0), np.array([[[2]]]), logits
    )
    assert value == pytest.approx(2e4, rel=1e-6)
    assert gradient[0, 0, 0] == pytest.approx([1, 0, -1, 0, 0], abs=1e-5)
