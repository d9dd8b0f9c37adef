from __future__ import annotations

import numpy as np
import pytest
from keras import layers, ops
from scipy.special import ndtr

from marsseg.training.keras_layers import GroupNormalization, gelu

pytestmark = pytest.mark.training


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def features(rng):
    return rng.normal(size=(2, 4, 6, 8)).astype("float32")


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
