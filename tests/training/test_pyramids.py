"""Pyramids, interpolation, drop path and spatial excitation against their formulas in NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy.special import expit

from marsseg.config import ModelConfig
from marsseg.training.blocks import Blocks
from marsseg.training.custom_layers import ResizeLike
from marsseg.training.encoders import encode
from marsseg.training.pyramids import add_pyramid, atrous_pyramid

pytestmark = pytest.mark.training


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def fill(model, rng):
    model.set_weights([rng.normal(size=w.shape, scale=0.3) for w in model.get_weights()])
    return model


def weights_of(model, layer):
    return [np.asarray(weight, "float64") for weight in model.get_layer(layer).weights]


def interpolated(x, height, width):
    """Bilinear, pixels as areas: `numpy.interp` holds the edges and mixes the two nearest centres."""
    for axis, size in ((1, height), (2, width)):
        old = x.shape[axis]
        places = (np.arange(size) + 0.5) * old / size - 0.5
        x = np.apply_along_axis(lambda line, at=places, n=old: np.interp(at, np.arange(n), line), axis, x)
    return x


@pytest.mark.parametrize("size", [(8, 12), (2, 3), (1, 5), (7, 4), (16, 24)])
def test_resizing_interpolates_between_centres(rng, size):
    x = rng.normal(size=(2, 2, 3, 4)).astype("float32")
    resized = ResizeLike()((x, np.zeros((2, *size, 1), "float32")))
    np.testing.assert_allclose(resized, interpolated(x.astype("float64"), *size), atol=1e-5)


def test_resizing_a_mean_repeats_it(rng):
    x = rng.normal(size=(2, 1, 1, 4)).astype("float32")
    resized = ResizeLike()((x, np.zeros((2, 3, 5, 1), "float32")))
    np.testing.assert_allclose(resized, np.broadcast_to(x, (2, 3, 5, 4)), atol=1e-6)


def dilated(x, kernel, rate):
    """A 3×3 correlation whose taps are `rate` pixels apart, zeros outside."""
    padded = np.pad(x, ((0, 0), (rate, rate), (rate, rate), (0, 0)))
    height, width = x.shape[1:3]
    taps = [
        padded[:, i * rate : i * rate + height, j * rate : j * rate + width] @ kernel[i, j]
        for i in range(3)
        for j in range(3)
    ]
    return sum(taps)


def relu(x):
    return np.maximum(x, 0)


def pyramid_model(build, rng, channels=16, **fields):
    config = ModelConfig(**{"depth": 2, "filters": 4, "normalization": "none", **fields})
    x = keras.Input((None, None, channels))
    return fill(keras.Model(x, build(x, Blocks(config))), rng)


def point(x, weights):
    kernel, bias = weights
    return relu(x @ kernel[0, 0] + bias)


def test_atrous_pyramid_is_the_formula_of_the_paper(rng):
    model = pyramid_model(lambda x, blocks: atrous_pyramid(x, blocks, 8), rng)
    x = rng.normal(size=(2, 6, 9, 16)).astype("float32")
    branches = [point(x, weights_of(model, "bottleneck_pyramid_point"))]
    for rate in (2, 4, 6):
        kernel, bias = weights_of(model, f"bottleneck_pyramid_rate_{rate}")
        branches.append(relu(dilated(x.astype("float64"), kernel, rate) + bias))
    mean = point(x.mean(axis=(1, 2), keepdims=True), weights_of(model, "bottleneck_pyramid_tile"))
    branches.append(np.broadcast_to(mean, branches[0].shape))
    expected = point(np.concatenate(branches, axis=-1), weights_of(model, "bottleneck_pyramid_fuse"))
    assert expected.shape == (2, 6, 9, 8)
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-4)


def test_pooling_pyramid_is_the_formula_of_the_paper(rng):
    """At depth 2 a tile has 16×32 features, so windows of a half and a quarter of it are 8 and 4 wide."""
    model = pyramid_model(add_pyramid, rng, bottleneck="pyramid_pooling")
    x = rng.normal(size=(2, 16, 24, 16)).astype("float64")
    branches = [x]
    for place, edge in ((1, 8), (2, 4)):
        means = x.reshape(2, 16 // edge, edge, 24 // edge, edge, 16).mean(axis=(2, 4))
        summary = point(means, weights_of(model, f"bottleneck_pyramid_window_{place}"))
        branches.append(interpolated(summary, 16, 24))
    mean = point(x.mean(axis=(1, 2), keepdims=True), weights_of(model, "bottleneck_pyramid_tile"))
    branches.append(np.broadcast_to(mean, (2, 16, 24, mean.shape[-1])))
    expected = point(np.concatenate(branches, axis=-1), weights_of(model, "bottleneck_pyramid_fuse"))
    assert expected.shape == x.shape
    np.testing.assert_allclose(model(x.astype("float32")), expected, rtol=1e-4, atol=1e-4)


def excite_model(kind, rng):
    blocks = Blocks(ModelConfig(squeeze_excite=True, se_kind=kind, se_ratio=2))
    x = keras.Input((None, None, 8))
    return fill(keras.Model(x, blocks.squeeze_excite(8, "se", 1)(x)), rng)


def test_spatial_excitation_weighs_each_pixel(rng):
    model, x = excite_model("spatial", rng), rng.normal(size=(2, 4, 6, 8)).astype("float32")
    kernel, bias = weights_of(model, "se_project")
    np.testing.assert_allclose(model(x), x * expit(x @ kernel[0, 0] + bias), rtol=1e-4, atol=1e-5)


def test_both_excitations_give_the_larger(rng):
    model, x = excite_model("both", rng), rng.normal(size=(2, 4, 6, 8)).astype("float32")
    kernel, bias = weights_of(model, "se_project")
    (w1, b1), (w2, b2) = weights_of(model, "se_reduce"), weights_of(model, "se_expand")
    channels = x * expit(relu(x.mean(axis=(1, 2), keepdims=True) @ w1 + b1) @ w2 + b2)
    expected = np.maximum(channels, x * expit(x @ kernel[0, 0] + bias))
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("encoder", ["plain", "resnet", "densenet"])
def test_excitation_may_stand_at_the_bottleneck_alone(encoder):
    config = ModelConfig(depth=2, filters=4, encoder=encoder, squeeze_excite=True, se_placement="bottleneck")
    image = keras.Input((None, None, 1))
    model = keras.Model(image, encode(image, Blocks(config)))
    excited = {layer.name.split("_se_")[0] for layer in model.layers if "_se_" in layer.name}
    assert excited
    assert all(name.startswith("bottleneck") for name in excited)
