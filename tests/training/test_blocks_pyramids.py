from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy import ndimage

from marsseg.config import ModelConfig
from marsseg.training.blocks import Blocks, identity
from marsseg.training.keras_layers import ResizeTo
from marsseg.training.pyramids import build_pyramid
from tests.training.part_models import fill, model_of, weights_of

pytestmark = pytest.mark.training


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def relu(x):
    return np.maximum(x, 0)


def bilinear(x, height, width):
    """SciPy's linear zoom of (B, h, w, C), with pixel centres as places and edges repeated."""
    zoom = (1, height / x.shape[1], width / x.shape[2], 1)
    return ndimage.zoom(x, zoom, order=1, mode="nearest", grid_mode=True)


def convolved(x, kernel, bias, rate):
    """A dilated 3×3 convolution as a plain one with zeros between the taps."""
    wide = np.zeros((2 * rate + 1, 2 * rate + 1, *kernel.shape[2:]))
    wide[::rate, ::rate] = kernel
    padded = np.pad(x, ((0, 0), (rate, rate), (rate, rate), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, wide.shape[:2], axis=(1, 2))
    return np.einsum("bhwcij,ijcf->bhwf", windows, wide) + bias


@pytest.mark.parametrize("size", [(4, 6), (8, 12), (16, 24)])
def test_resizing_is_bilinear_at_any_size(rng, size):
    small, large = keras.Input((None, None, 3)), keras.Input((None, None, 1))
    model = keras.Model([small, large], ResizeTo()([small, large]))
    x = rng.normal(size=(2, 4, 6, 3)).astype("float32")
    resized = model([x, np.zeros((2, *size, 1), "float32")])
    np.testing.assert_allclose(resized, bilinear(x, *size), rtol=1e-4, atol=1e-5)


def test_without_a_bottleneck_nothing_is_added():
    assert build_pyramid(Blocks(ModelConfig())) is identity


def test_atrous_pyramid_is_the_formula_of_the_paper(rng):
    config = ModelConfig(depth=1, filters=4, bottleneck="aspp", normalization="none")
    model = fill(model_of(build_pyramid(Blocks(config)), channels=8), rng)
    x = rng.normal(size=(2, 9, 11, 8))
    kernel, bias = weights_of(model, "bottleneck_aspp_point")
    assert kernel.shape == (1, 1, 8, 4)
    branches = [relu(x @ kernel[0, 0] + bias)]
    for rate in (2, 4, 6):
        branches.append(relu(convolved(x, *weights_of(model, f"bottleneck_aspp_rate_{rate}"), rate)))
    kernel, bias = weights_of(model, "bottleneck_aspp_tile_conv")
    mean = relu(x.mean(axis=(1, 2), keepdims=True) @ kernel[0, 0] + bias)
    branches.append(np.broadcast_to(mean, branches[0].shape))
    kernel, bias = weights_of(model, "bottleneck_aspp_project")
    expected = relu(np.concatenate(branches, axis=-1) @ kernel[0, 0] + bias)
    assert expected.shape == x.shape
    np.testing.assert_allclose(model(x.astype("float32")), expected, rtol=1e-4, atol=1e-4)


def test_pyramid_pooling_is_the_formula_of_the_paper(rng):
    config = ModelConfig(depth=3, filters=2, bottleneck="pyramid_pooling", normalization="none")
    model = fill(model_of(build_pyramid(Blocks(config)), channels=16), rng)
    x = rng.normal(size=(2, 8, 16, 16))  # a tile of 64×128 after three halvings
    branches = [x]
    for edge in (8, 4, 2):
        kernel, bias = weights_of(model, f"bottleneck_pyramid_window_{edge}_conv")
        assert kernel.shape == (1, 1, 16, 4)
        means = x.reshape(2, 8 // edge, edge, 16 // edge, edge, 16).mean(axis=(2, 4))
        branches.append(bilinear(relu(means @ kernel[0, 0] + bias), 8, 16))
    kernel, bias = weights_of(model, "bottleneck_pyramid_tile_conv")
    mean = relu(x.mean(axis=(1, 2), keepdims=True) @ kernel[0, 0] + bias)
    branches.append(np.broadcast_to(mean, (2, 8, 16, 4)))
    kernel, bias = weights_of(model, "bottleneck_pyramid_project")
    expected = relu(np.concatenate(branches, axis=-1) @ kernel[0, 0] + bias)
    np.testing.assert_allclose(model(x.astype("float32")), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("depth", "edges"), [(1, [32, 16, 8]), (3, [8, 4, 2]), (5, [2]), (6, [])])
def test_windows_are_shares_of_a_tile_and_never_one_pixel(depth, edges):
    config = ModelConfig(depth=depth, filters=2, bottleneck="pyramid_pooling")
    model = model_of(build_pyramid(Blocks(config)), channels=2 << depth)
    pools = [layer for layer in model.layers if isinstance(layer, keras.layers.AveragePooling2D)]
    assert [pool.pool_size for pool in pools] == [(edge, edge) for edge in edges]


@pytest.mark.parametrize("normalization", ["batch", "group"])
def test_the_mean_of_a_single_tile_still_says_something(rng, normalization):
    """Normalised over one value a channel, it would be 0 whatever the tile holds."""
    config = ModelConfig(depth=1, filters=4, groups=4, bottleneck="aspp", normalization=normalization)
    model = model_of(build_pyramid(Blocks(config, seed=0)), channels=8)
    mean = keras.Model(model.inputs[0], model.get_layer("bottleneck_aspp_tile_conv").output)
    first, second = (np.asarray(mean(rng.normal(size=(1, 4, 8, 8)), training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 0.01
