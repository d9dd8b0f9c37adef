from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy import ndimage

from marsseg.training.networks import build_networks
from tests.training.small_networks import ARCHITECTURES, normal_images, small_config

pytestmark = pytest.mark.training


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def supervised(seed=1, **fields):
    return build_networks(small_config(**{"depth": 2, "deep_supervision": True, **fields}), seed)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_without_it_training_and_inference_are_one_model(architecture):
    networks = build_networks(small_config(architecture=architecture))
    assert networks.training is networks.inference
    assert networks.output_weights == (1.0,)


@pytest.mark.parametrize(("architecture", "outputs"), [("unet", 3), ("unet3plus", 3), ("deeplabv3plus", 2)])
def test_every_decoder_level_and_the_deepest_predict_at_full_size(architecture, outputs, rng):
    networks = supervised(architecture=architecture)
    x = normal_images(rng, 2, 16, 24)
    logits = networks.training(x)
    assert [output.shape for output in logits] == [(2, 16, 24, 5)] * outputs
    assert len(networks.output_weights) == outputs
    assert networks.inference(x).shape == (2, 16, 24, 5)
    np.testing.assert_array_equal(networks.inference(x), logits[0])


def test_coarser_predictions_follow_in_order(rng):
    networks = supervised(depth=3, filters=2)
    assert networks.training.output_names == ["logits", "logits_2", "logits_3", "logits_4"]
    heads = [networks.training.get_layer(f"head_{level}").output for level in (2, 3, 4)]
    x = normal_images(rng, 1, 32, 64)
    small = [np.asarray(logits) for logits in keras.Model(networks.training.inputs[0], heads)(x)]
    assert [logits.shape[1:3] for logits in small] == [(16, 32), (8, 16), (4, 8)]
    for coarse, full in zip(small, networks.training(x)[1:], strict=True):
        zoom = (1, 32 / coarse.shape[1], 64 / coarse.shape[2], 1)
        expected = ndimage.zoom(coarse, zoom, order=1, mode="nearest", grid_mode=True)
        np.testing.assert_allclose(full, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("decay", "weights"),
    [(0.5, (4 / 7, 2 / 7, 1 / 7)), (1.0, (1 / 3,) * 3), (0.1, (100 / 111, 10 / 111, 1 / 111))],
)
def test_weights_decay_and_sum_to_one(decay, weights):
    assert supervised(supervision_decay=decay).output_weights == pytest.approx(weights)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_finished_network_is_the_one_without_it(architecture, rng):
    fields = {"architecture": architecture, "depth": 2, "dropout": 0.2}
    without = build_networks(small_config(**fields), seed=3).inference
    networks = supervised(seed=3, **fields)
    assert [w.path for w in networks.inference.weights] == [w.path for w in without.weights]
    for ours, wanted in zip(networks.inference.get_weights(), without.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, wanted)


def test_both_models_share_their_weights(rng):
    networks = supervised()
    x = normal_images(rng, 2, 16, 16)
    before = np.asarray(networks.inference(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    networks.training.compile(
        keras.optimizers.SGD(0.1), [loss] * 3, loss_weights=list(networks.output_weights)
    )
    networks.training.train_on_batch(x, [rng.integers(0, 5, (2, 16, 16))] * 3)
    after = np.asarray(networks.inference(x))
    assert not np.allclose(before, after)
    np.testing.assert_array_equal(after, networks.training(x)[0])
    own = {id(weight) for weight in networks.inference.weights}
    extra = [w.path.split("/")[0] for w in networks.training.weights if id(w) not in own]
    assert sorted(set(extra)) == ["head_2", "head_3"]
