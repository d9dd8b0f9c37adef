from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy.special import expit

from marsseg.config import ModelConfig
from marsseg.training.blocks import Blocks
from marsseg.training.excitation import excite
from marsseg.training.networks import build_network
from tests.training.part_models import fill, model_of, weights_of

pytestmark = pytest.mark.training


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def features(rng):
    return rng.normal(size=(2, 4, 6, 8)).astype("float32")


@pytest.mark.parametrize(("ratio", "units"), [(1, 8), (3, 2), (8, 1), (64, 1)])
def test_squeeze_excite_is_the_formula_of_the_paper(rng, features, ratio, units):
    blocks = Blocks(ModelConfig(squeeze_excite=True, se_ratio=ratio))
    model = fill(model_of(blocks.squeeze_excite(8, "se", level=1)), rng)
    w1, b1 = weights_of(model, "se_reduce")
    w2, b2 = weights_of(model, "se_expand")
    assert w1.shape == (8, units)
    squeezed = features.mean(axis=(1, 2))
    scale = expit(np.maximum(squeezed @ w1 + b1, 0) @ w2 + b2)
    np.testing.assert_allclose(model(features), features * scale[:, None, None, :], rtol=1e-4, atol=1e-5)


def test_spatial_excitation_weighs_each_place(rng, features):
    blocks = Blocks(ModelConfig(squeeze_excite=True, se_kind="spatial"))
    model = fill(model_of(blocks.squeeze_excite(8, "se", level=1)), rng)
    kernel, bias = weights_of(model, "se_place")
    weight = expit(features @ kernel[0, 0] + bias)
    assert weight.shape == (2, 4, 6, 1)
    np.testing.assert_allclose(model(features), features * weight, rtol=1e-4, atol=1e-5)


def test_both_takes_the_larger_weight(rng, features):
    blocks = Blocks(ModelConfig(squeeze_excite=True, se_kind="both", se_ratio=2))
    model = fill(model_of(blocks.squeeze_excite(8, "se", level=1)), rng)
    (w1, b1), (w2, b2) = weights_of(model, "se_reduce"), weights_of(model, "se_expand")
    kernel, bias = weights_of(model, "se_place")
    channel = expit(np.maximum(features.mean(axis=(1, 2)) @ w1 + b1, 0) @ w2 + b2)[:, None, None, :]
    place = expit(features @ kernel[0, 0] + bias)
    assert 0.1 < (channel > place).mean() < 0.9
    expected = features * np.maximum(channel, place)
    np.testing.assert_allclose(model(features), expected, rtol=1e-4, atol=1e-5)


def test_both_is_the_max_out_of_the_paper_for_positive_features(rng, features):
    x = np.abs(features)
    model = fill(model_of(excite(Blocks(ModelConfig(se_kind="both")), 8, "se")), rng)
    by_channel, by_place = (
        keras.Model(model.inputs[0], x_of)(x)
        for x_of in (model.get_layer("se_expand").output, model.get_layer("se_place_sigmoid").output)
    )
    np.testing.assert_allclose(model(x), np.maximum(x * by_channel, x * by_place), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("architecture", ["unet", "unet3plus", "deeplabv3plus"])
@pytest.mark.parametrize("encoder", ["plain", "resnet", "densenet"])
def test_excitation_in_the_bottleneck_alone_leaves_every_other_block_without(architecture, encoder):
    def excited(placement):
        config = ModelConfig(
            architecture=architecture,
            encoder=encoder,
            depth=2,
            filters=2,
            squeeze_excite=True,
            se_placement=placement,
        )
        names = [layer.name for layer in build_network(config).layers if layer.name.endswith("_se_scale")]
        return {name.split("_")[0] for name in names}

    assert excited("bottleneck") == {"bottleneck"}
    assert excited("all") == {"encoder", "bottleneck", "decoder"}
