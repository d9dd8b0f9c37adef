from __future__ import annotations

import keras
import numpy as np
import pytest

from marsseg.config import ModelConfig
from marsseg.training.blocks import Blocks
from marsseg.training.encoders import build_level
from tests.training.part_models import fill, model_of

pytestmark = pytest.mark.training


@pytest.fixture
def features():
    return np.random.default_rng(3).normal(size=(2, 4, 6, 8)).astype("float32")


def level_model(encoder, channels=8, seed=None, **fields):
    """The deepest of two levels, which has 8 filters."""
    config = ModelConfig(**{"depth": 1, "filters": 4, "normalization": "none", **fields}, encoder=encoder)
    return model_of(build_level(Blocks(config, seed), 2, "bottleneck"), channels)


def shape_of(model, layer):
    return tuple(model.get_layer(layer).kernel.shape)


@pytest.mark.parametrize("encoder", ["plain", "resnet", "densenet"])
def test_every_encoder_gives_activated_features_with_the_filters_of_the_level(encoder, features):
    model = fill(level_model(encoder, channels=8), np.random.default_rng(0))
    out = np.asarray(model(features))
    assert out.shape == (2, 4, 6, 8)
    assert out.min() == 0 < out.max()


def test_residual_level_passes_its_input_on_when_its_branches_are_silent(features):
    model = level_model("resnet")
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    np.testing.assert_allclose(model(features), np.maximum(features, 0), rtol=1e-6)


def test_residual_level_has_two_units_and_fits_its_input_once():
    model = level_model("resnet", channels=4)
    assert [layer.name for layer in model.layers if isinstance(layer, keras.layers.Add)] == [
        "bottleneck_unit_1_residual",
        "bottleneck_unit_2_residual",
    ]
    assert shape_of(model, "bottleneck_unit_1_shortcut") == (1, 1, 4, 8)
    assert "bottleneck_unit_2_shortcut" not in [layer.name for layer in model.layers]


def test_later_residual_units_are_activated_before_their_convolutions():
    model = level_model("resnet", normalization="batch")
    names = [layer.name for layer in model.layers]
    order = ["unit_1_residual", "unit_2_pre_norm", "unit_2_pre_act", "unit_2_conv_1", "out_norm", "out_act"]
    places = [names.index(f"bottleneck_{name}") for name in order]
    assert places == sorted(places)


def test_each_dense_layer_sees_all_earlier_ones():
    model = level_model("densenet", channels=5)
    assert [shape_of(model, f"bottleneck_layer_{place}") for place in (1, 2, 3, 4)] == [
        (3, 3, 5, 4),
        (3, 3, 9, 4),
        (3, 3, 13, 4),
        (3, 3, 17, 4),
    ]
    assert shape_of(model, "bottleneck_transition") == (1, 1, 21, 8)


# Drop path


def dropping(rate=0.5, seed=1):
    """A residual block that would add nothing but ones, in the deepest of two levels."""
    blocks = Blocks(ModelConfig(depth=1, residual=True, drop_path=rate, normalization="none"), seed)
    model = model_of(lambda x: blocks.add(x, keras.layers.ReLU()(x), "b", level=2), channels=3)
    return model, np.ones((2000, 2, 2, 3), "float32")


def test_drop_path_rests_at_inference():
    model, ones = dropping()
    np.testing.assert_array_equal(model(ones, training=False), 2 * ones)


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_drop_path_leaves_the_branch_out_for_its_share_of_tiles(rate):
    model, ones = dropping(rate)
    added = np.asarray(model(ones, training=True)) - 1
    np.testing.assert_array_equal(added, added[:, :1, :1, :1] * ones)  # whole tiles
    np.testing.assert_allclose(np.unique(added), [0, 1 / (1 - rate)], rtol=1e-5)
    error = np.sqrt(rate * (1 - rate) / len(ones))
    assert abs((added[:, 0, 0, 0] == 0).mean() - rate) < 4 * error


def test_drop_path_draws_anew_and_goes_on_where_its_state_was_restored():
    (model, ones), (other, _) = dropping(), dropping()
    state = [variable.numpy() for variable in model.non_trainable_variables]
    first, second = (np.asarray(model(ones, training=True)) for _ in range(2))
    assert not np.array_equal(first, second)
    assert len(state) == 1
    other(ones, training=True)
    other.non_trainable_variables[0].assign(model.non_trainable_variables[0])
    third = np.asarray(model(ones, training=True))
    np.testing.assert_array_equal(other(ones, training=True), third)
    other.non_trainable_variables[0].assign(state[0])
    np.testing.assert_array_equal(other(ones, training=True), first)


@pytest.mark.parametrize("encoder", ["plain", "resnet"])
def test_drop_path_grows_with_the_depth_of_the_level(encoder):
    def rate(level):
        config = ModelConfig(depth=2, filters=2, encoder=encoder, residual=True, drop_path=0.6)
        model = model_of(build_level(Blocks(config), level, "l"), channels=2)
        (value,) = {layer.rate for layer in model.layers if layer.name.endswith("drop_path")}
        return value

    assert [rate(level) for level in (1, 2, 3)] == pytest.approx([0.2, 0.4, 0.6])
