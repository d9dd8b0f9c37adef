from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from marsseg.config import LossConfig, ModelConfig
from marsseg.training.losses import build_loss
from marsseg.training.networks import build_network
from tests.training.network_checks import images

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("fresh_session")]

GATES = ("none", "gated", "attention", "sigmoid_only")
ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu")
NORMS = ("batch", "group", "none")


def combination(gate, squeeze_excite, residual, activation, normalization, **more):
    return ModelConfig(
        **{"depth": 1, "filters": 4, "groups": 2, "se_ratio": 2, **more},
        skip_gate=gate,
        squeeze_excite=squeeze_excite,
        residual=residual,
        activation=activation,
        normalization=normalization,
    )


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("normalization", NORMS)
def test_every_combination_builds(gate, normalization):
    for squeeze_excite, residual, activation in itertools.product((False, True), (False, True), ACTIVATIONS):
        config = combination(gate, squeeze_excite, residual, activation, normalization, filters=2, groups=1)
        model = build_network(config)
        assert model.input_shape == (None, None, None, 1)
        assert model.output_shape == (None, None, None, 5)
        names = " ".join(layer.name for layer in model.layers)
        assert ("_se_scale" in names) is squeeze_excite
        assert ("_residual" in names) is residual
        assert ("_gate_" in names) is (gate != "none")
        assert ("_norm" in names) is (normalization != "none")


@pytest.mark.parametrize("depth", [1, 4, 6])
def test_depth_halves_and_doubles(depth, rng):
    model = build_network(ModelConfig(depth=depth, filters=2))
    assert model(images(rng, 1, 64, 128)).shape == (1, 64, 128, 5)
    pools = [layer for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    ups = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2DTranspose)]
    assert len(pools) == len(ups) == depth
    assert model.get_layer("bottleneck_conv_2").filters == 2 * 2**depth


def test_half_a_million_parameters():
    model = build_network(ModelConfig(filters=16, depth=3, residual=True, squeeze_excite=True))
    assert 480_000 < model.count_params() < 550_000
    assert [tensor.name for tensor in model.inputs] == ["image"]


def test_logits_are_linear_and_float32_even_in_mixed_precision(rng):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build_network(ModelConfig(depth=1, filters=4, normalization="group", groups=2))
    finally:
        keras.config.set_dtype_policy("float32")
    logits = np.asarray(model(images(rng, 1, 8, 8)))
    assert logits.dtype == np.float32
    assert logits.min() < 0 < logits.max()
    assert not np.allclose(logits.sum(axis=-1), 1)


def weights_of(seed):
    return build_network(ModelConfig(depth=1, filters=4), seed).get_weights()


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_seed_decides_the_initial_weights():
    keras.utils.set_random_seed(1)
    first = weights_of(5)
    keras.utils.set_random_seed(2)
    assert equal(first, weights_of(5))
    assert not equal(first, weights_of(6))


def test_layers_of_one_shape_start_differently():
    model = build_network(ModelConfig(depth=1, filters=4), seed=0)
    encoder = model.get_layer("encoder_1_conv_2").get_weights()[0]
    decoder = model.get_layer("decoder_1_conv_2").get_weights()[0]
    assert encoder.shape == decoder.shape
    assert not np.array_equal(encoder, decoder)


def test_without_a_seed_the_global_one_decides():
    keras.utils.set_random_seed(3)
    first = weights_of(None)
    assert not equal(first, weights_of(None))
    keras.utils.set_random_seed(3)
    assert equal(first, weights_of(None))


def test_dropout_repeats_with_the_seed_and_rests_at_inference(rng):
    config = ModelConfig(depth=1, filters=4, dropout=0.5)
    x = images(rng, 2, 8, 8)
    first, second = build_network(config, seed=4), build_network(config, seed=4)
    np.testing.assert_array_equal(first(x, training=True), second(x, training=True))
    assert not np.array_equal(first(x, training=True), first(x, training=True))
    np.testing.assert_array_equal(first(x), first(x))


@pytest.mark.parametrize(
    "gate",
    [
        "none",
        "attention",
        *(pytest.param(gate, marks=pytest.mark.long) for gate in ("gated", "sigmoid_only")),
    ],
)
def test_a_small_network_learns_stripes(gate):
    """Bright and dark stripes become two classes within a few steps, through every gate."""
    mask = np.broadcast_to(1 + np.arange(16) // 4 % 2, (4, 16, 16))
    x = (mask[..., None] * 2.0 - 3.0).astype("float32")
    model = build_network(ModelConfig(depth=1, filters=4, skip_gate=gate), seed=0)
    model.compile(keras.optimizers.AdamW(0.02), build_loss(LossConfig(), (0, 1, 1, 1, 1)))
    for _ in range(40):
        model.train_on_batch(x, mask)
    predicted = np.asarray(model(x, training=False)).argmax(axis=-1)
    assert (predicted == mask).mean() > 0.9
