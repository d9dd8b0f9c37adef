"""What holds for every term alike, and for their sum as Keras sees it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as tf_config  # public only to switch determinism on

from marsseg.config import LossConfig
from marsseg.config.loss import TERMS as FIELDS
from marsseg.config.loss import WEIGHTED_TERMS
from marsseg.errors import ConfigError
from marsseg.training.losses import build_loss
from tests.training.loss_cases import ONES, TERMS, WEIGHTS, alone, every_term, value_and_gradient

pytestmark = pytest.mark.training

STRIPES = np.broadcast_to(np.repeat(np.arange(5), 6), (2, 6, 30))


def test_every_term_is_among_the_cases():
    assert all(any(getattr(config, term) for config in TERMS.values()) for term in FIELDS)


@every_term
def test_unlabelled_pixels_do_not_move_any_term(config, mask, logits, rng):
    unlabelled = (mask == 0)[..., None]
    noisy = logits + unlabelled * rng.normal(size=logits.shape).astype("float32")
    loss = build_loss(config, WEIGHTS)
    value, gradient = value_and_gradient(loss, mask, logits)
    assert value > 0
    assert not (gradient * unlabelled).any()
    assert float(loss(mask, noisy)) == pytest.approx(value, rel=1e-6)


@every_term
def test_any_class_of_weight_0_is_unlabelled(config, mask, logits, rng):
    weights = (1.0, 0.5, 0.0, 2.0, 7.0)
    noisy = logits + (mask == 2)[..., None] * rng.normal(size=logits.shape).astype("float32")
    loss = build_loss(config, weights)
    assert float(loss(mask, noisy)) == pytest.approx(float(loss(mask, logits)), rel=1e-6)


@pytest.mark.parametrize("term", FIELDS)
def test_class_weights_scale_the_terms_that_are_said_to_use_them(term, mask, logits):
    config = alone(term)
    alike, weighted = (
        float(build_loss(config, weights)(mask, logits)) for weights in ((0, 1, 1, 1, 1), WEIGHTS)
    )
    assert (alike != weighted) == (term in WEIGHTED_TERMS)


# Gradients


@every_term
def test_gradient_agrees_with_finite_differences(config, rng):
    mask, logits = rng.integers(0, 5, (1, 3, 4)), rng.normal(size=(1, 3, 4, 5))
    terms = build_loss(config, WEIGHTS).call  # the call itself keeps float64
    _, gradient = value_and_gradient(terms, mask, logits)
    graph = tf.function(terms)
    for place in np.ndindex(*logits.shape):
        step = np.zeros_like(logits)
        step[place] = 1e-5
        slope = (float(graph(mask, logits + step)) - float(graph(mask, logits - step))) / 2e-5
        assert gradient[place] == pytest.approx(slope, rel=1e-5, abs=1e-9)


@every_term
def test_all_background_batch_costs_nothing_and_moves_nothing(config, logits):
    loss = build_loss(config, WEIGHTS)
    value, gradient = value_and_gradient(loss, np.zeros((2, 6, 7), "uint8"), logits)
    assert value == 0
    assert not gradient.any()


@every_term
def test_weights_of_0_throughout_cost_nothing(config, mask, logits):
    value, gradient = value_and_gradient(build_loss(config, (0,) * 5), mask, logits)
    assert value == 0
    assert not gradient.any()


@every_term
def test_single_class_batch_is_finite_and_pulls_towards_the_class(config, logits):
    loss = build_loss(config, WEIGHTS)
    value, gradient = value_and_gradient(loss, np.full((2, 6, 7), 4), logits)
    assert np.isfinite(gradient).all()
    without_price = config.tversky and not config.tversky_beta  # then one class is never wrong
    without_outline = config.boundary and not config.cross_entropy
    if without_price or without_outline:
        assert value == pytest.approx(0, abs=1e-6)
    else:
        assert value > 0
        assert gradient[..., 4].sum() < 0


@every_term
@pytest.mark.parametrize("size", [50.0, 1e4])
@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_confident_logits_stay_finite(config, size, right):
    chosen = STRIPES if right else (STRIPES + 1) % 5
    logits = np.where(np.arange(5) == chosen[..., None], size, -size).astype("float32")
    value, gradient = value_and_gradient(build_loss(config, WEIGHTS), STRIPES, logits)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    if right and not config.label_smoothing:
        assert value == pytest.approx(0, abs=1e-6)
    else:
        assert value > 0.1


@every_term
@pytest.mark.parametrize("level", [0.0, -1e4, 1e4])
def test_equal_logits_stay_finite(config, level, mask):
    logits = np.full((2, 6, 7, 5), level, "float32")
    value, gradient = value_and_gradient(build_loss(config, WEIGHTS), mask, logits)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() < 10


@every_term
def test_logits_that_are_not_numbers_show(config, rng):
    mask = rng.integers(0, 5, (4, 32, 64))
    logits = rng.normal(size=(*mask.shape, 5)).astype("float32")
    logits[rng.random(mask.shape) < 0.3] = np.nan
    assert np.isnan(float(build_loss(config, WEIGHTS)(mask, logits)))


# The loss that Keras sees


@every_term
def test_the_same_batch_gives_the_same_bits(config, rng):
    mask = rng.integers(0, 5, (4, 32, 64))
    logits = np.round(rng.normal(size=(*mask.shape, 5)), 1).astype("float32")  # with ties
    loss = build_loss(config, WEIGHTS)
    value, gradient = value_and_gradient(loss, mask, logits)
    again, gradient_again = value_and_gradient(loss, mask, logits)
    assert value == again
    assert (gradient == gradient_again).all()


@pytest.fixture
def free_of_determinism():
    """A run in this process may have asked for it, and XLA has no deterministic max pooling."""
    was_on = tf_config.is_op_determinism_enabled()
    tf_config.disable_op_determinism()
    yield
    if was_on:
        tf_config.enable_op_determinism()


@every_term
@pytest.mark.usefixtures("free_of_determinism")
@pytest.mark.parametrize(
    "jit_compile", [False, pytest.param(True, marks=pytest.mark.long)], ids=["graph", "XLA"]
)
def test_a_batch_of_unknown_size_gives_the_same_in_a_graph(config, mask, logits, jit_compile):
    loss = build_loss(config, WEIGHTS)
    shapes = [tf.TensorSpec((None, None, None), "int64"), tf.TensorSpec((None, None, None, 5), "float32")]
    graph = tf.function(loss, input_signature=shapes, jit_compile=jit_compile)
    value, gradient = value_and_gradient(graph, mask, logits)
    expected, expected_gradient = value_and_gradient(loss, mask, logits)
    assert value == pytest.approx(expected, rel=1e-6)
    assert gradient == pytest.approx(expected_gradient, rel=1e-4, abs=1e-7)


@every_term
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_masks_of_any_dtype_give_the_same_scalar(config, mask, logits, dtype):
    loss = build_loss(config, WEIGHTS)
    value = loss(mask.astype(dtype), logits)
    assert value.shape == ()
    assert float(value) == float(loss(mask, logits))


def test_half_precision_logits_are_judged_in_single_precision(mask, logits):
    half = logits.astype("float16")
    terms = build_loss(TERMS["all"], WEIGHTS).call
    assert float(terms(mask, half)) == float(terms(mask, half.astype("float32")))


def test_terms_add_up_with_their_weights(mask, logits):
    weights = dict(zip(FIELDS, (0.5, 2.0, 0.25, 4.0, 3.0, 0.75, 1.5, 1.25, 0.1), strict=True))
    settings = {"focal_gamma": 1.5, "boundary_tolerance": 1, "top_k_share": 0.5}
    expected = sum(
        weight * float(build_loss(alone(term, **settings), WEIGHTS)(mask, logits))
        for term, weight in weights.items()
    )
    loss = build_loss(LossConfig.model_validate(weights | settings), WEIGHTS)
    assert float(loss(mask, logits)) == pytest.approx(expected, rel=1e-6)


@every_term
def test_serialised_loss_comes_back_the_same(config, mask, logits):
    loss = build_loss(config, np.asarray(WEIGHTS))
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert float(again(mask, logits)) == float(loss(mask, logits))


def test_weights_above_0_make_every_pixel_count(mask, logits):
    assert float(build_loss(TERMS["all"], ONES)(mask, logits)) > 0


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (1, 1, 1, 1, -1), (0, 1, 1, 1, float("nan"))])
def test_wrong_class_weights_are_refused(weights):
    with pytest.raises(ConfigError, match="5 finite numbers"):
        build_loss(LossConfig(), weights)
