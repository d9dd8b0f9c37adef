"""Drop path: the stated share of tiles loses a branch while training, none does in use."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from marsseg.config import ModelConfig
from marsseg.training.networks import build_network
from tests.training.network_checks import images

pytestmark = pytest.mark.training


def build(seed=1, **fields):
    config = {"depth": 2, "filters": 4, "residual": True, "drop_path": 0.6, **fields}
    return build_network(ModelConfig(**config), seed=seed)


def drop_paths(model):
    return {layer.name: layer for layer in model.layers if "drop_path" in layer.name}


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def test_rate_grows_with_the_level():
    rates = {name: layer.rate for name, layer in drop_paths(build()).items()}
    assert rates == pytest.approx(
        {
            "encoder_1_drop_path": 0.2,
            "encoder_2_drop_path": 0.4,
            "bottleneck_drop_path": 0.6,
            "decoder_2_drop_path": 0.4,
            "decoder_1_drop_path": 0.2,
        }
    )


def test_residual_units_of_the_encoder_have_it_without_the_toggle():
    names = drop_paths(build(encoder="resnet", residual=False))
    assert len(names) == 6
    assert not any(name.startswith("decoder") for name in names)


def test_a_network_without_shortcuts_has_none():
    assert not drop_paths(build(residual=False))
    assert not drop_paths(build(drop_path=0.0))


@pytest.mark.parametrize(("name", "rate"), [("encoder_1_drop_path", 0.2), ("bottleneck_drop_path", 0.6)])
def test_the_stated_share_of_tiles_loses_the_branch(name, rate, rng):
    layer = drop_paths(build())[name]
    branch = rng.uniform(1, 2, (4000, 2, 3, 2)).astype("float32")
    ratio = np.asarray(layer(branch, training=True)) / branch
    tiles = ratio.reshape(4000, -1)
    np.testing.assert_allclose(tiles, np.broadcast_to(tiles[:, :1], tiles.shape), rtol=1e-5)  # all or nothing
    assert set(np.round(tiles[:, 0], 4)) == {0.0, np.round(np.float32(1 / (1 - rate)), 4)}
    spread = np.sqrt(rate * (1 - rate) / 4000)
    assert abs((tiles[:, 0] == 0).mean() - rate) < 4 * spread


def test_nothing_is_dropped_in_use(rng):
    x = images(rng, 3, 16, 16)
    dropping, plain = build(), build(drop_path=0.0)
    learned = {weight.path: weight.numpy() for weight in dropping.weights}
    for weight in plain.weights:
        weight.assign(learned.pop(weight.path))
    assert not learned
    np.testing.assert_array_equal(dropping(x, training=False), plain(x, training=False))
    assert not np.allclose(dropping(x, training=True), dropping(x, training=True))


def test_state_of_the_draws_is_a_variable_that_brings_them_back(rng):
    model, x = build(), images(rng, 8, 16, 16)
    seeds = [v for v in model.variables if "seed_generator" in v.path]
    assert len(seeds) == len(drop_paths(model)) == 5
    before = [v.numpy() for v in seeds]
    first = np.asarray(model(x, training=True))
    for variable, value in zip(seeds, before, strict=True):
        variable.assign(value)
    model.set_weights(build().get_weights())  # batch normalisation moved its means
    np.testing.assert_array_equal(model(x, training=True), first)


def test_a_saved_network_keeps_its_rates(tmp_path):
    model = build()
    model.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert {n: layer.rate for n, layer in drop_paths(loaded).items()} == {
        n: layer.rate for n, layer in drop_paths(model).items()
    }
