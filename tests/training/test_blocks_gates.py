from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy.special import expit

from marsseg.config import ModelConfig
from marsseg.training.blocks import Blocks
from marsseg.training.gates import build_gate
from tests.training.part_models import fill, model_of, weights_of

pytestmark = pytest.mark.training


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def features(rng):
    return rng.normal(size=(2, 4, 6, 8)).astype("float32")


def gate_model(kind, rng):
    return fill(model_of(build_gate(Blocks(ModelConfig(skip_gate=kind)), "g"), inputs=2), rng)


def test_no_gate_passes_the_encoder_on():
    e, d = object(), object()
    assert build_gate(Blocks(ModelConfig()), "g")(e, d) is e


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
    model = keras.Model([e, d], build_gate(Blocks(ModelConfig(skip_gate=kind)), "g")(e, d))
    assert model([features, np.zeros((2, 4, 6, 12), "float32")]).shape == features.shape
