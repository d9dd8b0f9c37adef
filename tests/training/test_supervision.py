"""Deep supervision: coarser outputs while training, one output and the same weights in use."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from marsseg.config import ModelConfig
from marsseg.training.networks import build_network, build_networks
from tests.training.network_checks import compile_networks, images, train_step

pytestmark = pytest.mark.training

ARCHITECTURES = ("unet", "unet3plus", "deeplabv3plus")
OUTPUTS = {"unet": 3, "unet3plus": 3, "deeplabv3plus": 2}


def supervised(**fields):
    return ModelConfig(**{"depth": 3, "filters": 2, "deep_supervision": True, **fields})


@pytest.fixture
def rng():
    return np.random.default_rng(2)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_output_has_the_size_of_the_image(architecture, rng):
    networks = build_networks(supervised(architecture=architecture))
    outputs = networks.training(images(rng, 2, 16, 24))
    assert [tuple(output.shape) for output in outputs] == [(2, 16, 24, 5)] * OUTPUTS[architecture]
    assert len(networks.output_weights) == len(outputs)
    assert networks.inference.output_shape == (None, None, None, 5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_used_network_is_the_one_without_supervision(architecture, rng):
    """Same layers, same draws: supervision changes nothing but the gradients."""
    networks = build_networks(supervised(architecture=architecture), seed=3)
    plain = build_network(supervised(architecture=architecture, deep_supervision=False), seed=3)
    used = networks.inference
    assert [weight.path for weight in used.variables] == [weight.path for weight in plain.variables]
    x = images(rng, 2, 16, 16)
    np.testing.assert_array_equal(used(x, training=False), plain(x, training=False))
    np.testing.assert_array_equal(networks.training(x, training=False)[0], plain(x, training=False))


def test_training_changes_the_used_network(rng):
    networks = build_networks(supervised(depth=2), seed=0)
    before = networks.inference.get_weights()
    compile_networks(networks, keras.optimizers.SGD(0.1))
    train_step(networks, images(rng, 2, 16, 16), rng.integers(0, 5, (2, 16, 16)))
    after = networks.inference.get_weights()
    assert not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    heads = {weight.path for weight in networks.training.weights}
    heads -= {weight.path for weight in networks.inference.weights}
    assert heads == {"decoder_2_head/kernel", "decoder_2_head/bias"}


def test_weights_decay_from_the_finest_output_and_sum_to_one():
    networks = build_networks(supervised(supervision_decay=0.4))
    total = 1 + 0.4 + 0.16
    assert networks.output_weights == pytest.approx((1 / total, 0.4 / total, 0.16 / total))


def test_coarser_outputs_come_in_order():
    networks = build_networks(supervised())
    heads = [name for name in networks.training.output_names if name != "logits"]
    assert networks.training.output_names[0] == "logits"
    assert heads == ["decoder_2_logits", "decoder_3_logits"]


@pytest.mark.parametrize("fields", [{"deep_supervision": False}, {"depth": 1}], ids=["off", "one level"])
def test_without_coarser_outputs_both_networks_are_one(fields):
    networks = build_networks(supervised(**fields))
    assert networks.training is networks.inference
    assert networks.output_weights == (1.0,)
