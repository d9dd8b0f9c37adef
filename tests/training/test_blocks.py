from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops
from scipy.special import expit, ndtr

from marsseg.config import ModelConfig
from marsseg.training.blocks import Blocks
from marsseg.training.custom_layers import GroupNormalization, gelu
from marsseg.training.parts import identity

pytestmark = pytest.mark.training


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def features(rng):
    return rng.normal(size=(2, 4, 6, 8)).astype("float32")


def model_of(part, channels=8, inputs=1):
    tensors = [keras.Input((None, None, channels)) for _ in range(inputs)]
    return keras.Model(tensors if inputs > 1 else tensors[0], part(*tensors))


def weights_of(model, layer):
    return [np.asarray(weight, "float64") for weight in model.get_layer(layer).weights]


def fill(model, rng):
    """Random weights everywhere, biases too, so that no term of a formula can hide behind a zero."""
    model.set_weights([rng.normal(size=w.shape, scale=0.5) for w in model.get_weights()])
    return model


def test_toggles_that_are_off_are_the_identity():
    blocks = Blocks(ModelConfig(normalization="none"))
    assert blocks.normalize("n") is identity
    assert blocks.squeeze_excite(8, "s", 1) is identity
    assert blocks.drop("d") is identity


def test_batch_normalisation_has_momentum_point_nine():
    assert Blocks(ModelConfig()).normalize("n").momentum == 0.9


def test_group_normalisation_agrees_with_keras(rng, features):
    ours, reference = GroupNormalization(4), layers.GroupNormalization(4)
    for layer in (ours, reference):
        layer.build(features.shape)
        layer.set_weights([np.linspace(0.5, 2, 8), np.linspace(-1, 1, 8)])
    shifted = features * 3 + 5
    np.testing.assert_allclose(ours(shifted), reference(shifted), atol=2e-6)


def test_gelu_is_x_times_the_normal_distribution(rng):
    x = rng.normal(size=1000, scale=3)
    np.testing.assert_allclose(gelu(ops.convert_to_tensor(x)), x * ndtr(x), atol=1e-12)


@pytest.mark.parametrize("slope", [0.0, 0.1, 0.37])
def test_leaky_slope_is_the_configured_one(slope):
    act = Blocks(ModelConfig(activation="leaky_relu", leaky_slope=slope)).activate("a")
    np.testing.assert_allclose(act(np.array([-2.0, 3.0], "float32")), [-2 * slope, 3], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("relu", lambda x: np.maximum(x, 0)),
        ("elu", lambda x: np.where(x > 0, x, np.expm1(x))),
        ("gelu", lambda x: x * ndtr(x)),
        ("silu", lambda x: x * expit(x)),
    ],
)
def test_activations_are_what_their_names_say(name, formula):
    x = np.linspace(-4, 4, 41).astype("float32")
    np.testing.assert_allclose(Blocks(ModelConfig(activation=name)).activate("a")(x), formula(x), atol=1e-6)


def test_convolutions_start_as_he_proposed():
    model = model_of(Blocks(ModelConfig(), seed=0).conv(64, 3, "c"), channels=32)
    kernel, bias = weights_of(model, "c")
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 32)), rel=0.03)
    assert not bias.any()


@pytest.mark.parametrize(("ratio", "units"), [(1, 8), (3, 2), (8, 1), (64, 1)])
def test_squeeze_excite_is_the_formula_of_the_paper(rng, features, ratio, units):
    blocks = Blocks(ModelConfig(squeeze_excite=True, se_ratio=ratio))
    model = fill(model_of(blocks.squeeze_excite(8, "se", 1)), rng)
    w1, b1 = weights_of(model, "se_reduce")
    w2, b2 = weights_of(model, "se_expand")
    assert w1.shape == (8, units)
    squeezed = features.mean(axis=(1, 2))
    scale = expit(np.maximum(squeezed @ w1 + b1, 0) @ w2 + b2)
    np.testing.assert_allclose(model(features), features * scale[:, None, None, :], rtol=1e-4, atol=1e-5)


def gate_model(kind, rng):
    return fill(model_of(Blocks(ModelConfig(skip_gate=kind)).gate("g"), inputs=2), rng)


def test_no_gate_passes_the_encoder_on():
    e, d = object(), object()
    assert Blocks(ModelConfig()).gate("g")(e, d) is e


def test_gated_adds_what_the_gate_lets_pass(rng, features):
    e, d = features, features[::-1] * 0.7
    model = gate_model("gated", rng)
    kernel, bias = weights_of(model, "g_conv")
    a = e + d
    np.testing.assert_allclose(model([e, d]), a + expit(a @ kernel[0, 0] + bias) * e, rtol=1e-4, atol=1e-5)


def test_sigmoid_only_passes_the_map_alone(rng, features):
    e, d = features, features[::-1] * 0.7
    model = gate_model("sigmoid_only", rng)
    kernel, bias = weights_of(model, "g_conv")
    np.testing.assert_allclose(model([e, d]), expit((e + d) @ kernel[0, 0] + bias), rtol=1e-4, atol=1e-5)


def test_attention_weighs_each_pixel_once(rng, features):
    e, d = features, features[::-1] * 0.7
    model = gate_model("attention", rng)
    (theta,), (phi, phi_bias) = weights_of(model, "g_theta"), weights_of(model, "g_phi")
    psi, psi_bias = weights_of(model, "g_psi")
    hidden = np.maximum(e @ theta[0, 0] + d @ phi[0, 0] + phi_bias, 0)
    alpha = expit(hidden @ psi[0, 0] + psi_bias)
    assert hidden.shape[-1] == 4
    assert alpha.shape == (2, 4, 6, 1)
    np.testing.assert_allclose(model([e, d]), e * alpha, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["gated", "attention", "sigmoid_only"])
def test_gates_take_a_decoder_of_other_channels(kind, features):
    e, d = keras.Input((None, None, 8)), keras.Input((None, None, 12))
    model = keras.Model([e, d], Blocks(ModelConfig(skip_gate=kind)).gate("g")(e, d))
    assert model([features, np.zeros((2, 4, 6, 12), "float32")]).shape == features.shape


def silence_convolutions(model):
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D) and "shortcut" not in layer.name:
            layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])


def test_residual_block_adds_its_input(features):
    blocks = Blocks(ModelConfig(residual=True, normalization="none"))
    model = model_of(blocks.double_conv(8, "b", 1))
    silence_convolutions(model)
    np.testing.assert_allclose(model(features), np.maximum(features, 0), rtol=1e-6)
    assert not any("shortcut" in layer.name for layer in model.layers)


def test_residual_block_fits_other_channels_with_a_1x1_convolution(rng, features):
    blocks = Blocks(ModelConfig(residual=True, normalization="none"))
    model = fill(model_of(blocks.double_conv(5, "b", 1)), rng)
    silence_convolutions(model)
    kernel, bias = weights_of(model, "b_shortcut")
    assert kernel.shape == (1, 1, 8, 5)
    expected = np.maximum(features @ kernel[0, 0] + bias, 0)
    np.testing.assert_allclose(model(features), expected, rtol=1e-4, atol=1e-5)


def test_block_without_residual_forgets_its_input(features):
    model = model_of(Blocks(ModelConfig(normalization="none")).double_conv(8, "b", 1))
    silence_convolutions(model)
    assert not np.any(model(features))


def test_dropout_ends_the_block_and_drops_whole_channels(features):
    model = model_of(Blocks(ModelConfig(dropout=0.5), seed=1).double_conv(32, "b", 1))
    assert model.layers[-1].name == "b_dropout"
    drop = model.layers[-1]
    out = np.asarray(drop(np.ones((4, 6, 6, 32), "float32"), training=True))
    assert ((out == 0).all(axis=(1, 2)) | (out == 2).all(axis=(1, 2))).all()
    assert 0.3 < (out == 0).mean() < 0.7
    np.testing.assert_array_equal(drop(features), features)


def test_bias_is_left_out_in_front_of_a_normalisation():
    for kind, has_bias in (("batch", False), ("group", False), ("none", True)):
        model = model_of(Blocks(ModelConfig(normalization=kind)).double_conv(8, "b", 1))
        assert model.get_layer("b_conv_1").use_bias is has_bias


def test_upsampling_doubles_height_and_width_without_overlap(rng):
    model = fill(model_of(Blocks(ModelConfig()).upsample(3, "u")), rng)
    kernel, bias = weights_of(model, "u")  # (2, 2, filters, channels)
    x = rng.normal(size=(1, 2, 3, 8)).astype("float32")
    expected = np.einsum("bhwc,ijfc->bhiwjf", x, kernel).reshape(1, 4, 6, 3) + bias
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)


def test_upsampling_starts_without_a_checkerboard() -> None:
    blocks = Blocks(ModelConfig(), seed=3)
    x = keras.Input((None, None, 6))
    network = keras.Model(x, blocks.upsample(4, "up")(x))
    values = np.random.default_rng(0).normal(size=(1, 3, 5, 6)).astype(np.float32)
    upsampled = network(values).numpy()
    assert upsampled.shape == (1, 6, 10, 4)
    corners = upsampled[:, ::2, ::2]
    for rows, columns in ((0, 1), (1, 0), (1, 1)):
        np.testing.assert_allclose(upsampled[:, rows::2, columns::2], corners, rtol=1e-5, atol=1e-6)
    assert np.std(corners) > 0.1
