from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, softmax
from sklearn.metrics import f1_score, log_loss

from marsseg.config import LossConfig
from marsseg.errors import ConfigError
from marsseg.training.losses import build_loss
from marsseg.training.terms import cross_entropy, dice, focal, tversky

pytestmark = pytest.mark.training

WEIGHTS = (0.0, 0.5, 1.0, 2.0, 7.0)
ONES = (1.0,) * 5
TERMS = {
    "cross_entropy": LossConfig(),
    "smoothed": LossConfig(label_smoothing=0.1),
    "focal": LossConfig(cross_entropy=0.0, focal=1.0),
    "focal_gamma_below_1": LossConfig(cross_entropy=0.0, focal=1.0, focal_gamma=0.25),
    "focal_gamma_0": LossConfig(cross_entropy=0.0, focal=1.0, focal_gamma=0.0),
    "dice": LossConfig(cross_entropy=0.0, dice=1.0),
    "tversky": LossConfig(cross_entropy=0.0, tversky=1.0),
    "tversky_without_false_negatives": LossConfig(
        cross_entropy=0.0, tversky=1.0, tversky_alpha=1.0, tversky_beta=0.0
    ),
    "generalized_dice": LossConfig(cross_entropy=0.0, generalized_dice=1.0),
    "focal_tversky": LossConfig(cross_entropy=0.0, focal_tversky=1.0),
    "lovasz": LossConfig(cross_entropy=0.0, lovasz=1.0),
    "boundary": LossConfig(cross_entropy=0.0, boundary=1.0, boundary_tolerance=1),
    "top_k": LossConfig(cross_entropy=0.0, top_k=1.0),
    "all": LossConfig(focal=0.5, dice=0.5, tversky=0.25, lovasz=0.5, boundary=0.25, top_k=0.5),
}
every_term = pytest.mark.parametrize("config", TERMS.values(), ids=TERMS.keys())


@pytest.fixture
def mask(rng):
    return rng.integers(0, 5, (2, 6, 7))


@pytest.fixture
def logits(rng):
    return (rng.normal(size=(2, 6, 7, 5)) * 3).astype("float32")


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def value_and_gradient(loss, mask, logits):
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        value = loss(mask, variable)
    return float(value), tape.gradient(value, variable).numpy()


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


def test_unlabelled_pixels_do_not_move_any_term(mask, logits, rng):
    noisy = logits + (mask == 0)[..., None] * rng.normal(size=logits.shape).astype("float32")
    for config in TERMS.values():
        loss = build_loss(config, WEIGHTS)
        assert float(loss(mask, noisy)) == pytest.approx(float(loss(mask, logits)), rel=1e-6)


# Gradients


@every_term
def test_gradient_agrees_with_finite_differences(config, rng):
    mask, logits = rng.integers(0, 5, (1, 2, 3)), rng.normal(size=(1, 2, 3, 5))
    terms = build_loss(config, WEIGHTS).call  # the call itself keeps float64
    _, gradient = value_and_gradient(terms, mask, logits)
    for place in np.ndindex(*logits.shape):
        step = np.zeros_like(logits)
        step[place] = 1e-5
        slope = (float(terms(mask, logits + step)) - float(terms(mask, logits - step))) / 2e-5
        assert gradient[place] == pytest.approx(slope, rel=1e-5, abs=1e-9)


@every_term
def test_all_background_batch_costs_nothing_and_moves_nothing(config, logits):
    loss = build_loss(config, WEIGHTS)
    value, gradient = value_and_gradient(loss, np.zeros((2, 6, 7), "uint8"), logits)
    assert value == 0
    assert not gradient.any()


@every_term
def test_single_class_batch_is_finite_and_pulls_towards_the_class(config, logits):
    loss = build_loss(config, WEIGHTS)
    value, gradient = value_and_gradient(loss, np.full((2, 6, 7), 4), logits)
    assert np.isfinite(gradient).all()
    never_wrong = config == TERMS["boundary"] or (config.tversky and not config.tversky_beta)
    if not never_wrong:  # a class alone has no outline; and without a price for misses, it takes everything
        assert value > 0
        assert gradient[..., 4].sum() < 0
    else:
        assert value == pytest.approx(0, abs=1e-6)


@every_term
@pytest.mark.parametrize("size", [50.0, 1e4])
@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_confident_logits_stay_finite(config, size, right, mask):
    chosen = mask if right else (mask + 1) % 5
    logits = np.where(np.arange(5) == chosen[..., None], size, -size).astype("float32")
    value, gradient = value_and_gradient(build_loss(config, WEIGHTS), mask, logits)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    if right and not config.label_smoothing:
        assert value == pytest.approx(0, abs=1e-6)
    else:
        assert value > 0.1


@pytest.mark.parametrize("gamma", [0.0, 0.25, 0.5, 2.0])
def test_confidently_wrong_focal_costs_what_the_logits_say(gamma):
    logits = np.array([[[[1e4, -1e4, -1e4, -1e4, -1e4]]]], "float32")
    value, gradient = value_and_gradient(
        lambda y, z: focal(y, z, ONES, gamma=gamma, alpha=1.0), np.array([[[2]]]), logits
    )
    assert value == pytest.approx(2e4, rel=1e-6)
    assert gradient[0, 0, 0] == pytest.approx([1, 0, -1, 0, 0], abs=1e-5)


# The loss that Keras sees


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32"])
def test_masks_of_any_dtype_give_the_same_scalar(mask, logits, dtype):
    loss = build_loss(TERMS["all"], WEIGHTS)
    value = loss(mask.astype(dtype), logits)
    assert value.shape == ()
    assert float(value) == float(loss(mask, logits))


def test_terms_add_up_with_their_weights(mask, logits):
    config = LossConfig(cross_entropy=0.5, focal=2.0, focal_gamma=1.5, dice=0.25, tversky=3.0)
    expected = (
        0.5 * cross_entropy(mask, logits, WEIGHTS)
        + 2.0 * focal(mask, logits, WEIGHTS, gamma=1.5, alpha=0.25)
        + 0.25 * dice(mask, logits, WEIGHTS)
        + 3.0 * tversky(mask, logits, WEIGHTS, alpha=0.3, beta=0.7)
    )
    assert float(build_loss(config, WEIGHTS)(mask, logits)) == pytest.approx(float(expected), rel=1e-6)


@every_term
def test_serialised_loss_comes_back_the_same(config, mask, logits):
    loss = build_loss(config, np.asarray(WEIGHTS))
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert float(again(mask, logits)) == float(loss(mask, logits))


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (1, 1, 1, 1, -1), (0, 1, 1, 1, float("nan"))])
def test_wrong_class_weights_are_refused(weights):
    with pytest.raises(ConfigError, match="5 finite numbers"):
        build_loss(LossConfig(), weights)
